// SPDX-License-Identifier: MIT
/** Limits of reports and of the commands they run, see docs/reference/limits.md. */
export const reportLimits = {
  /** Texts of MESSAGE, and of LOG, that a report keeps; the oldest go first. */
  textsMax: 1_000,
  /** Lines from the end of a file of an error record. */
  tailLinesMax: 10,
  /** Bytes from the end of such a file. */
  tailBytesMax: 16_384,
  /** How long a digester or a mailer may take. */
  commandMsMax: 60_000,
  /** Bytes of what it prints; the rest is left out. */
  commandOutputBytesMax: 1_048_576,
  /** How long the end of a run waits for reports and restarts that are under way. */
  settleMsMax: 90_000,
} as const;

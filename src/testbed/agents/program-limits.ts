// SPDX-License-Identifier: MIT
/** Limits of the program agent, see docs/reference/limits.md. */
export const programLimits = {
  /** [EMULAB-EVENTS 4.4 TAG] */
  tagCharactersMax: 31,
  /** Programs in one configuration file. [EMULAB-EVENTS 4.2] */
  configuredProgramsMax: 250,
  /** Bytes of a configuration file. */
  configBytesMax: 1_048_576,
} as const;

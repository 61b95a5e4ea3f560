// SPDX-License-Identifier: MIT
// Bounds and times of the launcher, with their units. docs/reference/limits.md lists them.
import { assert } from "../../core/assert.ts";

export interface LaunchLimits {
  /**
   * For a scheduler to say that it is ready. One that has only lived so long waits for something,
   * e.g. for its bus, and is taken as started.
   */
  readonly startMs: number;
  /** After a TERM, until the KILL. */
  readonly graceMs: number;
  /** For a supervisor to have ended its scheduler and itself, KILL included. */
  readonly stopMs: number;
  /** For another start or stop of the same scheduler to be over. */
  readonly lockMs: number;
  /** Before the first restart; each further one waits twice as long. */
  readonly restartMsMin: number;
  readonly restartMsMax: number;
  /** A scheduler that has run so long has not failed in a row. */
  readonly steadyMs: number;
  /** Failures in a row; after one more the supervisor gives up. */
  readonly restartsMax: number;
  /** End of the log of a scheduler that died at once, for whoever started it. */
  readonly logTailBytesMax: number;
  /** For a command that reads or writes a file of a scheduler with the rights of its user. */
  readonly helperMs: number;
  /** What such a command may print: the log of a scheduler, as text. */
  readonly helperBytesMax: number;
}

export const defaultLaunchLimits: LaunchLimits = {
  startMs: 60_000,
  graceMs: 5_000,
  stopMs: 15_000,
  lockMs: 60_000,
  restartMsMin: 1_000,
  restartMsMax: 60_000,
  steadyMs: 60_000,
  restartsMax: 8,
  logTailBytesMax: 8_192,
  helperMs: 60_000,
  helperBytesMax: 256 * 1024 * 1024,
};

export function resolveLaunchLimits(given: Partial<LaunchLimits> = {}): LaunchLimits {
  const limits = { ...defaultLaunchLimits, ...given };
  assert(limits.stopMs > limits.graceMs, "stopMs must leave time after graceMs");
  assert(limits.restartMsMax >= limits.restartMsMin, "restartMsMax is below restartMsMin");
  return limits;
}

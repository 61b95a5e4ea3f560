// SPDX-License-Identifier: MIT
/** What an event did. `done` resolves with the completion's error number. */
export interface ProgramResult {
  /** Monotonic microseconds at which the program was started or signalled. */
  readonly firedMonotonicUs: number;
  /** `done`, `cancelled`, `unknown: WHY`, `failed: WHY` or `ignored: WHY`. */
  readonly outcome: string;
  readonly done: Promise<number>;
}

/** The error of what could not be done at all. [EMULAB-EVENTS 4.4] */
export const failedError = -1;

export function refused(nowUs: number, why: string): ProgramResult {
  return {
    firedMonotonicUs: nowUs,
    outcome: `failed: ${why}`,
    done: Promise.resolve(failedError),
  };
}

/** A planned start that was taken back, or let go, before it fired. */
export function cancelled(nowUs: number): ProgramResult {
  return { ...refused(nowUs, ""), outcome: cancelledOutcome };
}

const cancelledOutcome = "cancelled";

export function isCancelled({ outcome }: Pick<ProgramResult, "outcome">): boolean {
  return outcome === cancelledOutcome;
}

/** Done at once, and completed with it. */
export function completed(nowUs: number): ProgramResult {
  return { firedMonotonicUs: nowUs, outcome: "done", done: Promise.resolve(0) };
}

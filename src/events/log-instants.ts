// SPDX-License-Identifier: MIT
// The clock that stamps a scheduler's log and the monotonic clock of its machine. They are the same
// where the log is a file. A broker stamps by a clock of its own, which is known from the entries
// of this scheduler only (engine/stamp-clock.ts).
//
//   T1. Two instants are as far apart on one clock as on the other: how the clocks stand to each
//       other is estimated anew with every entry, and believed anew only when it is further off
//       than such an estimate may be.
import type { Log } from "../engine/log.ts";
import type { Clock } from "../host/clock.ts";

/** As far as two estimates may differ while the clocks do not, microseconds (T1). */
export const stampStepUs = 1_000;

export class LogInstants {
  readonly #clock: Clock;
  readonly #log: Pick<Log, "clockUs">;
  #offsetUs: number | undefined;

  constructor(clock: Clock, log: Pick<Log, "clockUs">) {
    this.#clock = clock;
    this.#log = log;
  }

  /** @param us of this machine's clock. @returns what the log's shows then */
  toLog(us: number): number {
    return us + this.#offset();
  }

  /** @param stampUs of the log's clock. @returns what this machine's shows then */
  toOwn(stampUs: number): number {
    return stampUs - this.#offset();
  }

  /** The clock that stamps the log, for who compares instants with stamps. */
  clock(): Clock {
    const clock = this.#clock;
    return {
      nowUs: () => this.toLog(clock.nowUs()),
      wallMs: () => clock.wallMs(),
      after: (delayMs, callback) => clock.after(delayMs, callback),
      endOfTurn: (callback) => clock.endOfTurn(callback),
    };
  }

  /** 0 while nothing is known of the other clock, as before the first entry. */
  #offset(): number {
    const shownUs = this.#log.clockUs?.();
    if (shownUs === undefined) return this.#offsetUs ?? 0;
    const seenUs = Math.round(shownUs - this.#clock.nowUs());
    if (this.#offsetUs === undefined || Math.abs(seenUs - this.#offsetUs) > stampStepUs) {
      this.#offsetUs = seenUs;
    }
    return this.#offsetUs;
  }
}

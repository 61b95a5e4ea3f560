// SPDX-License-Identifier: MIT
// Whether the log takes entries. Who waits must hear it when it does not: no outcome can come, and
// log time, by which deadlines run, stands still (D10).
//
//   A1. The log is away when something is to be appended and nothing has been taken for
//       `logAwayMs`; it is back with the first entry that it takes.
//   A2. At most one timer, which is armed for as long as something is on its way and a little more.
import type { Cancel, Clock } from "./clock.ts";

/** After this long without an entry the log counts as away, milliseconds (D10). */
export const logAwayMs = 2_000;

export class LogWatch {
  isAway = false;
  readonly #clock: Clock;
  readonly #onChange: (isAway: boolean) => void;
  /** Since when nothing was taken, while something is on its way. */
  #sinceUs: number | undefined;
  #cancel: Cancel | undefined;

  constructor(clock: Clock, onChange: (isAway: boolean) => void) {
    this.#clock = clock;
    this.#onChange = onChange;
  }

  /** An entry was handed to the log. */
  sent(): void {
    this.#sinceUs ??= this.#clock.nowUs();
    this.#arm(logAwayMs);
  }

  /**
   * The log took an entry. @param hasMore whether others are on their way, or must be sent again
   */
  taken(hasMore: boolean): void {
    this.#sinceUs = hasMore ? this.#clock.nowUs() : undefined;
    this.#tell(false);
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#sinceUs = undefined;
  }

  #arm(delayMs: number): void {
    this.#cancel ??= this.#clock.after(delayMs, () => {
      this.#cancel = undefined;
      if (this.#sinceUs === undefined || this.isAway) return;
      const leftMs = logAwayMs - (this.#clock.nowUs() - this.#sinceUs) / 1000;
      // A timer may come a little early by the clock that is read.
      if (leftMs > 0) this.#arm(Math.ceil(leftMs));
      else this.#tell(true);
    });
  }

  #tell(isAway: boolean): void {
    if (this.isAway === isAway) return;
    this.isAway = isAway;
    this.#onChange(isAway);
  }
}

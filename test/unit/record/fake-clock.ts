// SPDX-License-Identifier: MIT
// A clock that a test moves by hand.
import type { Clock } from "../../../src/host/clock.ts";

export class FakeClock implements Clock {
  #nowUs = 0;
  #timers: { dueUs: number; callback: () => void }[] = [];
  #turnEnds: (() => void)[] = [];

  nowUs(): number {
    return this.#nowUs;
  }

  wallMs(): number {
    return 0;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { dueUs: this.#nowUs + delayMs * 1_000, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer);
    };
  }

  endOfTurn(callback: () => void): void {
    this.#turnEnds.push(callback);
  }

  /** Timers that are armed. */
  get armed(): number {
    return this.#timers.length;
  }

  endTurn(): void {
    for (const callback of this.#turnEnds.splice(0)) callback();
  }

  advanceTo(us: number): void {
    for (;;) {
      this.#timers.sort((a, b) => a.dueUs - b.dueUs);
      const next = this.#timers[0];
      if (next === undefined || next.dueUs > us) break;
      this.#timers.shift();
      this.#nowUs = Math.max(this.#nowUs, next.dueUs);
      next.callback();
    }
    this.#nowUs = us;
  }
}

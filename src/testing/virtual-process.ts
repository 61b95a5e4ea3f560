// SPDX-License-Identifier: MIT
// A process of the simulated world: a clock whose timers die with it, and stand still while it is
// stopped. Everything that runs in one process gets this clock and no other.
import type { Cancel, Clock } from "../host/clock.ts";
import type { VirtualClock } from "./virtual-clock.ts";

/** A timer; one without a callback was cancelled. */
interface Due {
  callback: (() => void) | undefined;
}

export class VirtualProcess {
  readonly clock: Clock;
  #isDead = false;
  /** What fell due while it was stopped; undefined while it runs. */
  #pending: (() => void)[] | undefined;
  /** What a step of the machine's calendar has added; nothing that is due goes by it. */
  #calendarMs = 0;

  constructor(world: VirtualClock) {
    this.clock = {
      nowUs: () => world.nowUs(),
      wallMs: () => world.wallMs() + this.#calendarMs,
      after: (delayMs, callback): Cancel => {
        const timer: Due = { callback };
        const cancel = world.after(delayMs, () => this.#fire(timer));
        return () => {
          // It may be due already, and the process stopped.
          timer.callback = undefined;
          cancel();
        };
      },
      endOfTurn: (callback) => world.endOfTurn(() => this.#run(callback)),
    };
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  /** As kill -9 does. */
  kill(): void {
    this.#isDead = true;
    this.#pending = undefined;
  }

  /** The date is set ahead or back. */
  stepCalendar(ms: number): void {
    this.#calendarMs += ms;
  }

  /** As SIGSTOP does. */
  stop(): void {
    this.#pending ??= [];
  }

  /** As SIGCONT does. */
  resume(): void {
    const pending = this.#pending ?? [];
    this.#pending = undefined;
    for (const callback of pending) callback();
  }

  #fire(timer: Due): void {
    if (this.#isDead) return;
    if (this.#pending === undefined) timer.callback?.();
    else this.#pending.push(() => timer.callback?.());
  }

  #run(callback: () => void): void {
    if (this.#isDead) return;
    if (this.#pending === undefined) callback();
    else this.#pending.push(callback);
  }
}

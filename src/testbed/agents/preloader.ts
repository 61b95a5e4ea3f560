// SPDX-License-Identifier: MIT
// Loads programs a little before their events are due: what an event then takes is a write to a
// socket and not the making of a process, and many can start at one instant.
import type { AgendaEvent, TimedEvent } from "../../core/agenda/commands.ts";
import type { Cancel, Clock } from "../../host/clock.ts";

/** How long before its event a program is loaded. */
export const loadAheadUs = 1_000_000;
/** The most that is loaded before time 0: each holds a process and a socket. */
const loadedFirstMax = 500;
/** The longest a timer of the platform can wait. */
const timerMsMax = 2 ** 31 - 1;

export interface PreloaderOptions {
  readonly clock: Clock;
  /** Events of the main timeline. */
  readonly events: readonly TimedEvent[];
  /** Never rejects. */
  readonly load: (event: AgendaEvent) => Promise<void>;
}

export class Preloader {
  readonly #options: PreloaderOptions;
  /** Events that start a program, soonest first. */
  readonly #starts: readonly TimedEvent[];
  #next = 0;
  #cancel: Cancel = () => undefined;

  constructor(options: PreloaderOptions) {
    this.#options = options;
    this.#starts = options.events
      .filter(({ event }) => event.type === "PROGRAM" && /^(?:START|RUN)$/.test(event.event))
      .toSorted((a, b) => a.atUs - b.atUs);
  }

  /** Before time 0: resolves when what is due in the first moments is loaded. */
  async loadFirst(): Promise<void> {
    const due = this.#take(0).slice(0, loadedFirstMax);
    await Promise.all(due.map(({ event }) => this.#options.load(event)));
  }

  /** Time 0: from here on each program is loaded in time. */
  start(zeroUs: number): void {
    const next = this.#starts[this.#next];
    if (next === undefined) return;
    const { clock, load } = this.#options;
    const waitMs = (zeroUs + next.atUs - loadAheadUs - clock.nowUs()) / 1_000;
    this.#cancel = clock.after(Math.min(Math.max(0, waitMs), timerMsMax), () => {
      for (const { event } of this.#take(clock.nowUs() - zeroUs)) void load(event);
      this.start(zeroUs);
    });
  }

  stop(): void {
    this.#cancel();
  }

  #take(nowUs: number): readonly TimedEvent[] {
    const first = this.#next;
    while ((this.#starts[this.#next]?.atUs ?? Infinity) <= nowUs + loadAheadUs) this.#next += 1;
    return this.#starts.slice(first, this.#next);
  }
}

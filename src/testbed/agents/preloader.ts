// SPDX-License-Identifier: MIT
// Loads programs a little before their events are due: what an event then takes is a write to a
// socket and not the making of a process, and many can start at one instant.
import type { AgendaEvent, AgendaLoad, TimedEvent } from "../../core/agenda/commands.ts";
import type { Cancel, Clock } from "../../host/clock.ts";

/** How long before its event a program is loaded. */
export const loadAheadUs = 1_000_000;
/** The most that is loaded before time 0: each holds a process and a socket. */
const loadedFirstMax = 500;
/** The longest a timer of the platform can wait. */
const timerMsMax = 2 ** 31 - 1;

export interface PreloaderOptions {
  readonly clock: Clock;
  readonly agenda: Pick<AgendaLoad, "main" | "timelines">;
  /** Never rejects. */
  readonly load: (event: AgendaEvent) => Promise<void>;
}

export class Preloader {
  readonly #options: PreloaderOptions;
  /** Events that start a program or a timeline, soonest first. */
  readonly #starts: readonly TimedEvent[];
  readonly #timelines: ReadonlyMap<string, readonly TimedEvent[]>;
  #next = 0;
  #cancel: Cancel = () => undefined;

  /** With what is first loaded already. */
  static async begun(options: PreloaderOptions): Promise<Preloader> {
    const preloader = new Preloader(options);
    await preloader.loadFirst();
    return preloader;
  }

  constructor(options: PreloaderOptions) {
    this.#options = options;
    const { main, timelines } = options.agenda;
    this.#timelines = new Map(timelines.map(({ name, events }) => [name, events]));
    this.#starts = main.filter(isStart).toSorted((a, b) => a.atUs - b.atUs);
  }

  /** Before time 0: resolves when what is due in the first moments is loaded. */
  async loadFirst(): Promise<void> {
    const due = this.#take(0).slice(0, loadedFirstMax);
    await Promise.all(due.map((event) => this.#options.load(event)));
  }

  /** Time 0: from here on each program is loaded in time. */
  start(zeroUs: number): void {
    const next = this.#starts[this.#next];
    if (next === undefined) return;
    const { clock, load } = this.#options;
    const waitMs = (zeroUs + next.atUs - loadAheadUs - clock.nowUs()) / 1_000;
    this.#cancel = clock.after(Math.min(Math.max(0, waitMs), timerMsMax), () => {
      for (const event of this.#take(clock.nowUs() - zeroUs)) void load(event);
      this.start(zeroUs);
    });
  }

  stop(): void {
    this.#cancel();
  }

  /** What is to be loaded now. */
  #take(nowUs: number): readonly AgendaEvent[] {
    const first = this.#next;
    while ((this.#starts[this.#next]?.atUs ?? Infinity) <= nowUs + loadAheadUs) this.#next += 1;
    return this.#starts.slice(first, this.#next).flatMap((start) => this.#within(start, new Set()));
  }

  /**
   * Of a timeline, what it starts soon: the orders for the rest go out in time to be loaded. One
   * that is only asked for later is loaded when its orders come.
   */
  #within({ event }: TimedEvent, seen: Set<string>): readonly AgendaEvent[] {
    if (event.type === "PROGRAM") return [event];
    if (seen.has(event.object)) return [];
    seen.add(event.object);
    const events = this.#timelines.get(event.object) ?? [];
    const soon = events.filter((one) => isStart(one) && one.atUs < loadAheadUs);
    return soon.flatMap((one) => this.#within(one, seen));
  }
}

function isStart({ event: { type, event } }: TimedEvent): boolean {
  return (type === "PROGRAM" || type === "TIMELINE") && /^(?:START|RUN)$/.test(event);
}

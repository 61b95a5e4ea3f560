// SPDX-License-Identifier: MIT
// Virtual time under shipped code: a clock that moves only when told, from one timer to the next.
//
//   V1. Timers fire in (instant, order of setting).
//   V2. Between two instants everything that promises, streams and `nextTick` have to do is done:
//       the event loop is turned until nothing asks for another turn.
// Nothing here reads a real clock, so a run depends on its seed and on nothing else.
import { DueHeap } from "../core/due-heap.ts";
import type { Cancel, Clock } from "../host/clock.ts";
import { systemClock } from "../host/clock.ts";

interface Timer {
  readonly dueUs: number;
  readonly id: number;
  readonly callback: () => void;
}

/**
 * Turns of the event loop after the last `endOfTurn`; streams take a few to hand a chunk through.
 */
const quietTurnsOfStreams = 3;

/**
 * How a clock sees to V2. `event-loop`: it turns the event loop, for code that asks the platform
 * for something. `ticks`: it does at once, to the end, what promises and `nextTick` have to do, and
 * turns the event loop once for each `pass`. A run has some 50,000 instants and ends of a turn, and
 * most of them leave nothing to do.
 */
export type TurnKind = "event-loop" | "ticks";

/**
 * What Node does behind each callback of its event loop: runs promises and ticks until none is
 * left. Called by one of them it does nothing.
 */
const { _tickCallback: runTicks } = process as unknown as { readonly _tickCallback: () => void };

const done = Promise.resolve();

/** What it asks for is done in the order as behind an `await`: promises first, then ticks. */
function inMicrotask<T>(act: () => T): T {
  let end: { readonly result: T } | { readonly error: unknown } | undefined;
  queueMicrotask(() => {
    try {
      end = { result: act() };
    } catch (error) {
      end = { error };
    }
  });
  runTicks();
  if (end === undefined) throw new Error("something is under way that holds back all promises");
  if ("error" in end) throw end.error;
  return end.result;
}

/** Also what was left for the event loop itself. */
function turnEventLoop(goOn: () => void): void {
  systemClock.endOfTurn(() => void done.then(goOn));
}

export class VirtualClock implements Clock {
  #nowUs = 1_000_000;
  /** What a step of the machine's clock has added; stamps move by it, timers do not. */
  #offsetUs = 0;
  #lastId = 0;
  readonly #timers = new DueHeap<Timer>();
  readonly #turns: TurnKind;
  #endOfTurn: (() => void)[] = [];

  constructor(turns: TurnKind = "event-loop") {
    this.#turns = turns;
  }

  nowUs(): number {
    return this.#nowUs + this.#offsetUs;
  }

  wallMs(): number {
    return Math.trunc(this.nowUs() / 1000);
  }

  after(delayMs: number, callback: () => void): Cancel {
    this.#lastId += 1;
    const id = this.#lastId;
    const dueUs = this.#nowUs + Math.max(0, Math.round(delayMs * 1000));
    this.#timers.add({ dueUs, id, callback });
    return () => this.#timers.remove(id);
  }

  endOfTurn(callback: () => void): void {
    this.#endOfTurn.push(callback);
  }

  /** Sets the clock ahead or back, as an administrator would. */
  step(us: number): void {
    this.#offsetUs += us;
  }

  /** Virtual microseconds that have passed, without steps. */
  get elapsedUs(): number {
    return this.#nowUs;
  }

  /** A clock that runs from `startUs`, for one part of the machine that has its own. */
  offsetBy(us: () => number): Clock {
    return {
      nowUs: () => this.#nowUs + us(),
      wallMs: () => this.wallMs(),
      after: (delayMs, callback) => this.after(delayMs, callback),
      endOfTurn: (callback) => this.endOfTurn(callback),
    };
  }

  /** V2. */
  settle(): Promise<void> {
    if (this.#turns === "ticks") return this.#behindTicks(() => this.#settleTicks());
    return new Promise((resolve, reject) => this.#settle(resolve, reject));
  }

  /** Lets `us` microseconds pass. */
  pass(us: number): Promise<void> {
    const endUs = this.#nowUs + us;
    if (this.#turns === "ticks") return this.#behindTicks(() => this.#passTicks(endUs));
    return new Promise((resolve, reject) => {
      const goOn = (): void => {
        if (this.#fireNext(endUs)) {
          this.#settle(goOn, reject);
          return;
        }
        this.#nowUs = endUs;
        resolve();
      };
      this.#settle(goOn, reject);
    });
  }

  /**
   * Lets pass what `acts` yields, time after time, and has it act between: as if it awaited `pass`
   * for each, but with one turn of the event loop for all where ticks are all that is waited for.
   */
  async passEach(acts: Iterator<number, void>): Promise<void> {
    let next = acts.next();
    if (this.#turns === "event-loop") {
      for (; next.done !== true; next = acts.next()) await this.pass(next.value);
      return;
    }
    await this.#behindTicks(() => {
      while (next.done !== true) {
        this.#passTicks(this.#nowUs + next.value);
        next = inMicrotask(() => acts.next());
      }
    });
  }

  /** @returns whether a timer was due by then (V1) */
  #fireNext(untilUs: number): boolean {
    const timer = this.#timers.takeDue(untilUs);
    if (timer === undefined) return false;
    this.#nowUs = Math.max(this.#nowUs, timer.dueUs);
    timer.callback();
    return true;
  }

  #passTicks(endUs: number): void {
    do this.#settleTicks();
    while (this.#fireNext(endUs));
    this.#nowUs = endUs;
  }

  #settleTicks(): void {
    for (;;) {
      runTicks();
      const callbacks = this.#endOfTurn;
      if (callbacks.length === 0) return;
      this.#endOfTurn = [];
      for (const callback of callbacks) callback();
    }
  }

  /** Acts where no promise and no tick is under way: there alone others can be run. */
  #behindTicks(act: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      systemClock.endOfTurn(() => {
        try {
          act();
          resolve();
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  /** @param fail told of what a callback or `goOn` throws */
  #settle(goOn: () => void, fail: (error: unknown) => void): void {
    let quiet = 0;
    const turned = (): void => {
      try {
        const callbacks = this.#endOfTurn;
        quiet += 1;
        if (callbacks.length > 0) {
          quiet = 0;
          this.#endOfTurn = [];
          for (const callback of callbacks) callback();
        }
        if (quiet < quietTurnsOfStreams) turnEventLoop(turned);
        else goOn();
      } catch (error) {
        fail(error);
      }
    };
    turnEventLoop(turned);
  }

  /** Goes to the next timer, at most `us` away. @returns false when there is none. */
  async advance(us: number): Promise<boolean> {
    await this.settle();
    const timer = this.#timers.first();
    if (timer === undefined || timer.dueUs > this.#nowUs + us) return false;
    await this.pass(Math.max(0, timer.dueUs - this.#nowUs));
    return true;
  }
}

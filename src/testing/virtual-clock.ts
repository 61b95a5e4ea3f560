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

/** Lets what promises, streams and `nextTick` have to do happen (V2), and then goes on. */
export type Turn = (goOn: () => void) => void;

const done = Promise.resolve();

/** Also what was left for the event loop itself. */
const turnOfEventLoop: Turn = (goOn) => {
  systemClock.endOfTurn(() => void done.then(goOn));
};

/**
 * Several times as fast, and enough where nobody asks the event loop for anything: what a tick has
 * called for is done before the next but one. The clock turns the event loop once for each `pass`.
 * A run has some 100,000 of them: no promise but the one behind each tick is made.
 */
export const turnOfTicks: Turn = (goOn) => {
  process.nextTick(behindPromises, () => process.nextTick(behindPromises, goOn));
};

function behindPromises(goOn: () => void): void {
  void done.then(goOn);
}

export class VirtualClock implements Clock {
  #nowUs = 1_000_000;
  /** What a step of the machine's clock has added; stamps move by it, timers do not. */
  #offsetUs = 0;
  #lastId = 0;
  readonly #timers = new DueHeap<Timer>();
  readonly #quietTurns: number;
  readonly #turn: Turn;
  #endOfTurn: (() => void)[] = [];

  /** @param quietTurns how many turns nobody may ask for another one (V2) */
  constructor(quietTurns: number = quietTurnsOfStreams, turn: Turn = turnOfEventLoop) {
    this.#quietTurns = quietTurns;
    this.#turn = turn;
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
    return new Promise((resolve, reject) => this.#settle(resolve, reject));
  }

  /** Lets `us` microseconds pass. */
  pass(us: number): Promise<void> {
    const endUs = this.#nowUs + us;
    return new Promise((resolve, reject) => {
      const goOn = (): void => {
        const timer = this.#timers.takeDue(endUs);
        if (timer === undefined) {
          this.#nowUs = endUs;
          resolve();
          return;
        }
        this.#nowUs = Math.max(this.#nowUs, timer.dueUs);
        timer.callback();
        this.#settle(goOn, reject);
      };
      const begin = (): void => this.#settle(goOn, reject);
      if (this.#turn === turnOfEventLoop) begin();
      else turnOfEventLoop(begin);
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
        if (quiet < this.#quietTurns) this.#turn(turned);
        else goOn();
      } catch (error) {
        fail(error);
      }
    };
    this.#turn(turned);
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

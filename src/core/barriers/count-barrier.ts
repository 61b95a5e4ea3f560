// SPDX-License-Identifier: MIT
// Count barrier: inits add to a count, waits take one off, everybody leaves when it returns to 0.
// [EMULAB-SYNC 3]. Owns counting, who waits, and the error they share. Does not own names and
// generations (scope.ts), time (timers.ts) or delivery (count.ts).
//
//   C1. count = sum of inits that still hold - waits that still hold; it may be negative first.
//   C2. `release` empties the waiters in order of arrival, once (B2).
//   C3. The error is the largest brought by anyone who waited, also if they left since; that of an
//       initialiser who does not wait is dropped (B3).
//   C4. A waiter who leaves is uncounted: its wait is given back, its init taken away (B4).
import { assert } from "../assert.ts";
import type { Participant } from "../command.ts";
import { barrierCountMax } from "../limits.ts";
import type { CountRow, CountShares, Layer } from "./count-shares.ts";
import { enlist, PlaceState, recordGone, release, strike, takeAll, type Waiter } from "./place.ts";

type BelowFacts = CountRow["report"];

export class CountBarrier extends PlaceState {
  readonly kind = "count";
  readonly part: number = 0;
  readonly scope: string;
  readonly name: string;
  generation: number;
  createdUs: number;
  /** Those of controllers below included, as is `expected`. */
  count = 0;
  /** Parties asked for by inits, waiting initialisers included. */
  expected = 0;
  /** Where a tree carries it. */
  shares: CountShares | undefined;

  constructor(scope: string, name: string, generation: number, createdUs: number) {
    super();
    this.scope = scope;
    this.name = name;
    this.generation = generation;
    this.createdUs = createdUs;
  }

  /** Whether an init of `count` keeps the counter within what the oldest wire can say. */
  canAdd(count: number): boolean {
    return this.count + count <= barrierCountMax && this.expected + count <= barrierCountMax;
  }

  /** An initialiser that does not wait. [EMULAB-SYNC 3 not waiting] */
  addInit(count: number, who: Participant, nowUs: number, goneMax: number): void {
    assert(count >= 0 && this.canAdd(count), "the caller checks the range of an init");
    this.count += count;
    this.expected += count;
    recordGone(this, { who, arrivedUs: nowUs, left: false }, goneMax);
  }

  /** Puts a party on the list: a wait (contribution -1) or a waiting init (contribution n). */
  addWaiter(waiter: Waiter): void {
    assert(waiter.barrier === this, "a waiter belongs to one barrier");
    this.count += waiter.contribution;
    if (waiter.contribution >= 0) this.expected += waiter.contribution + 1;
    enlist(this, waiter);
  }

  /** C4. */
  removeWaiter(waiter: Waiter, goneMax: number): void {
    assert(strike(this, waiter, goneMax), "only a party that waits can leave");
    this.count -= waiter.contribution;
    if (waiter.contribution >= 0) this.expected -= waiter.contribution + 1;
  }

  /** The condition of a crossing; true also for a barrier that nobody is at. */
  isComplete(): boolean {
    return this.count === 0;
  }

  /** C2. */
  release(): readonly Waiter[] {
    return takeAll(this);
  }

  /** All but these go. */
  releaseAllBut(late: Layer): readonly Waiter[] {
    const released = [...this.waiters].filter((waiter) => !late.waiters.has(waiter));
    for (const waiter of released) release(this, waiter);
    return released;
  }

  /** The next generation, of what has come after the others went (A2). */
  begin(generation: number, late: Layer, nowUs: number): void {
    [this.generation, this.createdUs, this.warned] = [generation, nowUs, false];
    this.gone.length = 0;
    this.waitingBelow = 0;
    [this.count, this.expected, this.error] = [late.asked, late.asked, late.error];
    for (const { contribution } of late.waiters) {
      this.count += contribution;
      if (contribution >= 0) this.expected += contribution + 1;
    }
  }

  /** What the part of a controller below is now, in place of what it was. */
  changeBelow(was: BelowFacts, is: BelowFacts): void {
    this.count += is.count - was.count;
    this.expected += is.expected - was.expected;
    this.waitingBelow += is.waiting - was.waiting;
  }
}

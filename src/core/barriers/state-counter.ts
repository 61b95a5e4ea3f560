// SPDX-License-Identifier: MIT
// State: a counter that only grows, and those who wait until it has reached their target.
// [TESTGROUND-SYNC 4] Owns counting and which targets somebody waits for.
//
//   N1. The value is the number of signals since the scope was made; nothing takes one back.
//   N2. A target is in the queue as long as somebody waits for it, and is above the value; in a
//       tree also one that is reached, as long as the root has not said so, or somebody who waits
//       there has no number.
//   N3. A signal looks at no waiter of a target that it does not reach, and at no target that was
//       reached before: it costs O(log n) in the distinct targets that are waited for.
import { assert } from "../assert.ts";
import { DueHeap } from "../due-heap.ts";

/** All who wait for one target of a state. */
import {
  enlist,
  type Failure,
  PlaceState,
  release,
  strike,
  takeAll,
  type Waiter,
} from "./place.ts";
import type { StateShares } from "./state-shares.ts";

export class StateTarget extends PlaceState {
  readonly kind = "state";
  readonly generation = 1;
  readonly counter: StateCounter;
  /** The target. */
  readonly part: number;
  readonly createdUs: number;
  /** Of those who wait: for whom it is over, when they have their numbers. */
  held = 0;

  constructor(counter: StateCounter, target: number, createdUs: number) {
    super();
    this.counter = counter;
    this.part = target;
    this.createdUs = createdUs;
  }

  get scope(): string {
    return this.counter.scope;
  }

  get name(): string {
    return this.counter.name;
  }

  get isIdle(): boolean {
    return this.waiters.size + this.waitingBelow === 0;
  }

  /** Whether it is over for everybody who has not gone on. */
  get isOver(): boolean {
    return this.held > 0 && this.held === this.waiters.size && this.waitingBelow === 0;
  }
}

export class StateCounter {
  readonly kind = "state";
  readonly scope: string;
  readonly name: string;
  readonly createdUs: number;
  value = 0;
  /** What those who would have to wait are told since somebody failed the state. */
  failure: Failure | undefined;
  /** Nodes of the scope that somebody has signalled from. */
  readonly nodes: Set<string> = new Set();
  readonly targets: Map<number, StateTarget> = new Map();
  /** Parties that wait, for whatever target. */
  waiting = 0;
  /** Where a tree carries it. */
  shares: StateShares | undefined;
  readonly #queue = new DueHeap<{ readonly id: number; readonly dueUs: number }>();

  constructor(scope: string, name: string, createdUs: number) {
    this.scope = scope;
    this.name = name;
    this.createdUs = createdUs;
  }

  /** N1. @returns the targets that are reached by it, the smallest first; each is to be taken. */
  signal(count = 1): readonly StateTarget[] {
    this.value += count;
    const reached: StateTarget[] = [];
    for (
      let row = this.#queue.takeDue(this.value);
      row !== undefined;
      row = this.#queue.takeDue(this.value)
    ) {
      const target = this.targets.get(row.id);
      assert(target !== undefined, "a target in the queue is waited for");
      reached.push(target);
    }
    return reached;
  }

  /** The place of those who wait for `target`; one that is reached may still be there (N2). */
  obtain(target: number, nowUs: number): StateTarget {
    const isOpen = target > this.value || this.targets.has(target);
    assert(isOpen, "nobody waits for what is reached");
    return this.placeFor(target, nowUs);
  }

  /** The same, also of one that is reached: somebody waits there for a number. */
  placeFor(target: number, nowUs: number): StateTarget {
    const known = this.targets.get(target);
    if (known !== undefined) return known;
    const place = new StateTarget(this, target, nowUs);
    this.targets.set(target, place);
    this.#queue.add({ id: target, dueUs: target });
    return place;
  }

  add(target: StateTarget, waiter: Waiter): void {
    enlist(target, waiter);
    this.waiting += 1;
  }

  /** One comes for whom it is over: only the number is to come. */
  hold(target: StateTarget, waiter: Waiter): void {
    target.waiters.add(waiter);
    target.held += 1;
    this.waiting += 1;
  }

  /** It goes on, or will have no number. N2. */
  letGo(target: StateTarget, waiter: Waiter): void {
    this.#release(target, [waiter]);
    target.held -= 1;
    this.dropIfIdle(target);
  }

  #release(target: StateTarget, waiters: readonly Waiter[]): void {
    for (const waiter of waiters) release(target, waiter);
    this.waiting -= waiters.length;
  }

  /** One leaves. N2. */
  remove(target: StateTarget, waiter: Waiter, goneMax: number): void {
    assert(strike(target, waiter, goneMax), "only a party that waits can leave");
    this.waiting -= 1;
    this.dropIfIdle(target);
  }

  /** All who wait for the target, which is over, but those who are to have a number first. */
  take(target: StateTarget, isReached: boolean): readonly Waiter[] {
    const held = this.shares?.hold(target, isReached);
    target.held = held?.size ?? 0;
    if (held !== undefined && held.size > 0) {
      const released = [...target.waiters].filter((waiter) => !held.has(waiter));
      this.#release(target, released);
      target.waitingBelow = 0;
      return released;
    }
    this.#drop(target);
    this.waiting -= target.waiters.size;
    return takeAll(target);
  }

  /** N2. */
  dropIfIdle(target: StateTarget): void {
    if (target.isIdle) this.#drop(target);
  }

  #drop(target: StateTarget): void {
    this.targets.delete(target.part);
    this.#queue.remove(target.part);
  }
}

// SPDX-License-Identifier: MIT
// State: a counter that only grows, and those who wait until it has reached their target.
// [TESTGROUND-SYNC 4] Owns counting and which targets somebody waits for.
//
//   N1. The value is the number of signals since the scope was made; nothing takes one back.
//   N2. A target is in the queue as long as somebody waits for it, and is above the value.
//   N3. A signal looks at no waiter of a target that it does not reach, and at no target that was
//       reached before: it costs O(log n) in the distinct targets that are waited for.
import { assert } from "../assert.ts";
import { DueHeap } from "../due-heap.ts";

/** All who wait for one target of a state. */
import { enlist, type Failure, PlaceState, strike, takeAll, type Waiter } from "./place.ts";
import type { StateShares } from "./state-shares.ts";

export class StateTarget extends PlaceState {
  readonly kind = "state";
  readonly generation = 1;
  readonly counter: StateCounter;
  /** The target. */
  readonly part: number;
  readonly createdUs: number;

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

  /** The place of those who wait for `target`. */
  obtain(target: number, nowUs: number): StateTarget {
    assert(target > this.value, "nobody waits for what is reached");
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

  /** One leaves. N2. */
  remove(target: StateTarget, waiter: Waiter, goneMax: number): void {
    assert(strike(target, waiter, goneMax), "only a party that waits can leave");
    this.waiting -= 1;
    this.dropIfIdle(target);
  }

  /** All who wait for the target, which is over. */
  take(target: StateTarget): readonly Waiter[] {
    this.#drop(target);
    this.waiting -= target.waiters.size;
    return takeAll(target);
  }

  /** N2. */
  dropIfIdle(target: StateTarget): void {
    if (target.waiters.size + target.waitingBelow === 0) this.#drop(target);
  }

  #drop(target: StateTarget): void {
    this.targets.delete(target.part);
    this.#queue.remove(target.part);
  }
}

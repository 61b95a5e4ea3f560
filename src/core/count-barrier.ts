// SPDX-License-Identifier: MIT
// Count barrier: inits add to a count, waits take one off, everybody leaves when it returns to 0.
// [EMULAB-SYNC 3]. Owns counting, who waits, and the error they share. Does not own names and
// generations (scope.ts), time (timers.ts) or delivery (service.ts).
//
//   C1. count = sum of inits that still hold - waits that still hold; it may be negative first.
//   C2. `release` empties the waiters in order of arrival, once (B2).
//   C3. The error is the largest brought by anyone who waited, also if they left since; that of an
//       initialiser who does not wait is dropped (B3).
//   C4. A waiter who leaves is uncounted: its wait is given back, its init taken away (B4).
import { assert } from "./assert.ts";
import type { Participant } from "./command.ts";
import { Digest } from "./digest.ts";
import type { EdgeState } from "./edge-table.ts";
import type { ParticipantRecord } from "./effect.ts";
import { barrierCountMax } from "./limits.ts";

/** One connection that waits. */
export interface Waiter {
  readonly edge: EdgeState;
  readonly connection: number;
  readonly barrier: CountBarrier;
  readonly who: Participant;
  readonly error: number;
  /** What its leaving takes from the count: -1 for a wait, n for a waiting init of n. */
  readonly contribution: number;
  readonly arrivedUs: number;
  /** Timer id of its deadline, 0 for none. */
  timeoutTimer: number;
}

export class CountBarrier {
  readonly scope: string;
  readonly name: string;
  readonly generation: number;
  readonly createdUs: number;
  count = 0;
  error = 0;
  /** Parties asked for by inits, waiting initialisers included. */
  expected = 0;
  /** Timer id of the "who is missing" warning, 0 when not set or already given. */
  warningTimer = 0;
  warned = false;
  readonly waiters: Set<Waiter> = new Set();
  /**
   * Initialisers that did not wait, and those who left: kept for the record, the oldest dropped.
   */
  readonly gone: ParticipantRecord[] = [];
  readonly digest: Digest = new Digest();

  constructor(scope: string, name: string, generation: number, createdUs: number) {
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
    this.#recordGone({ who, arrivedUs: nowUs, left: false }, goneMax);
  }

  /** Puts a party on the list: a wait (contribution -1) or a waiting init (contribution n). */
  addWaiter(waiter: Waiter): void {
    assert(waiter.barrier === this, "a waiter belongs to one barrier");
    this.count += waiter.contribution;
    if (waiter.contribution >= 0) this.expected += waiter.contribution + 1;
    if (waiter.error > this.error) this.error = waiter.error;
    this.waiters.add(waiter);
    this.digest.addRow(describeWaiter(waiter), 1);
  }

  /** C4. */
  removeWaiter(waiter: Waiter, goneMax: number): void {
    assert(this.waiters.delete(waiter), "only a party that waits can leave");
    this.count -= waiter.contribution;
    if (waiter.contribution >= 0) this.expected -= waiter.contribution + 1;
    this.digest.addRow(describeWaiter(waiter), -1);
    this.#recordGone({ who: waiter.who, arrivedUs: waiter.arrivedUs, left: true }, goneMax);
  }

  /** The condition of a crossing; true also for a barrier that nobody is at. */
  isComplete(): boolean {
    return this.count === 0;
  }

  /** C2. Everybody who waits, in order of arrival; the barrier is empty afterwards. */
  release(): readonly Waiter[] {
    const released = [...this.waiters];
    this.waiters.clear();
    return released;
  }

  #recordGone(record: ParticipantRecord, goneMax: number): void {
    if (this.gone.length >= goneMax) this.gone.shift();
    this.gone.push(record);
  }
}

function describeWaiter(waiter: Waiter): string {
  const { edge, connection, contribution, error, arrivedUs } = waiter;
  return `${edge.name} ${connection} ${contribution} ${error} ${arrivedUs}`;
}

/** How a party is named to people: its own name, or the little that is known (B10). */
export function nameParticipant(who: Participant): string {
  if (who.name !== undefined) return who.name;
  return `anonymous, from ${who.node ?? who.address}`;
}

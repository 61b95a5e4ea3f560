// SPDX-License-Identifier: MIT
// Barriers as plain data, and back: what a snapshot keeps of each kind.
import { assert } from "../assert.ts";
import type { Participant } from "../command.ts";
import type { EdgeTable } from "../edge-table.ts";
import type { ParticipantRecord } from "../effect.ts";
import type { Scope } from "../scope.ts";
import { CountBarrier } from "./count-barrier.ts";
import type { Failure, Place, Waiter } from "./place.ts";
import { enlist } from "./place.ts";
import { StateCounter } from "./state-counter.ts";

interface WaiterSnapshot {
  readonly edge: string;
  readonly connection: number;
  readonly who: Participant;
  readonly error: number;
  readonly contribution: number;
  readonly arrivedUs: number;
  readonly timeoutTimer: number;
}

interface PlaceSnapshot {
  readonly createdUs: number;
  readonly error: number;
  readonly warningTimer: number;
  readonly warned: boolean;
  readonly waiters: readonly WaiterSnapshot[];
  readonly gone: readonly ParticipantRecord[];
}

interface CountSnapshot extends PlaceSnapshot {
  readonly name: string;
  readonly generation: number;
  readonly count: number;
  readonly expected: number;
}

interface StateSnapshot {
  readonly name: string;
  readonly createdUs: number;
  readonly value: number;
  readonly failure: Failure | null;
  readonly nodes: readonly string[];
  readonly targets: readonly (PlaceSnapshot & { readonly target: number })[];
}

/** The barriers of a scope. */
export interface BarriersSnapshot {
  readonly counts: readonly CountSnapshot[];
  readonly states: readonly StateSnapshot[];
}

export function captureBarriers({ counts, states }: Scope): BarriersSnapshot {
  return {
    counts: [...counts.values()].map(captureCount),
    states: [...states.values()].map(captureState),
  };
}

/** @throws AssertionError when a waiter is of no edge. */
export function restoreBarriers(scope: Scope, snapshot: BarriersSnapshot, edges: EdgeTable): void {
  for (const row of snapshot.counts) restoreCount(scope, row, edges);
  for (const row of snapshot.states) restoreState(scope, row, edges);
}

function captureCount(barrier: CountBarrier): CountSnapshot {
  const { name, generation, count, expected } = barrier;
  return { name, generation, count, expected, ...capturePlace(barrier) };
}

function restoreCount(scope: Scope, snapshot: CountSnapshot, edges: EdgeTable): void {
  const { name, generation, createdUs, count, expected } = snapshot;
  const barrier = new CountBarrier(scope.name, name, generation, createdUs);
  restorePlace(barrier, snapshot, edges);
  Object.assign(barrier, { count, expected });
  scope.counts.set(name, barrier);
}

function captureState(counter: StateCounter): StateSnapshot {
  const { name, createdUs, value, failure, nodes, targets } = counter;
  return {
    ...{ name, createdUs, value, failure: failure ?? null, nodes: [...nodes] },
    targets: [...targets.values()].map((each) => ({ target: each.part, ...capturePlace(each) })),
  };
}

function restoreState(scope: Scope, snapshot: StateSnapshot, edges: EdgeTable): void {
  const { name, createdUs, value, failure, nodes, targets } = snapshot;
  const counter = new StateCounter(scope.name, name, createdUs);
  counter.value = value;
  counter.failure = failure ?? undefined;
  for (const node of nodes) counter.nodes.add(node);
  for (const row of targets) {
    const target = counter.obtain(row.target, row.createdUs);
    restorePlace(target, row, edges);
    counter.waiting += target.waiters.size;
  }
  scope.states.set(name, counter);
}

function capturePlace(place: Place): PlaceSnapshot {
  const { createdUs, error, warningTimer, warned, waiters, gone } = place;
  const rows = [...waiters].map(captureWaiter);
  return { createdUs, error, warningTimer, warned, waiters: rows, gone: [...gone] };
}

function restorePlace(place: Place, snapshot: PlaceSnapshot, edges: EdgeTable): void {
  for (const { edge: edgeName, ...rest } of snapshot.waiters) {
    const edge = edges.get(edgeName);
    assert(edge !== undefined, "a snapshot with a waiter of no edge");
    const waiter: Waiter = { ...rest, edge, barrier: place };
    edge.waiters.set(waiter.connection, waiter);
    enlist(place, waiter);
  }
  const { error, warningTimer, warned, gone } = snapshot;
  Object.assign(place, { error, warningTimer, warned });
  place.gone.push(...gone);
}

function captureWaiter(waiter: Waiter): WaiterSnapshot {
  const { edge, connection, who, error, contribution, arrivedUs, timeoutTimer } = waiter;
  return { edge: edge.name, connection, who, error, contribution, arrivedUs, timeoutTimer };
}

// SPDX-License-Identifier: MIT
// Barriers as plain data, and back: what a snapshot keeps of each kind.
import { assert } from "../assert.ts";
import type { Participant } from "../command.ts";
import type { Digest } from "../digest.ts";
import type { EdgeTable } from "../edge-table.ts";
import type { ParticipantRecord } from "../effect.ts";
import type { Scope } from "../scope.ts";
import {
  captureParts,
  captureShares,
  captureSignals,
  captureTree,
  type RosterTreeSnapshot,
  restoreParts,
  restoreShares,
  restoreSignals,
  restoreTree,
  type SharesSnapshot,
  type StateSharesSnapshot,
  type TreeSnapshot,
  treeRows,
} from "./capture-tree.ts";
import { CountBarrier } from "./count-barrier.ts";
import type { Failure, Place, Waiter } from "./place.ts";
import { digestOf, enlist } from "./place.ts";
import type { ChildProgress, QuorumCreator } from "./quorum-barrier.ts";
import { QuorumBarrier } from "./quorum-barrier.ts";
import type { Member } from "./roster-barrier.ts";
import { RosterBarrier } from "./roster-barrier.ts";
import type { Deadline, Quorum, RosterRules } from "./rules.ts";
import { StateCounter } from "./state-counter.ts";

interface WaiterSnapshot {
  readonly edge: string;
  readonly connection: number;
  readonly who: Participant;
  readonly error: number;
  readonly contribution: number;
  readonly arrivedUs: number;
  readonly leadUs: number;
  readonly timeoutTimer: number;
}

interface PlaceSnapshot {
  readonly createdUs: number;
  readonly error: number;
  readonly warningTimer: number;
  readonly warned: boolean;
  readonly deadline: Deadline | null;
  readonly deadlineTimer: number;
  readonly waiters: readonly WaiterSnapshot[];
  readonly gone: readonly ParticipantRecord[];
}

interface CountSnapshot extends PlaceSnapshot {
  readonly name: string;
  readonly generation: number;
  readonly count: number;
  readonly expected: number;
  readonly shares?: SharesSnapshot;
}

interface StateSnapshot {
  readonly name: string;
  readonly createdUs: number;
  readonly value: number;
  readonly failure: Failure | null;
  readonly nodes: readonly string[];
  readonly shares?: StateSharesSnapshot;
  readonly targets: readonly (PlaceSnapshot & { readonly target: number })[];
}

interface QuorumSnapshot extends PlaceSnapshot {
  readonly name: string;
  readonly generation: number;
  readonly quorum: Quorum;
  readonly creator: QuorumCreator;
  readonly status: QuorumBarrier["status"];
  readonly isReported: boolean;
  readonly crossedError: number;
  readonly children: readonly (readonly [string, ChildProgress])[];
  /** Absent: none, as in logs before version 10. */
  readonly changes?: number;
  readonly changesBelow?: readonly (readonly [string, number])[];
  readonly initTimer: number;
  readonly echoTimer: number;
}

interface RosterSnapshot extends PlaceSnapshot {
  readonly name: string;
  readonly generation: number;
  readonly rules: RosterRules;
  readonly phase: number;
  readonly lastError: number;
  readonly parts?: RosterTreeSnapshot;
  readonly members: readonly (Omit<Member, "group"> & { readonly group: string | null })[];
}

/** The barriers of a scope. */
export interface BarriersSnapshot {
  readonly counts: readonly CountSnapshot[];
  readonly states: readonly StateSnapshot[];
  readonly quorums: readonly QuorumSnapshot[];
  readonly rosters: readonly RosterSnapshot[];
  readonly peers: { readonly names: readonly string[]; readonly unnamed: number };
  readonly tree: TreeSnapshot;
}

export function captureBarriers(scope: Scope): BarriersSnapshot {
  const { counts, states, quorums, rosters, peers } = scope;
  return {
    counts: [...counts.values()].map(captureCount),
    states: [...states.values()].map(captureState),
    quorums: [...quorums.values()].map(captureQuorum),
    rosters: [...rosters.values()].map(captureRoster),
    peers: { names: [...peers.names], unnamed: peers.unnamed },
    tree: captureTree(scope),
  };
}

/** @throws AssertionError when a waiter is of no edge. */
export function restoreBarriers(scope: Scope, snapshot: BarriersSnapshot, edges: EdgeTable): void {
  for (const row of snapshot.counts) restoreCount(scope, row, edges);
  for (const row of snapshot.states) restoreState(scope, row, edges);
  for (const row of snapshot.quorums) restoreQuorum(scope, row, edges);
  for (const row of snapshot.rosters) restoreRoster(scope, row, edges);
  for (const place of scope.places()) scope.waiters += place.waiters.size;
  for (const name of snapshot.peers.names) scope.peers.names.add(name);
  scope.peers.unnamed = snapshot.peers.unnamed;
  restoreTree(scope, snapshot.tree);
}

function captureCount(barrier: CountBarrier): CountSnapshot {
  const { name, generation, count, expected } = barrier;
  const shares = captureShares(barrier);
  const parts = shares === undefined ? {} : { shares };
  return { name, generation, count, expected, ...capturePlace(barrier), ...parts };
}

function restoreCount(scope: Scope, snapshot: CountSnapshot, edges: EdgeTable): void {
  const { name, generation, createdUs, count, expected } = snapshot;
  const barrier = new CountBarrier(scope.name, name, generation, createdUs);
  restorePlace(barrier, snapshot, edges);
  Object.assign(barrier, { count, expected });
  restoreShares(barrier, snapshot.shares);
  scope.counts.set(name, barrier);
}

function captureState(counter: StateCounter): StateSnapshot {
  const { name, createdUs, value, failure, nodes, targets } = counter;
  const shares = captureSignals(counter);
  return {
    ...{ name, createdUs, value, failure: failure ?? null, nodes: [...nodes] },
    targets: [...targets.values()].map((each) => ({ target: each.part, ...capturePlace(each) })),
    ...(shares === undefined ? {} : { shares }),
  };
}

function restoreState(scope: Scope, snapshot: StateSnapshot, edges: EdgeTable): void {
  const { name, createdUs, value, failure, nodes, targets } = snapshot;
  const counter = new StateCounter(scope.name, name, createdUs);
  counter.failure = failure ?? undefined;
  for (const node of nodes) counter.nodes.add(node);
  for (const row of targets) {
    const target = counter.placeFor(row.target, row.createdUs);
    restorePlace(target, row, edges);
    counter.waiting += target.waiters.size;
  }
  // Last: in a tree one may be reached whose end has not been told of yet.
  counter.value = value;
  restoreSignals(counter, snapshot.shares);
  scope.states.set(name, counter);
}

function captureQuorum(barrier: QuorumBarrier): QuorumSnapshot {
  const { name, generation, quorum, creator, status, isReported, crossedError } = barrier;
  const { children, initTimer, echoTimer } = barrier;
  return {
    ...{ name, generation, quorum, creator, status, isReported, crossedError },
    ...captureChanges(barrier),
    ...{ children: [...children], initTimer, echoTimer, ...capturePlace(barrier) },
  };
}

function captureChanges({ changes, changesBelow }: QuorumBarrier) {
  return {
    ...(changes === 0 ? {} : { changes }),
    ...(changesBelow.size === 0 ? {} : { changesBelow: [...changesBelow] }),
  };
}

function restoreQuorum(scope: Scope, snapshot: QuorumSnapshot, edges: EdgeTable): void {
  const { name, generation, createdUs, quorum, creator, children } = snapshot;
  const place = { scope: scope.name, name, generation, createdUs };
  const barrier = new QuorumBarrier(place, quorum, creator);
  restorePlace(barrier, snapshot, edges);
  const { status, isReported, crossedError, initTimer, echoTimer } = snapshot;
  Object.assign(barrier, { status, isReported, crossedError, initTimer, echoTimer });
  for (const [child, progress] of children) barrier.children.set(child, progress);
  const { changes = 0, changesBelow = [] } = snapshot;
  barrier.changes = changes;
  for (const [child, count] of changesBelow) barrier.changesBelow.set(child, count);
  scope.quorums.set(name, barrier);
}

function captureRoster(roster: RosterBarrier): RosterSnapshot {
  const { name, generation, rules, phase, lastError, members } = roster;
  const rows = [...members.values()].map(captureMember);
  const facts = { name, generation, rules, phase: phase.part, lastError, members: rows };
  const parts = captureParts(roster);
  return { ...facts, ...capturePlace(phase), ...(parts === undefined ? {} : { parts }) };
}

function captureMember({ group, ...member }: Member): RosterSnapshot["members"][number] {
  return { ...member, group: group ?? null };
}

function restoreRoster(scope: Scope, snapshot: RosterSnapshot, edges: EdgeTable): void {
  const { name, generation, createdUs, rules, phase, lastError, members } = snapshot;
  const place = { scope: scope.name, name, generation, createdUs };
  const roster = new RosterBarrier(place, rules, phase);
  roster.lastError = lastError;
  for (const { group, ...member } of members) {
    roster.members.set(member.name, { ...member, group: group ?? undefined });
  }
  restorePlace(roster.phase, snapshot, edges);
  restoreParts(roster, snapshot.parts);
  scope.rosters.set(name, roster);
}

function capturePlace(place: Place): PlaceSnapshot {
  const { createdUs, error, warningTimer, warned, deadline, deadlineTimer } = place;
  return {
    ...{ createdUs, error, warningTimer, warned, deadline: deadline ?? null, deadlineTimer },
    waiters: [...place.waiters].map(captureWaiter),
    gone: [...place.gone],
  };
}

function restorePlace(place: Place, snapshot: PlaceSnapshot, edges: EdgeTable): void {
  for (const { edge: edgeName, ...rest } of snapshot.waiters) {
    const edge = edges.get(edgeName);
    assert(edge !== undefined, "a snapshot with a waiter of no edge");
    const waiter: Waiter = { ...rest, edge, barrier: place, isHashed: false };
    edge.waiters.set(waiter.connection, waiter);
    enlist(place, waiter);
  }
  const { error, warningTimer, warned, deadline, deadlineTimer, gone } = snapshot;
  Object.assign(place, { error, warningTimer, warned, deadlineTimer });
  place.deadline = deadline ?? undefined;
  place.gone.push(...gone);
}

function captureWaiter(waiter: Waiter): WaiterSnapshot {
  const { edge, connection, who, error, contribution, arrivedUs, leadUs, timeoutTimer } = waiter;
  const facts = { connection, who, error, contribution, arrivedUs, leadUs, timeoutTimer };
  return { edge: edge.name, ...facts };
}

/** Adds what decides of the barriers of a scope to a digest; who waits is in that of the place. */
export function digestBarriers(scope: Scope, digest: Digest): void {
  const add = (what: string, ...values: readonly unknown[]): void => {
    digest.addRow(`${what} ${scope.name} ${JSON.stringify(values)}`, 1);
  };
  for (const place of scope.places()) {
    const { kind, name, part, generation, createdUs, error, warned } = place;
    const timers = [place.warningTimer, place.deadline, place.deadlineTimer];
    add("place", kind, name, part, generation, createdUs, error, warned, ...timers);
    digest.addDigest(digestOf(place));
  }
  for (const { name, count, expected } of scope.counts.values())
    add("count", name, count, expected);
  for (const { name, value, createdUs, failure, nodes } of scope.states.values()) {
    add("state", name, value, createdUs, failure, [...nodes]);
  }
  for (const barrier of scope.quorums.values()) {
    const { name, quorum, creator, status, isReported, crossedError } = barrier;
    const { initTimer, echoTimer, children } = barrier;
    add("quorum", name, quorum, creator, status, isReported, crossedError, initTimer, echoTimer);
    add("children", name, [...children]);
    if (barrier.changes !== 0 || barrier.changesBelow.size > 0) {
      add("changes", name, captureChanges(barrier));
    }
  }
  for (const { name, rules, lastError, members } of scope.rosters.values()) {
    add("roster", name, rules, lastError, [...members.values()].map(captureMember));
  }
  const { peers, tree } = scope;
  add("controller", [...peers.names], peers.unnamed, tree.name);
  for (const [what, row] of treeRows(scope)) add(what, row);
}

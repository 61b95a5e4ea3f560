// SPDX-License-Identifier: MIT
// Snapshot: the whole state of a core as plain data that JSON can carry, and back. Owns the form of
// that data; when to take one, and cutting the log behind it, is the engine's business (D11).
//
// Order is state: waiters are answered in order of arrival, the oldest record makes room first. So
// every table is kept as an array in its own order, and restored by inserting in that order.
import type { AgendaSnapshot } from "./agenda/types.ts";
import { assert } from "./assert.ts";
import type { BarriersSnapshot } from "./barriers/capture.ts";
import { captureBarriers, restoreBarriers } from "./barriers/capture.ts";
import type { KeyedSnapshot } from "./barriers/keyed-table.ts";
import type { DriverOf, EdgeState, EdgeTable } from "./edge-table.ts";
import type { ClosedBarrier } from "./scope.ts";
import { Scope } from "./scope.ts";
import type { TimerRow, Timers } from "./timers.ts";
import type { ToldLimit } from "./told-limits.ts";
import { captureTopics, restoreTopics, type Topic, type TopicSnapshot } from "./topics.ts";

/** Raised whenever the meaning of a field changes; a reader refuses what it does not know. */
export const snapshotFormat = 5;

interface ScopeSnapshot extends BarriersSnapshot {
  readonly name: string;
  readonly nodes: readonly string[];
  readonly generationFloor: number;
  readonly closed: readonly (ClosedBarrier & { readonly key: string })[];
  readonly topics: readonly TopicSnapshot[];
  readonly topicBytes: number;
  readonly agenda: AgendaSnapshot;
  /** Absent: none, as in logs before version 9. */
  readonly keyed?: readonly KeyedSnapshot[];
}

interface EdgeSnapshot {
  readonly name: string;
  readonly incarnation: number;
  readonly lastBatch: number;
  readonly takenCommands: number;
  readonly attached: boolean;
  readonly leaseTimer: number;
  readonly leaseUs: number;
  readonly role?: EdgeState["role"];
  readonly server: string;
  readonly heardUs: number;
  readonly offers: number;
  readonly ended: readonly number[];
  /** Its waiters in the order in which they leave when the edge ends. */
  readonly connections: readonly number[];
  /** Its drivers of quorums. */
  readonly creators: readonly (readonly [number, DriverOf])[];
  readonly rosters: readonly (readonly [string, DriverOf])[];
}

/** The tables of a core. */
interface TablesSnapshot {
  readonly edges: readonly EdgeSnapshot[];
  readonly scopes: readonly ScopeSnapshot[];
  readonly timers: { readonly lastId: number; readonly rows: readonly TimerRow[] };
}

export interface Snapshot extends TablesSnapshot {
  readonly format: typeof snapshotFormat;
  /** The entry it stands behind: replay goes on with the next one. */
  readonly sequence: number;
  readonly nowUs: number;
  /** Null before the first entry. */
  readonly lastStampUs: number | null;
  /** What the log has been raised to (D12). */
  readonly version: number;
  /** What it says of limits; absent before they were state. */
  readonly limits?: readonly ToldLimit[];
  /** Absent where it has none (M8). */
  readonly origin?: number;
}

/** What a snapshot is taken from and restored into. */
export interface Tables {
  readonly edges: EdgeTable;
  readonly scopes: Map<string, Scope>;
  readonly timers: Timers;
}

export function captureTables({ edges, scopes, timers }: Tables): TablesSnapshot {
  return {
    edges: [...edges.edges.values()].map(captureEdge),
    scopes: [...scopes.values()].map(captureScope),
    timers: timers.dump(),
  };
}

/**
 * Fills empty tables.
 * @throws AssertionError when the snapshot is of another format or does not fit together.
 */
export function restoreTables(snapshot: Snapshot, { edges, scopes, timers }: Tables): void {
  assert(snapshot.format === snapshotFormat, `snapshot of format ${snapshot.format}`);
  timers.load(snapshot.timers);
  for (const edge of snapshot.edges) edges.add(restoreEdge(edge));
  for (const scope of snapshot.scopes) {
    scopes.set(scope.name, restoreScope(scope, edges));
  }
  for (const { name, connections } of snapshot.edges) orderWaiters(edges.get(name), connections);
}

function captureEdge(edge: EdgeState): EdgeSnapshot {
  const { ended, waiters, creators, rosters, followed: _, ...rest } = edge;
  const connections = [...waiters.keys()];
  const drives = { creators: [...creators], rosters: [...rosters] };
  return { ...rest, ended: [...ended], connections, ...drives };
}

function restoreEdge({ connections: _, creators, rosters, ...edge }: EdgeSnapshot): EdgeState {
  const drives = { creators: new Map(creators), rosters: new Map(rosters) };
  const tables = { waiters: new Map(), followed: new Set<Topic>() };
  const { role = undefined } = edge;
  return { ...edge, role, ended: [...edge.ended], ...tables, ...drives };
}

/** Barriers put their waiters in one after the other; the edge had them in order of arrival. */
function orderWaiters(edge: EdgeState | undefined, connections: readonly number[]): void {
  assert(edge?.waiters.size === connections.length, "a snapshot with waiters of no barrier");
  const found = new Map(edge.waiters);
  edge.waiters.clear();
  for (const connection of connections) {
    const waiter = found.get(connection);
    assert(waiter !== undefined, "a snapshot with a waiter of no barrier");
    edge.waiters.set(connection, waiter);
  }
}

function captureScope(scope: Scope): ScopeSnapshot {
  const { name, nodes, generationFloor, closed, agenda, keyed } = scope;
  return {
    name,
    nodes,
    generationFloor,
    closed: [...closed].map(([key, record]) => ({ key, ...record })),
    ...captureBarriers(scope),
    topics: captureTopics(scope),
    topicBytes: scope.topicBytes,
    agenda: agenda.capture(),
    ...(keyed.size === 0 ? {} : { keyed: keyed.capture() }),
  };
}

function restoreScope(snapshot: ScopeSnapshot, edges: EdgeTable): Scope {
  const scope = new Scope(snapshot.name);
  scope.nodes = snapshot.nodes;
  scope.generationFloor = snapshot.generationFloor;
  for (const { key, ...record } of snapshot.closed) scope.closed.set(key, record);
  restoreBarriers(scope, snapshot, edges);
  restoreTopics(scope, snapshot.topics, edges);
  scope.topicBytes = snapshot.topicBytes;
  scope.agenda.restore(snapshot.agenda);
  scope.keyed.restore(scope.name, snapshot.keyed ?? []);
  return scope;
}

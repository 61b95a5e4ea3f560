// SPDX-License-Identifier: MIT
// The edges the core knows, their incarnations and what waits behind them.
//
//   E1. Of an edge at most one incarnation lives; a new one ends the one before (D5).
//   E2. A batch counts if it is the next of the living incarnation; any other is ignored, and the
//       edge sends from the first unacknowledged one again (B6, D4).
//   E3. An ended incarnation never comes back.
//   E4. Of a batch that was cut each command counts once, however often and wherever it is cut: a
//       piece counts if nothing is missing before it, and only what has not counted yet.
//   E5. Of several servers of a log each has an edge that is its life. When that ends, so do the
//       edges in its process, the others are lost to it, and what it still appends for them is
//       ignored.

import type { Waiter } from "./barriers/place.ts";
import type { Attach, Batch, ServerLife } from "./command.ts";
import { EdgeDigests } from "./edge-digests.ts";
import type { Topic } from "./topics.ts";

/** Ended incarnations remembered per edge, so that a late batch cannot bring one back (E3). */
const endedRememberedMax = 16;

/** The quorum that a connection drives. */
export interface DriverOf {
  readonly scope: string;
  readonly barrier: string;
}

export interface EdgeState {
  readonly name: string;
  /** 0 when no incarnation lives. */
  incarnation: number;
  lastBatch: number;
  /** Commands that counted of the batch after that one, which was cut (E4). */
  takenCommands: number;
  attached: boolean;
  /** Timer id of the lease of a lost edge, 0 when attached. */
  leaseTimer: number;
  /** What it is to the servers of a shared log; it stays when it has ended. Set by `assume`. */
  role: Attach["as"];
  /** The server that has it, or had it last; empty where there is only one. */
  server: string;
  /** Of a server: when it was heard of last, in log time. */
  heardUs: number;
  /** Of a server: the newest version of the log that it can follow (D12). */
  offers: number;
  /** How long it is kept after its link is lost, in log time. */
  leaseUs: number;
  readonly waiters: Map<number, Waiter>;
  /** Connections that are drivers of quorums. */
  readonly creators: Map<number, DriverOf>;
  /** Rosters whose members have come by it. */
  readonly rosters: Map<string, DriverOf>;
  readonly followed: Set<Topic>;
  readonly ended: number[];
}

export class EdgeTable {
  readonly edges: Map<string, EdgeState> = new Map();
  /** Those that are servers or were: a few among many, and asked for behind every entry. */
  readonly #servers = new Set<EdgeState>();
  /** Of them those that live, by name; undefined when that may have changed. */
  #living: readonly EdgeState[] | undefined;
  readonly digests: EdgeDigests = new EdgeDigests();

  get(name: string): EdgeState | undefined {
    return this.edges.get(name);
  }

  /** Whether a life lasts, and its process has not been lost. */
  isThere(life: ServerLife | undefined): boolean {
    const edge = life && this.edges.get(life.edge);
    return edge?.incarnation === life?.incarnation && edge?.attached === true;
  }

  /** The state of an edge, made when first seen; the oldest dead one makes room at `edgesMax`. */
  obtain(name: string, edgesMax: number): EdgeState | undefined {
    const known = this.edges.get(name);
    if (known !== undefined) return known;
    if (this.edges.size >= edgesMax && !this.#dropOldestDead()) return undefined;
    const edge = endedEdge(name);
    this.add(edge);
    return edge;
  }

  /** Puts in one that is not there. */
  add(edge: EdgeState): void {
    this.edges.set(edge.name, edge);
    if (edge.role === "server") this.#servers.add(edge);
    this.#living = undefined;
  }

  /** What it is to the servers of the log from now on. */
  assume(edge: EdgeState, role: Attach["as"]): void {
    edge.role = role;
    if (role === "server") this.#servers.add(edge);
    else this.#servers.delete(edge);
    this.#living = undefined;
  }

  /** An incarnation lives; the one before has ended. */
  begin(edge: EdgeState, incarnation: number): void {
    edge.incarnation = incarnation;
    edge.lastBatch = 0;
    this.#living = undefined;
  }

  /** E2. Also true for the first batch of an incarnation that has not been seen. */
  accepts(edge: EdgeState, batch: Batch): boolean {
    const { from = 0 } = batch;
    if (batch.incarnation === edge.incarnation) {
      return batch.number === edge.lastBatch + 1 && from <= edge.takenCommands;
    }
    return (
      batch.number === 1 &&
      from === 0 &&
      batch.commands[0]?.kind === "attach" &&
      !edge.ended.includes(batch.incarnation)
    );
  }

  /** E5. The server's edge, if that life of it lasts. */
  serving({ edge, incarnation }: ServerLife): EdgeState | undefined {
    const server = this.edges.get(edge);
    return server?.role === "server" && server.incarnation === incarnation ? server : undefined;
  }

  /** Living servers, by name. */
  servers(): readonly EdgeState[] {
    this.#living ??= [...this.#servers]
      .filter(({ incarnation }) => incarnation !== 0)
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    return this.#living;
  }

  /** Marks the living incarnation as ended; its waiters must have left before. */
  end(edge: EdgeState): void {
    edge.ended.push(edge.incarnation);
    if (edge.ended.length > endedRememberedMax) edge.ended.shift();
    edge.incarnation = 0;
    edge.lastBatch = 0;
    edge.takenCommands = 0;
    edge.attached = false;
    edge.leaseTimer = 0;
    edge.leaseUs = 0;
    this.#living = undefined;
  }

  clear(): void {
    this.edges.clear();
    this.#servers.clear();
    this.#living = undefined;
    this.digests.clear();
  }

  #dropOldestDead(): boolean {
    for (const edge of this.edges.values()) {
      if (edge.incarnation !== 0) continue;
      this.#servers.delete(edge);
      this.digests.forget(edge);
      return this.edges.delete(edge.name);
    }
    return false;
  }
}

/** One that has never lived. */
export function endedEdge(name: string): EdgeState {
  return {
    name,
    incarnation: 0,
    lastBatch: 0,
    takenCommands: 0,
    attached: false,
    leaseTimer: 0,
    role: undefined,
    server: "",
    heardUs: 0,
    offers: 1,
    leaseUs: 0,
    waiters: new Map(),
    creators: new Map(),
    rosters: new Map(),
    followed: new Set(),
    ended: [],
  };
}

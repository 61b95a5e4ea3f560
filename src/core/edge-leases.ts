// SPDX-License-Identifier: MIT
// How long an edge lives on that no server has (D5): its lease begins when it is lost, that of a
// server with each entry of its own, and ends with a return.
import type { Attach } from "./command.ts";
import type { EdgeState, EdgeTable } from "./edge-table.ts";
import type { Limits } from "./limits.ts";
import type { Timers } from "./timers.ts";

interface EdgeLeasesParts {
  readonly timers: Timers;
  readonly edges: EdgeTable;
  readonly limits: Limits;
}

/** Of the entry that is being applied. */
interface EntryTime {
  readonly nowUs: number;
  /** Whose it is; empty where only one server appends. */
  readonly server: string;
}

export class EdgeLeases {
  readonly #parts: EdgeLeasesParts;

  constructor(parts: EdgeLeasesParts) {
    this.#parts = parts;
  }

  attach(edge: EdgeState, { leaseUs, as, offers = 1 }: Attach, { nowUs, server }: EntryTime): void {
    const { edges, limits } = this.#parts;
    edge.attached = true;
    edge.offers = offers;
    edges.assume(edge, as);
    edge.server = server;
    edge.leaseUs = Math.min(leaseUs ?? limits.edgeLeaseUs, limits.edgeLeaseUsMax);
    this.cancel(edge);
    if (as !== "server") return;
    edge.heardUs = nowUs;
    this.#start(edge, nowUs);
  }

  /** The server that had it has it: a detach of its own came late. */
  reattach(name: string, incarnation: number, time: EntryTime): void {
    const edge = this.#parts.edges.get(name);
    if (edge?.incarnation !== incarnation || edge.attached || edge.server !== time.server) return;
    const { leaseUs, role, offers } = edge;
    this.attach(edge, { kind: "attach", leaseUs, offers, ...(role ? { as: role } : {}) }, time);
  }

  /**
   * The lease runs from here. A detach of an incarnation that is gone, or by a server that has it
   * no more, is late news.
   */
  detach(name: string, incarnation: number, { nowUs, server }: EntryTime): void {
    const edge = this.#parts.edges.get(name);
    if (edge?.incarnation !== incarnation || !edge.attached) return;
    if (edge.server !== server || edge.role === "server") return;
    this.lose(edge, nowUs);
  }

  lose(edge: EdgeState, nowUs: number): void {
    edge.attached = false;
    this.#start(edge, nowUs);
  }

  /**
   * A lease is due. A server that was heard of since then lives on: its timer is not set anew by
   * each entry. @returns whether it is over
   */
  isOver(edge: EdgeState, nowUs: number): boolean {
    const isAlive = edge.role === "server" && edge.heardUs + edge.leaseUs > nowUs;
    if (isAlive) this.#start(edge, edge.heardUs);
    return !isAlive;
  }

  cancel(edge: EdgeState): void {
    if (edge.leaseTimer !== 0) this.#parts.timers.clear(edge.leaseTimer);
    edge.leaseTimer = 0;
  }

  #start(edge: EdgeState, fromUs: number): void {
    const { name, incarnation } = edge;
    const purpose = { kind: "edge-lease", edge: name, incarnation } as const;
    edge.leaseTimer = this.#parts.timers.set(fromUs + edge.leaseUs, purpose);
  }
}

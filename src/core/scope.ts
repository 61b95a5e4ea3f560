// SPDX-License-Identifier: MIT
// Scope: the name space of one experiment. Owns which barriers are open, the bounded memory of
// those that are gone (B8) and the names of the nodes; nothing leaks between scopes (B7).
import { Agenda } from "./agenda/agenda.ts";
import { unreachable } from "./assert.ts";
import type { CountBarrier } from "./barriers/count-barrier.ts";
import { KeyedTable } from "./barriers/keyed-table.ts";
import { Peers } from "./barriers/peers.ts";
import type { Place, PlaceKey } from "./barriers/place.ts";
import type { QuorumBarrier } from "./barriers/quorum-barrier.ts";
import type { RosterBarrier } from "./barriers/roster-barrier.ts";
import type { StateCounter } from "./barriers/state-counter.ts";
import { Tree } from "./barriers/tree.ts";
import type { BarrierKind, BarrierOutcome } from "./effect.ts";
import { closedReasonBytesMax } from "./limits.ts";
import { cutText } from "./text.ts";
import type { Topic } from "./topics.ts";

/** What is remembered of a barrier that is gone: O(1) per name (B8, D10). */
export interface ClosedBarrier {
  readonly generation: number;
  readonly outcome: BarrierOutcome;
  readonly error: number;
  /** Of a roster: who comes too late is told the outcome, and not refused. */
  readonly passesLate?: boolean;
  /** Why it ended, for who is told of it; cut at `closedReasonBytesMax`. */
  readonly reason?: string;
}

/** How a barrier has ended, for who comes too late. */
interface Farewell extends Pick<ClosedBarrier, "outcome" | "passesLate"> {
  readonly reason?: string | undefined;
}

/** What a name of a kind stands for. */
export type Barrier = CountBarrier | StateCounter | QuorumBarrier | RosterBarrier;

export class Scope {
  readonly name: string;
  #nodes: ReadonlySet<string> = new Set();
  /** Open barriers by kind; a name of one kind says nothing about one of another (D18). */
  readonly counts: Map<string, CountBarrier> = new Map();
  readonly states: Map<string, StateCounter> = new Map();
  readonly quorums: Map<string, QuorumBarrier> = new Map();
  readonly rosters: Map<string, RosterBarrier> = new Map();
  /** Parties that wait, at all places. */
  waiters = 0;
  readonly peers: Peers = new Peers();
  readonly tree: Tree = new Tree();
  readonly keyed: KeyedTable = new KeyedTable();
  /** By `closedKey`. */
  readonly closed: Map<string, ClosedBarrier> = new Map();
  /** Generations below this were used by names whose record was dropped. */
  generationFloor = 0;
  readonly topics: Map<string, Topic> = new Map();
  /** Bytes of all messages, with what it costs to keep each. */
  topicBytes = 0;
  readonly agenda: Agenda;

  constructor(name: string) {
    this.name = name;
    this.agenda = new Agenda(name);
  }

  /** In the order in which they were named. */
  get nodes(): readonly string[] {
    return [...this.#nodes];
  }

  set nodes(nodes: readonly string[]) {
    this.#nodes = new Set(nodes);
  }

  hasNode(name: string): boolean {
    return this.#nodes.has(name);
  }

  /** Of all kinds. */
  get openBarriers(): number {
    const { counts, states, quorums, rosters } = this;
    return counts.size + states.size + quorums.size + rosters.size;
  }

  /** Of all kinds, in their order. */
  *open(): Iterable<Barrier> {
    yield* this.counts.values();
    yield* this.states.values();
    yield* this.quorums.values();
    yield* this.rosters.values();
  }

  /** Those of this name, in the order of kinds. */
  named(name: string): readonly Barrier[] {
    const { counts, states, quorums, rosters } = this;
    return [counts, states, quorums, rosters].flatMap((kind) => kind.get(name) ?? []);
  }

  barrier(kind: BarrierKind, name: string): Barrier | undefined {
    switch (kind) {
      case "count":
        return this.counts.get(name);
      case "state":
        return this.states.get(name);
      case "quorum":
        return this.quorums.get(name);
      case "roster":
        return this.rosters.get(name);
      default:
        return unreachable(kind);
    }
  }

  /** Everywhere somebody could wait, in the order of kinds. */
  *places(): Iterable<Place> {
    yield* this.counts.values();
    for (const { targets } of this.states.values()) yield* targets.values();
    yield* this.quorums.values();
    for (const { phase } of this.rosters.values()) yield phase;
  }

  place({ kind, name, part }: PlaceKey): Place | undefined {
    const barrier = this.barrier(kind, name);
    if (barrier?.kind === "state") return barrier.targets.get(part);
    if (barrier?.kind !== "roster") return barrier;
    return barrier.phase.part === part ? barrier.phase : undefined;
  }

  nextGeneration(kind: BarrierKind, name: string): number {
    return (this.closed.get(closedKey(kind, name))?.generation ?? this.generationFloor) + 1;
  }

  closedRecord(kind: BarrierKind, name: string): ClosedBarrier | undefined {
    return this.closed.get(closedKey(kind, name));
  }

  /** B8: what stays of a barrier that is gone; the oldest record makes room. */
  remember(place: Place, { outcome, passesLate, reason }: Farewell, closedMax: number): void {
    const key = closedKey(place.kind, place.name);
    this.closed.delete(key);
    const oldest = this.closed.entries().next().value;
    if (oldest !== undefined && this.closed.size >= closedMax) {
      const [oldestKey, record] = oldest;
      this.closed.delete(oldestKey);
      if (record.generation > this.generationFloor) this.generationFloor = record.generation;
    }
    const { generation, error } = place;
    const why = reason === undefined ? {} : { reason: cutText(reason, closedReasonBytesMax) };
    const late = passesLate === true ? { passesLate } : {};
    this.closed.set(key, { generation, outcome, error, ...late, ...why });
  }
}

export function closedKey(kind: BarrierKind, name: string): string {
  return `${kind} ${name}`;
}

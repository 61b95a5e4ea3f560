// SPDX-License-Identifier: MIT
// Scope: the name space of one experiment. Owns which barriers are open, the bounded memory of
// those that are gone (B8) and the names of the nodes; nothing leaks between scopes (B7).
import { Agenda } from "./agenda/agenda.ts";
import type { CountBarrier } from "./barriers/count-barrier.ts";
import type { Place } from "./barriers/place.ts";
import type { BarrierKind, BarrierOutcome } from "./effect.ts";

/** What is remembered of a barrier that is gone: O(1) per name (B8, D10). */
export interface ClosedBarrier {
  readonly generation: number;
  readonly outcome: BarrierOutcome;
  readonly error: number;
}

export class Scope {
  readonly name: string;
  nodes: readonly string[] = [];
  /** Open barriers by kind; a name of one kind says nothing about one of another (D18). */
  readonly counts: Map<string, CountBarrier> = new Map();
  /** By `closedKey`. */
  readonly closed: Map<string, ClosedBarrier> = new Map();
  /** Generations below this were used by names whose record was dropped. */
  generationFloor = 0;
  readonly agenda: Agenda;

  constructor(name: string) {
    this.name = name;
    this.agenda = new Agenda(name);
  }

  /** Of all kinds. */
  get openBarriers(): number {
    return this.counts.size;
  }

  /** Everywhere somebody could wait, in the order of kinds. */
  *places(): Iterable<Place> {
    yield* this.counts.values();
  }

  place({ name }: Pick<Place, "kind" | "name" | "part">): Place | undefined {
    return this.counts.get(name);
  }

  nextGeneration(kind: BarrierKind, name: string): number {
    return (this.closed.get(closedKey(kind, name))?.generation ?? this.generationFloor) + 1;
  }

  /** B8: what stays of a barrier that is gone; the oldest record makes room. */
  remember(place: Place, outcome: BarrierOutcome, closedMax: number): void {
    const key = closedKey(place.kind, place.name);
    this.closed.delete(key);
    const oldest = this.closed.entries().next().value;
    if (oldest !== undefined && this.closed.size >= closedMax) {
      const [oldestKey, record] = oldest;
      this.closed.delete(oldestKey);
      if (record.generation > this.generationFloor) this.generationFloor = record.generation;
    }
    const { generation, error } = place;
    this.closed.set(key, { generation, outcome, error });
  }
}

export function closedKey(kind: BarrierKind, name: string): string {
  return `${kind} ${name}`;
}

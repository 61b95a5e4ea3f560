// SPDX-License-Identifier: MIT
// Scope: the name space of one experiment. Owns which barriers are open, the bounded memory of
// those that are gone (B8) and the names of the nodes; nothing leaks between scopes (B7).
import { Agenda } from "./agenda/agenda.ts";
import { CountBarrier } from "./count-barrier.ts";
import type { BarrierOutcome } from "./effect.ts";

/** What is remembered of a barrier that is gone: O(1) per name (B8, D10). */
export interface ClosedBarrier {
  readonly generation: number;
  readonly outcome: BarrierOutcome;
  readonly error: number;
}

export class Scope {
  readonly name: string;
  nodes: readonly string[] = [];
  readonly barriers: Map<string, CountBarrier> = new Map();
  readonly closed: Map<string, ClosedBarrier> = new Map();
  /** Generations below this were used by names whose record was dropped. */
  generationFloor = 0;
  readonly agenda: Agenda;

  constructor(name: string) {
    this.name = name;
    this.agenda = new Agenda(name);
  }

  open(name: string, nowUs: number): CountBarrier {
    const generation = (this.closed.get(name)?.generation ?? this.generationFloor) + 1;
    const barrier = new CountBarrier(this.name, name, generation, nowUs);
    this.barriers.set(name, barrier);
    return barrier;
  }

  /** Forgets the barrier but for its bounded record; the oldest record makes room. */
  close(barrier: CountBarrier, outcome: BarrierOutcome, closedMax: number): void {
    this.barriers.delete(barrier.name);
    this.closed.delete(barrier.name);
    const oldest = this.closed.entries().next().value;
    if (oldest !== undefined && this.closed.size >= closedMax) {
      const [name, record] = oldest;
      this.closed.delete(name);
      if (record.generation > this.generationFloor) this.generationFloor = record.generation;
    }
    const { generation, error } = barrier;
    this.closed.set(barrier.name, { generation, outcome, error });
  }
}

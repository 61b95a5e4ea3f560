// SPDX-License-Identifier: MIT
// The agendas of a run: the one of its file, in the scope of the run, and one in a scope of its own
// for each modification that brought events. What fires when is the core's; here is which of them
// still count and where their time 0 lies.
//
//   A1. The numbers of events are unique in a run.
//   A2. An event of a main timeline that was planned for a program before it went or changed is not
//       performed. Steps of sequences and timelines are: they are not planned anew.
//   A3. Where time 0 of an agenda lies is known also when nothing is planned in it any more: what
//       it fired last is told later than that.
import type { AgendaEvent } from "../core/agenda/commands.ts";
import type { Answer } from "../core/agenda/effects.ts";
import type { Experiment, PlannedEvent } from "../experiment/model.ts";

interface RunAgenda {
  /** Programs whose events do not count any more. */
  readonly dropped: Set<string>;
  isIdle: boolean;
}

export class RunAgendas {
  readonly #agendas = new Map<string, RunAgenda>();
  /** A3: time 0 of each, microseconds since that of the run. One number for each modification. */
  readonly #zerosUs = new Map<string, number>();
  /** Numbers of the steps of sequences and timelines. */
  readonly #steps: ReadonlySet<number>;
  #nextId: number;
  #modifications = 0;

  constructor({ events, sequences, timelines }: Experiment) {
    const steps = [...sequences.map((one) => one.steps), ...timelines.map((one) => one.events)];
    this.#steps = new Set(steps.flatMap((some) => some.map(({ index }) => index)));
    this.#nextId = 1 + Math.max(0, ...[events, ...steps].map((some) => lastIndex(some)));
  }

  open(scope: string, zeroUs: number): void {
    this.#agendas.set(scope, { dropped: new Set(), isIdle: false });
    this.#zerosUs.set(scope, zeroUs);
  }

  /** A name for the agenda of a modification. */
  nextScope(scope: string): string {
    this.#modifications += 1;
    return `${scope}/modification-${this.#modifications}`;
  }

  /** Something fires there again: an event that waited for a barrier, or came later. */
  setBusy(scope: string): void {
    const agenda = this.#agendas.get(scope);
    if (agenda !== undefined) agenda.isIdle = false;
  }

  /** What was asked for may plan something again; the core says again when nothing is. */
  answered(scope: string, { kind }: Answer): void {
    if (kind === "accepted" || kind === "replayed") this.setBusy(scope);
  }

  /** Nothing fires there any more. @param isOver nothing of it will be asked for again */
  setIdle(scope: string, isOver: boolean): void {
    const agenda = this.#agendas.get(scope);
    if (agenda !== undefined) agenda.isIdle = true;
    if (isOver) this.#agendas.delete(scope);
  }

  /** Nothing fires any more in any of them, and there is one. */
  get isIdle(): boolean {
    return this.#agendas.size > 0 && [...this.#agendas.values()].every(({ isIdle }) => isIdle);
  }

  get scopes(): readonly string[] {
    return [...this.#agendas.keys()];
  }

  zeroUs(scope: string): number {
    return this.#zerosUs.get(scope) ?? 0;
  }

  /** A2: what is planned for these programs until now. */
  drop(programs: ReadonlySet<string>): void {
    for (const { dropped } of this.#agendas.values()) {
      for (const name of programs) dropped.add(name);
    }
  }

  isDropped(scope: string, { id, object }: AgendaEvent): boolean {
    if (this.#steps.has(id)) return false;
    return this.#agendas.get(scope)?.dropped.has(object) ?? false;
  }

  /** A1. */
  number(events: readonly PlannedEvent[]): readonly PlannedEvent[] {
    return events.map((event) => ({ ...event, index: this.#nextId++ }));
  }
}

function lastIndex(events: readonly PlannedEvent[]): number {
  return events.reduce((last, { index }) => Math.max(last, index), 0);
}

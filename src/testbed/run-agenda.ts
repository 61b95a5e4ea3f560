// SPDX-License-Identifier: MIT
// What a run knows of its agenda, which is the core's: whether anything fires there any more, which
// number each event of the main timeline has, and how the agenda becomes the one that a
// modification asks for.
//
//   A1. One agenda, in the scope of the run: what a modification brings is planned among the rest,
//       numbered behind it, and known to whoever asks, lists or cancels.
//   A2. An event that was planned for a program before it went or changed is not performed, also
//       where it names the program through a group. Steps of sequences and timelines are: they are
//       not planned anew.
import { numberAmend } from "../core/agenda/amend.ts";
import type { AgendaAmend, AgendaEvent, AgendaLoad } from "../core/agenda/commands.ts";
import type { Answer } from "../core/agenda/effects.ts";
import { builtIn } from "../core/agenda/object-table.ts";
import type { Experiment, PlannedEvent } from "../experiment/model.ts";
import type { AgendaChange } from "./agenda-change.ts";
import { numberOf, planAgenda, timedEvents } from "./agenda-plan.ts";

interface MainEvent {
  readonly event: PlannedEvent;
  /** Where its time counts from, since time 0. */
  readonly fromUs: number;
}

export type AmendParts = Omit<AgendaAmend, "kind" | "scope" | "request" | "origin">;

/** An event of a modification with its number, as it is planned now. */
export interface NumberedEvent {
  readonly id: number;
  readonly event: PlannedEvent;
  /** Since time 0; null for one of the swap-out or behind a barrier. */
  readonly plannedUs: number | null;
}

export class RunAgenda {
  /** By number: events of the main timeline and of the swap-out that are planned. */
  readonly #main = new Map<number, MainEvent>();
  /** A2: programs, and the last number that was planned for what they were. */
  readonly #retired = new Map<string, number>();
  readonly #dropped = new Set<number>();
  /** Events that have been due since time 0, or since the last replay. */
  readonly #due = new Set<number>();
  #lastNumber = 0;
  #isOpen = false;
  #isIdle = false;

  constructor({ events, sequences, timelines }: Experiment) {
    for (const event of events) this.#add(numberOf(event), { event, fromUs: 0 });
    for (const { steps } of sequences) this.#note(steps);
    for (const one of timelines) this.#note(one.events);
  }

  /** What it starts must not find it missing. */
  open(): void {
    this.#isOpen = true;
  }

  /** Something fires there again: an event that waited for a barrier, or came later. */
  setBusy(): void {
    this.#isIdle = false;
  }

  /** What was asked for may plan something again; the core says again when nothing is. */
  answered({ kind }: Answer): void {
    if (kind === "accepted" || kind === "replayed" || kind === "amended") this.setBusy();
    if (kind === "replayed") this.#due.clear();
  }

  /** Nothing fires there any more. */
  setIdle(): void {
    this.#isIdle = true;
  }

  get isIdle(): boolean {
    return this.#isOpen && this.#isIdle;
  }

  /** Whether an event was planned and is no more. */
  isDropped({ id }: Pick<AgendaEvent, "id">): boolean {
    return this.#dropped.has(id);
  }

  /** An event is performed. @param id 0 for unknown */
  noteDue(id: number): void {
    this.#due.add(id);
  }

  /** The experiment with those events alone that are yet to come, at instants since time 0. */
  upcoming(experiment: Experiment): Experiment {
    const events = experiment.events.flatMap((event): PlannedEvent[] => {
      if (event.atUs === "swapout" || event.on !== undefined) return [event];
      const id = numberOf(event);
      return this.#main.has(id) && !this.#due.has(id)
        ? [{ ...event, atUs: this.dueUs(event) }]
        : [];
    });
    return { ...experiment, events };
  }

  /** A2. @param id of the event, 0 for unknown. @param object who is to obey it */
  isRetired(id: number, object: string): boolean {
    const main = this.#main.get(id);
    return main !== undefined && main.event.object !== object && id <= this.#retiredAt(object);
  }

  /** The numbers of what a modification takes away, with what names programs that go. */
  dropped({ removed }: AgendaChange, retired: ReadonlySet<string>): readonly number[] {
    const numbers = new Set(removed.map(numberOf));
    for (const [id, { event }] of this.#main) if (retired.has(event.object)) numbers.add(id);
    return [...numbers].filter((id) => this.#main.has(id));
  }

  /** Those of them that have an instant: they may be under way. */
  timed(numbers: readonly number[]): readonly (MainEvent & { readonly id: number })[] {
    return numbers.flatMap((id) => {
      const main = this.#main.get(id);
      return main === undefined || main.event.atUs === "swapout" ? [] : [{ id, ...main }];
    });
  }

  /** What is defined then. New events have the number 0. */
  amendment(
    scope: string,
    [before, after]: readonly [Experiment, Experiment],
    change: AgendaChange,
    retired: ReadonlySet<string>,
  ): AmendParts {
    const [old, plan] = [planAgenda(scope, before), planAgenda(scope, after)];
    const known = new Map(old.agents.map((agent) => [agent.name, JSON.stringify(agent)]));
    const names = new Set(plan.agents.map(({ name }) => name));
    const atSwapout = [...change.removed, ...change.added].some(({ atUs }) => atUs === "swapout");
    const defined = new Set([...change.defined, ...(atSwapout ? [builtIn.swapout] : [])]);
    const changed = change.changed.flatMap((event) => {
      const [timed] = timedEvents([event]);
      return timed === undefined ? [] : [{ ...timed, atUs: timed.atUs + this.#fromUs(event) }];
    });
    return {
      agents: plan.agents.filter((agent) => known.get(agent.name) !== JSON.stringify(agent)),
      groups: plan.groups,
      removed: [
        ...old.agents.map(({ name }) => name).filter((name) => !names.has(name)),
        ...change.undefined,
      ],
      timelines: plan.timelines.filter(({ name }) => defined.has(name)),
      sequences: plan.sequences.filter(({ name }) => defined.has(name)),
      main: {
        dropped: this.dropped(change, retired),
        ...{ changed, added: timedEvents(change.added), fromNow: [] },
      },
    };
  }

  /** As it is planned now, with the numbers that events have. */
  planned(scope: string, experiment: Experiment): AgendaLoad {
    const main = [...this.#main].flatMap(([id, { event, fromUs }]) =>
      timedEvents([event]).map((timed) => ({
        ...{ ...timed, event: { ...timed.event, id } },
        atUs: timed.atUs + (timed.on === undefined ? fromUs : 0),
      })),
    );
    return { ...planAgenda(scope, experiment), main };
  }

  /** Event time at which a changed event is due, since time 0. */
  dueUs(event: PlannedEvent): number {
    return this.#fromUs(event) + (event.atUs === "swapout" ? 0 : event.atUs);
  }

  /**
   * The core has made the change. @param first the number of the first new event
   * @returns `after` with the numbers of its events, and the new ones of the main timeline
   */
  adopt(
    after: Experiment,
    change: AgendaChange,
    retired: ReadonlySet<string>,
    { parts, first }: { readonly parts: AmendParts; readonly first: number },
  ): { readonly experiment: Experiment; readonly added: readonly NumberedEvent[] } {
    for (const id of parts.main.dropped) {
      this.#main.delete(id);
      this.#dropped.add(id);
    }
    for (const name of retired) this.#retired.set(name, this.#lastNumber);
    for (const event of change.changed) {
      this.#main.set(numberOf(event), { event, fromUs: this.#fromUs(event) });
    }
    const { main, sequences, timelines } = numberAmend(asCommand(parts), first);
    const numbers = new Map<PlannedEvent, number>();
    const timed = change.added.filter(({ atUs }) => atUs !== "swapout");
    for (const [index, event] of timed.entries()) {
      numbers.set(event, main.added[index]?.event.id ?? 0);
    }
    const swapout = sequences.find(({ name }) => name === builtIn.swapout)?.steps ?? [];
    const late = after.events.filter(({ atUs }) => atUs === "swapout");
    late.forEach((event, index) => {
      if (numberOf(event) === 0) numbers.set(event, swapout[index]?.event.id ?? 0);
    });
    for (const { steps } of sequences) this.#noteNumbers(steps.map(({ event }) => event.id));
    for (const { events } of timelines) this.#noteNumbers(events.map(({ event }) => event.id));
    return this.#number(after, numbers, 0);
  }

  /** The same for events whose times count from now. */
  adoptFromNow(
    experiment: Experiment,
    events: readonly PlannedEvent[],
    { first, eventUs }: { readonly first: number; readonly eventUs: number },
  ): { readonly experiment: Experiment; readonly added: readonly NumberedEvent[] } {
    const numbers = new Map(events.map((event, index) => [event, first + index]));
    return this.#number(experiment, numbers, eventUs);
  }

  #number(
    experiment: Experiment,
    numbers: ReadonlyMap<PlannedEvent, number>,
    fromUs: number,
  ): { readonly experiment: Experiment; readonly added: readonly NumberedEvent[] } {
    for (const [event, id] of numbers) this.#add(id, { event, fromUs });
    const added = [...numbers].map(([event, id]) => {
      const isTimed = event.atUs !== "swapout" && event.on === undefined;
      return { id, event, plannedUs: isTimed ? Number(event.atUs) + fromUs : null };
    });
    const events = experiment.events.map((event) => {
      const id = numbers.get(event);
      return id === undefined ? event : { ...event, index: id - 1 };
    });
    return { experiment: { ...experiment, events }, added };
  }

  #add(id: number, main: MainEvent): void {
    if (id === 0) return;
    this.#main.set(id, main);
    this.#noteNumbers([id]);
  }

  #note(events: readonly PlannedEvent[]): void {
    this.#noteNumbers(events.map(numberOf));
  }

  #noteNumbers(numbers: readonly number[]): void {
    for (const id of numbers) this.#lastNumber = Math.max(this.#lastNumber, id);
  }

  #fromUs(event: PlannedEvent): number {
    return this.#main.get(numberOf(event))?.fromUs ?? 0;
  }

  #retiredAt(name: string): number {
    return this.#retired.get(name) ?? 0;
  }
}

/** Only events that are new, from now on. */
export function fromNowParts(
  plan: Pick<AmendParts, "groups">,
  events: readonly PlannedEvent[],
): AmendParts {
  const main = { dropped: [], changed: [], added: [], fromNow: timedEvents(events) };
  return { agents: [], groups: plan.groups, timelines: [], sequences: [], removed: [], main };
}

function asCommand(parts: AmendParts): AgendaAmend {
  return { kind: "agenda-amend", scope: "", request: 0, ...parts };
}

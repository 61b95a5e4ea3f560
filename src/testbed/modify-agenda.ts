// SPDX-License-Identifier: MIT
// Changes the agenda of a run that is under way: first what is defined, whole or not at all, then
// event by event what is planned already, each with the answer of whoever performs it. Decides
// nothing: what changes is the modification's, whether it can is the core's.
import type { AgendaLoad } from "../core/agenda/commands.ts";
import type { Answer } from "../core/agenda/effects.ts";
import type { Experiment, PlannedEvent } from "../experiment/model.ts";
import type { AgendaChange } from "./agenda-change.ts";
import { numberOf, planAgenda } from "./agenda-plan.ts";
import type { AgendaRequests } from "./agenda-requests.ts";
import { type AmendParts, fromNowParts, type NumberedEvent, type RunAgenda } from "./run-agenda.ts";

/** What became of the events that a modification names. */
export interface EventsChanged {
  readonly added: readonly NumberedEvent[];
  readonly changed: readonly NumberedEvent[];
  /** Numbers of those that will not fire. */
  readonly removed: readonly number[];
  /** To be changed or taken away, and had fired already. */
  readonly fired: readonly NumberedEvent[];
}

export interface AgendaChanged {
  /** As it is to be, with the numbers of its events. */
  readonly experiment: Experiment;
  readonly events: EventsChanged;
}

export interface AgendaModifierOptions {
  readonly scope: string;
  readonly agenda: RunAgenda;
  readonly requests: Pick<AgendaRequests, "amend" | "cancel" | "edit">;
  /** The agent obeys for everything that this agenda names, too. */
  readonly serve: (agenda: AgendaLoad) => Promise<void>;
  /** What event time begins anew with, from here on. */
  readonly keep: (agenda: AgendaLoad) => Promise<void>;
  /** Loads what these start first; what it gives loads the rest in time, from now on. */
  readonly preload: (agenda: Pick<AgendaLoad, "main" | "timelines">) => Promise<() => void>;
}

export class AgendaModifier {
  readonly #options: AgendaModifierOptions;

  constructor(options: AgendaModifierOptions) {
    this.#options = options;
  }

  /**
   * Everything but what counts from the end of the modification.
   * @param retired programs that go or are started anew
   * @returns a sentence when the agenda cannot be changed so: it is as it was
   */
  async change(
    before: Experiment,
    after: Experiment,
    change: AgendaChange,
    retired: ReadonlySet<string>,
  ): Promise<AgendaChanged | string> {
    const { scope, agenda, requests, serve } = this.#options;
    const parts = agenda.amendment(scope, [before, after], change, retired);
    if (isEmpty(parts, planAgenda(scope, before))) return unchanged(after);
    await serve(planAgenda(scope, after));
    const answer = await requests.amend(scope, parts);
    if (answer?.kind !== "amended") return refusalOf(answer);
    const going = agenda.timed(parts.main.dropped);
    const adopted = agenda.adopt(after, change, retired, { parts, first: answer.first });
    const cancels = going.map(async ({ id, event, fromUs }) => {
      const plannedUs = event.on === undefined ? Number(event.atUs) + fromUs : null;
      return { row: { id, event, plannedUs }, answer: await requests.cancel(scope, id) };
    });
    const edits = change.changed.map(async (event) => {
      const [id, dueUs] = [numberOf(event), agenda.dueUs(event)];
      const edited = await requests.edit(scope, id, { atUs: dueUs, args: event.args });
      return { row: { id, event, plannedUs: dueUs }, answer: edited };
    });
    const [cancelled, edited] = [await Promise.all(cancels), await Promise.all(edits)];
    const stays = namesIn(planAgenda(scope, after));
    // That a program had been started that now goes is no news.
    const late = [...edited, ...cancelled].filter(
      ({ row, answer: had }) =>
        had?.kind === "already-fired" &&
        stays.has(row.event.object) &&
        !retired.has(row.event.object),
    );
    await this.#keep(adopted.experiment);
    const events = {
      added: adopted.added,
      changed: edited.filter(({ answer: had }) => had?.kind === "edited").map(({ row }) => row),
      removed: cancelled
        .filter(({ answer: had }) => had?.kind === "cancelled")
        .map(({ row }) => row.id),
      fired: late.map(({ row }) => row),
    };
    return { experiment: adopted.experiment, events };
  }

  /**
   * The end of the modification: what counts from it is planned. A sentence when it cannot be.
   * @param experiment as `change` has given it
   */
  async addFromNow(
    experiment: Experiment,
    events: readonly PlannedEvent[],
  ): Promise<AgendaChanged | string> {
    const { scope, agenda, requests, preload } = this.#options;
    if (events.length === 0) return unchanged(experiment);
    const plan = planAgenda(scope, experiment);
    const parts = fromNowParts(plan, events);
    const start = await preload({ main: parts.main.fromNow, timelines: plan.timelines });
    const answer = await requests.amend(scope, parts);
    if (answer?.kind !== "amended") return refusalOf(answer);
    start();
    const { experiment: numbered, added } = agenda.adoptFromNow(experiment, events, answer);
    await this.#keep(numbered);
    return { experiment: numbered, events: { ...noEvents, added } };
  }

  async #keep(experiment: Experiment): Promise<void> {
    const { scope, agenda, keep } = this.#options;
    await keep(agenda.planned(scope, experiment));
  }
}

export const noEvents: EventsChanged = { added: [], changed: [], removed: [], fired: [] };

function unchanged(experiment: Experiment): AgendaChanged {
  return { experiment, events: noEvents };
}

function isEmpty(parts: AmendParts, { groups }: AgendaLoad): boolean {
  const { agents, timelines, sequences, removed, main } = parts;
  const { dropped, changed, added } = main;
  const lists = [agents, timelines, sequences, removed, dropped, changed, added];
  const sameGroups = JSON.stringify(groups) === JSON.stringify(parts.groups);
  return sameGroups && lists.every(({ length }) => length === 0);
}

function namesIn({ agents, groups, timelines, sequences }: AgendaLoad): ReadonlySet<string> {
  return new Set([...agents, ...groups, ...timelines, ...sequences].map(({ name }) => name));
}

function refusalOf(answer: Answer | undefined): string {
  return answer?.kind === "refused" ? answer.message : "the agenda of the run does not answer";
}

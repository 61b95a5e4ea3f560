// SPDX-License-Identifier: MIT
// The planned events of an experiment as the agenda of the core takes them: who obeys events, which
// groups there are, what is planned when. Pure.
import type {
  AgendaAgent,
  AgendaEvent,
  AgendaGroup,
  AgendaLoad,
  AgendaSequence,
  TimedEvent,
} from "../core/agenda/commands.ts";
import { builtIn } from "../core/agenda/object-table.ts";
import type { Experiment, PlannedEvent } from "../experiment/model.ts";
import { programAgentOf as agentOf } from "./agents/program-agent-name.ts";

/** Events planned for swap-out (`$ns at swapout`) are the steps of `__ns_swapout`. */
export function planAgenda(scope: string, experiment: Experiment): AgendaLoad {
  return {
    kind: "agenda-load",
    scope,
    agents: planAgents(experiment),
    groups: planGroups(experiment),
    main: timedEvents(experiment.events),
    timelines: experiment.timelines.map(({ name, events }) => ({
      name,
      events: timedEvents(events),
    })),
    sequences: [...experiment.sequences.map(planSequence), planSwapout(experiment)],
  };
}

/** How many events of the main timeline will fire by themselves. */
export function countTimedEvents(experiment: Experiment): number {
  return experiment.events.filter(({ atUs }) => atUs !== "swapout").length;
}

/** Objects that only events name (queues of links, trace monitors) are known from those. */
function planAgents(experiment: Experiment): readonly AgendaAgent[] {
  const { programs, links, nodes, traffic = [], simulator } = experiment;
  return [
    { name: simulator, type: "SIMULATOR", node: "" },
    { name: "linktest", type: "LINKTEST", node: "" },
    ...programs.map(({ name, node }) => ({ name, type: "PROGRAM", node })),
    ...programNodes(programs).map((node) => ({ name: agentOf(node), type: "PROGRAM", node })),
    ...nodes.map(({ name }) => ({ name, type: "NODE", node: name })),
    ...nodes.map(({ name }) => ({ name: `${name}-console`, type: "CONSOLE", node: name })),
    ...links.flatMap(({ name, members }) => [
      { name, type: "LINK", node: "" },
      ...members.map(({ node }) => ({ name: `${name}-${node}`, type: "LINK", node })),
    ]),
    ...traffic.map(({ name, source }) => ({ name, type: "TRAFGEN", node: source.node })),
  ];
}

/** Those of the file, and the automatic ones. [EMULAB-EVENTS 2.3] */
export function planGroups({ groups, programs, links }: Experiment): readonly AgendaGroup[] {
  const automatic = [
    { name: "__all_programs", members: programs.map(({ name }) => name) },
    { name: "__all_program-agents", members: programNodes(programs).map(agentOf) },
    { name: "__all_lans", members: links.map(({ name }) => name) },
  ];
  return [...groups, ...automatic.filter(({ members }) => members.length > 0)];
}

function programNodes(programs: Experiment["programs"]): readonly string[] {
  return [...new Set(programs.map(({ node }) => node))];
}

function planSequence({ name, steps, onError }: Experiment["sequences"][number]): AgendaSequence {
  const planned = steps.map((step) => ({ ...timed(step), atUs: offset(step) }));
  return { name, steps: planned, ...(onError === undefined ? {} : { onError }) };
}

function planSwapout({ events }: Experiment): AgendaSequence {
  const atSwapout = events.filter(({ atUs }) => atUs === "swapout");
  return { name: builtIn.swapout, steps: atSwapout.map((event) => ({ ...timed(event), atUs: 0 })) };
}

export function timedEvents(events: readonly PlannedEvent[]): readonly TimedEvent[] {
  return events.flatMap((planned) =>
    planned.atUs === "swapout" ? [] : [{ ...timed(planned), atUs: planned.atUs }],
  );
}

function timed({ on, ...planned }: PlannedEvent): Pick<TimedEvent, "event" | "on"> {
  const event = agendaEvent(planned);
  return on === undefined ? { event } : { event, on: { barrier: on.barrier, outcome: on.outcome } };
}

/** Steps have no time of their own in a file; the language gives them 0. */
function offset({ atUs }: PlannedEvent): number {
  return atUs === "swapout" ? 0 : atUs;
}

function agendaEvent(planned: PlannedEvent): AgendaEvent {
  const { object, type, event, args } = planned;
  return { id: numberOf(planned), object, type, event, args };
}

/** Events are numbered from 1: 0 is none. */
export function numberOf({ index }: Pick<PlannedEvent, "index">): number {
  return index + 1;
}

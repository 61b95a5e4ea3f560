// SPDX-License-Identifier: MIT
// What is different between the events of two experiments. Pure.
//
//   D1. An event is the same when it says the same of the same object at the same time. Of what is
//       left, an event that does the same to the same object is the one of before, changed.
//   D2. Events of objects that come, go or are started anew are new ones, also where they say the
//       same as before.
import type { Experiment, PlannedEvent } from "../experiment/index.ts";
import { type AgendaChange, newIndex } from "../testbed/agenda-change.ts";
import { type ExperimentDiff, plainEvents, whatItSays } from "./experiment-diff.ts";

export interface EventDiff {
  readonly agenda: AgendaChange;
  /** `after`, with the numbers of before for what stays. */
  readonly experiment: Experiment;
}

/** Group of all programs, which no file defines. [EMULAB-NS 8] */
const allPrograms = "__all_programs";

/** @param restarted programs and nodes that are started anew */
export function diffEvents(
  before: Experiment,
  after: Experiment,
  diff: ExperimentDiff,
  restarted: ReadonlySet<string>,
): EventDiff {
  const fresh = freshObjects(diff, restarted);
  const left = before.events.filter(({ object }) => !fresh.has(object));
  const kept = matchEvents(left, after.events, { before, after, fresh });
  const events = after.events.map((event) => kept.all.get(event) ?? { ...event, index: newIndex });
  const isNew = ({ index }: PlannedEvent): boolean => index === newIndex;
  const news = events.filter(isNew);
  const isFromNow = ({ object, atUs }: PlannedEvent): boolean =>
    fresh.has(object) && atUs !== "swapout";
  const experiment = { ...after, ...keepSteps(before, after, diff), events };
  const stays = new Set([...kept.all.values()].map(({ index }) => index));
  return {
    experiment,
    agenda: {
      removed: before.events.filter(({ index }) => !stays.has(index)),
      changed: kept.changed,
      added: news.filter((event) => !isFromNow(event)),
      fromNow: [...news.filter(isFromNow), ...ofGroups(after, diff, restarted)],
      defined: [diff.sequences, diff.timelines].flatMap(({ added, changed }) => [
        ...added,
        ...changed,
      ]),
      undefined: [...diff.sequences.removed, ...diff.timelines.removed],
    },
  };
}

/** D2. */
function freshObjects(diff: ExperimentDiff, restarted: ReadonlySet<string>): ReadonlySet<string> {
  const { nodes, programs, traffic, sequences, timelines, groups } = diff;
  const come = [nodes, programs, traffic, sequences, timelines, groups];
  const moved = [nodes, traffic].flatMap(({ changed }) => changed);
  const names = [
    ...come.flatMap(({ added, removed }) => [...added, ...removed]),
    ...[...moved, ...restarted],
  ];
  const consoles = [...nodes.added, ...nodes.removed, ...nodes.changed];
  return new Set([...names, ...consoles.map((name) => `${name}-console`)]);
}

interface Matched {
  /** Event of after -> the same with its index of before. */
  readonly all: ReadonlyMap<PlannedEvent, PlannedEvent>;
  readonly changed: readonly PlannedEvent[];
}

/** D1. */
function matchEvents(
  left: readonly PlannedEvent[],
  events: readonly PlannedEvent[],
  by: {
    readonly before: Experiment;
    readonly after: Experiment;
    readonly fresh: ReadonlySet<string>;
  },
): Matched {
  const [plainBefore, plainAfter] = [by.before, by.after].map(({ programs }) =>
    plainEvents(programs),
  );
  const open = new Set(left);
  const all = new Map<PlannedEvent, PlannedEvent>();
  const changed: PlannedEvent[] = [];
  const keep = (event: PlannedEvent, old: PlannedEvent): PlannedEvent => {
    const kept = { ...event, index: old.index };
    open.delete(old);
    all.set(event, kept);
    return kept;
  };
  const wanted = events.filter(({ object }) => !by.fresh.has(object));
  const same = queues(open, (event) => whatItSays(plainBefore?.(event)));
  for (const event of wanted) {
    const old = same.get(whatItSays(plainAfter?.(event)))?.shift();
    if (old !== undefined) keep(event, old);
  }
  const alike = queues([...open].filter(isTimed), nameOf);
  for (const event of wanted.filter((one) => !all.has(one) && isTimed(one))) {
    const old = alike.get(nameOf(event))?.shift();
    if (old !== undefined) changed.push(keep(event, old));
  }
  return { all, changed };
}

/** In the order of the file. */
function queues(
  events: Iterable<PlannedEvent>,
  keyOf: (event: PlannedEvent) => string,
): ReadonlyMap<string, PlannedEvent[]> {
  const found = new Map<string, PlannedEvent[]>();
  for (const event of events) {
    const key = keyOf(event);
    const queue = found.get(key);
    if (queue === undefined) found.set(key, [event]);
    else queue.push(event);
  }
  return found;
}

const nameOf = ({ object, event }: PlannedEvent): string => `${event} ${object}`;

/** An edit makes another instant and other arguments of an event, and nothing else. */
function isTimed({ atUs, on }: PlannedEvent): boolean {
  return atUs !== "swapout" && on === undefined;
}

/** Steps of what stays are those of before; what changes has new ones. */
function keepSteps(
  before: Experiment,
  after: Experiment,
  { sequences, timelines }: ExperimentDiff,
): Pick<Experiment, "sequences" | "timelines"> {
  const indexes = new Map(
    [
      ...before.sequences.map(({ name, steps }) => [name, steps] as const),
      ...before.timelines.map(({ name, events }) => [name, events] as const),
    ].map(([name, events]) => [name, events.map(({ index }) => index)]),
  );
  const same = new Set([...sequences.unchanged, ...timelines.unchanged]);
  const numbered = (name: string, events: readonly PlannedEvent[]): readonly PlannedEvent[] => {
    const known = same.has(name) ? indexes.get(name) : undefined;
    return events.map((event, place) => ({ ...event, index: known?.[place] ?? newIndex }));
  };
  return {
    sequences: after.sequences.map((one) => ({ ...one, steps: numbered(one.name, one.steps) })),
    timelines: after.timelines.map((one) => ({ ...one, events: numbered(one.name, one.events) })),
  };
}

/** A program that comes or is started anew gets the events that name it through a group, too. */
function ofGroups(
  { events, groups }: Experiment,
  diff: ExperimentDiff,
  restarted: ReadonlySet<string>,
): readonly PlannedEvent[] {
  const fresh = new Set([...diff.programs.added, ...restarted]);
  const isNew = new Set(diff.groups.added);
  const members = new Map<string, readonly string[]>([[allPrograms, [...fresh]]]);
  for (const { name, members: all } of groups) if (!isNew.has(name)) members.set(name, all);
  return events.flatMap((event) => {
    if (event.type !== "PROGRAM" || event.atUs === "swapout") return [];
    const programs = (members.get(event.object) ?? []).filter((name) => fresh.has(name));
    return programs.map((object) => ({ ...event, object, index: newIndex }));
  });
}

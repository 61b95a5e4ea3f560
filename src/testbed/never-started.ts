// SPDX-License-Identifier: MIT
// Finds the programs of an experiment that nothing in its file starts: no event, no step of a
// sequence or timeline, no group; sequences and timelines that nothing does; and whether there is
// any program that its events start. Pure. What users send while the run goes is not known: it may
// start any program, and any sequence.
import type { Experiment, PlannedEvent, Program } from "../experiment/model.ts";
import { joinNames } from "./record/words.ts";

/** The programs that nothing starts, in the order of the file. */
export function neverStarted(experiment: Experiment): readonly Program[] {
  const { sequences, timelines } = experiment;
  // Also of what only a user can start.
  const started = startedFrom(experiment, [...sequences, ...timelines].map(nameOf));
  return experiment.programs.filter(
    ({ name, startWhen }) => startWhen === undefined && !started.has(name),
  );
}

/** Whether a program runs without a user who starts it, or what starts it. */
export function startsPrograms(experiment: Experiment): boolean {
  const started = startedFrom(experiment, []);
  return experiment.programs.some(
    ({ name, startWhen }) => startWhen !== undefined || started.has(name),
  );
}

/** What the events of the file start, and these names besides. */
function startedFrom(experiment: Experiment, names: readonly string[]): ReadonlySet<string> {
  const steps = new Map<string, readonly PlannedEvent[]>([
    ...experiment.sequences.map(({ name, steps }) => [name, steps] as const),
    ...experiment.timelines.map(({ name, events }) => [name, events] as const),
  ]);
  const onError = new Map(experiment.sequences.map(({ name, onError }) => [name, onError]));
  const members = new Map(experiment.groups.map(({ name, members }) => [name, members]));
  members.set("__all_programs", experiment.programs.map(nameOf));
  const started = new Set<string>();
  const waiting = [...startedBy(experiment.events), ...names];
  for (let object = waiting.pop(); object !== undefined; object = waiting.pop()) {
    if (started.has(object)) continue;
    started.add(object);
    const next = onError.get(object);
    waiting.push(...(members.get(object) ?? []), ...startedBy(steps.get(object) ?? []));
    if (next !== undefined) waiting.push(next);
  }
  return started;
}

const nameOf = ({ name }: { readonly name: string }): string => name;

/** A sequence or timeline with something to do. */
export interface IdlePlan {
  readonly kind: "sequence" | "timeline";
  readonly name: string;
  readonly first: PlannedEvent;
  readonly count: number;
}

/**
 * Those that nothing in the file starts, without those that one of these starts: they would be
 * started with it.
 */
export function idlePlans(experiment: Experiment): readonly IdlePlan[] {
  const { sequences, timelines, groups, events } = experiment;
  const plans = [
    ...sequences.map(({ name, steps, onError }) => {
      return { kind: "sequence" as const, name, events: steps, onError };
    }),
    ...timelines.map((line) => ({ kind: "timeline" as const, ...line, onError: undefined })),
  ];
  const members = new Map(groups.map((group) => [group.name, group.members]));
  const startedIn = (list: readonly PlannedEvent[]): string[] =>
    startedBy(list).flatMap((name) => [name, ...(members.get(name) ?? [])]);
  const others = plans.flatMap(({ name, events: own, onError }) => {
    return [...startedIn(own), onError].filter((started) => started !== name);
  });
  const started = new Set<string | undefined>([...startedIn(events), ...others]);
  return plans.flatMap(({ kind, name, events: own }) => {
    const [first] = own;
    if (first === undefined || started.has(name)) return [];
    return [{ kind, name, first, count: own.length }];
  });
}

function startedBy(events: readonly PlannedEvent[]): string[] {
  return events.filter(({ event }) => /^(?:START|RUN)$/.test(event)).map(({ object }) => object);
}

const orSend = ", or start it with tevc or muster event send while the run goes";

/** What to tell of them, or undefined when each is started by something. */
export function describeNeverStarted(experiment: Experiment, file: string): string | undefined {
  const programs = neverStarted(experiment);
  const [first] = programs;
  if (first === undefined) return undefined;
  const isTcl = !/\.(?:ya?ml|json|[cm]?[jt]s)$/i.test(file);
  const one = isTcl ? `$ns at 0 "$${first.name} start"` : `a start for ${first.name}`;
  if (programs.length === 1) {
    return `nothing in the file starts program ${first.name} on ${first.node}; add ${one}${orSend}`;
  }
  const names = programs.map(({ name, node }) => `${name} on ${node}`);
  return `nothing in the file starts programs ${joinNames(names)}; add ${one}, and so on${orSend}`;
}

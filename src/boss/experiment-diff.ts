// SPDX-License-Identifier: MIT
// What is different between two experiments: which nodes, links, programs and other named parts
// came, went, changed or stayed. Pure. Two things are the same when they have the same name and say
// the same; where in the file they stand does not count.
import type { Experiment, PlannedEvent } from "../experiment/index.ts";
import { defaultArgs } from "../experiment/index.ts";

/** Names, in the order of the experiment they come from: of the new one, `removed` of the old. */
export interface Changes {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
  readonly unchanged: readonly string[];
}

export interface ExperimentDiff {
  readonly nodes: Changes;
  readonly links: Changes;
  readonly programs: Changes;
  readonly groups: Changes;
  readonly sequences: Changes;
  readonly timelines: Changes;
  readonly traffic: Changes;
  readonly barriers: Changes;
  readonly environment: Changes;
}

/** @returns what has to be done to make `before` into `after`, but for events and sync server. */
export function diffExperiments(before: Experiment, after: Experiment): ExperimentDiff {
  return {
    nodes: diffNamed(before.nodes, after.nodes),
    links: diffNamed(before.links, after.links),
    programs: diffNamed(before.programs, after.programs),
    groups: diffNamed(before.groups, after.groups),
    sequences: diffNamed(plainSequences(before), plainSequences(after)),
    timelines: diffNamed(plainTimelines(before), plainTimelines(after)),
    traffic: diffNamed(before.traffic ?? [], after.traffic ?? []),
    barriers: diffNamed(before.barriers ?? [], after.barriers ?? []),
    environment: diffNamed(variables(before), variables(after)),
  };
}

export function isUnchanged({ added, removed, changed }: Changes): boolean {
  return added.length + removed.length + changed.length === 0;
}

/** Whether two parts of experiments say the same; places and numbers of events do not count. */
export function saysTheSame(a: unknown, b: unknown): boolean {
  return canonical(a) === canonical(b);
}

function plainSequences({ sequences, programs }: Experiment): Experiment["sequences"] {
  const plain = plainEvents(programs);
  return sequences.map((sequence) => ({ ...sequence, steps: sequence.steps.map(plain) }));
}

function plainTimelines({ timelines, programs }: Experiment): Experiment["timelines"] {
  const plain = plainEvents(programs);
  return timelines.map((timeline) => ({ ...timeline, events: timeline.events.map(plain) }));
}

/** Events carry the command of their program; what they say of it themselves is nothing then. */
export function plainEvents(
  programs: Experiment["programs"],
): (event: PlannedEvent) => PlannedEvent {
  const own = new Map(programs.map((program) => [program.name, defaultArgs(program)]));
  return (event) => (event.args === own.get(event.object) ? { ...event, args: "" } : event);
}

function variables({ environment }: Experiment): { name: string; value: string }[] {
  return environment.map(([name, value]) => ({ name, value }));
}

function diffNamed(
  before: readonly { readonly name: string }[],
  after: readonly { readonly name: string }[],
): Changes {
  const old = new Map(before.map((one) => [one.name, one]));
  const names = new Set(after.map(({ name }) => name));
  const isKept = (one: { readonly name: string }): boolean => saysTheSame(old.get(one.name), one);
  const kept = after.filter(({ name }) => old.has(name));
  return {
    added: after.filter(({ name }) => !old.has(name)).map(nameOf),
    removed: before.filter(({ name }) => !names.has(name)).map(nameOf),
    changed: kept.filter((one) => !isKept(one)).map(nameOf),
    unchanged: kept.filter(isKept).map(nameOf),
  };
}

function nameOf({ name }: { readonly name: string }): string {
  return name;
}

/** The same text for parts that say the same. */
export function whatItSays(value: unknown): string {
  return canonical(value);
}

/** JSON with sorted keys, without places (`at`) and the order of events in the file (`index`). */
function canonical(value: unknown): string {
  if (value === undefined) return "undefined";
  return JSON.stringify(value, (key, part: unknown) => {
    if (key === "at" && isPosition(part)) return undefined;
    if (key === "index" && typeof part === "number") return undefined;
    if (typeof part !== "object" || part === null || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

function isPosition(value: unknown): boolean {
  return typeof value === "object" && value !== null && "line" in value && "column" in value;
}

// SPDX-License-Identifier: MIT
// What is different between two experiments: which nodes, links and programs came, went, changed or
// stayed. Pure. Two things are the same when they have the same name and say the same; where in the
// file they stand does not count.
import type { Experiment } from "../experiment/index.ts";

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
  /** Whether anything else is different: events, groups, barriers, environment, sync server. */
  readonly restChanged: boolean;
}

/** @returns what has to be done to make `before` into `after`. */
export function diffExperiments(before: Experiment, after: Experiment): ExperimentDiff {
  return {
    nodes: diffNamed(before.nodes, after.nodes),
    links: diffNamed(before.links, after.links),
    programs: diffNamed(before.programs, after.programs),
    restChanged: !same(restOf(before), restOf(after)),
  };
}

/** Whether the two are the same but for the places in their files. */
export function isSameExperiment({ nodes, links, programs, restChanged }: ExperimentDiff): boolean {
  return !restChanged && [nodes, links, programs].every(isUnchanged);
}

function isUnchanged({ added, removed, changed }: Changes): boolean {
  return added.length + removed.length + changed.length === 0;
}

function diffNamed(
  before: readonly { readonly name: string }[],
  after: readonly { readonly name: string }[],
): Changes {
  const old = new Map(before.map((one) => [one.name, one]));
  const names = new Set(after.map(({ name }) => name));
  const isKept = (one: { readonly name: string }): boolean => same(old.get(one.name), one);
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

/** The names of an experiment are its identity and no content. */
function restOf(experiment: Experiment): object {
  const { pid: _pid, eid: _eid, nodes: _nodes, links: _links, programs: _p, ...rest } = experiment;
  return rest;
}

function same(a: unknown, b: unknown): boolean {
  return canonical(a) === canonical(b);
}

/** JSON with sorted keys and without places (`at`). */
function canonical(value: unknown): string {
  if (value === undefined) return "undefined";
  return JSON.stringify(value, (key, part: unknown) => {
    if (key === "at" && isPosition(part)) return undefined;
    if (typeof part !== "object" || part === null || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

function isPosition(value: unknown): boolean {
  return typeof value === "object" && value !== null && "line" in value && "column" in value;
}

// SPDX-License-Identifier: MIT
// Checks on a finished experiment that no front end can make at one place: circles of programs,
// barriers and sequences that wait for each other.

import { diagnosticsMax } from "./limits.ts";
import type { Diagnostic, Experiment, Program, SourcePosition } from "./model.ts";

/** Something that waits for something else. */
interface Wait {
  readonly for: string;
  readonly at: SourcePosition;
}

/**
 * Circles of waiting: programs that start after each other's end, or wait for a barrier that one of
 * its members can only reach by having started. Sequences that run each other are a warning: they
 * may never be started. Each circle is reported once.
 * @returns findings with code `CYCLE`, at the reference that closes the circle
 */
export function findCycles(experiment: Experiment): readonly Diagnostic[] {
  const waits = waitsOf(experiment);
  const found: Diagnostic[] = [];
  const state = new Map<string, "open" | "done">();
  for (const root of waits.keys()) {
    if (state.has(root)) continue;
    walk(root, waits, state, (path, wait) => {
      if (found.length < diagnosticsMax) found.push(cycleOf(path, wait));
    });
  }
  return found;
}

/** Depth first without recursion: a chain of programs may be longer than a stack is deep. */
function walk(
  root: string,
  waits: ReadonlyMap<string, readonly Wait[]>,
  state: Map<string, "open" | "done">,
  onCycle: (path: readonly string[], wait: Wait) => void,
): void {
  const path: { readonly name: string; next: number }[] = [{ name: root, next: 0 }];
  state.set(root, "open");
  for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
    const wait = waits.get(top.name)?.[top.next];
    top.next += 1;
    if (wait === undefined) {
      state.set(top.name, "done");
      path.pop();
      continue;
    }
    const seen = state.get(wait.for);
    if (seen === undefined) {
      state.set(wait.for, "open");
      path.push({ name: wait.for, next: 0 });
    } else if (seen === "open") {
      const names = path.map(({ name }) => name);
      onCycle(names.slice(names.indexOf(wait.for)), wait);
    }
  }
}

function cycleOf(path: readonly string[], { for: name, at }: Wait): Diagnostic {
  const circle = [...path, name];
  const shown = circle.length > 9 ? [...circle.slice(0, 7), "...", circle.at(-1)] : circle;
  return {
    severity: name.startsWith(sequencePrefix) ? "warning" : "error",
    code: "CYCLE",
    message: `these wait for each other: ${shown.join(" waits for ")}`,
    at,
    hint: "None of them could ever be done: remove one of these waits.",
  };
}

// Barriers and programs have one set of names; the prefix only tells them apart in the graph.
const barrierPrefix = "barrier ";
const sequencePrefix = "sequence ";

function waitsOf(experiment: Experiment): ReadonlyMap<string, readonly Wait[]> {
  const { programs, barriers = [] } = experiment;
  const waits = new Map<string, Wait[]>();
  const add = (name: string, wait: Wait): void => {
    const list = waits.get(name);
    if (list === undefined) waits.set(name, [wait]);
    else list.push(wait);
  };
  for (const { name, startWhen } of programs) {
    for (const { program, at } of startWhen?.after ?? []) add(name, { for: program, at });
    if (startWhen?.on === undefined || startWhen.on.outcome !== "crossed") continue;
    add(name, { for: barrierPrefix + startWhen.on.barrier, at: startWhen.on.at });
  }
  for (const [name, wait] of onlyStarts(experiment, programs)) add(name, wait);
  const known = new Set(programs.map(({ name }) => name));
  for (const { name, rule, members, at } of barriers) {
    // A part of the members is enough for the other rules: no single one is waited for.
    if (rule.kind !== "roster") continue;
    for (const member of members) {
      if (known.has(member)) add(barrierPrefix + name, { for: member, at });
    }
  }
  for (const { name, steps } of experiment.sequences) {
    for (const { object, type, event, at } of steps) {
      // A step that only starts the other one does not wait for its end.
      if (type === "SEQUENCE" && event === "RUN")
        add(sequencePrefix + name, {
          for: sequencePrefix + object,
          at,
        });
    }
  }
  return waits;
}

/** Programs whose only start is an event that waits for a barrier. */
function onlyStarts(
  { events, sequences, timelines, groups }: Experiment,
  programs: readonly Program[],
): ReadonlyMap<string, Wait> {
  const starts = new Map<string, Wait | "free">();
  const members = new Map(groups.map((group) => [group.name, group.members]));
  const all = [
    ...events,
    ...sequences.flatMap(({ steps }) => steps.map((step) => ({ ...step, isInner: true }))),
    ...timelines.flatMap((timeline) => timeline.events.map((e) => ({ ...e, isInner: true }))),
  ];
  for (const event of all) {
    if (event.type !== "PROGRAM" || (event.event !== "START" && event.event !== "RUN")) continue;
    for (const name of members.get(event.object) ?? [event.object]) {
      const { on } = event;
      const isBound = on?.outcome === "crossed" && !("isInner" in event) && !starts.has(name);
      starts.set(name, isBound ? { for: barrierPrefix + on.barrier, at: on.at } : "free");
    }
  }
  const bound = new Map<string, Wait>();
  for (const { name, startWhen } of programs) {
    const start = starts.get(name);
    if (startWhen === undefined && start !== undefined && start !== "free") bound.set(name, start);
  }
  return bound;
}

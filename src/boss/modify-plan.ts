// SPDX-License-Identifier: MIT
// What it takes to make a running experiment into another one, or why it cannot be done while it
// runs. Pure.
//
//   P1. What is not named in the plan is not touched.
//   P2. A program that is added or started anew gets the events that name it, also through a group;
//       their times count from the modification.
import type { Experiment, PlannedEvent } from "../experiment/index.ts";
import type { Modification } from "../testbed/modify-run.ts";
import type { Changes } from "./experiment-diff.ts";
import { diffExperiments, isUnchanged, saysTheSame } from "./experiment-diff.ts";

export type ModifyPlan =
  | { readonly kind: "planned"; readonly modification: Omit<Modification, "tables"> }
  /** Each reason names what cannot be changed. */
  | { readonly kind: "refused"; readonly reasons: readonly string[] };

/** Group of all programs, which no file defines. [EMULAB-NS 8] */
const allPrograms = "__all_programs";

export function planModification(before: Experiment, after: Experiment): ModifyPlan {
  const diff = diffExperiments(before, after);
  const restarted = new Set(diff.nodes.changed);
  const changed = new Set(diff.programs.changed);
  // A program does not outlive the node it runs on.
  for (const { name, node } of after.programs) {
    if (restarted.has(node) && diff.programs.unchanged.includes(name)) changed.add(name);
  }
  const programs = {
    added: diff.programs.added,
    removed: diff.programs.removed,
    restarted: after.programs.map(({ name }) => name).filter((name) => changed.has(name)),
  };
  const touched = new Set([...programs.added, ...programs.removed, ...programs.restarted]);
  const reasons = [
    ...refusedParts(diff),
    ...refusedInstances(before, after),
    ...refusedSyncServer(before, after, restarted),
    ...refusedEvents(before, after, touched),
  ];
  if (reasons.length > 0) return { kind: "refused", reasons };
  const { added, removed } = diff.nodes;
  return {
    kind: "planned",
    modification: {
      experiment: after,
      nodes: { added, removed, restarted: diff.nodes.changed },
      programs,
      events: eventsOf(after, [...programs.added, ...programs.restarted]),
    },
  };
}

function refusedParts(diff: ReturnType<typeof diffExperiments>): string[] {
  const { links, barriers, sequences, timelines, traffic, environment } = diff;
  const parts: readonly (readonly [string, string, Changes])[] = [
    ["link", "links", links],
    ["barrier", "barriers", barriers],
    ["sequence", "sequences", sequences],
    ["timeline", "timelines", timelines],
    ["traffic flow", "traffic flows", traffic],
    ["variable", "variables", environment],
  ];
  return parts.flatMap(([one, many, changes]) => {
    if (isUnchanged(changes)) return [];
    return [
      ...said(one, many, changes.added, "added"),
      ...said(one, many, changes.removed, "removed"),
      ...said(one, many, changes.changed, "changed"),
    ];
  });
}

function said(one: string, many: string, names: readonly string[], how: string): string[] {
  if (names.length === 0) return [];
  return [
    `${names.length === 1 ? `${one} ${names[0]} is` : `${many} ${names.join(", ")} are`} ${how}`,
  ];
}

/** Instances are told at the start how many they are. */
function refusedInstances(before: Experiment, after: Experiment): string[] {
  if (before.testground === undefined && after.testground === undefined) return [];
  return ["an experiment with instances of a Testground plan cannot be modified while it runs"];
}

function refusedSyncServer(
  before: Experiment,
  after: Experiment,
  restarted: ReadonlySet<string>,
): string[] {
  const { syncServer } = before;
  if (after.syncServer !== syncServer) {
    const stay =
      syncServer === undefined
        ? ""
        : `; it stays where it is: name ${syncServer} in the file (tb-set-sync-server, syncServer)`;
    return [
      `the sync server is on ${syncServer ?? "no node"} and would be on ${after.syncServer ?? "none"}${stay}`,
    ];
  }
  if (syncServer === undefined || !restarted.has(syncServer)) return [];
  return [`node ${syncServer} is changed, and runs the sync server`];
}

/** Events of the main timeline that are neither of a program that comes or goes, nor the same. */
function refusedEvents(
  before: Experiment,
  after: Experiment,
  touched: ReadonlySet<string>,
): string[] {
  const objectsBefore = objectsWithEvents(before, touched);
  const objectsAfter = objectsWithEvents(after, touched);
  const names = new Set([...objectsBefore.keys(), ...objectsAfter.keys()]);
  const different = [...names].filter(
    (name) => !saysTheSame(objectsBefore.get(name), objectsAfter.get(name)),
  );
  if (different.length === 0) return [];
  return [`the events of ${different.join(", ")} are changed`];
}

function objectsWithEvents(
  { events }: Experiment,
  touched: ReadonlySet<string>,
): ReadonlyMap<string, readonly PlannedEvent[]> {
  const found = new Map<string, PlannedEvent[]>();
  for (const event of events) {
    if (touched.has(event.object)) continue;
    const list = found.get(event.object);
    if (list === undefined) found.set(event.object, [event]);
    else list.push(event);
  }
  return found;
}

/** P2, in the order of the file. */
function eventsOf({ events, groups }: Experiment, names: readonly string[]): PlannedEvent[] {
  const wanted = new Set(names);
  const programsOf = new Map<string, readonly string[]>(names.map((name) => [name, [name]]));
  for (const { name, members } of [...groups, { name: allPrograms, members: names }]) {
    programsOf.set(
      name,
      members.filter((member) => wanted.has(member)),
    );
  }
  return events.flatMap((event) =>
    event.type === "PROGRAM"
      ? (programsOf.get(event.object) ?? []).map((name) => ({ ...event, object: name }))
      : [],
  );
}

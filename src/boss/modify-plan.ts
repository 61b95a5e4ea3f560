// SPDX-License-Identifier: MIT
// What it takes to make a running experiment into another one, or why it cannot be done while it
// runs. Pure.
//
//   P1. What is not named in the plan is not touched.
//   P2. What is added or started anew gets the events that name it, a program also those through a
//       group; their times count from the modification. Events of what stays have the run's times.
import type { Experiment, PlannedEvent } from "../experiment/index.ts";
import type { Modification } from "../testbed/modify-run.ts";
import { diffEvents } from "./event-diff.ts";
import type { Changes, ExperimentDiff } from "./experiment-diff.ts";
import { diffExperiments, isUnchanged, saysTheSame } from "./experiment-diff.ts";

export type ModifyPlan =
  | { readonly kind: "planned"; readonly modification: Omit<Modification, "tables"> }
  /** Each reason names what cannot be changed. */
  | { readonly kind: "refused"; readonly reasons: readonly string[] };

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
  const others = reconnected(before, after, diff);
  const reasons = [
    ...refusedParts(diff),
    ...refusedRoutes(before, after, [...diff.links.added, ...diff.links.removed, ...others]),
    ...refusedInstances(before, after),
    ...refusedSyncServer(before, after, restarted),
    ...refusedWaits(before, after, new Set(Object.values(programs).flat())),
  ];
  if (reasons.length > 0) return { kind: "refused", reasons };
  const { added, removed } = diff.nodes;
  const { experiment, agenda } = diffEvents(before, after, diff, new Set(programs.restarted));
  return {
    kind: "planned",
    modification: {
      experiment,
      nodes: { added, removed, restarted: diff.nodes.changed },
      programs,
      traffic: {
        ended: [...diff.traffic.removed, ...diff.traffic.changed],
        begun: [...diff.traffic.added, ...diff.traffic.changed],
      },
      agenda,
      links: diff.links.changed.filter((name) => !others.includes(name)),
      relinked: {
        made: [...diff.links.added, ...others],
        gone: [...diff.links.removed, ...others],
      },
    },
  };
}

/** Links whose ends are otherwise: they are made anew. */
function reconnected(before: Experiment, after: Experiment, { links }: ExperimentDiff): string[] {
  const ends = ({ links: all }: Experiment, name: string): unknown => {
    const found = all.find((link) => link.name === name);
    const members = found?.members.map(({ node, port, address }) => ({ node, port, address }));
    return { ...found, members };
  };
  return links.changed.filter((name) => !saysTheSame(ends(before, name), ends(after, name)));
}

function refusedParts({ barriers, environment }: ExperimentDiff): string[] {
  const parts: readonly (readonly [string, string, Changes])[] = [
    ["barrier", "barriers", barriers],
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

/** The network is planned anew when links come or go, and with it all routes. */
function refusedRoutes(
  before: Experiment,
  after: Experiment,
  relinked: readonly string[],
): string[] {
  if (relinked.length > 0 || saysTheSame(before.routes ?? [], after.routes ?? [])) return [];
  return ["routes are changed, which is done only when links are added or removed with them"];
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

/**
 * Who waits for something else than time has its place in the plan of the run: programs that do are
 * not touched, and events that do stay as they are.
 */
function refusedWaits(
  before: Experiment,
  after: Experiment,
  touched: ReadonlySet<string>,
): string[] {
  const both = [...before.programs, ...after.programs];
  const programs = both.filter(({ name, startWhen }) => startWhen && touched.has(name));
  const [old, now] = [waitingEvents(before), waitingEvents(after)];
  const objects = [...new Set([...old.keys(), ...now.keys()])].filter(
    (name) => touched.has(name) || !saysTheSame(old.get(name), now.get(name)),
  );
  const names = new Set([...programs.map(({ name }) => name), ...objects]);
  if (names.size === 0) return [];
  const what = [...names].join(", ");
  return [`${what}: what starts when others have ended or at a barrier cannot be changed`];
}

function waitingEvents({ events }: Experiment): ReadonlyMap<string, readonly PlannedEvent[]> {
  return Map.groupBy(
    events.filter(({ on }) => on !== undefined),
    ({ object }) => object,
  );
}

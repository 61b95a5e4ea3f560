// SPDX-License-Identifier: MIT
// What goes into the operations of experiments.ts and what users see of the outcome.
import type { Level } from "../linktest/index.ts";
import { linksOf, type Modification, type ModifyOutcome } from "../testbed/modify-run.ts";
import type { ResultReason } from "../testbed/record/result-model.ts";
import { joinNames, plural } from "../testbed/record/words.ts";
import type { NumberedEvent } from "../testbed/run-agenda.ts";
import type { Definition, ExperimentRow, HistoryEntry, RunRow } from "./database.ts";
import type { LiveStatus } from "./live-run.ts";
import type { ParsedDefinition } from "./parse-definition.ts";

/** `netns`: with a network of their own, or not at all. */
export type NodeKind = "netns" | "process";

export interface UpOptions {
  /** Absolute path of the file. */
  readonly file: string;
  readonly source: string;
  readonly pid: string;
  readonly eid: string;
  readonly presets: Definition["presets"];
  readonly parsed: ParsedDefinition;
  /** null draws one. */
  readonly seed: number | null;
  readonly durationSeconds: number;
  readonly stuckSeconds: number;
  /** Last stage of a linktest before time 0, 0 for none; null or left out: what the file says. */
  readonly linktestLevel?: 0 | Level | null | undefined;
  /** Machines that have joined, for its nodes; none: this one. */
  readonly on?: readonly string[] | undefined;
  readonly nodes?: NodeKind | null | undefined;
  readonly addresses?: readonly (readonly [name: string, address: string])[] | undefined;
  /** What users have set of links for good; `parsed` is what they make of the file. */
  readonly linkSettings?: Definition["linkSettings"];
}

export type ModifyOptions = Pick<UpOptions, "file" | "source" | "presets" | "parsed"> & {
  /** `pid/eid`, or `eid` where only one project has it. */
  readonly id: string;
};

/** What a modification did, by names. */
export interface Modified {
  readonly experiment: string;
  readonly nodes: Pick<Modification["nodes"], "added" | "removed" | "restarted">;
  readonly programs: Modification["programs"];
  readonly traffic: Modification["traffic"];
  /** Links that do something else now. */
  readonly links: Modification["links"];
  readonly linksAdded: readonly string[];
  readonly linksRemoved: readonly string[];
  /** Numbers of events, as `muster event ls` and `result.json` show them. */
  readonly events: {
    readonly added: readonly number[];
    readonly changed: readonly number[];
    readonly removed: readonly number[];
    /** Were to be changed or removed, and had fired. */
    readonly alreadyFired: readonly number[];
  };
  /** Nodes that did not come back when they were restarted: the experiment goes on without them. */
  readonly lost: ModifyOutcome["lost"];
  /**
   * Links that ask for more than who shapes them carries, and events to come that will be refused
   * or make some of them do so; as far as it has not been said before. An older daemon says none.
   */
  readonly linkWarnings?: readonly string[];
  /** In words. */
  readonly summary: string;
  /** What the old system would have refused, and what a linktest has found. */
  readonly warnings: readonly string[];
}

export function describeModification(
  experiment: string,
  modification: Omit<Modification, "experiment" | "tables">,
  { lost, events, warnings: linkWarnings }: Omit<ModifyOutcome, "experiment">,
): Omit<Modified, "warnings"> {
  const { nodes, programs, traffic, agenda } = modification;
  const links = linksOf(modification);
  const parts = [
    ["node", "added", nodes.added],
    ["node", "removed", nodes.removed],
    ["node", "restarted", nodes.restarted],
    ["program", "added", programs.added],
    ["program", "removed", programs.removed],
    ["program", "changed", programs.restarted],
    ["link", "changed", links.changed],
    ["link", "added", links.added],
    ["link", "removed", links.removed],
    ["traffic flow", "ended", traffic.ended],
    ["traffic flow", "begun", traffic.begun],
    ["sequence or timeline", "defined", agenda.defined],
    ["sequence or timeline", "removed", agenda.undefined],
    ["event", "added", events.added.map(({ id }) => `${id}`)],
    ["event", "changed", events.changed.map(({ id }) => `${id}`)],
    ["event", "removed", events.removed.map((id) => `${id}`)],
  ] as const;
  const said = parts
    .filter(([, , names]) => names.length > 0)
    .map(([what, how, names]) => `${plural(names.length, what)} ${how} (${joinNames(names)})`);
  const without = lost.map(({ node, why }) => `node ${node} did not come back: ${why}`);
  const fired = events.fired.map(
    ({ id, event: { object, event } }) => `event ${id} (${object} ${event}) had already fired`,
  );
  const summary = [...said, ...fired, ...without].join("; ") || "nothing that runs was changed";
  const numbers = (rows: readonly NumberedEvent[]): number[] => rows.map(({ id }) => id);
  const told = {
    ...{ added: numbers(events.added), changed: numbers(events.changed) },
    ...{ removed: events.removed, alreadyFired: numbers(events.fired) },
  };
  const { changed, added: linksAdded, removed: linksRemoved } = links;
  return {
    ...{ experiment, nodes, programs, traffic, links: changed, linksAdded, linksRemoved },
    ...{ events: told, lost, linkWarnings, summary },
  };
}

/** A run that is over, as it is told to whoever waited for that. */
export interface EndedRun extends RunRow {
  /** Why it failed, most telling first; the first ones of them. Absent for one that passed. */
  readonly reasons?: readonly ResultReason[];
}

/** An experiment on its way up. */
export interface Started {
  readonly experiment: string;
  readonly run: number;
  readonly directory: string;
  readonly seed: number;
  /** What the old system would have refused. */
  readonly warnings: readonly string[];
  /** True at time 0, false when it ended before. */
  readonly active: Promise<boolean>;
  /** The state is `swapped` by then. */
  readonly ended: Promise<EndedRun>;
}

export interface ExperimentStatus extends Omit<ExperimentRow, "exptidx"> {
  readonly experiment: string;
  /** null when it is swapped out. */
  readonly live: LiveStatus | null;
  /** null before the first. */
  readonly lastRun: RunRow | null;
}

export interface ExperimentDetails extends ExperimentStatus {
  /** HOST:PORT of its bus; null when it is swapped out, or told none. */
  readonly eventServer: string | null;
  readonly runs: readonly RunRow[];
  readonly history: readonly HistoryEntry[];
}

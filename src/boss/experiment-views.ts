// SPDX-License-Identifier: MIT
// What goes into the operations of experiments.ts and what users see of the outcome.
import type { Modification, ModifyOutcome } from "../testbed/modify-run.ts";
import { joinNames, plural } from "../testbed/record/words.ts";
import type { Definition, ExperimentRow, HistoryEntry, RunRow } from "./database.ts";
import type { LiveStatus } from "./live-run.ts";
import type { ParsedDefinition } from "./parse-definition.ts";

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
  /** Nodes that did not come back when they were restarted: the experiment goes on without them. */
  readonly lost: ModifyOutcome["lost"];
  /** In words. */
  readonly summary: string;
  /** What the old system would have refused. */
  readonly warnings: readonly string[];
}

export function describeModification(
  experiment: string,
  { nodes, programs }: Pick<Modification, "nodes" | "programs">,
  lost: ModifyOutcome["lost"],
): Omit<Modified, "warnings"> {
  const parts = [
    ["node", "added", nodes.added],
    ["node", "removed", nodes.removed],
    ["node", "restarted", nodes.restarted],
    ["program", "added", programs.added],
    ["program", "removed", programs.removed],
    ["program", "changed", programs.restarted],
  ] as const;
  const said = parts
    .filter(([, , names]) => names.length > 0)
    .map(([what, how, names]) => `${plural(names.length, what)} ${how} (${joinNames(names)})`);
  const without = lost.map(({ node, why }) => `node ${node} did not come back: ${why}`);
  const summary = [...said, ...without].join("; ") || "nothing that runs was changed";
  return { experiment, nodes, programs, lost, summary };
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
  readonly ended: Promise<RunRow>;
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

// SPDX-License-Identifier: MIT
// What goes into the operations of experiments.ts and what users see of the outcome.
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
  readonly runs: readonly RunRow[];
  readonly history: readonly HistoryEntry[];
}

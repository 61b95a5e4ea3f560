// SPDX-License-Identifier: MIT
// Where the logs of an experiment are: those of its nodes, and the copies of them in its directory.
// [EMULAB-EVENTS 8] Finds them; copying and comparing are in the files beside.
import { type Dirent, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { runDirectoryFile } from "../nodes/node-files.ts";
import { existingDirectory } from "./log-tree.ts";

export interface ExperimentLogs {
  /** `$EXPDIR` of the programs; the copies are below its `logs`. */
  readonly experiment: string;
  /** Holds a directory for each node. */
  readonly nodesDirectory: string;
  readonly nodes: readonly string[];
}

/** Where a node has its logs, below its own directory and below that of its copies. */
const logParts = ["local", "logs"];

/** The path below the directory of the experiment at which a node's logs are copied. */
export function copyParts(node: string): readonly string[] {
  return ["logs", node, ...logParts];
}

/** What the node has as /local/logs; undefined when there is no such directory. */
export function originalLogs(logs: ExperimentLogs, node: string): Promise<string | undefined> {
  return existingDirectory(logs.nodesDirectory, [node, ...logParts]);
}

/** The copy of it; undefined when there is none. */
export function copiedLogs(logs: ExperimentLogs, node: string): Promise<string | undefined> {
  return existingDirectory(logs.experiment, copyParts(node));
}

/**
 * The logs of a run whose files are in `out`, as `muster run` and `muster up` leave them; undefined
 * when there is no run.
 */
export function findRunLogs(out: string): ExperimentLogs | undefined {
  const experiment = join(out, "proj");
  return isDirectory(experiment) ? logsOf(experiment, join(out, "nodes")) : undefined;
}

/**
 * The logs of the experiment with this directory, `$EXPDIR` to its programs; undefined when that
 * leads to no run. In a name space it is mounted away from the run, which then is named in a file.
 */
export function findExperimentLogs(experiment: string): ExperimentLogs | undefined {
  const beside = join(dirname(experiment), "nodes");
  if (basename(experiment) === "proj" && isDirectory(beside)) return logsOf(experiment, beside);
  const out = readText(join(experiment, runDirectoryFile))?.trim() ?? "";
  const nodes = join(out, "nodes");
  return out.startsWith("/") && isDirectory(nodes) ? logsOf(experiment, nodes) : undefined;
}

function logsOf(experiment: string, nodesDirectory: string): ExperimentLogs {
  let entries: readonly Dirent[] = [];
  try {
    entries = readdirSync(nodesDirectory, { withFileTypes: true });
  } catch {
    // A run that did not come to its nodes has none.
  }
  const directories = entries.filter((entry) => entry.isDirectory());
  return { experiment, nodesDirectory, nodes: directories.map(({ name }) => name).sort() };
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

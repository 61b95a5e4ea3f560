// SPDX-License-Identifier: MIT
// The program loghole: copies, compares, empties and archives the logs of an experiment's nodes.
// The work is in testbed/logs; here are finding the experiment, and the texts. [EMULAB-EVENTS 2.8,
// 8]
import { basename, resolve } from "node:path";
import { resolveStateDirectory } from "../../boss/state-directory.ts";
import { systemClock } from "../../host/clock.ts";
import { archiveLogs, validateArchives } from "../../testbed/logs/archive-logs.ts";
import { cleanLogs } from "../../testbed/logs/clean-logs.ts";
import {
  type ExperimentLogs,
  findExperimentLogs,
  findRunLogs,
} from "../../testbed/logs/experiment-logs.ts";
import { syncLogs } from "../../testbed/logs/sync-logs.ts";
import { validateLogs } from "../../testbed/logs/validate-logs.ts";
import { exitCodes } from "../exit-codes.ts";
import { findKeptRuns } from "../kept-runs.ts";
import { harmless, plural } from "../output.ts";
import { type Exit, performExit } from "./exit.ts";
import { type LogholeArguments, parseLogholeArguments } from "./loghole-arguments.ts";

type Environment = Readonly<Record<string, string | undefined>>;

async function main(args: readonly string[], environment: Environment): Promise<Exit> {
  const given = parseLogholeArguments(args);
  if (given.kind === "exit") return given;
  const logs = findLogs(given, environment);
  if ("kind" in logs) return logs;
  const nodes = chooseNodes(given, logs);
  return "kind" in nodes ? nodes : await perform(given, logs, nodes.chosen);
}

function perform(
  given: LogholeArguments,
  logs: ExperimentLogs,
  nodes: readonly string[],
): Promise<Exit> {
  switch (given.command) {
    case "sync":
      return sync(given, logs, nodes);
    case "clean":
      return clean(given, logs, nodes);
    case "archive":
      return archive(given, logs);
    case "validate":
      return validate(given, logs, nodes);
  }
}

async function sync(
  given: LogholeArguments,
  logs: ExperimentLogs,
  nodes: readonly string[],
): Promise<Exit> {
  const lines: string[] = [];
  const onCopied = (node: string, path: string, bytes: number): void => {
    if (given.isVerbose) lines.push(`${node}: ${path}, ${plural(bytes, "byte")}`);
  };
  const { copied, unchanged, bytes, problems } = await syncLogs({ logs, nodes, onCopied });
  const same = unchanged === 0 ? "" : `; ${unchanged} as before`;
  const what = `${plural(copied, "file")}, ${plural(bytes, "byte")}`;
  lines.push(`copied ${what} from ${plural(nodes.length, "node")}${same}`);
  return report(given, lines, problems);
}

async function clean(
  given: LogholeArguments,
  logs: ExperimentLogs,
  nodes: readonly string[],
): Promise<Exit> {
  const { force, nodesOnly } = given;
  const { removed, problems } = await cleanLogs({ logs, nodes, force, nodesOnly });
  return report(given, [`removed ${plural(removed, "entry", "entries")}`], problems);
}

async function archive(given: LogholeArguments, logs: ExperimentLogs): Promise<Exit> {
  const name = given.names[0] ?? `logs-${formatStamp(systemClock.wallMs())}`;
  const { path, files, bytes, problems } = await archiveLogs({
    logs,
    name,
    deletes: given.deletes,
  });
  if (path === undefined) return report(given, [], problems);
  return report(given, [`${path}: ${plural(files, "file")}, ${plural(bytes, "byte")}`], problems);
}

async function validate(
  given: LogholeArguments,
  logs: ExperimentLogs,
  nodes: readonly string[],
): Promise<Exit> {
  const { same, problems } = await validateLogs(logs, nodes);
  const archives = await validateArchives(logs);
  return report(given, [`${plural(same, "file")} as on the nodes`], [...problems, ...archives]);
}

/** What was done goes to standard output, what was not to standard error. */
function report(
  { isQuiet }: LogholeArguments,
  lines: readonly string[],
  problems: readonly string[],
): Exit {
  const print = (texts: readonly string[], prefix = ""): string =>
    texts.map((text) => `${prefix}${harmless(text)}\n`).join("");
  return {
    kind: "exit",
    code: problems.length === 0 ? exitCodes.ok : exitCodes.failed,
    stdout: isQuiet ? "" : print(lines),
    stderr: print(problems, "loghole: "),
  };
}

function findLogs(given: LogholeArguments, environment: Environment): ExperimentLogs | Exit {
  const { out, experiment } = given;
  if (out !== undefined) {
    return findRunLogs(resolve(out)) ?? none(`there are no results of a run in ${out}`);
  }
  const { EXPDIR: directory = "", PID: pid, EID: eid } = environment;
  const isOwn = experiment === undefined || experiment === `${pid}/${eid}`;
  const own = directory === "" || !isOwn ? undefined : findExperimentLogs(resolve(directory));
  if (own !== undefined) return own;
  if (experiment !== undefined) return findKept(given, experiment, environment);
  if (directory !== "") return none(`EXPDIR is ${directory}, which belongs to no run of Muster`);
  return none("which experiment? give -e pid/eid, or --out and the results of muster run");
}

/** The last run of an experiment that `muster up` keeps. */
function findKept(
  given: LogholeArguments,
  experiment: string,
  environment: Environment,
): ExperimentLogs | Exit {
  const state = resolveStateDirectory(given.state, environment);
  const [run] = findKeptRuns(state, experiment);
  const help = "muster status lists those that are; --state names another directory";
  return (
    (run === undefined ? undefined : findRunLogs(run.directory)) ??
    none(`there is no run of ${experiment} in ${state.path}; ${help}`)
  );
}

function chooseNodes(
  { command, names }: LogholeArguments,
  { nodes, experiment }: ExperimentLogs,
): { readonly chosen: readonly string[] } | Exit {
  if (command === "archive" || names.length === 0) return { chosen: nodes };
  const unknown = names.filter((name) => !nodes.includes(name));
  if (unknown.length === 0) return { chosen: [...new Set(names)] };
  return none(
    `${basename(experiment)}: there is no node ${unknown[0]}; nodes: ${nodes.join(", ")}`,
  );
}

/** `YYYYMMDD-HHMMSS`, UTC. */
function formatStamp(wallMs: number): string {
  const [date = "", time = ""] = new Date(wallMs).toISOString().split("T");
  return `${date.replaceAll("-", "")}-${time.slice(0, 8).replaceAll(":", "")}`;
}

function none(message: string): Exit {
  return { kind: "exit", code: exitCodes.noInput, stderr: `loghole: ${harmless(message)}\n` };
}

performExit(await main(process.argv.slice(2), process.env));

// SPDX-License-Identifier: MIT
// `muster status [ID]`: the experiments as a table, or one with its barriers, runs and history.
import type {
  ExperimentDetails,
  ExperimentStatus,
  HistoryEntry,
  LiveStatus,
  OpenBarrier,
  RunRow,
  StatusOfAll,
} from "../../boss/index.ts";
import { systemClock } from "../../host/clock.ts";
import type { LogState } from "../../host/log-state.ts";
import { exitCodes } from "../exit-codes.ts";
import type { CommandIo } from "../io.ts";
import { formatDuration, formatTable, harmless, joinNames } from "../output.ts";
import { askDaemon, stateOf } from "./serve-client.ts";

export interface StatusArguments {
  /** null for all. */
  readonly id: string | null;
  readonly state?: string;
  readonly json: boolean;
}

/** @returns the exit status. @throws CommandError */
export async function statusCommand(argv: StatusArguments, io: CommandIo): Promise<number> {
  const request = { kind: "status", id: argv.id, withLog: true } as const;
  const answer = await askDaemon({ state: stateOf(argv.state), request });
  // A daemon of an older build knows nothing of its log.
  const value = Array.isArray(answer) ? { experiments: answer, log: null } : answer;
  const nowMs = systemClock.wallMs();
  if (argv.json) io.stdout(`${JSON.stringify(value, null, 2)}\n`);
  else if (argv.id === null) io.stdout(formatAll(value as StatusOfAll, nowMs));
  else io.stdout(formatDetails(value as ExperimentDetails, nowMs));
  return exitCodes.ok;
}

/** What `muster status` prints. */
function formatAll({ experiments, log }: StatusOfAll, nowMs: number): string {
  return `${formatStatus(experiments, nowMs)}${log === null ? "" : `${describeLog(log)}\n`}`;
}

/** For whoever replaces servers one by one: what the log waits for. */
export function describeLog({ outage, ...log }: LogState): string {
  const version = describeVersion(log);
  return outage === undefined ? version : `${version}; ${outage} now`;
}

function describeVersion({ version, versionMax, olderServers }: LogState): string {
  if (version >= versionMax) return `the log is of version ${version}, the newest known here`;
  if (olderServers.length === 0) return `the log is of version ${version}, soon of ${versionMax}`;
  const until = `until no server of an older build lives (${joinNames(olderServers, 20)})`;
  return harmless(`the log is of version ${version} ${until}, then of ${versionMax}`);
}

/** The table of `muster status`. */
export function formatStatus(experiments: readonly ExperimentStatus[], nowMs: number): string {
  if (experiments.length === 0) return "no experiments; start one with: muster up FILE\n";
  const head = ["EXPERIMENT", "STATE", "SINCE", "NODES", "PROGRAMS", "BARRIERS"];
  const rows = experiments.map(({ experiment, state, sinceMs, live, lastRun }) => [
    experiment,
    state,
    ago(sinceMs, nowMs),
    ...(live === null ? ["-", "-", describeLast(lastRun)] : describeLive(live)),
  ]);
  return lines(formatTable([head, ...rows]));
}

/** What `muster status ID` prints. */
export function formatDetails(details: ExperimentDetails, nowMs: number): string {
  const { experiment, state, sinceMs, swapper, live, file, runs, history, eventServer } = details;
  const who = swapper === null ? "" : `, swapped in by ${swapper}`;
  const [nodes = "", programs = ""] = live === null ? [] : describeLive(live);
  return lines([
    `${experiment} is ${state} for ${lasting(sinceMs, nowMs)}${who}`,
    ...formatTable([
      ["  file", file],
      ...(live === null ? [] : [["  nodes up", nodes]]),
      ...(live?.machines ?? []).map(({ name, nodes }) => [`  on ${name}`, joinNames(nodes, 20)]),
      ...(live === null ? [] : [["  programs", programs]]),
      ...(live?.linktest ? [["  linktest", describeLinktest(live.linktest)]] : []),
      ...(eventServer === null ? [] : [["  events", eventServer]]),
    ]),
    ...(live?.barriers ?? []).map((one) => harmless(`  barrier ${describeBarrier(one, 20)}`)),
    ...(live === null || live.barriersDropped === 0
      ? []
      : [`  and ${live.barriersDropped} more open barriers`]),
    "runs",
    ...indent(formatTable(runs.map(describeRun))),
    "history",
    ...indent(formatTable(history.map(describeEntry))),
  ]);
}

function describeLinktest(told: NonNullable<LiveStatus["linktest"]>): string {
  const { level, ok, bad, untestable, isCancelled } = told;
  const counts = `${ok} ok, ${bad} bad, ${untestable} untestable`;
  return `level ${level}: ${isCancelled ? "cancelled" : counts}`;
}

/** Nodes, programs, barriers. */
function describeLive(live: LiveStatus): readonly [string, string, string] {
  const { nodesUp, nodes, programsRunning, programsEnded, programsFailed } = live;
  const { programsNotStarted: notStarted = 0 } = live;
  const failed = programsFailed === 0 ? "" : `, ${programsFailed} failed`;
  const open = live.barriers.length + live.barriersDropped;
  const [first] = live.barriers;
  const others = open > 1 ? `; and ${open - 1} more open` : "";
  const barriers = first === undefined ? "none open" : `${describeBarrier(first, 3)}${others}`;
  const rest = notStarted === 0 ? "" : `, ${notStarted} not started`;
  const programs = `${programsRunning} running, ${programsEnded} ended${failed}${rest}`;
  return [`${nodesUp} of ${nodes}`, programs, barriers];
}

function describeBarrier(barrier: OpenBarrier, namesMax: number): string {
  const { name, arrived, expected, missing } = barrier;
  const of = expected > 0 ? `${arrived}/${expected}` : `${arrived}/?`;
  return missing.length === 0
    ? `${name} ${of}`
    : `${name} ${of}, missing: ${joinNames(missing, namesMax)}`;
}

function describeLast(run: RunRow | null): string {
  if (run === null) return "never up";
  return `last run ${run.outcome ?? "not ended"}, ended by ${run.endedBy ?? "nobody"}`;
}

function describeRun(run: RunRow): string[] {
  const { number, startedMs, endedMs, outcome, endedBy, error, directory } = run;
  const end = endedMs === null ? "goes on" : `${outcome}, ended by ${endedBy}`;
  const lasted = endedMs === null ? "" : formatDuration((endedMs - startedMs) * 1_000);
  const why = error === null ? "" : `${error.code}: ${error.message}`;
  return [`${number}`, instant(startedMs), lasted, end, directory, why];
}

function describeEntry({ atMs, from, to, user, note }: HistoryEntry): string[] {
  return [instant(atMs), `${from ?? "new"} -> ${to}`, user, note];
}

function ago(sinceMs: number, nowMs: number): string {
  return `${formatDuration(Math.max(0, nowMs - sinceMs) * 1_000)} ago`;
}

/** Nobody reads thousandths of seconds here. */
function lasting(sinceMs: number, nowMs: number): string {
  const ms = Math.max(0, nowMs - sinceMs);
  return ms < 9_950 ? `${(ms / 1_000).toFixed(1)} s` : formatDuration(ms * 1_000);
}

function instant(ms: number): string {
  return new Date(ms).toISOString();
}

function indent(texts: readonly string[]): string[] {
  return texts.map((text) => `  ${text}`);
}

function lines(texts: readonly string[]): string {
  return texts.map((text) => `${text}\n`).join("");
}

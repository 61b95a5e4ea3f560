// SPDX-License-Identifier: MIT
// `muster run FILE`: reads the file, prepares the output directory, runs once or as a series, and
// writes what the runs leave.
import { join, resolve } from "node:path";
import { describeMisnamed } from "../../boss/file-language.ts";
import { plainName } from "../../boss/row-checks.ts";
import type { Limits } from "../../core/limits.ts";
import { defaultLimits, resolveLimits } from "../../core/limits.ts";
import type { TlsIdentity } from "../../edges/tmcd/index.ts";
import {
  type Experiment,
  formatDiagnostic,
  type Tables,
  tableRows,
} from "../../experiment/index.ts";
import { systemClock } from "../../host/clock.ts";
import { newIncarnation, newRunId } from "../../host/ids.ts";
import { PkiError } from "../../pki/pki-error.ts";
import { refuseRunDirectory } from "../../testbed/nodes/index.ts";
import { renderJunitSeries } from "../../testbed/record/junit.ts";
import type { RunResult } from "../../testbed/record/result-model.ts";
import { writeWhole } from "../../testbed/record/run-files.ts";
import type { RunEvent } from "../../testbed/run-event.ts";
import { exitCodes } from "../exit-codes.ts";
import type { CommandIo } from "../io.ts";
import { CommandError } from "../io.ts";
import { describeUnknownLimit } from "../limit-names.ts";
import { makeOutputDirectory } from "../output-directory.ts";
import { StopSignals } from "../stop-signals.ts";
import { loadTlsIdentity } from "../tls-identity.ts";
import { exitUnreadable, LoadError, loadExperiment } from "./parse.ts";
import type { RunArguments } from "./run-arguments.ts";
import { checkForHosts, planMachines } from "./run-hosts.ts";
import { type RunOutcome, runOnce } from "./run-once.ts";
import type { SeriesRun } from "./series.ts";
import { planSeries } from "./series.ts";
import { resolveSplit } from "./split-run.ts";

/** A run of the series and what its file says. */
interface LoadedRun {
  readonly run: SeriesRun;
  readonly experiment: Experiment;
  readonly tables: Tables;
  readonly source: string;
}

/** A command that is made of a run, and says itself what came of it. */
export interface RunReader {
  readonly watch: (event: RunEvent) => void;
  /** Of each run of a series; a run alone prints no result as JSON then. */
  readonly ended: (result: RunResult, directory: string) => void;
}

/** @returns the exit status. @throws CommandError for what is the user's to mend. */
export async function runCommand(
  argv: RunArguments,
  io: CommandIo,
  reader?: RunReader,
): Promise<number> {
  const limits = parseLimits(argv.limit);
  const tls = loadTls(argv);
  const split = resolveSplit(argv);
  const machines = await planMachines(argv);
  const seed = argv.seed ?? newIncarnation() % 2 ** 31;
  const series = planSeries(argv.set, argv.repeat, seed);
  // Every file of the series is read before anything is started: no half series for a typing error.
  const loaded: LoadedRun[] = [];
  const said = new Set<string>();
  for (const run of series) loaded.push({ run, ...(await load(argv, run, io, said)) });
  if (machines !== undefined)
    for (const { experiment } of loaded) checkForHosts(experiment, argv.nodes);
  const nowhere = refuseRunDirectory();
  if (nowhere !== undefined) throw new CommandError(exitCodes.cannotCreate, nowhere);
  const first = loaded[0] as LoadedRun;
  const out = makeOutputDirectory(argv.out ?? defaultOutput(first.experiment.eid));
  const signals = new StopSignals();
  const results: (RunOutcome & { run: SeriesRun; directory: string })[] = [];
  try {
    for (const { run, experiment, tables, source } of loaded) {
      const directory = series.length === 1 ? out : makeOutputDirectory(join(out, run.directory));
      if (series.length > 1 && !argv.json) io.stdout(`\n${run.title}\n`);
      const junit = series.length === 1 ? argv.junit : undefined;
      const what = {
        argv,
        run,
        experiment,
        tables,
        source,
        limits,
        directory,
        junit,
        signals,
        io,
        tls,
        split,
        machines,
        watch: reader?.watch,
      };
      const outcome = await runOnce(what);
      results.push({ run, directory, ...outcome });
      reader?.ended(outcome.result, directory);
      if (signals.received !== undefined) break;
    }
  } finally {
    signals.dispose();
  }
  if (series.length > 1) await finishSeries(out, results, argv, io);
  else if (argv.json && reader === undefined)
    io.stdout(`${JSON.stringify(results[0]?.result, null, 2)}\n`);
  if (signals.exitStatus !== undefined) return signals.exitStatus;
  // What a script would look into is not there: not to be taken for a run that has failed.
  if (results.some(({ isWritten }) => !isWritten)) return exitCodes.cannotCreate;
  const allPassed = results.every(({ result }) => result.outcome === "passed");
  return allPassed ? exitCodes.ok : exitCodes.failed;
}

/** @throws CommandError */
function loadTls({ tls, tlsLegacy = false }: RunArguments): TlsIdentity | undefined {
  if (tls === undefined && tlsLegacy) {
    throw new CommandError(exitCodes.usage, "--tls-legacy says how --tls DIR works; give both");
  }
  try {
    return tls === undefined ? undefined : loadTlsIdentity(tls, tlsLegacy);
  } catch (error) {
    if (error instanceof PkiError) throw new CommandError(exitCodes.noInput, error.message);
    throw error;
  }
}

/** Prints what there is to say about the file, once for a series. @throws CommandError */
async function load(
  { file, pid, eid, catalogue, addresses, linksOnly = false }: RunArguments,
  run: SeriesRun,
  io: CommandIo,
  said: Set<string>,
): Promise<Omit<LoadedRun, "run">> {
  const options = {
    forRun: true,
    set: run.set,
    ...(pid === undefined ? {} : { pid }),
    ...(eid === undefined ? {} : { eid }),
    ...(catalogue === undefined ? {} : { catalogue }),
    ...(addresses === undefined ? {} : { addresses }),
  };
  const loaded = await loadExperiment(file, options).catch((error: unknown) => {
    if (!(error instanceof LoadError)) throw error;
    const unreadable = error.exitCode === exitUnreadable;
    throw new CommandError(unreadable ? exitCodes.noInput : exitCodes.refused, error.message);
  });
  const findings = loaded.diagnostics.map((one) => `${formatDiagnostic(one, loaded.source)}\n`);
  for (const text of [...findings, loaded.output]) {
    if (!said.has(text)) io.stderr(text);
    said.add(text);
  }
  const { experiment, rows, source } = loaded;
  if (experiment !== undefined) {
    checkNames(experiment);
    // A YAML file has none of its own.
    const what = linksOnly ? withoutPrograms(experiment) : experiment;
    return { experiment: what, tables: rows ?? tableRows(experiment).rows, source };
  }
  const errors = loaded.diagnostics.filter(({ severity }) => severity === "error").length;
  throw new CommandError(
    exitCodes.refused,
    `${file} has ${errors} ${errors === 1 ? "error" : "errors"}; nothing was run${describeMisnamed(file, loaded.source)}`,
  );
}

/**
 * They are directories of nodes and results, and parts of what nodes are told. @throws CommandError
 */
function checkNames({ pid, eid }: Experiment): void {
  for (const [what, name, option] of [
    ["project", pid, "--pid"],
    ["experiment", eid, "--eid"],
  ] as const) {
    if (plainName.test(name)) continue;
    const message = `the ${what} name ${JSON.stringify(name)} is no name for a run`;
    const hint = `give one of letters, digits, dashes and underscores with ${option}`;
    throw new CommandError(exitCodes.refused, `${message}; ${hint}`);
  }
}

function withoutPrograms(experiment: Experiment): Experiment {
  const { traffic: _, barriers: _barriers, testground: _plan, ...rest } = experiment;
  const nothing = { programs: [], events: [], sequences: [], timelines: [], groups: [] };
  return { ...rest, ...nothing };
}

function defaultOutput(eid: string): string {
  const stamp = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium" })
    .format(systemClock.wallMs())
    .replaceAll(/[-:]/g, "")
    .replace(" ", "-");
  return join("results", `${eid}-${stamp}-${newRunId().slice(0, 4)}`);
}

function parseLimits(settings: readonly string[]): Limits {
  const partial: Record<string, number> = {};
  for (const setting of settings) {
    const [name = "", text = ""] = setting.split("=");
    const value = Number(text);
    const isKnown = Object.hasOwn(defaultLimits, name);
    if (!isKnown || !Number.isSafeInteger(value) || value < 1) {
      const why = isKnown
        ? "give NAME=VALUE, a positive whole number"
        : describeUnknownLimit(name, Object.keys(defaultLimits));
      throw new CommandError(exitCodes.usage, `--limit ${setting}: ${why}`);
    }
    partial[name] = value;
  }
  return resolveLimits(partial);
}

async function finishSeries(
  out: string,
  results: readonly { run: SeriesRun; directory: string; result: RunResult }[],
  argv: RunArguments,
  io: CommandIo,
): Promise<void> {
  const rows = results.map(({ run, directory, result }) => ({
    directory,
    seed: run.seed,
    set: run.set,
    outcome: result.outcome,
    endedBy: result.endedBy,
    error: result.error,
  }));
  const passed = rows.filter(({ outcome }) => outcome === "passed").length;
  const series = { schema: 1, file: argv.file, passed, failed: rows.length - passed, runs: rows };
  const json = `${JSON.stringify(series, null, 2)}\n`;
  const suites = results.map(({ run, result }) => ({
    name: `${result.experiment} ${run.title}`,
    result,
  }));
  const error =
    (await writeWhole(join(out, "series.json"), json)) ??
    (argv.junit && (await writeWhole(resolve(argv.junit), renderJunitSeries(suites)))) ??
    null;
  if (error) throw new CommandError(exitCodes.cannotCreate, error.message);
  if (argv.json) io.stdout(json);
  else io.stdout(`\n${passed} of ${rows.length} runs passed; ${join(out, "series.json")}\n`);
}

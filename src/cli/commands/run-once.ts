// SPDX-License-Identifier: MIT
// One run of `muster run`: connects the run's events to the display, the record and the result, and
// writes the files of the run.
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { RunDatabase } from "../../boss/run-database.ts";
import type { Limits } from "../../core/limits.ts";
import type { TlsIdentity } from "../../edges/tmcd/index.ts";
import type { Tables } from "../../experiment/index.ts";
import type { Experiment } from "../../experiment/model.ts";
import { systemClock } from "../../host/clock.ts";
import { newRunId } from "../../host/ids.ts";
import type { Logger } from "../../host/logger.ts";
import { guardRun } from "../../testbed/guard-run.ts";
import type { MachinesWish } from "../../testbed/machines/index.ts";
import { renderJunit } from "../../testbed/record/junit.ts";
import type { OutputError } from "../../testbed/record/output-error.ts";
import { createRecordWriter } from "../../testbed/record/record-writer.ts";
import { renderReport } from "../../testbed/record/report-html.ts";
import type { ResultBuilder } from "../../testbed/record/result.ts";
import { createResultBuilder } from "../../testbed/record/result.ts";
import type { RunResult } from "../../testbed/record/result-model.ts";
import { writeRunFiles } from "../../testbed/record/run-files.ts";
import { runExperiment } from "../../testbed/run.ts";
import type { RunEvent, RunWatcher } from "../../testbed/run-event.ts";
import type { RunOptions } from "../../testbed/run-options.ts";
import type { SplitOptions } from "../../testbed/run-scheduler.ts";
import type { CommandIo } from "../io.ts";
import { styled, wantsColour } from "../output.ts";
import type { Progress } from "../progress.ts";
import { createProgress } from "../progress.ts";
import type { StopSignals } from "../stop-signals.ts";
import { oldTools } from "../tools.ts";
import { parsePreset } from "./experiment-file.ts";
import type { RunArguments } from "./run-arguments.ts";
import { projectFilesOf, repeatCommandLine } from "./run-arguments.ts";
import type { SeriesRun } from "./series.ts";

export interface RunOnceOptions {
  readonly argv: RunArguments;
  readonly run: SeriesRun;
  readonly experiment: Experiment;
  /** What the file says, as table rows. */
  readonly tables: Tables;
  /** The text of the file. */
  readonly source: string;
  readonly limits: Limits;
  /** Where the results go; exists and is empty. */
  readonly directory: string;
  /** Where the JUnit file of this run goes; a series has one for all runs. */
  readonly junit: string | undefined;
  readonly signals: StopSignals;
  readonly io: CommandIo;
  readonly tls: TlsIdentity | undefined;
  readonly split: SplitOptions | undefined;
  readonly machines: MachinesWish | undefined;
  /** Hears what is recorded. */
  readonly watch: ((event: RunEvent) => void) | undefined;
}

/** What came of a run. */
export interface RunOutcome {
  readonly result: RunResult;
  /** Whether `result.json` is there. */
  readonly isWritten: boolean;
}

export async function runOnce(options: RunOnceOptions): Promise<RunOutcome> {
  const { argv, run, experiment, tables, limits, directory, signals } = options;
  const builder = createResultBuilder({ experiment });
  const progress = createDisplay(options);
  const record = createRecordWriter({
    out: directory,
    clock: systemClock,
    onError: (message) => {
      builder.fail("OUTPUT", message);
      // At once: who reads it may free some space before the run ends.
      const isShown = progress.keep([styled("bad", "error"), `: ${message}`]);
      if (!isShown) options.io.stderr(`muster: ${message}\n`);
    },
  });
  const runId = newRunId();
  let lastUs = 0;
  const hear = (event: RunEvent, show: RunWatcher): void => {
    lastUs = event.atUs;
    record.watch(event);
    builder.add(event);
    show(event);
    database.watch(event);
    options.watch?.(event);
  };
  const watch = (event: RunEvent): void => hear(event, progress.watch);
  const database = openDatabase(options, runId, (text) => {
    watch({ type: "message", level: "warning", node: null, text, atUs: lastUs });
  });
  const parts: Omit<RunOptions, "interrupt"> = {
    experiment,
    tables,
    file: argv.file,
    command: repeatCommandLine(argv, run, process.env),
    projectFiles: projectFilesOf(argv.file),
    runId,
    out: directory,
    seed: run.seed,
    durationSeconds: argv.duration,
    stuckSeconds: argv.stuckAfter,
    ...(argv.nodes === undefined ? {} : { network: argv.nodes === "netns" ? "own" : "shared" }),
    linktestLevel: (argv.linktest ?? experiment.linktestLevel) || undefined,
    links: argv.links,
    linkThreads: argv.linkThreads,
    tools: oldTools(),
    tls: options.tls,
    split: options.split,
    machines: options.machines,
    clock: systemClock,
    limits: forExperiment(limits, experiment),
    logger: stderrLogger(options.io),
    watch,
    early: { said: progress.early, again: (event) => hear(event, progress.again) },
    mailer: process.env["MUSTER_MAILER"],
  };
  progress.begin();
  await guardRun({
    ...{ clock: systemClock, faults: process, interrupt: signals.interrupt },
    run: (interrupt) => runExperiment({ ...parts, interrupt }),
    onFault: (message) => builder.fail("INTERNAL", message),
  });
  // Before the record: what goes wrong is in it.
  database.close(builder.build());
  const isRecorded = (await record.close()) === null;
  const { result, written, errors } = await writeResults(options, builder);
  progress.close(result, [...written, ...(isRecorded ? ["record.ndjson"] : [])]);
  // The summary has the first failure of the run only, and is not where scripts look.
  for (const { message } of errors) options.io.stderr(`muster: ${message}\n`);
  return { result, isWritten: written.includes("result.json") };
}

function openDatabase(
  { argv, run, experiment, tables, source, directory }: RunOnceOptions,
  runId: string,
  onError: (text: string) => void,
): RunDatabase {
  const presets = run.set.map(parsePreset);
  const definition = { file: resolve(argv.file), source, presets };
  const what = { directory, experiment, tables, definition, runId, seed: run.seed, onError };
  return new RunDatabase({ ...what, clock: systemClock });
}

interface WrittenResults {
  readonly result: RunResult;
  /** The files that are there. */
  readonly written: readonly string[];
  /** One for each that is not. */
  readonly errors: readonly OutputError[];
}

async function writeResults(
  options: RunOnceOptions,
  builder: ResultBuilder,
): Promise<WrittenResults> {
  const { junit: path, directory } = options;
  const result = builder.build();
  const junit = path === undefined ? null : { path: resolve(path), xml: renderJunit(result) };
  const reportHtml = renderReport(result);
  const errors = await writeRunFiles(directory, { result, reportHtml, junit });
  // The directory was empty, and files appear whole or not at all.
  const written = ["report.html", "result.json"].filter((one) => existsSync(join(directory, one)));
  for (const { code, message } of errors) builder.fail(code, message);
  return { result: errors.length === 0 ? result : builder.build(), written, errors };
}

function createDisplay({ argv, experiment }: RunOnceOptions): Progress {
  // What is for standard output comes after it.
  const isAside = argv.json === true || argv.linksOnly === true;
  const stream = isAside ? process.stderr : process.stdout;
  return createProgress({
    stream,
    isTty: stream.isTTY === true,
    columns: () => stream.columns ?? 80,
    rows: () => stream.rows ?? 24,
    colour: wantsColour(stream.isTTY === true, process.env),
    clock: systemClock,
    experiment,
  });
}

/** Reports may name every node and program: people ask for exactly the one that is missing. */
function forExperiment(limits: Limits, { nodes, programs }: Experiment): Limits {
  const names = 4 * nodes.length + programs.length;
  return { ...limits, namesInReportMax: Math.max(limits.namesInReportMax, names) };
}

function stderrLogger(io: CommandIo): Logger {
  return {
    log(level, message) {
      if (level === "warn" || level === "error") io.stderr(`muster: ${message}\n`);
    },
  };
}

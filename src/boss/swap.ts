// SPDX-License-Identifier: MIT
// One experiment from swap-in to swap-out: runs it, keeps what is known of it, and writes the same
// files as `muster run`, besides progress.log. Knows nothing of states and databases.
//
//   W1. `ended` resolves once, after the nodes are down and the files are written; never rejects.
//   W2. A run that was asked to stop ends by `terminate`, as `$ns terminate` would end it.
//   W3. A mistake in this program, whoever made it, ends the run in order and is in its result.
import type { Limits } from "../core/limits.ts";
import type { Experiment, Tables } from "../experiment/index.ts";
import type { Clock } from "../host/clock.ts";
import type { Logger } from "../host/logger.ts";
import type { Level } from "../linktest/index.ts";
import { NetworkError } from "../network/link-backend.ts";
import type { LinksReport, ShaperHealth } from "../network/link-report.ts";
import { type Faults, guardRun } from "../testbed/guard-run.ts";
import {
  type Modification,
  ModifyError,
  type ModifyOutcome,
  type RunControl,
} from "../testbed/modify-run.ts";
import type { NodeWatch } from "../testbed/node-boot.ts";
import type { EventControl } from "../testbed/open-run-events.ts";
import { createRecordWriter } from "../testbed/record/record-writer.ts";
import { renderReport } from "../testbed/record/report-html.ts";
import { renderSummary } from "../testbed/record/report-text.ts";
import { createResultBuilder } from "../testbed/record/result.ts";
import type { RunResult } from "../testbed/record/result-model.ts";
import { writeRunFiles } from "../testbed/record/run-files.ts";
import type { RunEvent } from "../testbed/run-event.ts";
import type { RunOptions } from "../testbed/run-options.ts";
import type { SplitOptions } from "../testbed/run-scheduler.ts";
import type { BossLimits } from "./limits.ts";
import { isTimeZero, LiveRun, type LiveStatus } from "./live-run.ts";
import { ProgressLog } from "./progress-log.ts";

export interface SwapOptions {
  readonly experiment: Experiment;
  /** Table rows of the file, for what nodes ask. */
  readonly tables: Tables;
  /** Absolute path of the experiment file. */
  readonly file: string;
  readonly projectFiles: string;
  readonly runId: string;
  /** Where the results go; exists and is empty. */
  readonly directory: string;
  readonly seed: number;
  readonly durationSeconds: number;
  readonly stuckSeconds: number;
  /** As of a run: it never keeps an experiment from coming up, and ends with it. */
  readonly linktestLevel?: Level | undefined;
  readonly testLinks?: RunOptions["testLinks"];
  readonly linksAsked?: RunOptions["linksAsked"];
  readonly tools: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly coreLimits: Limits;
  readonly limits: BossLimits;
  readonly logger: Logger;
  readonly nodeWatch?: NodeWatch | undefined;
  /** Its scheduler is a process of its own; undefined: it is in this one. */
  readonly split?: SplitOptions | undefined;
  /** As of a run. */
  readonly machines?: RunOptions["machines"];
  /** As of a run. */
  readonly network?: RunOptions["network"];
  /** As of a run. */
  readonly mailer?: string | undefined;
  /** Where the process tells what nobody has caught. */
  readonly faults: Faults;
  /** `runExperiment`; tests put their own in its place. */
  readonly run: (options: RunOptions) => Promise<void>;
}

export class Swap {
  readonly directory: string;
  /** True at time 0; false when the run ended without it. */
  readonly active: Promise<boolean>;
  readonly ended: Promise<RunResult>;
  readonly #options: SwapOptions;
  readonly #live: LiveRun;
  readonly #abort = new AbortController();
  #experiment: Experiment;
  #control: RunControl | undefined;
  #events: EventControl | undefined;
  #activate: (isActive: boolean) => void = () => undefined;
  #isOver = false;

  constructor(options: SwapOptions) {
    this.#options = options;
    this.directory = options.directory;
    this.#experiment = options.experiment;
    this.#live = new LiveRun(options.experiment, options.limits.namesShownMax);
    this.active = new Promise((resolve) => {
      this.#activate = resolve;
    });
    this.ended = this.#run();
  }

  get status(): LiveStatus {
    return this.#live.describe();
  }

  /** What runs now. */
  get experiment(): Experiment {
    return this.#experiment;
  }

  /** @throws ModifyError when nothing was changed, or it ended over it. */
  async modify(modification: Modification): Promise<ModifyOutcome> {
    if (this.#control === undefined) throw new ModifyError("the experiment is not up yet");
    const outcome = await this.#control.modify(modification);
    this.#experiment = outcome.experiment;
    return outcome;
  }

  /** @throws NetworkError with a sentence when there is nothing to tell */
  async links(name: string | null): Promise<LinksReport> {
    if (this.#control === undefined || this.#isOver) {
      throw new NetworkError("it is not up yet, or no more");
    }
    return await this.#control.links(name);
  }

  /** After a modification. Never rejects. @returns what to tell of it */
  async testLinks(level: 0 | Level): Promise<string | undefined> {
    return level === 0 || this.#isOver ? undefined : await this.#control?.testLinks(level);
  }

  /** How who shapes its links is; undefined where nobody can tell. */
  get linkHealth(): ShaperHealth | undefined {
    return this.#isOver ? undefined : this.#control?.linkHealth();
  }

  /** What can be asked of its scheduler; undefined while there is none that can be asked. */
  get events(): EventControl | undefined {
    return this.#isOver ? undefined : this.#events;
  }

  /** The files of the run are complete. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Begins the swap-out; `ended` says when it is done. Idempotent. */
  stop(): void {
    this.#abort.abort();
  }

  async #run(): Promise<RunResult> {
    const { experiment, directory, clock, limits, logger } = this.#options;
    const builder = createResultBuilder({ experiment });
    const onError = (message: string): void => builder.fail("OUTPUT", message);
    const record = createRecordWriter({ out: directory, clock, onError });
    const warn = (message: string): void => logger.log("warn", message);
    const bytesMax = limits.progressBytesMax;
    const progress = new ProgressLog({ directory, clock, bytesMax, onError: warn });
    progress.begin(`${experiment.pid}/${experiment.eid}`);
    const watch = (event: RunEvent): void => {
      const said = asStopped(event);
      record.watch(said);
      builder.add(said);
      progress.watch(said);
      this.#live.observe(said);
      if (isTimeZero(said)) this.#activate(true);
    };
    // Not in the constructor's turn: what is started says nothing before somebody can listen.
    await Promise.resolve();
    await guardRun({
      ...{ clock, faults: this.#options.faults, interrupt: this.#abort.signal },
      run: async (interrupt) => await this.#options.run(this.#runOptions(watch, interrupt)),
      onFault: (message) => {
        builder.fail("INTERNAL", message);
        logger.log("error", `${experiment.pid}/${experiment.eid}: ${message}`);
      },
    });
    this.#activate(false);
    await record.close();
    const first = builder.build();
    const files = { result: first, reportHtml: renderReport(first), junit: null };
    for (const error of await writeRunFiles(directory, files)) {
      builder.fail(error.code, error.message);
      logger.log("error", `${experiment.pid}/${experiment.eid}: ${error.message}`);
    }
    const result = builder.build();
    await progress.close(renderSummary(result));
    this.#isOver = true;
    return result;
  }

  #runOptions(watch: (event: RunEvent) => void, interrupt: AbortSignal): RunOptions {
    const {
      run: _run,
      faults: _faults,
      limits: _limits,
      directory,
      coreLimits,
      ...options
    } = this.#options;
    const { nodes, programs } = options.experiment;
    // Reports may name every node and program: people ask for exactly the one that is missing.
    const names = Math.max(coreLimits.namesInReportMax, 4 * nodes.length + programs.length);
    const limits = { ...coreLimits, namesInReportMax: names };
    const onActive = (control: RunControl): void => {
      this.#control = control;
      // The log that has the start of time may be another process's.
      if (options.split !== undefined) this.#activate(true);
    };
    const onEventControl = (control: EventControl): void => {
      this.#events = control;
    };
    const told = { watch, interrupt, onActive, onEventControl };
    return { ...options, ...told, out: directory, limits, staysUp: true };
  }
}

/** W2. */
function asStopped(event: RunEvent): RunEvent {
  if (event.type !== "run-ended" || event.endedBy !== "interrupt") return event;
  return { ...event, endedBy: "terminate", error: null };
}

// SPDX-License-Identifier: MIT
// One run of a program, from its first instruction to its end: its time limit, how it is stopped,
// and what is told of it. [EMULAB-EVENTS 4.4, 4.5]
//
//   P1. The end is told once, after the status file is written; then the completion resolves.
import { constants } from "node:os";
import type { Program } from "../../experiment/model.ts";
import type { Cancel, Clock } from "../../host/clock.ts";
import type { ExitStatus, NodeProcess, ProgramUsage } from "../nodes/index.ts";
import type { ProgramEnded, ProgramStarted } from "../run-event.ts";
import { readTail } from "./output-tail.ts";
import {
  linkOutput,
  outputFacts,
  outputFiles,
  type RunNames,
  writeStatus,
} from "./program-files.ts";
import { failedError } from "./program-result.ts";
import type { ProgramSettings } from "./program-settings.ts";
import { formatCtime, formatProgramStatus } from "./program-status.ts";

/** Time between SIGTERM and SIGKILL for a program that is stopped. */
const stopGraceMs = 2_000;
/** The longest a timer of the platform can wait; a time limit beyond it (24 days) is that long. */
const timerMsMax = 2 ** 31 - 1;
/** The most of a failed program's standard error that is shown. */
const stderrTailBytesMax = 4_096;

/** Who wants to know of programs. */
export interface ProgramWatcher {
  readonly onStarted: (event: ProgramStarted, monotonicUs: number) => void;
  /** `startedUs` of the event is monotonic; the caller knows time 0. */
  readonly onEnded: (event: ProgramEnded, monotonicUs: number) => void;
  readonly onWarning: (node: string, text: string) => void;
}

export interface RunningProgramOptions {
  readonly program: Program;
  readonly settings: ProgramSettings;
  readonly token: number;
  /** Directory of the output. */
  readonly logs: string;
  readonly process: NodeProcess;
  readonly clock: Clock;
  readonly watcher: ProgramWatcher;
  /** It has ended; called before anybody else hears of it. */
  readonly onOver: () => void;
}

export class RunningProgram {
  readonly token: number;
  readonly startedMonotonicUs: number;
  /** The error number of the completion. */
  readonly done: Promise<number>;
  readonly #options: RunningProgramOptions;
  readonly #startedWallMs: number;
  readonly #cancelTimeout: Cancel;
  /** Signals that somebody has sent by an event: who dies of one has done what was asked. */
  readonly #asked = new Set<string>();
  #isStopped = false;
  #isTimedOut = false;

  constructor(options: RunningProgramOptions) {
    const { process, clock, watcher, program, settings, token } = options;
    this.#options = options;
    this.token = token;
    this.startedMonotonicUs = process.startedMonotonicUs;
    this.#startedWallMs = clock.wallMs() - (clock.nowUs() - process.startedMonotonicUs) / 1_000;
    const { name, node } = program;
    const started = { type: "program-started", name, node, command: settings.command } as const;
    watcher.onStarted(started, process.startedMonotonicUs);
    this.#warn(linkOutput(this.#names()));
    this.#cancelTimeout = this.#limitTime();
    this.done = process.done.then((status) => this.#end(status));
  }

  /** What ends from now on is judged by nobody. */
  excuse(): void {
    this.#isStopped = true;
  }

  /** SIGTERM to the process group, SIGKILL after a grace. */
  stop(): void {
    this.#isStopped = true;
    this.#terminate();
  }

  /** To the process alone. */
  signal(name: string): void {
    this.#asked.add(name);
    this.#options.process.signal(name, "process");
  }

  #limitTime(): Cancel {
    const { clock, settings } = this.#options;
    if (settings.timeoutSeconds <= 0) return () => undefined;
    return clock.after(Math.min(settings.timeoutSeconds * 1_000, timerMsMax), () => {
      this.#isTimedOut = true;
      this.#terminate();
    });
  }

  #terminate(): void {
    const { process, clock } = this.#options;
    process.signal("SIGTERM", "group");
    const cancelKill = clock.after(stopGraceMs, () => process.signal("SIGKILL", "group"));
    void this.done.then(cancelKill);
  }

  #end(status: ExitStatus): number {
    this.#cancelTimeout();
    const { program, settings, token, watcher, onOver } = this.#options;
    onOver();
    const error = errorOf(status, settings.expectedExitCode);
    const { stdout, stderr } = this.#files();
    const facts = { stdout: outputFacts(stdout), stderr: outputFacts(stderr) };
    this.#warn(this.#writeStatus(facts, error, status.usage));
    watcher.onEnded(
      {
        type: "program-ended",
        name: program.name,
        node: program.node,
        command: settings.command,
        expectedExitCode: settings.expectedExitCode,
        startedUs: this.startedMonotonicUs,
        exitCode: status.exitCode,
        signal: status.signal,
        timedOut: this.#isTimedOut,
        stopped: this.#isStopped || (status.signal !== null && this.#asked.has(status.signal)),
        startError: null,
        stderrTail: error === 0 ? "" : readTail(stderr, stderrTailBytesMax),
        token,
        ...(facts.stdout === undefined ? {} : { stdoutBytes: facts.stdout.bytes }),
        ...(facts.stderr === undefined ? {} : { stderrBytes: facts.stderr.bytes }),
      },
      status.endedMonotonicUs,
    );
    return error;
  }

  #writeStatus(
    facts: OutputOf,
    error: number,
    usage: ProgramUsage | undefined,
  ): string | undefined {
    const { program, settings, token, clock } = this.#options;
    const text = formatProgramStatus(
      {
        ...{
          name: program.name,
          settings,
          token,
          timedOut: this.#isTimedOut,
          error,
          ...facts,
          usage,
        },
        startedWallMs: this.#startedWallMs,
        endedWallMs: clock.wallMs(),
      },
      formatCtime,
    );
    return writeStatus(this.#names(), text);
  }

  #warn(fault: string | undefined): void {
    if (fault === undefined) return;
    const { program, watcher } = this.#options;
    watcher.onWarning(program.node, `the log directory lacks a file of ${program.name}: ${fault}`);
  }

  #files(): ReturnType<typeof outputFiles> {
    const { logs, program, token } = this.#options;
    return outputFiles(logs, program.name, token);
  }

  #names(): RunNames {
    const { logs, program, settings, token } = this.#options;
    return { directory: logs, name: program.name, tag: settings.tag, token };
  }
}

type OutputOf = {
  readonly stdout: ReturnType<typeof outputFacts>;
  readonly stderr: ReturnType<typeof outputFacts>;
};

/**
 * 0 for the expected exit code, else the exit code, else the number of the signal. The old agent
 * took 0 for success although another code was expected; here that is an error.
 * [EMULAB-EVENTS 4.5]
 */
function errorOf({ exitCode, signal }: ExitStatus, expected: number): number {
  if (exitCode === expected) return 0;
  if (exitCode !== null) return exitCode === 0 ? failedError : exitCode;
  const numbers: Readonly<Record<string, number>> = constants.signals;
  return numbers[signal ?? ""] ?? failedError;
}

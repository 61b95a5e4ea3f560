// SPDX-License-Identifier: MIT
// Program agent: obeys PROGRAM events for the programs of all nodes of this machine; one for the
// run, not one per node (D15). Owns which program runs, its time limit and how it is stopped.
// Does not own when (the agenda) nor how a process is made (nodes/). [EMULAB-EVENTS 4.4]
import { statSync } from "node:fs";
import { join } from "node:path";
import type { Program } from "../../experiment/model.ts";
import type { Cancel, Clock } from "../../host/clock.ts";
import type { ProgramArgs } from "../../wire/event/program-args.ts";
import type {
  NodeBackend,
  NodeProcess,
  PreparedProcess,
  SpawnSpec,
  StartError,
} from "../nodes/index.ts";
import type { ProgramEnded, ProgramStarted } from "../run-event.ts";
import { readTail } from "./output-tail.ts";

/** Time between SIGTERM and SIGKILL for a program that is stopped. */
const stopGraceMs = 2_000;
/** The longest a timer of the platform can wait; a time limit beyond it (24 days) is that long. */
const timerMsMax = 2 ** 31 - 1;
/** The most of a failed program's standard error that is shown. */
const stderrTailBytesMax = 4_096;

/** What an event did. `done` resolves with the completion's error number. */
export interface ProgramResult {
  /** Monotonic microseconds at which the program was started or signalled. */
  readonly firedMonotonicUs: number;
  readonly outcome: string;
  readonly done: Promise<number>;
}

export interface ProgramAgentOptions {
  readonly backend: NodeBackend;
  readonly programs: readonly Program[];
  readonly clock: Clock;
  readonly onStarted: (event: ProgramStarted, monotonicUs: number) => void;
  /** `startedUs` of the event is monotonic; the caller knows time 0. */
  readonly onEnded: (event: ProgramEnded, monotonicUs: number) => void;
}

interface RunningProgram {
  readonly program: Program;
  readonly process: NodeProcess;
  readonly done: Promise<number>;
  stopped: boolean;
  timedOut: boolean;
  cancelTimeout: Cancel;
}

export class ProgramAgent {
  readonly #options: ProgramAgentOptions;
  #programs: ReadonlyMap<string, Program>;
  readonly #running = new Map<string, RunningProgram>();
  readonly #starting = new Map<string, Promise<unknown>>();
  /** At most one program each that is loaded and waits for its event. */
  readonly #loaded = new Map<string, Loaded>();
  /** Programs that have run, or could not be started, at least once. */
  readonly #past = new Set<string>();
  #ending = false;

  constructor(options: ProgramAgentOptions) {
    this.#options = options;
    this.#programs = new Map(options.programs.map((program) => [program.name, program]));
  }

  knows(name: string): boolean {
    return this.#programs.has(name);
  }

  /** Programs that run or are being started, with their nodes. */
  active(): readonly { readonly name: string; readonly node: string }[] {
    return [...this.#programs.values()].filter(
      ({ name }) => this.#running.has(name) || this.#starting.has(name),
    );
  }

  /** Whether a program of the node has run, and none runs, is being started or is loaded. */
  isDone(node: string): boolean {
    const names = [...this.#programs.values()]
      .filter((program) => program.node === node)
      .map(({ name }) => name);
    const busy = [this.#running, this.#starting, this.#loaded];
    return (
      names.some((name) => this.#past.has(name)) &&
      !names.some((name) => busy.some((programs) => programs.has(name)))
    );
  }

  /** Loads the program for an event that is going to start it like this. */
  async load(name: string, args: ProgramArgs): Promise<void> {
    const program = this.#programs.get(name);
    const node = this.#options.backend.nodes.get(program?.node ?? "");
    if (program === undefined || node === undefined || this.#ending || this.#loaded.has(name))
      return;
    const spec = this.#spec(program, args, node.hostPath.localLogs);
    const process = node.prepare(spec);
    this.#loaded.set(name, { spec, process });
    await process;
  }

  /** START and RUN: the same here; who waits for the completion is the agenda's business. */
  async start(name: string, args: ProgramArgs): Promise<ProgramResult> {
    const program = this.#programs.get(name);
    const nowUs = this.#options.clock.nowUs();
    if (program === undefined) return refused(nowUs, `there is no program ${name}`);
    if (this.#running.has(name) || this.#starting.has(name)) {
      return refused(nowUs, "it is still running");
    }
    if (this.#ending) return refused(nowUs, "the run is ending");
    const spawned = this.#spawn(program, args);
    this.#starting.set(name, spawned);
    try {
      return await spawned;
    } finally {
      this.#starting.delete(name);
    }
  }

  /** STOP and HALT: SIGTERM to the process group, SIGKILL after a grace. */
  stop(name: string): ProgramResult {
    const running = this.#running.get(name);
    const nowUs = this.#options.clock.nowUs();
    if (running === undefined)
      return { ...refused(nowUs, "it is not running"), done: Promise.resolve(0) };
    running.stopped = true;
    this.#end(running);
    return { firedMonotonicUs: nowUs, outcome: "done", done: running.done.then(() => 0) };
  }

  /** KILL: a signal to the process alone. [EMULAB-EVENTS 4.4 KILL] */
  kill(name: string, signal: string): ProgramResult {
    const running = this.#running.get(name);
    const nowUs = this.#options.clock.nowUs();
    if (running === undefined) return refused(nowUs, "it is not running");
    const upper = signal.toUpperCase();
    running.process.signal(upper.startsWith("SIG") ? upper : `SIG${upper}`, "process");
    return { firedMonotonicUs: nowUs, outcome: "done", done: Promise.resolve(0) };
  }

  /**
   * Programs that are not of the experiment any more: they are not started again, and what runs is
   * stopped. Resolves when it has ended; its end is judged by nobody.
   * @returns those that ran
   */
  async retire(names: ReadonlySet<string>): Promise<ReadonlySet<string>> {
    this.replace([...this.#programs.values()].filter(({ name }) => !names.has(name)));
    for (const name of names) {
      const loaded = this.#loaded.get(name);
      this.#loaded.delete(name);
      void loaded?.process.then(discard);
    }
    await Promise.allSettled([...names].map((name) => this.#starting.get(name)));
    const running = [...this.#running].filter(([name]) => names.has(name)).map(([, one]) => one);
    for (const one of running) {
      one.stopped = true;
      this.#end(one);
    }
    await Promise.all(running.map(({ done }) => done));
    // Whoever comes back under the name has not run yet.
    for (const name of names) this.#past.delete(name);
    return new Set(running.map(({ program }) => program.name));
  }

  /** From now on these are the programs; those that are missing or different have retired. */
  replace(programs: readonly Program[]): void {
    this.#programs = new Map(programs.map((program) => [program.name, program]));
  }

  /** The run ends: nothing is started any more, and what ends from now on is judged by nobody. */
  beginEnd(): void {
    this.#ending = true;
    for (const running of this.#running.values()) running.stopped = true;
    for (const { process } of this.#loaded.values()) void process.then(discard);
    this.#loaded.clear();
  }

  /** Stops what still runs, and what is just being started. */
  async stopAll(): Promise<void> {
    this.beginEnd();
    await Promise.allSettled(this.#starting.values());
    const all = [...this.#running.values()];
    for (const running of all) this.#end(running);
    await Promise.all(all.map(({ done }) => done));
  }

  async #spawn(program: Program, args: ProgramArgs): Promise<ProgramResult> {
    const node = this.#options.backend.nodes.get(program.node);
    const nowUs = this.#options.clock.nowUs();
    if (node === undefined) return refused(nowUs, `there is no node ${program.node}`);
    const spec = this.#spec(program, args, node.hostPath.localLogs);
    const { command, stdout, stderr } = spec;
    const loaded = await this.#takeLoaded(spec);
    const spawned = await (loaded?.start() ?? node.spawn(spec));
    const expected = args.expectedExitCode ?? program.expectedExitCode;
    const facts = { name: program.name, node: program.node, command, expectedExitCode: expected };
    if ("startError" in spawned) {
      // Who tells of it names the program and says that it could not be started.
      const why = spawned.startError.replace(`${program.name} cannot be started: `, "");
      return this.#startFailed(facts, why, nowUs);
    }
    const { timeoutSeconds } = args;
    return this.#watch(program, spawned, { facts, stdout, stderr, timeoutSeconds });
  }

  #spec(program: Program, args: ProgramArgs, logs: string): CommandSpec {
    return {
      name: program.name,
      command: args.command ?? program.command,
      directory: args.directory ?? program.directory,
      stdout: join(logs, `${program.name}.out`),
      stderr: join(logs, `${program.name}.err`),
    };
  }

  /** What was loaded for this start; undefined when it was not, or turned out differently. */
  async #takeLoaded(spec: CommandSpec): Promise<PreparedProcess | undefined> {
    const loaded = this.#loaded.get(spec.name);
    if (loaded === undefined) return undefined;
    this.#loaded.delete(spec.name);
    const process = await loaded.process;
    const isSame = loaded.spec.command === spec.command && loaded.spec.directory === spec.directory;
    if (isSame && !("startError" in process)) return process;
    discard(process);
    return undefined;
  }

  #startFailed(facts: Facts, startError: string, nowUs: number): ProgramResult {
    const nothing = {
      exitCode: null,
      signal: null,
      timedOut: false,
      stopped: false,
      stderrTail: "",
    };
    this.#past.add(facts.name);
    this.#options.onEnded(
      { type: "program-ended", ...facts, ...nothing, startError, startedUs: nowUs },
      nowUs,
    );
    return refused(nowUs, startError);
  }

  #watch(program: Program, process: NodeProcess, how: Watch): ProgramResult {
    const { onStarted, clock } = this.#options;
    const { name, node, command } = how.facts;
    onStarted({ type: "program-started", name, node, command }, process.startedMonotonicUs);
    const done = process.done.then((status) => this.#ended(name, how, status));
    const running: RunningProgram = {
      program,
      process,
      done,
      stopped: this.#ending,
      timedOut: false,
      cancelTimeout: () => undefined,
    };
    const timeoutSeconds = how.timeoutSeconds ?? program.timeoutSeconds;
    if (timeoutSeconds > 0) {
      running.cancelTimeout = clock.after(Math.min(timeoutSeconds * 1000, timerMsMax), () => {
        running.timedOut = true;
        this.#end(running);
      });
    }
    this.#running.set(name, running);
    return { firedMonotonicUs: process.startedMonotonicUs, outcome: "done", done };
  }

  #ended(name: string, how: Watch, status: Awaited<NodeProcess["done"]>): number {
    const running = this.#running.get(name);
    this.#running.delete(name);
    this.#past.add(name);
    running?.cancelTimeout();
    const { exitCode, signal, endedMonotonicUs } = status;
    const asExpected = exitCode === how.facts.expectedExitCode;
    this.#options.onEnded(
      {
        type: "program-ended",
        ...how.facts,
        startedUs: running?.process.startedMonotonicUs ?? endedMonotonicUs,
        exitCode,
        signal,
        timedOut: running?.timedOut ?? false,
        stopped: running?.stopped ?? false,
        startError: null,
        stderrTail: asExpected ? "" : readTail(how.stderr, stderrTailBytesMax),
        ...sized("stdoutBytes", how.stdout),
        ...sized("stderrBytes", how.stderr),
      },
      endedMonotonicUs,
    );
    if (asExpected) return 0;
    return exitCode === null || exitCode === 0 ? -1 : exitCode;
  }

  #end(running: RunningProgram): void {
    running.process.signal("SIGTERM", "group");
    const cancelKill = this.#options.clock.after(stopGraceMs, () => {
      running.process.signal("SIGKILL", "group");
    });
    void running.done.then(cancelKill);
  }
}

type CommandSpec = SpawnSpec & { readonly command: string };

interface Loaded {
  readonly spec: CommandSpec;
  readonly process: Promise<PreparedProcess | StartError>;
}

function discard(process: PreparedProcess | StartError): void {
  if (!("startError" in process)) process.discard();
}

type Facts = Pick<ProgramEnded, "name" | "node" | "command" | "expectedExitCode">;

/** The size of a file of output; nothing when a program has put it out of reach. */
function sized(key: "stdoutBytes" | "stderrBytes", file: string): Partial<ProgramEnded> {
  try {
    return { [key]: statSync(file).size };
  } catch {
    return {};
  }
}

interface Watch {
  readonly facts: Facts;
  readonly stdout: string;
  readonly stderr: string;
  readonly timeoutSeconds: number | undefined;
}

function refused(nowUs: number, why: string): ProgramResult {
  return { firedMonotonicUs: nowUs, outcome: `failed: ${why}`, done: Promise.resolve(-1) };
}

// SPDX-License-Identifier: MIT
// One program of an agent: how it is to be run, whether it runs, is loaded or is armed for an
// instant, and the commands that change this. [EMULAB-EVENTS 4.4]
//
//   M1. At most one run at a time. A start that comes meanwhile is refused with an error of its own
//       and changes nothing of the run: not its settings, not its token, not its completion.
//   M2. A loaded program has exactly one owner: `#loaded` (free to take), the armed start that
//       holds its trigger, or the run that it became.
//   M3. An armed start is settled once: fired, cancelled, or refused.
//   M4. A start that says the command of the file says nothing: files write it into every planned
//       start, which must not undo a MODIFY.
import { constants } from "node:os";
import type { Clock } from "../../host/clock.ts";
import type { ProgramArgs } from "../../wire/event/program-args.ts";
import type { NodeBackend, NodeProcess, RunningNode, StartError } from "../nodes/index.ts";
import type { FireAction, FireClock, Fired, Revoke } from "./firing/fire-clock.ts";
import { LoadedProgram, programSpec } from "./loaded-program.ts";
import { freeRunNumber, outputFiles } from "./program-files.ts";
import { cancelled, completed, type ProgramResult, refused } from "./program-result.ts";
import {
  type AgentProgram,
  applyArgs,
  configuredSettings,
  type ProgramSettings,
} from "./program-settings.ts";
import { type ProgramWatcher, RunningProgram } from "./running-program.ts";
import type { StartPlan } from "./start-plan.ts";

export interface StartOptions {
  /** Monotonic microseconds at which it is to start; left out for now. */
  readonly dueUs?: number;
  /** Of the event; it names the files. Left out, the agent counts by itself. */
  readonly token?: number;
  /** Names the start in the journal, for ever. Left out, the program and the token do. */
  readonly id?: string;
  /** For who may take it back. One that ends for its agent is cancelled, not refused. */
  readonly plan?: StartPlan;
}

/** What all programs of an agent share. */
export interface ProgramContext {
  readonly backend: Pick<NodeBackend, "nodes">;
  readonly clock: Clock;
  readonly fire: FireClock;
  readonly watcher: ProgramWatcher;
  nextToken(): number;
}

const runEnding = "the run is ending";

export class ManagedProgram {
  #program: AgentProgram;
  readonly #context: ProgramContext;
  #settings: ProgramSettings;
  /** As configured, until a MODIFY says otherwise. M4 */
  #command: string;
  #running: RunningProgram | undefined;
  #starting: Promise<ProgramResult> | undefined;
  #loaded: Loading | undefined;
  readonly #armed = new Set<ArmedStart>();
  #hasRun = false;
  #isEnding = false;

  constructor(program: AgentProgram, context: ProgramContext) {
    this.#program = program;
    this.#context = context;
    this.#settings = configuredSettings(program);
    this.#command = program.command;
  }

  get program(): AgentProgram {
    return this.#program;
  }

  /** It runs, or is being started. */
  get isActive(): boolean {
    return this.#running !== undefined || this.#starting !== undefined;
  }

  /** It may still run although nobody asks for it any more. */
  get isPending(): boolean {
    return this.isActive || this.#loaded !== undefined || this.#armed.size > 0;
  }

  /** It has run, or could not be started, at least once. */
  get hasRun(): boolean {
    return this.#hasRun;
  }

  /** Loads the program for an event that is going to start it like this. */
  async load(args: ProgramArgs): Promise<void> {
    if (this.#isEnding || this.#loaded !== undefined) return;
    const node = this.#node();
    if (node === undefined) return;
    const { settings } = applyArgs(this.#settings, this.#meant(args));
    const loading: Loading = {
      whenDone: LoadedProgram.load(this.program, settings, node),
      ready: undefined,
    };
    this.#loaded = loading;
    const loaded = await loading.whenDone;
    if (!("startError" in loaded)) loading.ready = loaded;
  }

  /** START and RUN: the same here; who waits for the completion is the agenda's business. */
  async start(args: ProgramArgs, options: StartOptions): Promise<ProgramResult> {
    const { dueUs = 0, token, plan } = options;
    const own = token ?? this.#context.nextToken();
    if (plan === undefined && dueUs <= this.#nowUs()) return await this.#startNow(args, own);
    if (!this.isActive) await this.load(args);
    if (plan?.isTakenBack === true) return cancelled(this.#nowUs());
    return await new Promise((settle) => this.#startAt({ dueUs, args, token: own, plan, settle }));
  }

  /**
   * Takes back a start that is armed for an instant. Undefined: no such start is armed; it was
   * refused, has been told already, or never came.
   */
  revoke(token: number): "cancelled" | "already fired" | undefined {
    const armed = [...this.#armed].find((other) => other.token === token);
    if (armed === undefined) return undefined;
    return this.#giveUp(armed, cancelled(this.#nowUs())) ? "cancelled" : "already fired";
  }

  /** MODIFY: for later runs. */
  modify(args: ProgramArgs): ProgramResult {
    this.#command = args.command ?? this.#command;
    this.#apply(args);
    this.#holdBack();
    return completed(this.#nowUs());
  }

  /** As configured again. */
  restore(): void {
    this.configure(this.#program);
  }

  /** Another configuration, for later runs. */
  configure(program: AgentProgram): void {
    this.#program = program;
    this.#settings = configuredSettings(program);
    this.#command = program.command;
    this.#holdBack();
  }

  /** STOP. Idle, it has nothing to do, and nobody waits for it. */
  stop(): ProgramResult {
    const nowUs = this.#nowUs();
    if (!this.isActive) return { ...refused(nowUs, "it is not running"), done: Promise.resolve(0) };
    return { firedMonotonicUs: nowUs, outcome: "done", done: this.#stopActive().then(() => 0) };
  }

  /** HALT: like STOP, but idle is what was asked for. Its completion is its own. */
  halt(): ProgramResult {
    return this.isActive ? this.stop() : completed(this.#nowUs());
  }

  /** KILL: a signal to the process alone, with or without `SIG`. */
  kill(name: string): ProgramResult {
    const nowUs = this.#nowUs();
    const upper = name.toUpperCase();
    const full = upper.startsWith("SIG") ? upper : `SIG${upper}`;
    if (!Object.hasOwn(constants.signals, full)) {
      return refused(nowUs, `there is no signal ${name}; use TERM, HUP, USR1, ...`);
    }
    if (this.#running === undefined) return refused(nowUs, "it is not running");
    this.#running.signal(full);
    return completed(nowUs);
  }

  /** Starts nothing any more, and what ends from now on is judged by nobody. */
  beginEnd(): void {
    this.#isEnding = true;
    this.#running?.excuse();
    for (const armed of this.#armed) this.#giveUp(armed, this.#ended(armed));
    void this.#loaded?.whenDone.then(discard);
    this.#loaded = undefined;
  }

  /** Resolves when it has ended, also what is just being started. */
  async stopAndWait(): Promise<void> {
    if (this.isActive) await this.#stopActive();
  }

  async #stopActive(): Promise<void> {
    await this.#starting;
    const running = this.#running;
    running?.stop();
    await running?.done;
  }

  async #startNow(args: ProgramArgs, token: number): Promise<ProgramResult> {
    const nowUs = this.#nowUs();
    if (this.#isEnding) return refused(nowUs, runEnding);
    // M1: an armed start that its thread has just fired counts as a run.
    if (this.isActive || !this.#holdBack()) return refused(nowUs, "it is still running");
    const settings = this.#apply(this.#meant(args));
    const number = this.#runNumber(token);
    return await this.#become(settings, number, this.#startProcess(settings, number));
  }

  #runNumber(token: number): number {
    const logs = this.#node()?.hostPath.localLogs;
    return logs === undefined ? token : freeRunNumber(logs, this.program.name, token);
  }

  async #startProcess(settings: ProgramSettings, token: number): Promise<NodeProcess | StartError> {
    const loading = this.#loaded;
    this.#loaded = undefined;
    const loaded = await loading?.whenDone;
    if (loaded !== undefined && !("startError" in loaded) && loaded.isFor(settings)) {
      loaded.nameOutput(token);
      return await loaded.process.start();
    }
    if (loaded !== undefined) discard(loaded);
    const node = this.#node();
    if (node === undefined) return { startError: `there is no node ${this.program.node}` };
    const files = outputFiles(node.hostPath.localLogs, this.program.name, token);
    return await node.spawn({ ...programSpec(this.program, settings), ...files });
  }

  #startAt(how: ArmedFacts): void {
    if (this.#isEnding) {
      how.settle(this.#ended(how));
      return;
    }
    const armed: ArmedStart = { ...how, held: undefined, revoke: () => "revoked" };
    // M1: what the firing thread lets go by itself, it must find idle.
    const isFree = !this.isActive && ![...this.#armed].some(({ held }) => held !== undefined);
    this.#armed.add(armed);
    const held = isFree ? this.#takeTriggered(armed) : undefined;
    if (held === undefined) this.#armToTell(armed);
    else this.#armToLetGo(armed, held);
    how.plan?.armed(() =>
      this.#giveUp(armed, cancelled(this.#nowUs())) ? "revoked" : "already fired",
    );
  }

  /** What is said of a start that is armed when the program ends for its agent. */
  #ended({ plan }: ArmedFacts): ProgramResult {
    return plan === undefined ? refused(this.#nowUs(), runEnding) : cancelled(this.#nowUs());
  }

  /** What is let go at the instant itself, here or there, for the start that will be of it. */
  #takeTriggered({ args, dueUs }: ArmedStart): Triggered | undefined {
    const loaded = this.#loaded?.ready;
    const triggered = loaded === undefined ? undefined : triggeredBy(loaded, dueUs);
    const isSame = loaded?.isFor(applyArgs(this.#settings, this.#meant(args)).settings) === true;
    if (triggered === undefined || !isSame) return undefined;
    this.#loaded = undefined;
    return triggered;
  }

  #armToLetGo(armed: ArmedStart, { loaded, atUs, action, release }: Triggered): void {
    armed.held = loaded;
    const number = this.#runNumber(armed.token);
    loaded.nameOutput(number);
    armed.revoke = this.#context.fire.at(atUs, action, ({ firedUs }: Fired) => {
      this.#armed.delete(armed);
      armed.held = undefined;
      const settings = this.#apply(this.#meant(armed.args));
      void this.#become(settings, number, release(firedUs)).then(armed.settle);
    });
  }

  /** For what cannot be loaded, or runs still and may have ended by then. */
  #armToTell(armed: ArmedStart): void {
    armed.revoke = this.#context.fire.at(armed.dueUs, { kind: "tell" }, () => {
      this.#armed.delete(armed);
      void this.#startNow(armed.args, armed.token).then(armed.settle);
    });
  }

  /**
   * Takes the triggers back from the firing thread: who starts or changes the program now decides
   * what becomes of the armed starts when they are due.
   *
   * @returns false when one has been fired already.
   */
  #holdBack(): boolean {
    for (const armed of this.#armed) {
      if (armed.held === undefined) continue;
      if (armed.revoke() === "already fired") return false;
      this.#putBack(armed);
      this.#armToTell(armed);
    }
    return true;
  }

  /** M3. @returns false when it has been fired already. */
  #giveUp(armed: ArmedStart, result: ProgramResult): boolean {
    if (armed.revoke() === "already fired") return false;
    this.#armed.delete(armed);
    this.#putBack(armed);
    armed.settle(result);
    return true;
  }

  /** M2: loaded, and free to take; not twice. */
  #putBack(armed: ArmedStart): void {
    const { held } = armed;
    armed.held = undefined;
    if (held === undefined) return;
    if (this.#loaded !== undefined || this.#isEnding) held.discard();
    else this.#loaded = { whenDone: Promise.resolve(held), ready: held };
  }

  /** From the start of a process to a run, or to what is said of one that could not be started. */
  async #become(
    settings: ProgramSettings,
    token: number,
    started: Promise<NodeProcess | StartError>,
  ): Promise<ProgramResult> {
    const nowUs = this.#nowUs();
    const starting = started.then((process) =>
      "startError" in process
        ? this.#failed(settings, process.startError, nowUs)
        : this.#run(settings, token, process),
    );
    this.#starting = starting;
    try {
      return await starting;
    } finally {
      this.#starting = undefined;
    }
  }

  #run(settings: ProgramSettings, token: number, process: NodeProcess): ProgramResult {
    const { backend, clock, watcher } = this.#context;
    const { program } = this;
    const logs = backend.nodes.get(program.node)?.hostPath.localLogs ?? "";
    const running = new RunningProgram({
      ...{ program, settings, token, logs, process, clock, watcher },
      onOver: () => {
        this.#running = undefined;
        this.#hasRun = true;
      },
    });
    if (this.#isEnding) running.excuse();
    this.#running = running;
    return { firedMonotonicUs: running.startedMonotonicUs, outcome: "done", done: running.done };
  }

  #failed(settings: ProgramSettings, startError: string, nowUs: number): ProgramResult {
    const { name, node } = this.program;
    const { command, expectedExitCode } = settings;
    // Who tells of it names the program and says that it could not be started.
    const why = startError.replace(`${name} cannot be started: `, "");
    this.#hasRun = true;
    this.#context.watcher.onEnded(
      {
        ...{ type: "program-ended", name, node, command, expectedExitCode, startedUs: nowUs },
        ...{ exitCode: null, signal: null, timedOut: false, stopped: false, stderrTail: "" },
        startError: why,
      },
      nowUs,
    );
    return refused(nowUs, why);
  }

  /** What a start asks for. M4 */
  #meant(args: ProgramArgs): ProgramArgs {
    return args.command === this.#program.command ? { ...args, command: this.#command } : args;
  }

  #apply(args: ProgramArgs): ProgramSettings {
    const { settings, warning } = applyArgs(this.#settings, args);
    this.#settings = settings;
    const { name, node } = this.program;
    if (warning !== undefined) this.#context.watcher.onWarning(node, `${name}: ${warning}`);
    return settings;
  }

  #node(): RunningNode | undefined {
    return this.#context.backend.nodes.get(this.program.node);
  }

  #nowUs(): number {
    return this.#context.clock.nowUs();
  }
}

interface Loading {
  readonly whenDone: Promise<LoadedProgram | StartError>;
  ready: LoadedProgram | undefined;
}

interface Triggered {
  readonly loaded: LoadedProgram;
  readonly atUs: number;
  readonly action: FireAction;
  readonly release: (firedUs: number) => Promise<NodeProcess | StartError>;
}

/** A thread writes what it waits for; another machine is asked a little ahead. */
function triggeredBy(loaded: LoadedProgram, dueUs: number): Triggered | undefined {
  const { trigger, remote } = loaded.process;
  if (remote !== undefined) {
    const atUs = dueUs - remote.aheadUs;
    return { loaded, atUs, action: { kind: "tell" }, release: () => remote.startAt(dueUs) };
  }
  if (trigger === undefined) return undefined;
  // A trigger that could not be written has nobody left to read it: the launcher says no more.
  const release = (firedUs: number): Promise<NodeProcess | StartError> =>
    loaded.process.released(firedUs);
  return { loaded, atUs: dueUs, action: { kind: "write", ...trigger }, release };
}

interface ArmedFacts {
  readonly dueUs: number;
  readonly args: ProgramArgs;
  readonly token: number;
  readonly plan: StartPlan | undefined;
  readonly settle: (result: ProgramResult) => void;
}

interface ArmedStart extends ArmedFacts {
  /** The loaded program whose trigger the firing thread has; undefined when it only tells. */
  held: LoadedProgram | undefined;
  revoke: Revoke;
}

function discard(loaded: LoadedProgram | StartError): void {
  if (!("startError" in loaded)) loaded.discard();
}

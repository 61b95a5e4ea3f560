// SPDX-License-Identifier: MIT
// Program agent: obeys PROGRAM events for the programs of all nodes of this machine; one for the
// run, not one per node (D15). Owns which programs there are; what becomes of one is in
// managed-program.ts, its files in program-files.ts. Does not own when (the agenda) nor how a
// process is made (nodes/). [EMULAB-EVENTS 4]
//
//   G1. Who waits for the end of a program that is superseded waits for the end of its next run,
//       and is told success when there will be none.
import type { Clock } from "../../host/clock.ts";
import type { ProgramArgs } from "../../wire/event/program-args.ts";
import type { NodeBackend } from "../nodes/index.ts";
import { type FireClock, TimerFireClock } from "./firing/fire-clock.ts";
import { ManagedProgram, type ProgramContext, type StartOptions } from "./managed-program.ts";
import { removeRunFiles } from "./program-files.ts";
import { isCancelled, type ProgramResult, refused } from "./program-result.ts";
import type { AgentProgram } from "./program-settings.ts";
import type { ProgramWatcher } from "./running-program.ts";
import { StartJournal } from "./start-journal.ts";
import { StartPlan } from "./start-plan.ts";

export type { StartOptions } from "./managed-program.ts";

/** A start at an instant to come. */
export interface PlannedStart {
  /** Undefined: it was taken back, or cannot be met; who still wants it asks when it is due. */
  readonly performed: Promise<ProgramResult | undefined>;
  /** The answer is the truth, and the same however often it is asked. */
  readonly takeBack: () => "revoked" | "already fired";
}

export type { ProgramResult } from "./program-result.ts";

export interface ProgramAgentOptions extends Omit<ProgramWatcher, "onWarning"> {
  readonly backend: Pick<NodeBackend, "nodes">;
  readonly programs: readonly AgentProgram[];
  readonly clock: Clock;
  /** Fires starts that are planned; left out, timers of the clock do. */
  readonly fire?: FireClock;
  /**
   * Where starts are noted before they are made, so that a repeated one is not made twice (D7); an
   * absolute directory that no other agent uses. Left out, no start is ever repeated.
   */
  readonly journal?: string;
  /** Something of no consequence for the programs went wrong. */
  readonly onWarning?: (node: string, text: string) => void;
}

export class ProgramAgent {
  readonly #options: ProgramAgentOptions;
  readonly #context: ProgramContext;
  readonly #programs = new Map<string, ManagedProgram>();
  readonly #starts: StartJournal | undefined;
  /** Nodes that are being restarted. */
  readonly #down = new Set<string>();
  readonly #superseded = new WeakSet<ManagedProgram>();
  /** G1, by program. */
  readonly #awaitNext = new Map<string, ((done: Promise<number>) => void)[]>();
  #lastToken = 0;
  #isEnding = false;

  constructor(options: ProgramAgentOptions) {
    const { backend, clock, fire, onStarted, onEnded, onWarning } = options;
    this.#options = options;
    const { journal } = options;
    this.#starts = journal === undefined ? undefined : new StartJournal(journal, clock);
    this.#context = {
      backend,
      clock,
      fire: fire ?? new TimerFireClock(clock),
      watcher: { onStarted, onEnded, onWarning: onWarning ?? (() => undefined) },
      nextToken: () => {
        this.#lastToken += 1;
        return this.#lastToken;
      },
    };
    for (const program of options.programs) this.#add(program);
  }

  knows(name: string): boolean {
    return this.#programs.has(name);
  }

  nodeOf(name: string): string | undefined {
    return this.#programs.get(name)?.program.node;
  }

  /** Programs that run or are being started, with their nodes. */
  active(): readonly { readonly name: string; readonly node: string }[] {
    return this.#all()
      .filter(({ isActive }) => isActive)
      .map(({ program }) => program);
  }

  /** Whether a program of the node has run, and none runs, is being started, loaded or armed. */
  isDone(node: string): boolean {
    const own = this.#all().filter(({ program }) => program.node === node);
    return own.some(({ hasRun }) => hasRun) && !own.some(({ isPending }) => isPending);
  }

  /**
   * Programs that are not of the experiment any more: they are not started again, and what runs is
   * stopped. Resolves when it has ended; its end is judged by nobody.
   *
   * @returns those that ran
   */
  async retire(names: ReadonlySet<string>): Promise<ReadonlySet<string>> {
    const retired = this.#all().filter(({ program }) => names.has(program.name));
    const ran = retired.filter(({ isActive }) => isActive).map(({ program }) => program.name);
    for (const { program } of retired) this.#programs.delete(program.name);
    for (const managed of retired) managed.beginEnd();
    await Promise.all(retired.map((managed) => managed.stopAndWait()));
    return new Set(ran);
  }

  /**
   * As `retire`, for programs that a modification takes away or changes: their ends fail nobody.
   *
   * @param again those of them that are to run again (G1)
   */
  async supersede(
    names: ReadonlySet<string>,
    again: ReadonlySet<string>,
  ): Promise<ReadonlySet<string>> {
    for (const managed of this.#all()) {
      const { name } = managed.program;
      if (!names.has(name)) continue;
      this.#superseded.add(managed);
      if (again.has(name)) this.#awaitNext.set(name, this.#awaitNext.get(name) ?? []);
    }
    return await this.retire(names);
  }

  /**
   * From now on these are the programs. One that is there already keeps running; what is new of it
   * holds from its next run on. Those that are missing have retired.
   */
  replace(programs: readonly AgentProgram[]): void {
    const names = new Set(programs.map(({ name }) => name));
    for (const name of this.#programs.keys()) if (!names.has(name)) this.#programs.delete(name);
    for (const program of programs) {
      const known = this.#programs.get(program.name);
      if (known === undefined) this.#add(program);
      else known.configure(program);
    }
    for (const name of this.#awaitNext.keys()) {
      if (!names.has(name)) this.#inherit(name, Promise.resolve(0));
    }
  }

  /** RELOAD: the same, and those that are missing retire. */
  async reload(programs: readonly AgentProgram[]): Promise<void> {
    const names = new Set(programs.map(({ name }) => name));
    const gone = [...this.#programs.keys()].filter((name) => !names.has(name));
    const retired = this.retire(new Set(gone));
    this.replace(programs);
    await retired;
  }

  /**
   * A node goes down: what runs there is stopped and judged by nobody, and nothing is started there
   * before the function that comes back is called. After it the node's programs are as configured.
   */
  async takeDown(node: string): Promise<() => void> {
    this.#down.add(node);
    const own = this.#all().filter(({ program }) => program.node === node);
    for (const managed of own) managed.beginEnd();
    await Promise.all(own.map((managed) => managed.stopAndWait()));
    return () => {
      this.#down.delete(node);
      for (const managed of own) {
        const { program } = managed;
        if (this.#programs.get(program.name) === managed) this.#add(program);
      }
    };
  }

  /** Loads the program for an event that is going to start it like this. */
  async load(name: string, args: ProgramArgs): Promise<void> {
    const managed = this.#programs.get(name);
    if (managed !== undefined && !this.#down.has(managed.program.node)) await managed.load(args);
  }

  /**
   * START and RUN. Resolves when the program was started or refused; `done` of the result is the
   * completion of this event and of no other (fault 23). With a journal, a token that was asked for
   * before returns what came of it then, or `unknown`.
   */
  async start(name: string, args: ProgramArgs, options: StartOptions = {}): Promise<ProgramResult> {
    const managed = this.#programs.get(name);
    if (managed === undefined) return this.#unknown(name);
    if (this.#down.has(managed.program.node)) {
      const nowUs = this.#options.clock.nowUs();
      return refused(nowUs, `its node ${managed.program.node} is being restarted`);
    }
    const { token, id = token === undefined ? undefined : `${name} ${token}` } = options;
    const act = (): Promise<ProgramResult> => this.#startManaged(managed, args, options);
    if (this.#starts === undefined || id === undefined) return await act();
    return await this.#starts.perform(id, act);
  }

  /**
   * As `start`, at an instant to come: the program is loaded and the firing thread has what lets it
   * go. Undefined: what is in the way now may be gone then, ask when it is due.
   */
  arm(
    name: string,
    args: ProgramArgs,
    options: Omit<StartOptions, "plan">,
  ): PlannedStart | undefined {
    const managed = this.#programs.get(name);
    if (managed === undefined || this.#down.has(managed.program.node)) return undefined;
    const plan = new StartPlan();
    const result = this.start(name, args, { ...options, plan });
    const performed = result.then((one) => (isCancelled(one) ? undefined : one));
    return { performed, takeBack: plan.takeBack };
  }

  /** Takes back a start that was asked for with this token and a due time. */
  revoke(name: string, token: number): "cancelled" | "already fired" | undefined {
    return this.#programs.get(name)?.revoke(token);
  }

  stop(name: string): ProgramResult {
    return this.#programs.get(name)?.stop() ?? this.#unknown(name);
  }

  halt(name: string): ProgramResult {
    return this.#programs.get(name)?.halt() ?? this.#unknown(name);
  }

  kill(name: string, signal: string): ProgramResult {
    return this.#programs.get(name)?.kill(signal) ?? this.#unknown(name);
  }

  modify(name: string, args: ProgramArgs): ProgramResult {
    return this.#programs.get(name)?.modify(args) ?? this.#unknown(name);
  }

  /**
   * TIME START: everything ends, is as configured again, also the expected exit code (fault 23),
   * and leaves no files.
   */
  async startTime(): Promise<void> {
    const all = this.#all();
    await Promise.all(all.map((managed) => managed.stopAndWait()));
    for (const managed of all) managed.restore();
    for (const [name, { hostPath }] of this.#options.backend.nodes) {
      const names = all.filter(({ program }) => program.node === name);
      const own = names.map(({ program }) => program.name);
      const fault = own.length === 0 ? undefined : removeRunFiles(hostPath.localLogs, own);
      if (fault === undefined) continue;
      this.#context.watcher.onWarning(name, `files of earlier runs are left: ${fault}`);
    }
  }

  /** The run ends: nothing is started any more, and what ends from now on is judged by nobody. */
  beginEnd(): void {
    this.#isEnding = true;
    for (const managed of this.#all()) managed.beginEnd();
  }

  /** Stops what still runs, and what is just being started. */
  async stopAll(): Promise<void> {
    this.beginEnd();
    await Promise.all(this.#all().map((managed) => managed.stopAndWait()));
  }

  async #startManaged(
    managed: ManagedProgram,
    args: ProgramArgs,
    options: StartOptions,
  ): Promise<ProgramResult> {
    const result = await managed.start(args, options);
    const { name } = managed.program;
    const done = result.done.then((error) =>
      this.#superseded.has(managed) ? this.#nextEnd(name) : error,
    );
    if (result.outcome === "done") this.#inherit(name, done);
    return { ...result, done };
  }

  /** G1. */
  #nextEnd(name: string): Promise<number> {
    const waiting = this.#awaitNext.get(name);
    if (waiting === undefined) return Promise.resolve(0);
    return new Promise((resolve) => waiting.push(resolve));
  }

  #inherit(name: string, done: Promise<number>): void {
    const waiting = this.#awaitNext.get(name) ?? [];
    this.#awaitNext.delete(name);
    for (const resolve of waiting) resolve(done);
  }

  #add(program: AgentProgram): void {
    const managed = new ManagedProgram(program, this.#context);
    if (this.#isEnding) managed.beginEnd();
    this.#programs.set(program.name, managed);
  }

  #all(): readonly ManagedProgram[] {
    return [...this.#programs.values()];
  }

  #unknown(name: string): ProgramResult {
    return refused(this.#options.clock.nowUs(), `there is no program ${name}`);
  }
}

// SPDX-License-Identifier: MIT
// The delay node as Muster sees it: starts its process, sends it orders, and knows how it is. When
// the process ends by itself, nothing goes over its links any more, and that is said.
//
//   L1. A thread that says nothing any more is told of, and in the end its process is given up: one
//       that somebody has stopped carries nothing either. What counts is how often Muster itself
//       has looked, so that a machine that stood still does not count.
import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Clock } from "../../host/clock.ts";
import { NetworkError } from "../link-backend.ts";
import type { ShaperHealth } from "../link-report.ts";
import { networkLimits, networkTimes } from "../network-limits.ts";
import type {
  Pace,
  ShaperAnswer,
  ShaperOrder,
  ShaperReport,
  ShaperRequest,
  ShaperSays,
  TraceEndReport,
} from "./shaper-messages.ts";

export interface ShaperProcessOptions {
  readonly clock: Clock;
  readonly threads: number;
  readonly pace: Pace;
  /** Starts the words; its pid is that of the program. */
  readonly spawn: (argv: readonly string[]) => ChildProcess;
  readonly onReport?: (report: ShaperReport) => void;
  /** A trace has ended by itself. */
  readonly onTraceEnded?: (report: TraceEndReport) => void;
}

interface Pending {
  readonly resolve: (answer: ShaperAnswer) => void;
  readonly reject: (error: Error) => void;
}

const isSource = import.meta.url.endsWith(".ts");
const program = fileURLToPath(
  new URL(isSource ? "./shaper-main.ts" : "./shaper-main.js", import.meta.url),
);
const stderrCharactersMax = 2_000;
const tooBusy = "the machine may be too busy; run it again";

/** A thread that collects garbage must not wait for others of no priority. */
const nodeOptions = ["--single-threaded-gc"];

export class ShaperProcess {
  readonly #clock: Clock;
  readonly #threads: number;
  readonly #child: ChildProcess;
  readonly #onReport: (report: ShaperReport) => void;
  readonly #onTraceEnded: (report: TraceEndReport) => void;
  readonly #pending = new Map<number, Pending>();
  readonly #ready = Promise.withResolvers<void>();
  readonly #failed = Promise.withResolvers<string>();
  readonly #ended = Promise.withResolvers<void>();
  #health: ShaperHealth = {
    packets: 0,
    lagMaxUs: 0,
    lagMaxAtUs: 0,
    lagRecentUs: 0,
    late: 0,
    dropped: 0,
    priority: "usual",
  };
  /** What each thread said last of its latest packet. */
  readonly #recent = new Map<number, number>();
  /** L1. Of each thread that has ever reported, how often it was looked at since. */
  readonly #silent = new Map<number, number>();
  #cancelLook: () => void = () => undefined;
  #unsent = 0;
  #undelivered = 0;
  #nextId = 1;
  #stderr = "";
  #isStopping = false;
  #gone: NetworkError | undefined;

  constructor(options: ShaperProcessOptions) {
    const { clock, threads, pace, spawn, onReport, onTraceEnded } = options;
    this.#clock = clock;
    this.#threads = Math.min(threads, networkLimits.delayNodeThreadsMax);
    this.#onReport = onReport ?? (() => undefined);
    this.#onTraceEnded = onTraceEnded ?? (() => undefined);
    const child = spawn([process.execPath, ...nodeOptions, program, String(threads), pace]);
    this.#child = child;
    child.once("error", (error) => {
      this.#end(error.message, false);
      this.#ended.resolve();
    });
    child.once("exit", (code, signal) => {
      this.#ended.resolve();
      this.#end(signal ?? `exit status ${code}`, signal !== null);
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-stderrCharactersMax);
    });
    // A process that is gone is told of by its exit.
    child.stdin?.on("error", () => undefined);
    if (child.stdout === null) throw new NetworkError("the delay node has no pipes to be told by");
    createInterface({ input: child.stdout }).on("line", (line) => {
      this.#hear(JSON.parse(line) as ShaperSays);
    });
    this.#ready.promise.catch(() => undefined);
    this.#lookLater();
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  get health(): ShaperHealth {
    return this.#health;
  }

  /** Why it has ended, when it has: what fails after that fails by it. */
  get gone(): NetworkError | undefined {
    return this.#gone;
  }

  /** L1. Seconds since that thread was heard of that is silent for longest; 0: not long. */
  get silentSeconds(): number {
    const looks = this.#gone === undefined ? Math.max(0, ...this.#silent.values()) : 0;
    return looks < networkTimes.silentLooks ? 0 : (looks * networkTimes.lookMs) / 1_000;
  }

  /** Resolves with a sentence when it has ended by itself. */
  get failed(): Promise<string> {
    return this.#failed.promise;
  }

  /** @throws NetworkError when it does not start. */
  async started(): Promise<void> {
    const cancel = this.#clock.after(networkTimes.startMs, () => {
      const why = `in ${networkTimes.startMs / 1_000} s: ${this.#stderr.trim() || tooBusy}`;
      const error = new NetworkError(`the delay node has not started ${why}`, { isPassing: true });
      this.#ready.reject(error);
    });
    try {
      await this.#ready.promise;
    } finally {
      cancel();
    }
  }

  /** @throws NetworkError when it is refused, or not answered. */
  ask(thread: number, order: ShaperOrder): Promise<ShaperAnswer> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone);
    const id = this.#nextId++;
    const request: ShaperRequest = { id, thread, order };
    // What is asked first waits for its thread to start.
    const waitMs =
      (order.kind === "open" ? networkTimes.startMs : networkTimes.answerMs) +
      (order.kind === "measure" ? networkTimes.measureMs : 0) +
      (order.kind === "change" ? Math.max(0, order.atUs - this.#clock.nowUs()) / 1_000 : 0);
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.after(waitMs, () => {
        this.#pending.delete(id);
        const why = `the delay node does not answer (${order.kind}): ${tooBusy}`;
        reject(new NetworkError(why, { isPassing: true }));
      });
      this.#pending.set(id, {
        resolve(answer) {
          cancel();
          if (answer.error === undefined) resolve(answer);
          else reject(new NetworkError(`the delay node refuses: ${answer.error}`));
        },
        reject(error) {
          cancel();
          reject(error);
        },
      });
      this.#child.stdin?.write(`${JSON.stringify(request)}\n`);
    });
  }

  /**
   * Packets since the start that the machine lost on the way to the delay node or from it: as it is
   * now, where `health` is as it was told last. @throws NetworkError when it is not answered.
   */
  async lost(): Promise<number> {
    const threads = Array.from({ length: this.#threads }, (_none, thread) => thread);
    const answers = await Promise.all(threads.map((one) => this.ask(one, { kind: "lost" })));
    return answers.reduce((sum, { lost = 0 }) => sum + lost, 0);
  }

  /** Idempotent. Resolves when it has ended. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#cancelLook();
    this.#child.stdin?.end();
    this.#child.kill("SIGKILL");
    await this.#ended.promise;
  }

  #lookLater(): void {
    this.#cancelLook = this.#clock.after(networkTimes.lookMs, () => this.#look());
  }

  /** L1. */
  #look(): void {
    for (const [thread, looks] of this.#silent) this.#silent.set(thread, looks + 1);
    if (Math.max(0, ...this.#silent.values()) < networkTimes.givenUpLooks) {
      this.#lookLater();
      return;
    }
    const how = `it had said nothing for ${this.silentSeconds} s, and was given up`;
    this.#end(how, true);
    this.#child.kill("SIGKILL");
  }

  #hear(said: ShaperSays): void {
    switch (said.kind) {
      case "priority":
        this.#health = { ...this.#health, priority: said.priority };
        return;
      case "ready":
        this.#ready.resolve();
        return;
      case "answer": {
        const pending = this.#pending.get(said.id);
        this.#pending.delete(said.id);
        pending?.resolve(said);
        return;
      }
      case "trace-ended":
        this.#onTraceEnded(said);
        return;
      case "report":
        this.#add(said);
        this.#onReport(said);
        return;
      case "drops":
        this.#undelivered = said.dropped;
        this.#health = { ...this.#health, dropped: this.#undelivered + this.#unsent };
        return;
    }
  }

  #add(report: ShaperReport): void {
    const { packets, lagMaxUs, lagMaxAtUs, late, priority } = this.#health;
    this.#unsent += report.unsent;
    this.#silent.set(report.thread, 0);
    this.#recent.set(report.thread, report.lagMaxUs);
    const isLater = report.lagMaxUs > lagMaxUs;
    this.#health = {
      packets: packets + report.packets,
      lagMaxUs: isLater ? report.lagMaxUs : lagMaxUs,
      lagMaxAtUs: isLater ? report.lagMaxAtUs : lagMaxAtUs,
      lagRecentUs: Math.max(...this.#recent.values()),
      late: late + report.late,
      dropped: this.#undelivered + this.#unsent,
      priority,
    };
  }

  #end(how: string, isPassing: boolean): void {
    if (this.#gone !== undefined) return;
    this.#cancelLook();
    const why = this.#stderr.trim() === "" ? "" : `: ${this.#stderr.trim()}`;
    const text = `the delay node has ended (${how})${why}; its links carry nothing any more`;
    const error = new NetworkError(text, { isPassing });
    this.#gone = error;
    this.#ready.reject(error);
    for (const pending of this.#pending.values()) pending.reject(error);
    this.#pending.clear();
    if (!this.#isStopping) this.#failed.resolve(text);
  }
}

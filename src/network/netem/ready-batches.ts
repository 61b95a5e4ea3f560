// SPDX-License-Identifier: MIT
// Programs of `tc -batch` that have been started before their lines are known: a program takes
// milliseconds to start, on a busy machine hundreds of them, and a change of links is for an
// instant. Whoever knows that one is to come prepares for it; without that it is only later.
//
//   R1. At most one program waits in each namespace, and so many in all; beyond that, and where
//       one has died meanwhile, the next change starts its own.
//   R2. Each does one batch: its exit status is that of the change.
//   R3. A namespace lasts as long as a program in it. One whose change did not come ends, and so do
//       those of a namespace that is to go.
import type { ChildProcess } from "node:child_process";
import type { Clock } from "../../host/clock.ts";
import { type NamespaceCommands, type NetNamespace, NetworkError } from "../link-backend.ts";

/** R1. About 1 MB each. */
const waitingMax = 64;
/** R3. Longer than changes are known ahead (dispatchAheadUs), also on a busy machine. */
const waitingMs = 3_000;
/** What is kept of what tc says when it fails. */
const errorCharsMax = 4_096;

/** A program that waits for its lines. */
export interface ReadyBatch {
  /** @throws NetworkError with what tc says. Once. */
  run(lines: readonly string[]): Promise<void>;
  /** It is not needed. */
  end(): void;
}

export class ReadyBatches {
  readonly #commands: NamespaceCommands;
  readonly #clock: Clock;
  /** By the process that has the namespace. */
  readonly #waiting = new Map<number, Program>();

  constructor(commands: NamespaceCommands, clock: Clock) {
    this.#commands = commands;
    this.#clock = clock;
  }

  prepare(namespace: NetNamespace): void {
    if (this.#waiting.has(namespace.pid) || this.#waiting.size >= waitingMax) return;
    const program = new Program(this.#commands, namespace);
    this.#waiting.set(namespace.pid, program);
    const waits = (): boolean => this.#waiting.get(namespace.pid) === program;
    const cancel = this.#clock.after(waitingMs, () => {
      if (waits()) void this.end([namespace]);
    });
    void program.ended.then(() => {
      cancel();
      if (waits()) this.#waiting.delete(namespace.pid);
    });
  }

  /** One that has been prepared, or a new one. Whoever takes it runs or ends it. */
  take(namespace: NetNamespace): ReadyBatch {
    const waiting = this.#waiting.get(namespace.pid);
    this.#waiting.delete(namespace.pid);
    return waiting ?? new Program(this.#commands, namespace);
  }

  /** Resolves when no program waits in these. R3. */
  async end(namespaces: readonly NetNamespace[]): Promise<void> {
    const programs = namespaces.flatMap(({ pid }) => this.#waiting.get(pid) ?? []);
    for (const { pid } of namespaces) this.#waiting.delete(pid);
    for (const program of programs) program.end();
    await Promise.all(programs.map(({ ended }) => ended));
  }

  async stop(): Promise<void> {
    await this.end([...this.#waiting.keys()].map((pid) => ({ pid })));
  }
}

class Program implements ReadyBatch {
  /** Its exit status or why it has none. Never rejects. */
  readonly ended: Promise<number | string>;
  readonly #child: ChildProcess;
  #said = "";

  constructor(commands: NamespaceCommands, namespace: NetNamespace) {
    const child = commands.spawn(namespace, ["tc", "-batch", "-"]);
    this.#child = child;
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#said = (this.#said + text).slice(-errorCharsMax);
    });
    child.stdout?.resume();
    // It ended before it had read all: its status says why.
    child.stdin?.on("error", () => undefined);
    this.ended = new Promise((resolve) => {
      child.once("error", ({ message }) => resolve(message));
      child.once("close", (code, signal) => resolve(code ?? String(signal)));
    });
  }

  async run(lines: readonly string[]): Promise<void> {
    this.#child.stdin?.end(`${lines.join("\n")}\n`);
    const status = await this.ended;
    if (status === 0) return;
    throw new NetworkError(`tc -batch: ${this.#said.trim() || `ended with ${status}`}`);
  }

  end(): void {
    this.#child.stdin?.end();
  }
}

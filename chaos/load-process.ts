// SPDX-License-Identifier: MIT
// A process of the load, or the one that keeps the record: started with what it has to know, told
// one more thing when the end is near.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { LoadState } from "./load/lane-process.ts";

export interface LoadProcessOptions {
  readonly name: string;
  /** In `load/`. */
  readonly program: string;
  readonly folder: string;
  readonly onSurprise: (what: string) => void;
  /** Of each lane where it is, as it says about twice a second. */
  readonly onRounds?: (rounds: readonly number[]) => void;
}

export class LoadProcess {
  readonly name: string;
  /** Resolves when it has said all. */
  readonly completed: Promise<true>;
  isComplete = false;
  /** As it says of itself, about twice a second. */
  rounds: readonly number[] = [];
  operations = 0;
  /** The file. */
  readonly history: string;
  readonly #process: ChildProcess;
  readonly #onRounds: LoadProcessOptions["onRounds"];
  #isKilled = false;

  constructor(options: LoadProcessOptions, loadOf: (history: string) => object) {
    const { name, program, folder, onSurprise } = options;
    this.name = name;
    this.#onRounds = options.onRounds;
    this.history = join(folder, `${name}.history`);
    const load = JSON.stringify(loadOf(this.history));
    const path = join(import.meta.dirname, "load", program);
    const errors = openSync(join(folder, `${name}.log`), "a");
    this.#process = spawn(process.execPath, [...process.execArgv, path, load], {
      stdio: ["pipe", "pipe", errors],
    });
    const { stdout } = this.#process;
    if (stdout !== null) createInterface({ input: stdout }).on("line", (line) => this.#hear(line));
    this.completed = new Promise((resolve) => {
      this.#process.once("exit", (code, signal) => {
        if (code !== 0 && !this.#isKilled)
          onSurprise(`${name} ended by itself (${signal ?? code})`);
        this.isComplete = code === 0;
        if (this.isComplete) resolve(true);
      });
    });
  }

  tell(line: string): void {
    this.#process.stdin?.write(`${line}\n`);
  }

  /** To be stopped and let go on. */
  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#process.kill(signal);
  }

  /** `kill -9`. Resolves when it is gone. */
  async kill(): Promise<void> {
    this.#isKilled = true;
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await ended;
  }

  #hear(line: string): void {
    const said = JSON.parse(line) as number | LoadState;
    if (typeof said === "number") return;
    this.rounds = said.rounds;
    this.operations = said.operations;
    this.#onRounds?.(said.rounds);
  }
}

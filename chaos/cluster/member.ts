// SPDX-License-Identifier: MIT
// One process of the cluster that is killed, stopped and started again. Ends by its own id only.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";

export interface MemberOptions {
  readonly name: string;
  readonly command: readonly string[];
  /** Standard output and error, of all its lives. */
  readonly logFile: string;
  /** It has ended, and nobody here asked for it. */
  readonly onSurprise: (what: string) => void;
}

export class Member {
  readonly name: string;
  readonly #options: MemberOptions;
  #process: ChildProcess | undefined;
  #isWanted = false;
  lives = 0;

  constructor(options: MemberOptions) {
    this.name = options.name;
    this.#options = options;
  }

  get isAlive(): boolean {
    return this.#process !== undefined;
  }

  start(): void {
    if (this.#process !== undefined) return;
    const { command, logFile, onSurprise } = this.#options;
    const output = openSync(logFile, "a");
    const [program = "", ...args] = command;
    const child = spawn(program, args, { stdio: ["ignore", output, output] });
    closeSync(output);
    this.#process = child;
    this.#isWanted = true;
    this.lives += 1;
    child.once("error", (error) => onSurprise(`${this.name} does not start: ${error.message}`));
    child.once("exit", (code, signal) => {
      if (this.#process === child) this.#process = undefined;
      if (!this.#isWanted) return;
      onSurprise(`${this.name} ended by itself (${signal ?? code}): ${this.lastLines()}`);
    });
  }

  /** Resolves when it is gone. */
  async end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const child = this.#process;
    this.#isWanted = false;
    if (child === undefined) return;
    const ended = once(child, "exit");
    child.kill(signal);
    // One that is stopped takes no other signal.
    child.kill("SIGCONT");
    await ended;
    if (this.#process === child) this.#process = undefined;
  }

  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#process?.kill(signal);
  }

  lastLines(count = 3): string {
    const lines = readFileSync(this.#options.logFile, "utf8").trimEnd().split("\n");
    return lines.slice(-count).join(" / ");
  }
}

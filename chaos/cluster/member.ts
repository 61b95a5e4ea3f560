// SPDX-License-Identifier: MIT
// One process of the cluster that is killed, stopped and started again. Ends by its own id only.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { nowUs } from "../wait.ts";

const startAgainMs = 1_000;
/** A process that was asked to end and does not is killed. */
const patienceMs = 30_000;
/** The last lines that it has printed, for who asks why it has ended. */
const linesKept = 3;

export interface MemberOptions {
  readonly name: string;
  readonly command: readonly string[];
  /** What it prints, in all its lives, with the time of histories before each line, in seconds. */
  readonly logFile: string;
  /** It has ended, and nobody here asked for it. */
  readonly onSurprise: (what: string) => void;
  /** After such an end it is started again, as a supervisor of services would. */
  readonly startsAgainAfter?: (code: number | null, lastLines: string) => boolean;
  readonly onLine?: (line: string) => void;
}

export class Member {
  readonly name: string;
  readonly #options: MemberOptions;
  #process: ChildProcess | undefined;
  #isWanted = false;
  readonly #lines: string[] = [];
  lives = 0;

  constructor(options: MemberOptions) {
    this.name = options.name;
    this.#options = options;
  }

  get isAlive(): boolean {
    return this.#process !== undefined;
  }

  start(): void {
    this.#isWanted = true;
    if (this.#process !== undefined) return;
    const { command, logFile, onSurprise, startsAgainAfter } = this.#options;
    const [program = "", ...args] = command;
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    for (const output of [child.stdout, child.stderr]) {
      createInterface({ input: output }).on("line", (line) => {
        this.#lines.push(line);
        this.#options.onLine?.(line);
        if (this.#lines.length > linesKept) this.#lines.shift();
        appendFileSync(logFile, `${(nowUs() / 1e6).toFixed(3)} ${line}\n`);
      });
    }
    this.#process = child;
    this.lives += 1;
    child.once("error", (error) => onSurprise(`${this.name} does not start: ${error.message}`));
    child.once("exit", (code, signal) => {
      if (this.#process === child) this.#process = undefined;
      if (!this.#isWanted) return;
      if (startsAgainAfter?.(code, this.lastLines()) === true) {
        setTimeout(() => this.#isWanted && this.start(), startAgainMs);
        return;
      }
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
    const patience = setTimeout(() => {
      this.#options.onSurprise(`${this.name} has not ended by ${signal} in ${patienceMs / 1000} s`);
      child.kill("SIGKILL");
    }, patienceMs);
    await ended;
    clearTimeout(patience);
    if (this.#process === child) this.#process = undefined;
  }

  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#process?.kill(signal);
  }

  lastLines(): string {
    return this.#lines.join(" / ");
  }
}

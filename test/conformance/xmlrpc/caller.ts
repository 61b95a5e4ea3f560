// SPDX-License-Identifier: MIT
// Runs caller.py and asks it to call.
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";

export interface Answer {
  readonly value?: unknown;
  readonly fault?: readonly [code: number, text: string];
  readonly error?: string;
}

export class Caller {
  readonly #process: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  constructor(...args: readonly string[]) {
    const program = join(import.meta.dirname, "caller.py");
    const child = spawn("python3", [program, ...args], { stdio: ["pipe", "pipe", "inherit"] });
    this.#process = child;
    this.#answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  async call(method: string, ...args: readonly unknown[]): Promise<Answer> {
    this.#process.stdin?.write(`${JSON.stringify([method, ...args])}\n`);
    const { value, done } = await this.#answers.next();
    if (done === true) throw new Error("caller.py has ended");
    return JSON.parse(value) as Answer;
  }

  /** A method of boss: the version, and a struct of arguments. */
  async boss(method: string, args: Readonly<Record<string, unknown>>): Promise<Reply> {
    const answer = await this.call(method, 0.1, args);
    if (answer.value === undefined) throw new Error(JSON.stringify(answer));
    return answer.value as Reply;
  }

  close(): void {
    this.#process.stdin?.end();
    this.#process.kill();
  }
}

export interface Reply {
  readonly code: number;
  readonly value: unknown;
  readonly output: string;
}

// SPDX-License-Identifier: MIT
// Several of agent-process.ts, and what they noted.
import { type ChildProcess, fork } from "node:child_process";
import type { FromAgent, Noted, ToAgent } from "./agent-process.ts";

export interface Harvest {
  /** Of each process. */
  readonly noted: readonly (readonly Noted[])[];
  readonly cpuUs: number;
}

export class AgentProcesses {
  readonly #children: readonly ChildProcess[];
  /** Rejects when one of them ends. */
  readonly #lost: Promise<unknown>;

  constructor(count: number) {
    const program = new URL("./agent-process.ts", import.meta.url);
    this.#children = Array.from({ length: count }, () => fork(program));
    const ended = this.#children.map(
      (child) => new Promise((_resolve, reject) => child.once("exit", reject)),
    );
    this.#lost = Promise.race(ended).catch((code: unknown) => {
      throw new Error(`a process of the benchmark has ended (${String(code)})`);
    });
    this.#lost.catch(() => undefined);
  }

  async tell(message: (index: number) => ToAgent): Promise<readonly FromAgent[]> {
    const answers = this.#children.map(
      (child, index) =>
        new Promise<FromAgent>((resolve) => {
          child.once("message", (answer) => resolve(answer as FromAgent));
          child.send(message(index));
        }),
    );
    return await Promise.race([Promise.all(answers), this.#lost as Promise<never>]);
  }

  async take(): Promise<Harvest> {
    const answers = await this.tell(() => ({ kind: "take" }));
    const all = answers.flatMap((answer) => (answer.kind === "noted" ? [answer] : []));
    const cpuUs = all.reduce((sum, one) => sum + one.cpuUs, 0);
    return { noted: all.map(({ noted }) => noted), cpuUs };
  }

  async end(): Promise<void> {
    const ended = this.#children.map(
      (child) =>
        new Promise<void>((resolve) => {
          child.once("exit", () => resolve());
          child.send({ kind: "end" } satisfies ToAgent);
        }),
    );
    await Promise.all(ended);
  }
}

/** First to last of each instant that all of them have noted. */
export function skews({ noted }: Harvest): readonly number[] {
  const instants = new Map<number, number[]>();
  for (const one of noted.flat()) {
    const late = instants.get(one.dueUs) ?? [];
    late.push(one.lateUs);
    instants.set(one.dueUs, late);
  }
  const whole = [...instants.values()].filter(({ length }) => length === noted.length);
  return whole.map((late) => Math.max(...late) - Math.min(...late));
}

// SPDX-License-Identifier: MIT
// Calls between the processes of a benchmark, over the channel that `fork` makes.
import { type ChildProcess, fork } from "node:child_process";

/** What a process can be asked to do; arguments and results are JSON. */
export type Methods = Record<string, (argument: number) => Promise<unknown> | unknown>;

interface Call {
  readonly id: number;
  readonly method: string;
  readonly argument: number;
}

interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

/** CPU time of a process so far, microseconds. */
export interface Cpu {
  readonly userUs: number;
  readonly systemUs: number;
}

export function readCpu(): Cpu {
  const { user, system } = process.cpuUsage();
  return { userUs: user, systemUs: system };
}

/** Serves calls until the parent lets go. */
export function serve(methods: Methods): void {
  const all: Methods = { cpu: readCpu, ...methods };
  process.on("message", (call: Call) => {
    const { id, method, argument } = call;
    Promise.resolve()
      .then(() => all[method]?.(argument))
      .then(
        (result) => process.send?.({ id, result } satisfies Answer),
        (error: unknown) => process.send?.({ id, error: String(error) } satisfies Answer),
      );
  });
  process.on("disconnect", () => process.exit(0));
}

/** What `bin/launch.sh` gives to `muster serve`; bare loops are measured with the same. */
export const serverFlags = ["--min-semi-space-size=16", "--max-semi-space-size=64"] as const;

/** A child process that serves calls. */
export class Remote {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<
    number,
    { resolve: (value: unknown) => void; reject: (error: Error) => void }
  >();
  #lastId = 0;

  /** @param file a module beside this one. @param flags of Node, for a server that is measured. */
  constructor(file: string, args: readonly string[] = [], flags: readonly string[] = []) {
    this.#child = fork(new URL(file, import.meta.url), [...args], {
      execArgv: ["--disable-warning=ExperimentalWarning", ...flags],
    });
    this.#child.on("message", (answer: Answer) => {
      const waiting = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if (answer.error === undefined) waiting?.resolve(answer.result);
      else waiting?.reject(new Error(answer.error));
    });
    this.#child.on("exit", (code, signal) => {
      for (const { reject } of this.#waiting.values()) {
        reject(new Error(`${file} ended: ${signal ?? code}`));
      }
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  call<Result>(method: string, argument = 0): Promise<Result> {
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: (value) => resolve(value as Result), reject });
      this.#child.send({ id, method, argument } satisfies Call);
    });
  }

  /** Calls until the result is the one waited for. */
  async until(method: string, wanted: number): Promise<void> {
    for (;;) {
      const found = await this.call<number>(method);
      if (found === wanted) return;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  async cpuUs(): Promise<number> {
    const { userUs, systemUs } = await this.call<Cpu>("cpu");
    return userUs + systemUs;
  }

  end(): void {
    this.#child.disconnect();
  }
}

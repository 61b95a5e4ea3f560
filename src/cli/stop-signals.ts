// SPDX-License-Identifier: MIT
// SIGINT, SIGTERM and SIGHUP end a run in order; a second one ends Muster at once, and the reaper of
// the run cleans up behind it.
import { exitCodes } from "./exit-codes.ts";

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export class StopSignals {
  received: NodeJS.Signals | undefined;
  readonly #controller = new AbortController();
  readonly #listener = (signal: NodeJS.Signals): void => {
    if (this.received !== undefined) process.exit(exitCodes.interrupted);
    this.received = signal;
    this.#controller.abort();
  };

  constructor() {
    for (const signal of signals) process.on(signal, this.#listener);
  }

  get interrupt(): AbortSignal {
    return this.#controller.signal;
  }

  dispose(): void {
    for (const signal of signals) process.off(signal, this.#listener);
  }
}

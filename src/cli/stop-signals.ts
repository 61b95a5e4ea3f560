// SPDX-License-Identifier: MIT
// SIGINT, SIGTERM and SIGHUP end a run in order; a second one ends Muster at once, and the reaper
// of the run cleans up behind it. One Ctrl-C can arrive twice: the terminal sends it to everybody,
// and npm passes on its own.
import { systemClock } from "../host/clock.ts";
import { exitCodes } from "./exit-codes.ts";

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** What follows within this time is the same signal again. */
const sameSignalUs = 500_000;

export class StopSignals {
  received: NodeJS.Signals | undefined;
  #receivedUs = 0;
  readonly #controller = new AbortController();
  readonly #listener = (signal: NodeJS.Signals): void => {
    const nowUs = systemClock.nowUs();
    if (this.received === undefined) {
      this.received = signal;
      this.#receivedUs = nowUs;
      this.#controller.abort();
    } else if (nowUs - this.#receivedUs > sameSignalUs) {
      process.exit(statusOf(this.received));
    }
  };

  constructor() {
    for (const signal of signals) process.on(signal, this.#listener);
  }

  get interrupt(): AbortSignal {
    return this.#controller.signal;
  }

  /** The exit status of a command that was ended; undefined when it was not. */
  get exitStatus(): number | undefined {
    return this.received === undefined ? undefined : statusOf(this.received);
  }

  dispose(): void {
    for (const signal of signals) process.off(signal, this.#listener);
  }
}

function statusOf(signal: NodeJS.Signals): number {
  return signal === "SIGTERM" ? exitCodes.terminated : exitCodes.interrupted;
}

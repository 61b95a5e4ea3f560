// SPDX-License-Identifier: MIT
// A log that does everything the interface allows and a good log does not: it delays appends and
// deliveries, completes them out of order, and refuses some, definitely or not. Seeded.
import type { Entry, LogEntry } from "../core/command.ts";
import type { Random } from "../core/random.ts";
import type { Log, LogReader } from "../engine/log.ts";
import { LogError } from "../engine/log.ts";
import type { Clock } from "../host/clock.ts";

/** Faults, all off by default; probabilities are from 0 to 1. */
export interface LogFaults {
  /** An append takes up to this long to be stored, and as long again to be acknowledged. */
  readonly appendDelayMsMax: number;
  /** A reader gets entries up to this long after they were stored. */
  readonly deliveryDelayMsMax: number;
  /** The append is refused and not stored. */
  readonly definiteFailure: number;
  /** The append is stored, and reported as failed. */
  readonly indefiniteFailure: number;
}

export const noLogFaults: LogFaults = {
  appendDelayMsMax: 0,
  deliveryDelayMsMax: 0,
  definiteFailure: 0,
  indefiniteFailure: 0,
};

export interface DelayingLogOptions {
  readonly inner: Log;
  readonly clock: Clock;
  readonly random: Random;
  readonly faults: Partial<LogFaults>;
}

export class DelayingLog implements Log {
  readonly durability: string;
  readonly #inner: Log;
  readonly #clock: Clock;
  readonly #random: Random;
  #faults: LogFaults;
  /** Storing keeps the order of the calls (L3), whatever the delays. */
  #storing: Promise<unknown> = Promise.resolve();
  #isKilled = false;

  constructor({ inner, clock, random, faults }: DelayingLogOptions) {
    this.#inner = inner;
    this.#clock = clock;
    this.#random = random;
    this.#faults = { ...noLogFaults, ...faults };
    this.durability = `${inner.durability}; delayed for a test`;
  }

  /** From now on it does nothing of its own. */
  calm(): void {
    this.#faults = noLogFaults;
  }

  /** From now on it has these faults. */
  trouble(faults: Partial<LogFaults>): void {
    this.#faults = { ...noLogFaults, ...faults };
  }

  /** As `kill -9` of the only process that writes the file: what is not stored by now never is. */
  kill(): void {
    this.#isKilled = true;
  }

  append(entry: Entry): Promise<number> {
    const refused = this.#random.chance(this.#faults.definiteFailure);
    const doubted = this.#random.chance(this.#faults.indefiniteFailure);
    // What is stored is a copy: nobody may change an entry after handing it over.
    const copy = JSON.parse(JSON.stringify(entry)) as Entry;
    const stored = this.#storing.then(async () => {
      await this.#pause(this.#faults.appendDelayMsMax);
      if (this.#isKilled) throw new LogError("its process was killed", { definite: true });
      if (refused) throw new LogError("refused for a test", { definite: true });
      return this.#inner.append(copy);
    });
    this.#storing = stored.catch(() => undefined);
    return stored.then(
      async (sequence) => {
        await this.#pause(this.#faults.appendDelayMsMax);
        if (doubted) throw new LogError("acknowledgement lost for a test", { definite: false });
        return sequence;
      },
      async (error: unknown) => {
        await this.#pause(this.#faults.appendDelayMsMax);
        throw error;
      },
    );
  }

  read(from: number, deliver: (entries: readonly LogEntry[]) => void): LogReader {
    let stopped = false;
    let delivering: Promise<unknown> = Promise.resolve();
    const reader = this.#inner.read(from, (entries) => {
      delivering = delivering.then(async () => {
        await this.#pause(this.#faults.deliveryDelayMsMax);
        if (!stopped) deliver(entries);
      });
    });
    return {
      stop() {
        stopped = true;
        reader.stop();
      },
    };
  }

  head(): Promise<number> {
    return this.#inner.head();
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  #pause(delayMsMax: number): Promise<void> {
    if (delayMsMax === 0) return Promise.resolve();
    const delayMs = this.#random.below(delayMsMax * 1000) / 1000;
    return new Promise((resolve) => {
      this.#clock.after(delayMs, resolve);
    });
  }
}

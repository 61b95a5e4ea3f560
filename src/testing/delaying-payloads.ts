// SPDX-License-Identifier: MIT
// Payloads that take their time: writes and reads complete late and out of order, and some writes
// are refused. Seeded, like the log that does the same (delaying-log.ts).
import type { PayloadRef } from "../core/command.ts";
import type { Random } from "../core/random.ts";
import { LogError } from "../engine/log.ts";
import type { Payloads, Place } from "../engine/payloads.ts";
import type { Clock } from "../host/clock.ts";

export interface DelayingPayloadsOptions {
  readonly inner: Payloads;
  readonly clock: Clock;
  readonly random: Random;
  readonly delayMsMax: number;
  /** Probability that a write is refused, 0 to 1. */
  readonly failure?: number;
}

export class DelayingPayloads implements Payloads {
  readonly #options: DelayingPayloadsOptions;

  constructor(options: DelayingPayloadsOptions) {
    this.#options = options;
  }

  get lastId(): number {
    return this.#options.inner.lastId;
  }

  async write(message: Uint8Array): Promise<PayloadRef> {
    const { inner, random, failure = 0 } = this.#options;
    const refused = random.chance(failure);
    await this.#pause();
    if (refused) throw new LogError("refused for a test", { definite: true });
    const ref = await inner.write(message);
    await this.#pause();
    return ref;
  }

  async read(places: readonly Place[], bytesMax: number): Promise<readonly Uint8Array[]> {
    await this.#pause();
    const messages = await this.#options.inner.read(places, bytesMax);
    await this.#pause();
    return messages;
  }

  free(ids: readonly number[]): void {
    this.#options.inner.free(ids);
  }

  keepOnly(ids: Iterable<number>): void | Promise<void> {
    return this.#options.inner.keepOnly(ids);
  }

  close(): Promise<void> {
    return this.#options.inner.close();
  }

  #pause(): Promise<void> {
    const { clock, random, delayMsMax } = this.#options;
    const delayMs = random.below(delayMsMax * 1000 + 1) / 1000;
    return new Promise((resolve) => {
      clock.after(delayMs, resolve);
    });
  }
}

// SPDX-License-Identifier: MIT
// Whether a stream still holds what a reader of it was given, asked after brokers were in trouble:
// NATS 2.9 can replace what it has acknowledged and delivered when it chooses another leader, and a
// consumer that lives through that says nothing of it.
//
//   V1. Asked for are `natsRecheckEntries` entries around the place where the trouble began, and
//       the newest ones, some time after it has ended, and again: leaders change more than once.
//   V2. Another stamp means another entry. No answer, or no such entry, means nothing: who is asked
//       may not have it yet.
import type { LogClock } from "./log.ts";
import type { NatsLink } from "./nats-connection.ts";
import { natsRecheckEntries, natsRecheckMs, natsStampsKept } from "./nats-limits.ts";

export interface NatsRecheckOptions {
  readonly link: NatsLink;
  readonly stream: string;
  readonly clock: LogClock;
  readonly onReplaced: (sequence: number) => void;
}

export class NatsRecheck {
  readonly #options: NatsRecheckOptions;
  /** Of the newest entries that were delivered, by sequence. */
  readonly #stamps = new Map<number, number>();
  #last = 0;
  /** The newest entry when the trouble began; undefined when there is none. */
  #doubtful: number | undefined;
  readonly #cancels = new Set<() => void>();
  #isStopped = false;

  constructor(options: NatsRecheckOptions) {
    this.#options = options;
  }

  delivered(sequence: number, stampUs: number): void {
    this.#last = sequence;
    this.#stamps.set(sequence, stampUs);
    this.#stamps.delete(sequence - natsStampsKept);
  }

  /** Brokers did not take what they were given. */
  doubt(): void {
    this.#doubtful ??= this.#last;
  }

  /** They do again. */
  trust(): void {
    const doubtful = this.#doubtful;
    this.#doubtful = undefined;
    if (doubtful === undefined || this.#isStopped) return;
    for (const ms of natsRecheckMs) {
      const cancel = this.#options.clock.after(ms, () => {
        this.#cancels.delete(cancel);
        void this.#ask(doubtful);
      });
      this.#cancels.add(cancel);
    }
  }

  stop(): void {
    this.#isStopped = true;
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
  }

  /** V1. */
  async #ask(around: number): Promise<void> {
    const { link, stream, onReplaced } = this.#options;
    const half = natsRecheckEntries / 2;
    const places = new Set<number>();
    for (const first of [around - half / 2, this.#last - half]) {
      for (let place = first + 1; place <= first + half; place += 1) places.add(place);
    }
    for (const sequence of places) {
      const own = this.#stamps.get(sequence);
      if (own === undefined) continue;
      const held = await link.manager.streams
        .getMessage(stream, { seq: sequence })
        .catch(() => null);
      if (this.#isStopped) return;
      if (held === null || stampUsOf(held.timestamp) === own) continue;
      onReplaced(sequence);
      return;
    }
  }
}

/** Microseconds since 1970 of a time as brokers write it: UTC, up to nanoseconds. */
export function stampUsOf(time: string): number {
  const [, seconds = "", fraction = ""] = /^(.{19})(?:\.(\d+))?Z$/.exec(time) ?? [];
  return Date.parse(`${seconds}Z`) * 1_000 + Number(fraction.slice(0, 6).padEnd(6, "0"));
}

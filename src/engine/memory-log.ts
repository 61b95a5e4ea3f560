// SPDX-License-Identifier: MIT
// The log in memory: the default for short runs. Nothing survives the process.
import type { Entry, LogEntry } from "../core/command.ts";
import type { Log, LogReader } from "./log.ts";
import { LogError } from "./log.ts";
import { Tail } from "./tail.ts";

export interface MemoryLogOptions {
  /** Monotonic clock, microseconds: the stamps of the log. */
  readonly nowUs: () => number;
  /**
   * Keep every entry, so that `read` can start at 1 at any time (default). A server that runs for
   * long turns it off: entries are dropped as soon as every reader has them.
   */
  readonly retain?: boolean;
}

export class MemoryLog implements Log {
  readonly durability = "in memory: lost when the process ends";
  readonly #nowUs: () => number;
  readonly #retain: boolean;
  #entries: LogEntry[] = [];
  /** Sequence of `#entries[0]`. */
  #first = 1;
  #head = 0;
  #closed = false;
  readonly #tails = new Set<Tail>();

  constructor({ nowUs, retain = true }: MemoryLogOptions) {
    this.#nowUs = nowUs;
    this.#retain = retain;
  }

  append(entry: Entry): Promise<number> {
    if (this.#closed) {
      return Promise.reject(new LogError("the log is closed", { definite: true }));
    }
    this.#head += 1;
    this.#entries.push({ sequence: this.#head, stampUs: this.#nowUs(), entry });
    for (const tail of this.#tails) tail.wake();
    return Promise.resolve(this.#head);
  }

  read(from: number, deliver: (entries: readonly LogEntry[]) => void): LogReader {
    if (from < this.#first) {
      throw new LogError(`entries before ${this.#first} were dropped`, { definite: true });
    }
    const tail: Tail = new Tail(from, deliver, {
      take: (next) => this.#entries.slice(next - this.#first),
      delivered: () => this.#drop(),
      stopped: () => this.#tails.delete(tail),
    });
    this.#tails.add(tail);
    tail.wake();
    return tail;
  }

  head(): Promise<number> {
    return Promise.resolve(this.#head);
  }

  close(): Promise<void> {
    this.#closed = true;
    for (const tail of this.#tails) tail.stop();
    return Promise.resolve();
  }

  #drop(): void {
    if (this.#retain) return;
    let slowest = this.#head + 1;
    for (const tail of this.#tails) if (tail.next < slowest) slowest = tail.next;
    if (slowest === this.#first) return;
    this.#entries = this.#entries.slice(slowest - this.#first);
    this.#first = slowest;
  }
}

// SPDX-License-Identifier: MIT
// Tail: one reader of a log that lives in this process. Delivers in a microtask, never from inside
// `append` or `read` (log.ts), and everything that has come since the last delivery at once.
import type { LogEntry } from "../core/command.ts";
import type { LogReader } from "./log.ts";

export interface TailSource {
  /** Stored entries from this sequence on; may stop short, then `wake` is called again. */
  take(next: number): readonly LogEntry[];
  delivered(): void;
  stopped(): void;
}

export class Tail implements LogReader {
  /** Sequence of the next entry to deliver. */
  next: number;
  readonly #deliver: (entries: readonly LogEntry[]) => void;
  readonly #source: TailSource;
  #scheduled = false;
  #stopped = false;

  constructor(next: number, deliver: (entries: readonly LogEntry[]) => void, source: TailSource) {
    this.next = next;
    this.#deliver = deliver;
    this.#source = source;
  }

  /** Says that there may be entries. */
  wake(): void {
    if (this.#scheduled || this.#stopped) return;
    this.#scheduled = true;
    queueMicrotask(this.#run);
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#source.stopped();
  }

  readonly #run = (): void => {
    this.#scheduled = false;
    if (this.#stopped) return;
    const entries = this.#source.take(this.next);
    const last = entries.at(-1);
    if (last === undefined) return;
    this.next = last.sequence + 1;
    this.#deliver(entries);
    this.#source.delivered();
    this.wake();
  };
}

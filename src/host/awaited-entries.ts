// SPDX-License-Identifier: MIT
// Who waits until an entry of the log is applied.
import type { LogError } from "../engine/log.ts";

interface Awaited {
  readonly at: number;
  readonly resolve: () => void;
  readonly reject: (error: LogError) => void;
}

export class AwaitedEntries {
  #awaited: readonly Awaited[] = [];

  /** Resolves when entries up to this one are applied. @throws LogError what `fail` was given */
  until(at: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#awaited = [...this.#awaited, { at, resolve, reject }];
    });
  }

  applied(sequence: number): void {
    if (this.#awaited.length === 0) return;
    const reached = this.#awaited.filter(({ at }) => at <= sequence);
    if (reached.length > 0) this.#awaited = this.#awaited.filter(({ at }) => at > sequence);
    for (const { resolve } of reached) resolve();
  }

  fail(error: LogError): void {
    const awaited = this.#awaited;
    this.#awaited = [];
    for (const { reject } of awaited) reject(error);
  }
}

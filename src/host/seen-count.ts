// SPDX-License-Identifier: MIT
// When the log is told what an edge has had: other servers, and snapshots, keep it until then. Not
// each time, because it would cost an entry for every answer.

import { type Life, LifeTable } from "./life-table.ts";

/** Entries with effects that an edge has had before the log is told. */
const seenEveryMax = 64;

export class SeenCount {
  /** Entries that each has had since the log was told. */
  readonly #counts = new LifeTable<number>();

  /** @returns whether the log is to be told what an edge has had. */
  add(life: Life, entries: number): boolean {
    const count = (this.#counts.get(life) ?? 0) + entries;
    const isMuch = count >= seenEveryMax;
    if (isMuch || count === 0) this.#counts.delete(life);
    else this.#counts.set(life, count);
    return isMuch;
  }

  forget(life: Life): void {
    this.#counts.delete(life);
  }
}

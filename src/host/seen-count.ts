// SPDX-License-Identifier: MIT
// When the log is told what an edge has had: other servers, and snapshots, keep it until then. Not
// each time, because it would cost an entry for every answer.

/** Entries with effects that an edge has had before the log is told. */
const seenEveryMax = 64;

export class SeenCount {
  /** By edge and incarnation: entries that it has had since the log was told. */
  readonly #counts = new Map<string, number>();

  /** @returns whether the log is to be told what an edge has had. */
  add(key: string, entries: number): boolean {
    const count = (this.#counts.get(key) ?? 0) + entries;
    const isMuch = count >= seenEveryMax;
    if (isMuch || count === 0) this.#counts.delete(key);
    else this.#counts.set(key, count);
    return isMuch;
  }

  forget(key: string): void {
    this.#counts.delete(key);
  }
}

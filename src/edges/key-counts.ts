// SPDX-License-Identifier: MIT
// How many of something each of many has: connections of a client, requests of a sender. Who has
// none takes no room, so that the table is bounded by what is counted.
export class KeyCounts<Key = string> {
  readonly #counts = new Map<Key, number>();

  of(key: Key): number {
    return this.#counts.get(key) ?? 0;
  }

  /** Of whoever has most; 0 when nobody has any. */
  get most(): number {
    return Math.max(0, ...this.#counts.values());
  }

  add(key: Key): void {
    this.#counts.set(key, this.of(key) + 1);
  }

  /** One of those that were added is gone. */
  drop(key: Key): void {
    const left = this.of(key) - 1;
    if (left > 0) this.#counts.set(key, left);
    else this.#counts.delete(key);
  }

  clear(): void {
    this.#counts.clear();
  }
}

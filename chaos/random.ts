// SPDX-License-Identifier: MIT
// Chance from a seed: the plan of faults and the rounds of the load come from it, so that a run can
// be repeated as far as the machine lets it.

/** xorshift32. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = mix(seed) || 1;
  }

  /** 0 to `end - 1`. */
  below(end: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    this.#state >>>= 0;
    return this.#state % end;
  }

  /** Both included. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error("nothing to pick from");
    return item;
  }
}

/** A number that looks like chance, the same for everybody who has the same parts. */
export function hashOf(...parts: readonly number[]): number {
  return parts.reduce((sum, part) => mix(Math.imul(sum ^ part, 0x9e3779b1) + part), 0x51ed270b);
}

function mix(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

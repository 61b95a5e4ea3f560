// SPDX-License-Identifier: MIT
// Effects kept for edges that are away, or that have not said yet that they have them (H3).
import type { EdgeEffect } from "../core/effect.ts";

export interface Kept {
  readonly sequence: number;
  readonly effects: readonly EdgeEffect[];
}

interface Incarnation {
  readonly edge: string;
  readonly incarnation: number;
}

/** Ended incarnations whose last words are kept for a late return; the oldest goes first. */
const endedKeptMax = 1_000;
/**
 * How many of them each: a host that replays its log keeps everything it ever told an edge until
 * the edge comes back and says what it has seen, or ends.
 */
const lastWordsMax = 64;

export class EffectStore {
  readonly #kept = new Map<string, Kept[]>();

  /** @param key of the incarnation (`keyOf`): whoever hands out has it already. */
  keep(key: string, sequence: number, effects: readonly EdgeEffect[]): void {
    const isEnd = effects.some(({ kind }) => kind === "revoked");
    const before = this.#kept.get(key) ?? [];
    const kept = isEnd ? before.slice(1 - lastWordsMax) : before;
    kept.push({ sequence, effects });
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    if (this.#kept.size > endedKeptMax) this.#dropOldestEnded();
  }

  after(incarnation: Incarnation, sequence: number): readonly Kept[] {
    return (this.#kept.get(keyOf(incarnation)) ?? []).filter((kept) => kept.sequence > sequence);
  }

  /** @returns how many there were up to there. */
  drop(incarnation: Incarnation, sequence: number): number {
    const key = keyOf(incarnation);
    const kept = this.#kept.get(key);
    if (kept === undefined) return 0;
    const rest = kept.filter((one) => one.sequence > sequence);
    if (rest.length === 0) this.#kept.delete(key);
    else this.#kept.set(key, rest);
    return kept.length - rest.length;
  }

  #dropOldestEnded(): void {
    for (const [key, kept] of this.#kept) {
      if (kept.some(({ effects }) => effects.some(({ kind }) => kind === "revoked"))) {
        this.#kept.delete(key);
        return;
      }
    }
  }
}

/** How an incarnation of an edge is found in tables. */
export function keyOf({ edge, incarnation }: Incarnation): string {
  return `${edge} ${incarnation}`;
}

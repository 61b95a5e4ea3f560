// SPDX-License-Identifier: MIT
// Effects kept for edges that are away, or that have not said yet that they have them (H3).
import type { EdgeEffect } from "../core/effect.ts";

interface Kept {
  readonly sequence: number;
  readonly effects: readonly EdgeEffect[];
}

interface Incarnation {
  readonly edge: string;
  readonly incarnation: number;
}

/** Ended incarnations whose last word (`revoked`) is kept for a late return; the oldest goes first. */
const endedKeptMax = 1_000;

export class EffectStore {
  readonly #kept = new Map<string, Kept[]>();

  keep(incarnation: Incarnation, sequence: number, effects: readonly EdgeEffect[]): void {
    const key = keyOf(incarnation);
    const isEnd = effects.some(({ kind }) => kind === "revoked");
    const kept = isEnd ? [] : (this.#kept.get(key) ?? []);
    kept.push({ sequence, effects });
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    if (this.#kept.size > endedKeptMax) this.#dropOldestEnded();
  }

  after(incarnation: Incarnation, sequence: number): readonly Kept[] {
    return (this.#kept.get(keyOf(incarnation)) ?? []).filter((kept) => kept.sequence > sequence);
  }

  drop(incarnation: Incarnation, sequence: number): void {
    const key = keyOf(incarnation);
    const rest = this.after(incarnation, sequence);
    if (rest.length === 0) this.#kept.delete(key);
    else this.#kept.set(key, [...rest]);
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

function keyOf({ edge, incarnation }: Incarnation): string {
  return `${edge} ${incarnation}`;
}

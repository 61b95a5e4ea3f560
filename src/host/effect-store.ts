// SPDX-License-Identifier: MIT
// Effects kept for edges that are away, or that have not said yet that they have them (H3).
// Incarnations that live and those that have ended are apart: thousands that live are usual, and
// making room for the last words of one that ends must not be a walk over them.
import type { AddressedEffect, EdgeEffect } from "../core/effect.ts";

export interface Kept {
  readonly sequence: number;
  readonly effects: readonly EdgeEffect[];
}

type Rows = readonly (readonly [key: string, kept: readonly Kept[]])[];

/** As plain data. */
export interface KeptDump {
  readonly living: Rows;
  readonly ended: Rows;
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
  /** By key of the incarnation (`keyOf`). */
  readonly #living = new Map<string, readonly Kept[]>();
  /** In the order in which they ended. */
  readonly #ended = new Map<string, readonly Kept[]>();

  /** @param key of the incarnation: whoever hands out has it already. */
  keep(key: string, sequence: number, effects: readonly EdgeEffect[]): void {
    const kept = [...(this.#living.get(key) ?? this.#ended.get(key) ?? []), { sequence, effects }];
    if (!this.#ended.has(key) && !effects.some(({ kind }) => kind === "revoked")) {
      this.#living.set(key, kept);
      return;
    }
    this.#living.delete(key);
    this.#ended.delete(key);
    this.#ended.set(key, kept.slice(-lastWordsMax));
    if (this.#ended.size <= endedKeptMax) return;
    for (const oldest of this.#ended.keys()) {
      this.#ended.delete(oldest);
      return;
    }
  }

  after(incarnation: Incarnation, sequence: number): readonly Kept[] {
    const key = keyOf(incarnation);
    const kept = this.#living.get(key) ?? this.#ended.get(key) ?? [];
    return kept.filter((one) => one.sequence > sequence);
  }

  /** @returns how many there were up to there. */
  drop(incarnation: Incarnation, sequence: number): number {
    const key = keyOf(incarnation);
    const table = this.#living.has(key) ? this.#living : this.#ended;
    const kept = table.get(key);
    if (kept === undefined) return 0;
    const rest = kept.filter((one) => one.sequence > sequence);
    if (rest.length === 0) table.delete(key);
    else table.set(key, rest);
    return kept.length - rest.length;
  }

  /** All of it, oldest first; `load` takes it again. */
  dump(): KeptDump {
    return { living: [...this.#living], ended: [...this.#ended] };
  }

  /** In place of what is there. */
  load({ living, ended }: KeptDump): void {
    fill(this.#living, living);
    fill(this.#ended, ended);
  }
}

/** How an incarnation of an edge is found in tables. */
export function keyOf({ edge, incarnation }: Incarnation): string {
  return `${edge} ${incarnation}`;
}

/** What one entry says to each incarnation of an edge, by its key. */
export function byEdge(
  addressed: readonly AddressedEffect[],
): ReadonlyMap<string, { readonly edge: string; readonly effects: readonly EdgeEffect[] }> {
  const found = new Map<string, { readonly edge: string; readonly effects: EdgeEffect[] }>();
  for (const to of addressed) {
    const key = keyOf(to);
    const known = found.get(key);
    if (known === undefined) found.set(key, { edge: to.edge, effects: [to.effect] });
    else known.effects.push(to.effect);
  }
  return found;
}

function fill(table: Map<string, readonly Kept[]>, rows: Rows): void {
  table.clear();
  for (const [key, kept] of rows) table.set(key, kept);
}

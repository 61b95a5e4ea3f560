// SPDX-License-Identifier: MIT
// Effects kept for edges that are away, or that have not said yet that they have them (H3).
// Incarnations that live and those that have ended are apart: thousands that live are usual, and
// making room for the last words of one that ends must not be a walk over them.
import type { AddressedEffect, EdgeEffect } from "../core/effect.ts";
import { type Life, LifeTable } from "./life-table.ts";

export interface Kept {
  readonly sequence: number;
  readonly effects: readonly EdgeEffect[];
}

type Rows = readonly (readonly [life: Life, kept: readonly Kept[]])[];

/** As plain data. */
export interface KeptDump {
  readonly living: Rows;
  readonly ended: Rows;
}

/** Ended incarnations whose last words are kept for a late return; the oldest goes first. */
const endedKeptMax = 1_000;
/**
 * How many of them each: a host that replays its log keeps everything it ever told an edge until
 * the edge comes back and says what it has seen, or ends.
 */
const lastWordsMax = 64;

export class EffectStore {
  readonly #living = new LifeTable<readonly Kept[]>();
  /** In the order in which they ended. */
  readonly #ended = new LifeTable<readonly Kept[]>();

  keep(life: Life, sequence: number, effects: readonly EdgeEffect[]): void {
    const isEnd = effects.some(({ kind }) => kind === "revoked");
    const ended = this.#ended.get(life);
    const kept = [...(this.#living.get(life) ?? ended ?? []), { sequence, effects }];
    if (!isEnd && ended === undefined) {
      this.#living.set(life, kept);
      return;
    }
    this.#living.delete(life);
    this.#ended.delete(life);
    this.#ended.set(life, kept.slice(-lastWordsMax));
    if (this.#ended.size > endedKeptMax) this.#ended.deleteFirst();
  }

  after(life: Life, sequence: number): readonly Kept[] {
    const kept = this.#living.get(life) ?? this.#ended.get(life) ?? [];
    return kept.filter((one) => one.sequence > sequence);
  }

  /** @returns how many there were up to there. */
  drop(life: Life, sequence: number): number {
    const living = this.#living.get(life);
    const table = living === undefined ? this.#ended : this.#living;
    const kept = living ?? this.#ended.get(life);
    if (kept === undefined) return 0;
    const rest = kept.filter((one) => one.sequence > sequence);
    if (rest.length === 0) table.delete(life);
    else table.set(life, rest);
    return kept.length - rest.length;
  }

  /** All of it, oldest first; `load` takes it again. */
  dump(): KeptDump {
    return { living: this.#living.rows(), ended: this.#ended.rows() };
  }

  /** In place of what is there. */
  load({ living, ended }: KeptDump): void {
    this.#living.load(living);
    this.#ended.load(ended);
  }
}

/** What one entry says to each incarnation of an edge. */
export function byEdge(
  addressed: readonly AddressedEffect[],
): readonly { readonly life: Life; readonly effects: readonly EdgeEffect[] }[] {
  const found = new LifeTable<{ readonly life: Life; readonly effects: EdgeEffect[] }>();
  for (const to of addressed) {
    const known = found.get(to);
    if (known === undefined) found.set(to, { life: to, effects: [to.effect] });
    else known.effects.push(to.effect);
  }
  return found.values();
}

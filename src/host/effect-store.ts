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
  /** Of one that lives the list stays when it is empty: most are filled again soon. */
  readonly #living = new LifeTable<Kept[]>();
  /** In the order in which they ended. */
  readonly #ended = new LifeTable<Kept[]>();

  keep(life: Life, sequence: number, effects: readonly EdgeEffect[]): void {
    const isEnd = effects.some(({ kind }) => kind === "revoked");
    const living = this.#living.get(life);
    if (living !== undefined && !isEnd) {
      living.push({ sequence, effects });
      return;
    }
    const ended = this.#ended.get(life);
    const kept = [...(living ?? ended ?? []), { sequence, effects }];
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
    const kept = living ?? this.#ended.get(life);
    if (kept === undefined) return 0;
    const found = kept.findIndex((one) => one.sequence > sequence);
    const count = found < 0 ? kept.length : found;
    kept.splice(0, count);
    if (living === undefined && kept.length === 0) this.#ended.delete(life);
    return count;
  }

  /** All of it, oldest first; `load` takes it again. */
  dump(): KeptDump {
    const rows = (table: LifeTable<Kept[]>): Rows =>
      table.rows().flatMap(([life, kept]) => (kept.length === 0 ? [] : [[life, [...kept]]]));
    return { living: rows(this.#living), ended: rows(this.#ended) };
  }

  /** In place of what is there. */
  load({ living, ended }: KeptDump): void {
    const lists = (rows: Rows): readonly (readonly [Life, Kept[]])[] =>
      rows.map(([life, kept]) => [life, [...kept]]);
    this.#living.load(lists(living));
    this.#ended.load(lists(ended));
  }
}

/** What is said to one incarnation. */
interface Said {
  readonly life: Life;
  readonly effects: EdgeEffect[];
}

/** What one entry says to each incarnation of an edge, in the order in which they come up. */
export function byEdge(addressed: readonly AddressedEffect[]): readonly Said[] {
  const said: Said[] = [];
  // One that ends may be told so beside the next: only then is more than the newest looked at.
  const newest = new Map<string, Said>();
  for (const to of addressed) {
    let known = newest.get(to.edge);
    if (known !== undefined && known.life.incarnation !== to.incarnation) {
      known = said.find(({ life }) => life.edge === to.edge && life.incarnation === to.incarnation);
    }
    if (known === undefined) {
      known = { life: to, effects: [] };
      said.push(known);
      newest.set(to.edge, known);
    }
    known.effects.push(to.effect);
  }
  return said;
}

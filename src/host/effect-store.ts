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

/** What is kept for one incarnation. */
interface Place {
  kept: Kept[];
}

/** Of the many who have seen everything; nothing is ever added to it. */
const nothing: Kept[] = [];

export class EffectStore {
  /** Of one that lives the place stays when it is empty: most are filled again soon. */
  readonly #living = new LifeTable<Place>();
  /** In the order in which they ended. */
  readonly #ended = new LifeTable<Place>();

  keep(life: Life, sequence: number, effects: readonly EdgeEffect[]): void {
    const isEnd = effects.some(({ kind }) => kind === "revoked");
    const living = this.#living.get(life);
    const ended = living === undefined ? this.#ended.get(life) : undefined;
    const place = living ?? ended ?? { kept: nothing };
    if (place.kept.length === 0) place.kept = [{ sequence, effects }];
    else place.kept.push({ sequence, effects });
    if (isEnd || ended !== undefined) this.#keepLastWords(life, place.kept);
    else if (living === undefined) this.#living.set(life, place);
  }

  #keepLastWords(life: Life, kept: readonly Kept[]): void {
    this.#living.delete(life);
    this.#ended.delete(life);
    this.#ended.set(life, { kept: kept.slice(-lastWordsMax) });
    if (this.#ended.size > endedKeptMax) this.#ended.deleteFirst();
  }

  after(life: Life, sequence: number): readonly Kept[] {
    const { kept = nothing } = this.#living.get(life) ?? this.#ended.get(life) ?? {};
    return kept.filter((one) => one.sequence > sequence);
  }

  /** @returns how many there were up to there. */
  drop(life: Life, sequence: number): number {
    const living = this.#living.get(life);
    const place = living ?? this.#ended.get(life);
    if (place === undefined) return 0;
    const { kept } = place;
    const rest = kept.filter((one) => one.sequence > sequence);
    place.kept = rest.length === 0 ? nothing : rest;
    if (living === undefined && rest.length === 0) this.#ended.delete(life);
    return kept.length - rest.length;
  }

  /** All of it, oldest first; `load` takes it again. */
  dump(): KeptDump {
    return { living: rowsOf(this.#living), ended: rowsOf(this.#ended) };
  }

  /** In place of what is there. */
  load({ living, ended }: KeptDump): void {
    this.#living.load(living.map(([life, kept]) => [life, { kept: [...kept] }] as const));
    this.#ended.load(ended.map(([life, kept]) => [life, { kept: [...kept] }] as const));
  }
}

function rowsOf(table: LifeTable<Place>): Rows {
  return table
    .rows()
    .filter(([, { kept }]) => kept.length > 0)
    .map(([life, { kept }]) => [life, [...kept]] as const);
}

/** What is said to one incarnation. */
interface Said {
  readonly life: Life;
  readonly effects: EdgeEffect[];
}

/** What one entry says to each incarnation of an edge, in the order in which they come up. */
export function byEdge(addressed: readonly AddressedEffect[]): readonly Said[] {
  const [only] = addressed;
  if (only !== undefined && addressed.length === 1) return [{ life: only, effects: [only.effect] }];
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

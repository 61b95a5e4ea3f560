// SPDX-License-Identifier: MIT
// The arrivals with keys of one scope (keyed-arrivals.ts): who is to be told of them, and of those
// that nobody is to be told of any more what is known, for whoever asks again. Bounded: the oldest
// of these makes room.
import type { ConnectionId } from "../command.ts";
import { Digest } from "../digest.ts";
import type { Acknowledged, QuorumStatus, Released } from "../effect.ts";
import { keyedPerScopeMax } from "../limits.ts";
import type { KeyedCommand } from "./commands.ts";

/** Who is told what becomes of an arrival. */
export interface Holder {
  readonly edge: string;
  readonly incarnation: number;
  readonly connection: ConnectionId;
}

export interface KeyedArrival {
  readonly scope: string;
  readonly barrier: string;
  readonly kind: KeyedCommand["kind"];
  readonly key: string;
  /** Undefined: nobody, it has ended or was taken back. */
  holder: Holder | undefined;
  /** Who waited was taken back, and what it signalled has no number yet (X3). */
  hasLeft: boolean;
  /** Of a signal: its number. */
  value: number | undefined;
  end: KeyedEnd | undefined;
  /** Log time until which it is known, when nobody holds it. */
  untilUs: number;
}

/** How one ended; of a signal alone its value says it. */
export type KeyedEnd =
  | Omit<Released, "connections" | "presence">
  | Pick<Acknowledged, "kind">
  | Omit<QuorumStatus, "connection" | "missing" | "presence">
  | { readonly kind: "signalled" };

/** As a snapshot has it. */
export type KeyedSnapshot = Omit<KeyedArrival, "scope" | "holder" | "value" | "end"> & {
  readonly holder: Holder | null;
  readonly value: number | null;
  readonly end: KeyedEnd | null;
};

/** Names of who was missing that are kept of an end: one is kept for each arrival. */
const missingKeptMax = 16;

/** Who asks again is told what was told, but for the lists of who was there. */
export function keepEnd(effect: Released | QuorumStatus): KeyedEnd {
  if (effect.kind === "quorum-status") {
    const { connection: _, missing: __, presence: ___, ...status } = effect;
    return status;
  }
  const { connections: _, presence: __, missing, ...end } = effect;
  return missing === undefined ? end : { ...end, missing: missing.slice(0, missingKeptMax) };
}

export class KeyedTable {
  readonly #rows = new Map<string, KeyedArrival>();
  /** Those that nobody holds, in the order in which they are forgotten. */
  readonly #kept = new Set<KeyedArrival>();
  readonly #hashed = new Digest();
  readonly #unhashed = new Set<KeyedArrival>();

  get size(): number {
    return this.#rows.size;
  }

  get(key: string): KeyedArrival | undefined {
    return this.#rows.get(key);
  }

  all(): Iterable<KeyedArrival> {
    return this.#rows.values();
  }

  add(keyed: KeyedArrival): void {
    this.#rows.set(keyed.key, keyed);
    this.#unhashed.add(keyed);
    if (keyed.holder === undefined) this.#keep(keyed);
  }

  /** To be called before it is changed. */
  touch(keyed: KeyedArrival): void {
    this.#kept.delete(keyed);
    if (this.#unhashed.has(keyed)) return;
    this.#hashed.addRow(rowOf(keyed), -1);
    this.#unhashed.add(keyed);
  }

  /** Nobody holds it any more, until `untilUs`, which is not before that of any other. */
  keep(keyed: KeyedArrival, untilUs: number): void {
    this.touch(keyed);
    keyed.untilUs = untilUs;
    this.#keep(keyed);
  }

  drop(keyed: KeyedArrival): void {
    this.touch(keyed);
    this.#unhashed.delete(keyed);
    this.#rows.delete(keyed.key);
  }

  /** What is over its time. */
  forget(nowUs: number): void {
    for (const keyed of this.#kept) {
      if (keyed.untilUs > nowUs) return;
      this.drop(keyed);
    }
  }

  /** Of all of them (D11). */
  digest(): Digest {
    for (const keyed of this.#unhashed) this.#hashed.addRow(rowOf(keyed), 1);
    this.#unhashed.clear();
    return this.#hashed;
  }

  capture(): readonly KeyedSnapshot[] {
    const held = [...this.#rows.values()].filter((keyed) => !this.#kept.has(keyed));
    return [...held, ...this.#kept].map(capture);
  }

  restore(scope: string, rows: readonly KeyedSnapshot[]): void {
    for (const { holder, value, end, ...rest } of rows) {
      const known = { holder: holder ?? undefined, value: value ?? undefined };
      this.add({ scope, ...rest, ...known, end: end ?? undefined });
    }
  }

  #keep(keyed: KeyedArrival): void {
    this.#kept.add(keyed);
    const [oldest] = this.#kept;
    if (this.#kept.size > keyedPerScopeMax && oldest !== undefined) this.drop(oldest);
  }
}

function capture({ scope: _, holder, value, end, ...rest }: KeyedArrival): KeyedSnapshot {
  return { ...rest, holder: holder ?? null, value: value ?? null, end: end ?? null };
}

function rowOf(keyed: KeyedArrival): string {
  return `keyed ${keyed.scope} ${JSON.stringify(capture(keyed))}`;
}

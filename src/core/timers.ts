// SPDX-License-Identifier: MIT
// Timers as rows (D3): what is due when, in log time. Nothing here fires by itself; `apply` takes
// due rows out before it applies the commands of an entry, so that replicas agree. Rows come out in
// (due, id) order (T1, T2 of due-heap.ts); ids are given in order of setting.
import { assert } from "./assert.ts";
import { Digest } from "./digest.ts";
import { DueHeap } from "./due-heap.ts";
import type { BarrierKind } from "./effect.ts";

/** What a timer is for. */
export type TimerPurpose =
  | { readonly kind: "wait-timeout"; readonly edge: string; readonly connection: number }
  | {
      readonly kind: "wait-warning";
      readonly scope: string;
      readonly barrier: string;
      readonly barrierKind: BarrierKind;
      readonly part: number;
    }
  | {
      readonly kind: "barrier-deadline";
      readonly scope: string;
      readonly barrier: string;
      readonly barrierKind: BarrierKind;
      readonly part: number;
    }
  | {
      readonly kind: "quorum-init" | "quorum-echo";
      readonly scope: string;
      readonly barrier: string;
    }
  /** The next report to the controller above, the next news for those below. */
  | { readonly kind: "tree-report" | "tree-news"; readonly scope: string }
  | { readonly kind: "edge-lease"; readonly edge: string; readonly incarnation: number }
  /** `item` 0: the next event is due; else the deadline of that event's completion. */
  | { readonly kind: "agenda"; readonly scope: string; readonly item: number };

export interface TimerRow {
  readonly id: number;
  readonly dueUs: number;
  readonly purpose: TimerPurpose;
}

interface HeldRow extends TimerRow {
  /** Whether it is in the digest of the table. */
  isHashed: boolean;
}

export class Timers {
  readonly #rows = new DueHeap<HeldRow>();
  /** Of the live rows that are hashed (`digest`). */
  #hashed = new Digest();
  #lastId = 0;

  /** @returns the id to clear it by. */
  set(dueUs: number, purpose: TimerPurpose): number {
    this.#lastId += 1;
    this.#rows.add({ id: this.#lastId, dueUs, purpose, isHashed: false });
    return this.#lastId;
  }

  /** For something else, at the same instant and in the same turn. */
  replace(id: number, purpose: TimerPurpose): void {
    const row = this.#rows.remove(id);
    assert(row !== undefined, "a row that is replaced is there");
    this.#unhash(row);
    this.#rows.add({ id, dueUs: row.dueUs, purpose, isHashed: false });
  }

  /** Takes a row out before it is due. Clearing a row that is gone does nothing. */
  clear(id: number): void {
    this.#unhash(this.#rows.remove(id));
  }

  /** The earliest due instant, or undefined when no timer is set. */
  nextDueUs(): number | undefined {
    return this.#rows.nextDueUs();
  }

  /** Takes out the earliest row that is due at `nowUs`, or undefined. Call until undefined. */
  takeDue(nowUs: number): TimerRow | undefined {
    const row = this.#rows.takeDue(nowUs);
    this.#unhash(row);
    return row;
  }

  /** The last id that was given. */
  get lastId(): number {
    return this.#lastId;
  }

  /**
   * Of the live rows (D11). One is hashed when a digest is asked for, and then once: most have gone
   * before, and what stays is not read again.
   */
  digest(): Digest {
    for (const row of this.#rows.live()) {
      if (row.isHashed) continue;
      row.isHashed = true;
      this.#hashed.addRow(describeRow(row), 1);
    }
    return this.#hashed;
  }

  /** Live rows in (due, id) order, and the last id given: what a snapshot keeps. */
  dump(): { readonly lastId: number; readonly rows: readonly TimerRow[] } {
    const rows = this.#rows.rows().map(({ id, dueUs, purpose }) => ({ id, dueUs, purpose }));
    return { lastId: this.#lastId, rows };
  }

  /** As if none had ever been set. */
  clearAll(): void {
    this.#rows.clear();
    this.#hashed = new Digest();
    this.#lastId = 0;
  }

  load(dump: { readonly lastId: number; readonly rows: readonly TimerRow[] }): void {
    assert(this.#lastId === 0, "timers are loaded into an empty table");
    this.#lastId = dump.lastId;
    for (const row of dump.rows) this.#rows.add({ ...row, isHashed: false });
  }

  /** The row is not live any more. */
  #unhash(row: HeldRow | undefined): void {
    if (row?.isHashed) this.#hashed.addRow(describeRow(row), -1);
  }
}

function describeRow({ id, dueUs, purpose }: TimerRow): string {
  return `timer ${id} ${dueUs} ${JSON.stringify(purpose)}`;
}

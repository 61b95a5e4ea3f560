// SPDX-License-Identifier: MIT
// Timers as rows (D3): what is due when, in log time. Nothing here fires by itself; `apply` takes
// due rows out before it applies the commands of an entry, so that replicas agree.
//
//   T1. Rows come out in (due, id) order; ids are given in order of setting.
//   T2. A cleared row never comes out.
import { assert } from "./assert.ts";

/** What a timer is for. */
export type TimerPurpose =
  | { readonly kind: "wait-timeout"; readonly edge: string; readonly connection: number }
  | { readonly kind: "wait-warning"; readonly scope: string; readonly barrier: string }
  | { readonly kind: "edge-lease"; readonly edge: string; readonly incarnation: number }
  | { readonly kind: "agenda"; readonly scope: string; readonly entry: number };

export interface TimerRow {
  readonly id: number;
  readonly dueUs: number;
  readonly purpose: TimerPurpose;
}

const isBefore = (a: TimerRow, b: TimerRow): boolean =>
  a.dueUs < b.dueUs || (a.dueUs === b.dueUs && a.id < b.id);

export class Timers {
  /** Binary heap by (due, id); cleared rows stay until they surface. */
  #heap: TimerRow[] = [];
  readonly #live = new Set<number>();
  #lastId = 0;

  /** @returns the id to clear it by. */
  set(dueUs: number, purpose: TimerPurpose): number {
    this.#lastId += 1;
    const row = { id: this.#lastId, dueUs, purpose };
    this.#live.add(row.id);
    this.#push(row);
    return row.id;
  }

  /** Takes a row out before it is due. Clearing a row that is gone does nothing. */
  clear(id: number): void {
    if (!this.#live.delete(id)) return;
    // Cleared rows must not pile up behind a far deadline: rebuild when they are the majority.
    if (this.#heap.length > 64 && this.#live.size * 2 < this.#heap.length) {
      const rows = this.#heap.filter((row) => this.#live.has(row.id));
      this.#heap = [];
      for (const row of rows) this.#push(row);
    }
  }

  /** The earliest due instant, or undefined when no timer is set. */
  nextDueUs(): number | undefined {
    this.#dropCleared();
    return this.#heap[0]?.dueUs;
  }

  /** Takes out the earliest row that is due at `nowUs`, or undefined. Call until undefined. */
  takeDue(nowUs: number): TimerRow | undefined {
    this.#dropCleared();
    const first = this.#heap[0];
    if (first === undefined || first.dueUs > nowUs) return undefined;
    this.#pop();
    this.#live.delete(first.id);
    return first;
  }

  /** Live rows in (due, id) order, and the last id given: what a snapshot keeps. */
  dump(): { readonly lastId: number; readonly rows: readonly TimerRow[] } {
    const rows = this.#heap.filter((row) => this.#live.has(row.id));
    rows.sort((a, b) => (isBefore(a, b) ? -1 : 1));
    return { lastId: this.#lastId, rows };
  }

  load(dump: { readonly lastId: number; readonly rows: readonly TimerRow[] }): void {
    assert(this.#lastId === 0, "timers are loaded into an empty table");
    this.#lastId = dump.lastId;
    for (const row of dump.rows) {
      this.#live.add(row.id);
      this.#push(row);
    }
  }

  #dropCleared(): void {
    for (let first = this.#heap[0]; first !== undefined; first = this.#heap[0]) {
      if (this.#live.has(first.id)) return;
      this.#pop();
    }
  }

  #push(row: TimerRow): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(row);
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = heap[parentIndex] as TimerRow;
      if (!isBefore(row, parent)) break;
      heap[index] = parent;
      index = parentIndex;
    }
    heap[index] = row;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      let childIndex = 2 * index + 1;
      const left = heap[childIndex];
      if (left === undefined) break;
      const right = heap[childIndex + 1];
      if (right !== undefined && isBefore(right, left)) childIndex += 1;
      const child = heap[childIndex] as TimerRow;
      if (!isBefore(child, last)) break;
      heap[index] = child;
      index = childIndex;
    }
    heap[index] = last;
  }
}

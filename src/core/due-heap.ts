// SPDX-License-Identifier: MIT
// Rows that are due at an instant, in a binary heap by (due, id). Owns the order and nothing else:
// what a row is for is the business of the caller.
//
//   T1. Rows come out in (due, id) order: among equals in the order of their ids.
//   T2. A removed row never comes out.
import { assert } from "./assert.ts";

export interface DueRow {
  /** No other row of the heap has it. */
  readonly id: number;
  readonly dueUs: number;
}

const isBefore = (a: DueRow, b: DueRow): boolean =>
  a.dueUs < b.dueUs || (a.dueUs === b.dueUs && a.id < b.id);

export class DueHeap<Row extends DueRow> {
  /** Removed rows stay until they surface, or are the majority. */
  #heap: Row[] = [];
  readonly #live = new Map<number, Row>();

  get size(): number {
    return this.#live.size;
  }

  add(row: Row): void {
    assert(!this.#live.has(row.id), "a row is in the heap once");
    this.#live.set(row.id, row);
    this.#push(row);
  }

  /** @returns the row, if it was there. */
  remove(id: number): Row | undefined {
    const row = this.#live.get(id);
    if (row === undefined) return undefined;
    this.#live.delete(id);
    // Removed rows must not pile up behind a far deadline: rebuild when they are the majority.
    if (this.#heap.length > 64 && this.#live.size * 2 < this.#heap.length) {
      this.#heap = [];
      for (const each of this.#live.values()) this.#push(each);
    }
    return row;
  }

  clear(): void {
    this.#heap = [];
    this.#live.clear();
  }

  /** The earliest due instant, or undefined when there is no row. */
  nextDueUs(): number | undefined {
    this.#dropRemoved();
    return this.#heap[0]?.dueUs;
  }

  /** The earliest row, which stays. */
  first(): Row | undefined {
    this.#dropRemoved();
    return this.#heap[0];
  }

  /** Takes out the earliest row that is due at `nowUs`, or undefined. */
  takeDue(nowUs: number): Row | undefined {
    this.#dropRemoved();
    const first = this.#heap[0];
    if (first === undefined || first.dueUs > nowUs) return undefined;
    this.#pop();
    this.#live.delete(first.id);
    return first;
  }

  /** In the order in which they were added. */
  live(): Iterable<Row> {
    return this.#live.values();
  }

  /** In (due, id) order. */
  rows(): readonly Row[] {
    return [...this.#live.values()].sort((a, b) => (isBefore(a, b) ? -1 : 1));
  }

  #dropRemoved(): void {
    for (let first = this.#heap[0]; first !== undefined; first = this.#heap[0]) {
      // The same row and not only the same id: an id may have been added again with another due.
      if (this.#live.get(first.id) === first) return;
      this.#pop();
    }
  }

  #push(row: Row): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(row);
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = heap[parentIndex] as Row;
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
      const child = heap[childIndex] as Row;
      if (!isBefore(child, last)) break;
      heap[index] = child;
      index = childIndex;
    }
    heap[index] = last;
  }
}

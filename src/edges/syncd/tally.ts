// SPDX-License-Identifier: MIT
// Counts what passed through this server, for its verbose log lines and for nothing else: who is
// released is decided by the core alone. The numbers equal the core's as long as all parties of a
// barrier come through this server.

export interface TallyRow {
  readonly name: string;
  /** Sum of the inits less the waits. */
  count: number;
  /** Parties on the list. */
  waiting: number;
}

export class Tally {
  readonly #rows = new Map<string, TallyRow>();

  /** @returns the row of the barrier, and whether this request created it. */
  obtain(name: string): { readonly row: TallyRow; readonly created: boolean } {
    const known = this.#rows.get(name);
    if (known !== undefined) return { row: known, created: false };
    const row: TallyRow = { name, count: 0, waiting: 0 };
    this.#rows.set(name, row);
    return { row, created: true };
  }

  /** A barrier ended. A crossing leaves the sum as it is: what it takes away adds up to 0. */
  end(name: string, released: number, crossed: boolean): void {
    const row = this.#rows.get(name);
    if (row === undefined) return;
    row.waiting -= released;
    if (!crossed) row.count = 0;
    this.settle(row);
  }

  /** Forgets a row that says nothing any more. */
  settle(row: TallyRow): void {
    if (row.count === 0 && row.waiting <= 0) this.#rows.delete(row.name);
  }

  clear(): void {
    this.#rows.clear();
  }
}

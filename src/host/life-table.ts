// SPDX-License-Identifier: MIT
// Values by life: an edge and one of its incarnations. Found by the name first, of which there is
// one text in a process, so that a look costs neither a new text nor a hash; of thousands of edges
// with something to say in each turn that is the most of what it takes to find them.

export interface Life {
  readonly edge: string;
  readonly incarnation: number;
}

interface Row<Value> {
  readonly incarnation: number;
  value: Value;
}

export class LifeTable<Value> {
  /** By edge; one that ends is beside the next for a moment, so that there is more than one. */
  readonly #rows = new Map<string, readonly Row<Value>[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get({ edge, incarnation }: Life): Value | undefined {
    return this.#find(edge, incarnation)?.value;
  }

  has({ edge, incarnation }: Life): boolean {
    return this.#find(edge, incarnation) !== undefined;
  }

  set({ edge, incarnation }: Life, value: Value): void {
    const row = this.#find(edge, incarnation);
    if (row !== undefined) {
      row.value = value;
      return;
    }
    this.#rows.set(edge, [...(this.#rows.get(edge) ?? []), { incarnation, value }]);
    this.#size += 1;
  }

  delete({ edge, incarnation }: Life): boolean {
    const rows = this.#rows.get(edge) ?? [];
    const rest = rows.filter((row) => row.incarnation !== incarnation);
    if (rest.length === rows.length) return false;
    if (rest.length === 0) this.#rows.delete(edge);
    else this.#rows.set(edge, rest);
    this.#size -= 1;
    return true;
  }

  /** What came first, of the edge that came first. */
  deleteFirst(): void {
    for (const [edge, [first]] of this.#rows) {
      if (first !== undefined) this.delete({ edge, incarnation: first.incarnation });
      return;
    }
  }

  /** Edges in the order in which they came. */
  rows(): readonly (readonly [Life, Value])[] {
    const found: [Life, Value][] = [];
    for (const [edge, rows] of this.#rows) {
      for (const { incarnation, value } of rows) found.push([{ edge, incarnation }, value]);
    }
    return found;
  }

  values(): readonly Value[] {
    const found: Value[] = [];
    for (const rows of this.#rows.values()) for (const { value } of rows) found.push(value);
    return found;
  }

  /** In place of what is there. */
  load(rows: readonly (readonly [Life, Value])[]): void {
    this.#rows.clear();
    this.#size = 0;
    for (const [life, value] of rows) this.set(life, value);
  }

  #find(edge: string, incarnation: number): Row<Value> | undefined {
    const rows = this.#rows.get(edge);
    if (rows === undefined) return undefined;
    for (const row of rows) if (row.incarnation === incarnation) return row;
    return undefined;
  }
}

/** How an incarnation of an edge is found in tables by text. */
export function keyOf({ edge, incarnation }: Life): string {
  return `${edge} ${incarnation}`;
}

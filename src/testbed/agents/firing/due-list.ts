// SPDX-License-Identifier: MIT
// What is to be done at instants, soonest first; what is due at one instant stays in the order in
// which it was added. Pure. Made for hundreds of entries: adding moves those that are due earlier.

export class DueList<Item> {
  /** Latest first, so that the soonest is taken from the end. */
  readonly #entries: { readonly dueUs: number; readonly item: Item }[] = [];

  get firstUs(): number | undefined {
    return this.#entries.at(-1)?.dueUs;
  }

  add(dueUs: number, item: Item): void {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const isLater = (this.#entries[middle]?.dueUs ?? 0) > dueUs;
      if (isLater) low = middle + 1;
      else high = middle;
    }
    this.#entries.splice(low, 0, { dueUs, item });
  }

  /** The soonest, if it is due. */
  takeDue(nowUs: number): Item | undefined {
    const last = this.#entries.at(-1);
    if (last === undefined || last.dueUs > nowUs) return undefined;
    this.#entries.pop();
    return last.item;
  }
}

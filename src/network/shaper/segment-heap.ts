// SPDX-License-Identifier: MIT
// Segments by when something of them comes out, in a binary heap that knows where each one is: each
// packet moves its segment twice, so that removing and adding again would be dear.
//
//   H1. The first has the smallest instant.

export interface HeapItem {
  nextUs: number;
  /** Place in the heap, the heap's own; negative when it is in none. */
  place: number;
}

export class SegmentHeap<Item extends HeapItem> {
  readonly #items: Item[] = [];

  get first(): Item | undefined {
    return this.#items[0];
  }

  add(item: Item): void {
    item.place = this.#items.length;
    this.#items.push(item);
    this.moved(item);
  }

  /** It may still be told to have moved. */
  remove(item: Item): void {
    const { place } = item;
    const last = this.#items.pop();
    item.place = -1;
    if (last === undefined || last === item) return;
    this.#items[place] = last;
    last.place = place;
    this.moved(last);
  }

  /** Its instant is another one. */
  moved(item: Item): void {
    if (item.place < 0) return;
    this.#rise(item);
    this.#sink(item);
  }

  #rise(item: Item): void {
    const items = this.#items;
    let place = item.place;
    while (place > 0) {
      const parent = items[(place - 1) >> 1] as Item;
      if (parent.nextUs <= item.nextUs) break;
      items[place] = parent;
      parent.place = place;
      place = (place - 1) >> 1;
    }
    items[place] = item;
    item.place = place;
  }

  #sink(item: Item): void {
    const items = this.#items;
    let place = item.place;
    for (;;) {
      let child = items[2 * place + 1];
      if (child === undefined) break;
      const right = items[2 * place + 2];
      if (right !== undefined && right.nextUs < child.nextUs) child = right;
      if (child.nextUs >= item.nextUs) break;
      const below = child.place;
      items[place] = child;
      child.place = place;
      place = below;
    }
    items[place] = item;
    item.place = place;
  }
}

// SPDX-License-Identifier: MIT
// Notifications that wait for one subscriber, first in, first out; both ends cost the same however
// many there are. The notifications are the ring's: a queue holds no copies.
import type { PlacedNotification } from "../wire/event/bus.ts";
import type { RingItem } from "./notification-ring.ts";

/** Empty places in front of the first, after which the array is cut. */
const spentMax = 1_024;

export class NotificationQueue {
  #items: RingItem[] = [];
  #from = 0;
  #bytes = 0;

  get size(): number {
    return this.#items.length - this.#from;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get first(): RingItem | undefined {
    return this.#items[this.#from];
  }

  push(item: RingItem): void {
    this.#items.push(item);
    this.#bytes += item.bytes;
  }

  shift(): RingItem | undefined {
    const item = this.#items[this.#from];
    if (item === undefined) return undefined;
    this.#from += 1;
    this.#bytes -= item.bytes;
    if (this.#from === this.#items.length) this.clear();
    else if (this.#from >= spentMax && this.#from * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#from);
      this.#from = 0;
    }
    return item;
  }

  /** The next ones within both bounds; the first whatever its size. */
  take(countMax: number, bytesMax: number): readonly PlacedNotification[] {
    const taken: PlacedNotification[] = [];
    let bytes = 0;
    for (let item = this.first; item !== undefined; item = this.first) {
      bytes += item.bytes;
      if (taken.length === countMax || (taken.length > 0 && bytes > bytesMax)) break;
      taken.push(item.placed);
      this.shift();
    }
    return taken;
  }

  clear(): void {
    this.#items = [];
    this.#from = 0;
    this.#bytes = 0;
  }
}

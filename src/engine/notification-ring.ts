// SPDX-License-Identifier: MIT
// The last notifications of a bus, for subscribers that come back.
//
//   R1. It holds the positions `first` to `head` without gaps; `first` is head + 1 when it is
//       empty.
//   R2. It never holds more than its limits say.
import { assert } from "../core/assert.ts";
import type { PlacedNotification } from "../wire/event/bus.ts";
import type { Notification } from "../wire/event/notification.ts";

export interface RingLimits {
  readonly ringNotificationsMax: number;
  readonly ringBytesMax: number;
}

export interface RingItem {
  readonly placed: PlacedNotification;
  readonly bytes: number;
}

export class NotificationRing {
  readonly #limits: RingLimits;
  /** Position p is at index p % length, where R1 says that it is held. */
  readonly #items: (RingItem | undefined)[] = [];
  #first = 1;
  #head = 0;
  #bytes = 0;

  constructor(limits: RingLimits) {
    this.#limits = limits;
  }

  /** Position of the oldest that is held. */
  get first(): number {
    return this.#first;
  }

  /** Position of the newest; 0 before there is one. */
  get head(): number {
    return this.#head;
  }

  push(notification: Notification, bytes: number): RingItem {
    const { ringNotificationsMax, ringBytesMax } = this.#limits;
    assert(bytes <= ringBytesMax, "a notification fits in the ring");
    while (this.#size === ringNotificationsMax || this.#bytes + bytes > ringBytesMax) {
      this.#dropFirst();
    }
    this.#head += 1;
    const item: RingItem = { placed: { position: this.#head, notification }, bytes };
    this.#items[this.#head % ringNotificationsMax] = item;
    this.#bytes += bytes;
    return item;
  }

  /** @throws AssertionError for a position that is not held. */
  at(position: number): RingItem {
    const item = this.#items[position % this.#limits.ringNotificationsMax];
    assert(item?.placed.position === position, `the ring does not hold ${position}`);
    return item;
  }

  get #size(): number {
    return this.#head - this.#first + 1;
  }

  #dropFirst(): void {
    const index = this.#first % this.#limits.ringNotificationsMax;
    this.#bytes -= this.#items[index]?.bytes ?? 0;
    this.#items[index] = undefined;
    this.#first += 1;
  }
}

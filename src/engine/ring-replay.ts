// SPDX-License-Identifier: MIT
// What a subscriber of a MemoryBus has missed, read from the ring of its last notifications.
import type { PlacedNotification } from "../wire/event/bus.ts";
import type { Filter } from "../wire/event/subscription.ts";
import { matches } from "../wire/event/subscription.ts";
import type { BusLimits } from "./bus-limits.ts";
import type { BusReplay } from "./bus-subscription.ts";
import type { NotificationRing } from "./notification-ring.ts";

/** Positions of the ring that are looked at in one go: somebody else may have work. */
const ringScanMax = 4_096;

export interface RingReplayOptions {
  readonly ring: NotificationRing;
  readonly filter: Filter;
  readonly limits: BusLimits;
  readonly from: number;
}

export class RingReplay implements BusReplay {
  readonly #options: RingReplayOptions;
  #next: number;

  constructor(options: RingReplayOptions) {
    this.#options = options;
    this.#next = options.from;
  }

  get next(): number {
    return this.#next;
  }

  get isOvertaken(): boolean {
    return this.#next < this.#options.ring.first;
  }

  get isOver(): boolean {
    return this.#next > this.#options.ring.head;
  }

  skip(): void {
    this.#next = this.#options.ring.first;
  }

  take(): readonly PlacedNotification[] {
    const { ring, filter, limits } = this.#options;
    const last = Math.min(ring.head, this.#next + ringScanMax - 1);
    const batch: PlacedNotification[] = [];
    for (let bytes = 0; this.#next <= last; this.#next += 1) {
      const item = ring.at(this.#next);
      if (!matches(filter, item.placed.notification)) continue;
      bytes += item.bytes;
      const isFull = batch.length === limits.deliveryNotificationsMax;
      if (isFull || (batch.length > 0 && bytes > limits.deliveryBytesMax)) break;
      batch.push(item.placed);
    }
    return batch;
  }

  /** The ring has it. */
  offered(): void {}

  close(): void {}
}

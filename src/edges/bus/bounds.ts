// SPDX-License-Identifier: MIT
// Bounds of the door of the bus. What the bus itself keeps is in engine/bus-limits.ts, what is at
// the HTTP door in edges/http/bounds.ts.
import { assert } from "../../core/assert.ts";

export interface BusDoorBounds {
  /** WebSockets of one token at once. */
  readonly busSocketsPerTokenMax: number;
  /** Subscriptions of one WebSocket. */
  readonly busSubscriptionsPerSocketMax: number;
  /** Bytes a client may leave unread before the door neither reads from it nor delivers more. */
  readonly busQueueBytesMax: number;
}

export const defaultBusDoorBounds: BusDoorBounds = {
  busSocketsPerTokenMax: 1_000,
  busSubscriptionsPerSocketMax: 10_000,
  busQueueBytesMax: 4 * 1024 * 1024,
};

/** Fills in defaults. @throws AssertionError for a value that is no bound. */
export function resolveBusDoorBounds(partial: Partial<BusDoorBounds> = {}): BusDoorBounds {
  const bounds = { ...defaultBusDoorBounds, ...partial };
  for (const [name, value] of Object.entries(bounds)) {
    assert(Number.isSafeInteger(value) && value > 0, `limit ${name} must be a positive integer`);
  }
  return bounds;
}

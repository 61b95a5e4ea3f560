// SPDX-License-Identifier: MIT
// Bounds of a bus in one process, with their units. The window in which a subscriber can come back
// without a gap is what the ring holds: the last `ringNotificationsMax` notifications, as long as
// they have at most `ringBytesMax` together.
import { assert } from "../core/assert.ts";
import { notificationBytesMax } from "../wire/event/limits.ts";

export interface BusLimits {
  readonly subscriptionsMax: number;
  /** Notifications kept for who comes back. */
  readonly ringNotificationsMax: number;
  readonly ringBytesMax: number;
  /** Notifications that wait for one subscriber before it counts as slow. */
  readonly queueNotificationsMax: number;
  readonly queueBytesMax: number;
  /** Notifications in one call of a subscriber. */
  readonly deliveryNotificationsMax: number;
  /** Bytes in one call, unless it is a single notification. */
  readonly deliveryBytesMax: number;
}

export const defaultBusLimits: BusLimits = {
  subscriptionsMax: 100_000,
  ringNotificationsMax: 65_536,
  ringBytesMax: 64 * 1024 * 1024,
  queueNotificationsMax: 16_384,
  queueBytesMax: 4 * 1024 * 1024,
  deliveryNotificationsMax: 256,
  deliveryBytesMax: 1024 * 1024,
};

/** Fills in defaults and checks that the limits fit together. @throws AssertionError if not. */
export function resolveBusLimits(partial: Partial<BusLimits> = {}): BusLimits {
  const limits = { ...defaultBusLimits, ...partial };
  for (const [name, value] of Object.entries(limits)) {
    assert(Number.isSafeInteger(value) && value > 0, `limit ${name} must be a positive integer`);
  }
  // Who is ended for being slow is told a place; it is worth something only while the ring has it.
  assert(
    limits.queueNotificationsMax <= limits.ringNotificationsMax,
    "the ring must reach as far back as a queue",
  );
  assert(limits.queueBytesMax <= limits.ringBytesMax, "a queue must fit in the ring");
  assert(notificationBytesMax <= limits.queueBytesMax, "a notification must fit in a queue");
  return limits;
}

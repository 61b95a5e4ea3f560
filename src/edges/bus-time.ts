// SPDX-License-Identifier: MIT
// The times that the door of the bus keeps itself, in milliseconds; none of them decides what a
// subscriber gets.

export const busTime = {
  /** How often a subscriber is told its place when it has moved on without a notification. */
  placeMs: 1_000,
} as const;

/** The same list with other values, for tests. */
export type BusTime = { readonly [Name in keyof typeof busTime]: number };

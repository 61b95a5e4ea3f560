// SPDX-License-Identifier: MIT
// Bounds and times of schedulers and agents at a bus, with their units. Nothing of it decides when
// an event fires: that is the core's (core/limits.ts). docs/reference/limits.md lists them.

export const eventsTime = {
  /** An agent says this often that it is there. */
  aliveMs: 2_000,
  /** An agent that has said nothing for this long is down; one that is cut off for 10 s is not. */
  silentMs: 14_000,
  /** How often the scheduler looks for agents that are silent. */
  rollCallMs: 1_000,
  /** Pause before a notification that the bus did not take is published again. */
  republishMs: 250,
  /** Pause before a subscription that the bus did not take is asked for again. */
  resubscribeMs: 500,
  /** Pause between two comparisons of clocks; the first few follow each other at once. */
  compareClocksMs: 30_000,
  /**
   * How often it is said that notifications were not made with the key; the first is said at once.
   */
  refusedNoticeMs: 10_000,
} as const;

export const eventsLimits = {
  /** Notifications that wait for the bus; the oldest go, and are said to be lost. */
  unpublishedMax: 65_536,
  /** Notifications of one publisher on their way to the bus, before the first is answered. */
  publicationsAtOnceMax: 64,
  /** Orders that a scheduler or an agent remembers; the oldest go. */
  ordersMax: 100_000,
  /** Requests of one sender that are not over; a quarter of what an agenda holds. */
  requestsPerSenderMax: 25_000,
  /** Bytes of the events in one page of a list, as JSON: it must fit a notification. */
  listPageBytesMax: 262_144,
  /** Characters of an event's arguments in a list; the rest is left out. */
  listedArgsCharsMax: 1_024,
  /** What one notification tells a run of the effects of an entry. */
  toldPerNotificationMax: 32,
  /** Bytes of a change of its agenda that a run tells its scheduler, as JSON in a notification. */
  changeBytesMax: 262_144,
  /** Exchanges with which a comparison of clocks begins. */
  clockExchanges: 8,
} as const;

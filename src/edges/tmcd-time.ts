// SPDX-License-Identifier: MIT
// The part of the closed list of edge-local times (edge-time.ts) that belongs to the configuration
// door. They concern single connections and decide no outcome. All are durations in milliseconds.

export const tmcdTime = {
  /**
   * A request without a newline on a connection that stays open (old clients over TLS leave it so)
   * is whole when nothing has followed for this long. [EMULAB-TMCD 18.1]
   */
  holdMs: 100,
  /** The same for a command whose text may hold newlines: console logs, keys. */
  bodyHoldMs: 1_000,
  /** Silence after which a connection with nothing to execute is closed. [EMULAB-TMCD 1] */
  silenceMs: 3_000,
  /** A connection that has not finished its requests by then is closed, however busy it is. */
  requestMs: 15_000,
  /** A connection that has turned to TLS is over after this, handshake and all. */
  tlsMs: 30_000,
  /** An answer that the source of configuration does not give by then is not given. */
  answerMs: 5_000,
  /** An answered connection whose peer neither reads nor closes is dropped after this. */
  lingerMs: 3_000,
  /** What `tmcctest delayreply` may ask for at most. */
  testDelayMs: 4_000,
} as const;

/** The same list with other values, for tests. */
export type TmcdTime = { readonly [Name in keyof typeof tmcdTime]: number };

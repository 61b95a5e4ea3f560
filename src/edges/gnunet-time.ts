// SPDX-License-Identifier: MIT
// The part of the closed list of edge-local times (edge-time.ts) that belongs to the GNUnet doors.
// They concern single connections and decide no outcome. All are durations in milliseconds.

export const gnunetTime = {
  /**
   * A connection whose first message, or a message it has begun, is not whole by then is closed.
   */
  messageMs: 10_000,
  /** A connection that is being closed and whose peer neither reads nor closes is dropped then. */
  lingerMs: 10_000,
  /** TCP keep-alive probes start after this much silence: finds machines that vanished. */
  keepAliveMs: 60_000,
  /** How often open connections are looked through for the times above. */
  sweepMs: 1_000,
  /**
   * The core's log takes nothing: drivers and peers keep their connections this long, then they are
   * closed without a STATUS, which the library of peers takes for a failure. (D10)
   */
  logAwayMs: 60_000,
  /** A link to the core that ended after at least this long is opened anew, not given up. */
  rejoinMs: 1_000,
  /** How long a socket in the file system is called to learn whether anybody answers there. */
  probeMs: 2_000,
} as const;

/** The same list with other values, for tests. */
export type GnunetTime = { readonly [Name in keyof typeof gnunetTime]: number };

// SPDX-License-Identifier: MIT
// The closed list of times that edges keep themselves. Everything else that waits is a row in the
// core (D3); what is here concerns single connections of a foreign wire and decides no outcome that
// the wire did not already decide. All are durations in milliseconds.
// The list of the configuration door is tmcd-time.ts.

export const edgeTime = {
  /**
   * A TCP request of exactly 72 bytes is held this long for the last four: a version guessed
   * wrongly gets the wrong reply. [EMULAB-SYNC 2]
   */
  tcpHoldMs: 50,
  /** A connection that has not sent a whole request by then is closed. */
  tcpRequestMs: 10_000,
  /** An answered connection whose peer neither reads nor closes is dropped after this (write). */
  tcpLingerMs: 10_000,
  /**
   * A waiter that has closed its side is kept this long for an answer that was already on its way,
   * then dropped; it is off the list at once.
   */
  tcpFarewellMs: 1_000,
  /** TCP keep-alive probes start after this much silence: finds machines that vanished. */
  tcpKeepAliveMs: 60_000,
  /** How often open TCP connections are looked through for the times above. */
  tcpSweepMs: 1_000,
  /** A repeated datagram gets the stored answer this long after the release. */
  udpAnswerKeptMs: 60_000,
  /** A UDP waiter that has repeated once and is then silent this long is dead and uncounted. */
  udpLivenessMs: 30_000,
  /** How often the UDP table is looked through for the two times above. */
  udpSweepMs: 1_000,
  /**
   * The core's log takes nothing: clients of old wires, which cannot be told, keep their
   * connections this long. Their arrivals are taken back then, and count until the log says
   * otherwise. (D10)
   */
  logAwayMs: 60_000,
  /** A link to the core that ended after at least this long is opened anew, not given up. */
  rejoinMs: 1_000,
} as const;

/** The same list with other values, for tests. */
export type EdgeTime = { readonly [Name in keyof typeof edgeTime]: number };

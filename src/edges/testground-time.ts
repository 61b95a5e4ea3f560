// SPDX-License-Identifier: MIT
// The times that the Testground door keeps itself, in milliseconds; none of them decides an outcome
// of a barrier or what is in a topic. The list of the sync server door is edge-time.ts.

export const testgroundTime = {
  /** The head of a request must be complete by then. */
  headMs: 10_000,
  /** An idle connection that has not become a WebSocket. */
  keepAliveMs: 10_000,
  /** How often Node looks for connections that are over one of the times above. */
  sweepMs: 1_000,
  /** How often each client is asked for a sign of life. */
  pingMs: 30_000,
  /**
   * One that has not given any for this long is gone. Long: a client that is stopped, or does not
   * read, is not dead, and somebody may wait for it.
   */
  pongMs: 600_000,
  /** A WebSocket whose client does not close after it was told to is cut. */
  lingerMs: 1_000,
  /** How often the door looks at how much it holds for its clients. */
  heldSweepMs: 250,
  /** A run that nobody of this door has been connected to for so long makes room for a new one. */
  idleRunMs: 3_600_000,
  /**
   * The core's log takes nothing: clients keep their connections this long, then they are closed.
   * An error in the answer to a barrier would not do: the SDK for JavaScript goes on after it.
   * (D10)
   */
  logAwayMs: 60_000,
  /** A link to the core that ended after at least this long is opened anew, not given up. */
  rejoinMs: 1_000,
} as const;

/** The same list with other values, for tests. */
export type TestgroundTime = { readonly [Name in keyof typeof testgroundTime]: number };

// SPDX-License-Identifier: MIT
// The times that the HTTP door keeps itself, in milliseconds; none of them decides an outcome of a
// barrier. Deadlines of waits are rows of the core (D3). The list of the sync server door is
// edge-time.ts.

export const httpTime = {
  /** A TLS handshake, and the head of a request, must be complete by then. */
  headMs: 10_000,
  /** A request with its body must be complete by then. */
  requestMs: 30_000,
  /** An idle connection between two requests. */
  keepAliveMs: 10_000,
  /** How often Node looks for connections that are over one of the times above. */
  sweepMs: 1_000,
  /** A WebSocket that has said nothing for this long is asked for a sign of life. */
  pingMs: 15_000,
  /** A WebSocket that has not answered that by then is cut; its session may come back. */
  pongMs: 15_000,
  /**
   * A WebSocket that leaves so much unread that nothing is read from it cannot answer: it is cut
   * when it has taken nothing for this long.
   */
  unreadMs: 600_000,
  /** A WebSocket or stream that was told to end, and whose client takes nothing, is cut. */
  lingerMs: 1_000,
  /** How soon the open streams of a token that was revoked or has expired are ended. */
  tokenSweepMs: 1_000,
  /** How often the door looks at how much it holds for its clients. */
  heldSweepMs: 250,
  /** A comment on an event stream, so that proxies and people see that it lives. */
  streamBeatMs: 15_000,
  /** Changes of a scope that is watched are told together, this much after the first. */
  watchMs: 50,
  /** A wait with an id is kept so long for the request that asks for it again. */
  waitKeptMs: 30_000,
  /** Requests that are being answered when the door closes have this long. */
  closeMs: 2_000,
} as const;

/** The same list with other values, for tests. */
export type HttpTime = { readonly [Name in keyof typeof httpTime]: number };

// SPDX-License-Identifier: MIT
// Times of a session, in milliseconds. None decides an outcome of a barrier: deadlines of waits are
// kept by the server's core.

export const sessionTime = {
  /** How long the server keeps a session whose connection is lost, when nobody says otherwise. */
  leaseMs: 30_000,
  /** How long to look for a server at first. */
  connectMs: 10_000,
  /** Pause before a lost connection is opened again; doubles up to the second value. */
  firstPauseMs: 50,
  pauseMsMax: 2_000,
  /** `close` waits this long for the server's word. */
  closeMs: 2_000,
} as const;

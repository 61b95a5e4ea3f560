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
  /** A server whose log takes nothing for so long is left for the next, where there is one. */
  logAwayMs: 5_000,
  /**
   * After so much silence a server on which somebody waits is asked for a sign of life, and left
   * after as much again.
   */
  silenceMs: 10_000,
  /** Until a subscription is begun again whose messages the server could not read. */
  feedPauseMs: 500,
  /** `close` waits this long for the server's word. */
  closeMs: 2_000,
} as const;

/** How the clock of the server is measured, for those who go together. */
export const commonClockTime = {
  /** Exchanges before the first use, and each time after a pause. */
  exchanges: 8,
  exchangesAgain: 2,
  againMs: 1_000,
  /** Exchanges that are remembered. */
  samplesMax: 64,
  /** The lead asked for: so many of the longest ways there and back, microseconds at least. */
  leadTrips: 4,
  leadUsMin: 20_000,
  /** Timers are late by up to this: the rest is waited for without them, microseconds. */
  spinUs: 2_000,
} as const;

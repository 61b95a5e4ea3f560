// SPDX-License-Identifier: MIT
/** What a sender of events may ask for. [EMULAB-EVENTS 1.2, 3] */
export const eventLimits = {
  /** The buffers of the old clients hold 128 bytes with the NUL at the end. */
  objectNameBytesMax: 127,
  /** ARGS: the buffer of the C library on Linux; on FreeBSD it was an eighth. */
  argumentsBytesMax: 8_192,
} as const;

/** Times of a client of the bus, milliseconds. */
export const eventClientTime = {
  /** Pause after a bus was not there, as the old library makes it. [EMULAB-EVENTS 1.9] */
  retryMs: 5_000,
  /** The same for a client that was told how long to look for it. */
  impatientRetryMs: 250,
  /** How long a client looks for the bus that must not be silent for ever. */
  lookForBusMs: 30_000,
  /** One try to connect; later, how long something to send waits for a connection. */
  connectMs: 10_000,
  /**
   * A door asks a silent client for a sign of life every 15 s (edges/http-time.ts), so that a
   * connection on which nothing has come for longer is dead, whatever the kernel knows of it.
   */
  silenceMs: 45_000,
  /** Age of a wait for a completion that is told once. */
  warnAfterMs: 10_000,
  /** How long a scheduler may take to say what becomes of a request. */
  answerMs: 10_000,
  /** How long a command that changes a link at once waits to hear whether it was changed. */
  outcomeMs: 5_000,
} as const;

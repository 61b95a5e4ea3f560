// SPDX-License-Identifier: MIT
/** Times of the client, milliseconds. [EMULAB-SYNC 4] */
export const syncClientTime = {
  /** One try to connect. */
  connectMs: 5_000,
  /** Pause after a refused connection, as the old client makes it. */
  retryMs: 5_000,
  /** The same for a client that was told how long to wait for the server. */
  impatientRetryMs: 250,
  /** What a whole reply waits for the end of file, or for the byte that makes it wrong. */
  endMs: 100,
  /** First repeat of a datagram; each pause doubles, with a quarter of jitter either way. */
  repeatFirstMs: 500,
  /** Longest pause between repeats: a sixth of what makes a silent waiter dead to the server. */
  repeatMaxMs: 5_000,
  /** How long the question who is missing may take. */
  describeMs: 2_000,
} as const;

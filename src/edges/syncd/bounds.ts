// SPDX-License-Identifier: MIT
// Bounds of the sync server's own tables and sockets. What a barrier or scope may hold is in
// core/limits.ts; these bound what strangers can make one server keep. `emulab-syncd --limit
// NAME=VALUE` sets them like those of the core.
import { assert } from "../../core/assert.ts";

export interface SyncdBounds {
  /** Open UDP waiters of one server; beyond it a new datagram is dropped, its sender repeats. */
  readonly udpWaitersMax: number;
  /** Answers kept for repeats; the oldest is dropped first. */
  readonly udpAnswersMax: number;
  /** Commands kept while the core's mailbox is full; beyond it new datagrams are dropped. */
  readonly outboxDatagramsMax: number;
  /** Open TCP connections of one server; one more is closed. */
  readonly tcpConnectionsMax: number;
  /** The same of one client, by its address. */
  readonly tcpConnectionsPerClientMax: number;
  /** Listening TCP sockets per address: one accept queue alone stalls a storm of connects. */
  readonly tcpListenersPerAddress: number;
  /** Asked for; the kernel takes the smaller of it and net.core.somaxconn. */
  readonly tcpBacklog: number;
  /** Asked for; the kernel takes the smaller of it and net.core.rmem_max. */
  readonly udpReceiveBufferBytes: number;
}

export const defaultBounds: SyncdBounds = {
  udpWaitersMax: 262_144,
  udpAnswersMax: 262_144,
  outboxDatagramsMax: 262_144,
  tcpConnectionsMax: 262_144,
  tcpConnectionsPerClientMax: 262_144,
  tcpListenersPerAddress: 4,
  tcpBacklog: 65_535,
  udpReceiveBufferBytes: 4 * 1024 * 1024,
};

/** What a name may be set to at most: the kernel takes 31 bits, a table of Node 2^24 entries. */
export const boundMax: SyncdBounds = {
  udpWaitersMax: 16_777_216,
  udpAnswersMax: 16_777_216,
  outboxDatagramsMax: 16_777_216,
  tcpConnectionsMax: 16_777_216,
  tcpConnectionsPerClientMax: 16_777_216,
  tcpListenersPerAddress: 256,
  tcpBacklog: 2_147_483_647,
  udpReceiveBufferBytes: 1_073_741_823,
};

/** Free ports tried when the default one is taken: a count of tries, nothing that fills up. */
export const fallbackTries = 16;

/** Fills in defaults. @throws AssertionError for a value out of range. */
export function resolveBounds(partial: Partial<SyncdBounds> = {}): SyncdBounds {
  const bounds = { ...defaultBounds, ...partial };
  for (const name of Object.keys(boundMax) as (keyof SyncdBounds)[]) {
    const value = bounds[name];
    assert(
      Number.isSafeInteger(value) && value > 0 && value <= boundMax[name],
      `limit ${name} must be an integer from 1 to ${boundMax[name]}`,
    );
  }
  return bounds;
}

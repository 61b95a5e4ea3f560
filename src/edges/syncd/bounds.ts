// SPDX-License-Identifier: MIT
// Bounds of the sync server's own tables. What a barrier or scope may hold is in core/limits.ts;
// these bound what strangers can make one server keep.

/** Open UDP waiters of one server; beyond it a new datagram is dropped, its sender repeats. */
export const udpWaitersMax = 262_144;
/** Answers kept for repeats; the oldest is dropped first. */
export const udpAnswersMax = 262_144;
/** Commands kept while the core's mailbox is full; beyond it new datagrams are dropped. */
export const outboxDatagramsMax = 262_144;
/** Listening TCP sockets per address: one accept queue alone stalls a storm of connects. */
export const tcpListenersPerAddress = 4;
/** Asked for; the kernel takes the smaller of it and net.core.somaxconn. */
export const tcpBacklog = 65_535;
/** Asked for; the kernel takes the smaller of it and net.core.rmem_max. */
export const udpReceiveBufferBytes: number = 4 * 1024 * 1024;
/** Free ports tried when the default one is taken. */
export const fallbackTries = 16;

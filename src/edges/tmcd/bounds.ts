// SPDX-License-Identifier: MIT
// Bounds of the configuration door: what strangers can make it keep. The sizes of requests and
// replies are the wire's (wire/tmcd/constants.ts).

/** Connections open at once; one more is closed at once. */
export const connectionsMax = 4_096;
/** Requests on one connection; what follows is not read. */
export const requestsPerConnectionMax = 64;
/** Datagrams that are being answered; further ones are dropped, their senders repeat. */
export const datagramsInFlightMax = 1_024;
/** Asked for; the kernel takes the smaller of it and net.core.somaxconn. */
export const tcpBacklog = 1_024;
/** Asked for; the kernel takes the smaller of it and net.core.rmem_max. */
export const udpReceiveBufferBytes: number = 1024 * 1024;
/** Free ports tried when any will do. */
export const freePortTries = 16;

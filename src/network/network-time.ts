// SPDX-License-Identifier: MIT
// The times that the network of a run keeps by itself: none of them decides an outcome.

export interface NetworkTime {
  /** What the program may take that opens the gate's sockets. */
  readonly helperMs: number;
  /** What a program may take that makes or changes a part of the network. */
  readonly commandMs: number;
  /** A sender of datagrams that has been silent so long is forgotten. */
  readonly senderMs: number;
}

export const networkTime: NetworkTime = {
  helperMs: 20_000,
  commandMs: 300_000,
  senderMs: 60_000,
};

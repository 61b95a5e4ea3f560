// SPDX-License-Identifier: MIT
// What the gate of a run and the program that opens its sockets say to each other.

export interface GatePort {
  readonly kind: "tcp" | "udp";
  readonly port: number;
}

/** With a socket, or with the reason why there is none. */
export interface GateMessage {
  /** Which of the ports. */
  readonly index: number;
  readonly error?: string;
}

// SPDX-License-Identifier: MIT
// What the gate of a run and the program that opens its sockets say to each other.

export type GatePort =
  | { readonly kind: "tcp" | "udp"; readonly port: number }
  /** Abstract; the first byte, which is 0, is left out. */
  | { readonly kind: "unix"; readonly name: string };

/** With a socket, or with the reason why there is none. */
export interface GateMessage {
  /** Which of the ports. */
  readonly index: number;
  readonly error?: string;
}

// SPDX-License-Identifier: MIT
// What Muster and the program that opens sockets in a network for it say to each other.

/** A socket as it is wanted. */
export type WantedSocket =
  /** At all addresses of the network; handed over as a server, or a socket, of the platform. */
  | { readonly kind: "tcp"; readonly port: number }
  | { readonly kind: "udp"; readonly port: number }
  /** A server at an abstract UNIX socket; the first byte of its name, which is 0, is left out. */
  | { readonly kind: "unix"; readonly name: string }
  /** Handed over bare, for a thread that takes it by its descriptor. */
  | { readonly kind: "bare-tcp-server"; readonly address: string; readonly port: number }
  | { readonly kind: "bare-udp"; readonly address: string; readonly port: number }
  | {
      readonly kind: "bare-tcp-client";
      readonly address: string;
      readonly port: number;
      readonly peerAddress: string;
      readonly peerPort: number;
    };

/** With a socket, or with the reason why there is none. */
export interface GateMessage {
  /** Which of those that are wanted. */
  readonly index: number;
  readonly error?: string;
}

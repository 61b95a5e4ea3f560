// SPDX-License-Identifier: MIT
// What a WebSocket endpoint of the door is. The door does the handshake, checks origin, token and
// right, keeps the bounds and asks silent peers for a sign of life; an endpoint gets messages.
import type { Action } from "../../wire/link/roles.ts";
import type { Caller } from "./access.ts";

/** Close codes of the door, beside those of the protocol itself. */
export const closeCodes = {
  goingAway: 1001,
  tooBig: 1009,
  tryLater: 1013,
  invalid: 4400,
  unauthorized: 4401,
  forbidden: 4403,
} as const;

/** One open WebSocket. */
export interface DoorSocket {
  /** Whether what is sent can still arrive. */
  readonly isOpen: boolean;
  /** Bytes sent that the peer has not taken yet. */
  readonly queuedBytes: number;
  send(message: string | Uint8Array): void;
  /** Stops or goes on reading from the peer: back pressure. */
  setReading(isReading: boolean): void;
  /** Closes in order; a peer that does not answer is cut. The reason has at most 123 bytes. */
  end(code: number, reason: string): void;
  destroy(): void;
}

export interface SocketHandler {
  onMessage(message: string | Uint8Array): void;
  /**
   * Something has left of what was sent when more than the endpoint's `queueBytesMax` may have been
   * unread; `queuedBytes` says what has not.
   */
  onSent?(): void;
  onClosed(): void;
}

export interface SocketEndpoint {
  /** `/v1/bus` */
  readonly path: string;
  /** What the client offers as the first protocol, `muster.bus.1`. */
  readonly protocol: string;
  readonly summary: string;
  readonly access: Action;
  readonly messageBytesMax: number;
  /** Open sockets of one token. */
  readonly perTokenMax: number;
  /** What is sent in one turn of the event loop leaves with one write: for many small messages. */
  readonly gathersWrites?: boolean;
  /**
   * A handler that waits for `onSent` does so when the peer has more than this unread; it is told
   * of each message when absent.
   */
  readonly queueBytesMax?: number;
  readonly open: (socket: DoorSocket, caller: Caller, query: URLSearchParams) => SocketHandler;
}

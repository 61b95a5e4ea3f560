// SPDX-License-Identifier: MIT
// What a client of the Testground sync service may ask, and what it is answered. [TESTGROUND 3, 4]

export type Operation =
  /** `payload` is the JSON text that was sent, as it was sent; `null` when there was none. */
  | { readonly kind: "publish"; readonly topic: string; readonly payload: string }
  | { readonly kind: "subscribe"; readonly topic: string }
  | { readonly kind: "barrier"; readonly state: string; readonly target: number }
  | { readonly kind: "signal"; readonly state: string };

export interface Request {
  /** Chosen by the client, in every answer; the same one may be under way several times. */
  readonly id: string;
  readonly isCancel: boolean;
  /** Absent: nothing is asked, and nothing answered. */
  readonly operation?: Operation;
}

/** One answer. A barrier that is met is one of kind `done`. */
export type Response =
  | { readonly kind: "done"; readonly id: string }
  | { readonly kind: "failed"; readonly id: string; readonly error: string }
  | { readonly kind: "published"; readonly id: string; readonly sequence: number }
  | { readonly kind: "signalled"; readonly id: string; readonly sequence: number }
  /** `payload` is the JSON text of the message. */
  | { readonly kind: "message"; readonly id: string; readonly payload: string };

export type DecodeResult =
  | { readonly kind: "request"; readonly request: Request }
  /** The connection is closed with 1007 and `badJsonReason`; `message` is for the log. */
  | { readonly kind: "refused"; readonly message: string };

/** How an instance says that it is done. [TESTGROUND 10] */
export interface RunEvent {
  readonly outcome: "success" | "failure" | "crash";
  readonly group: string;
  /** What went wrong, in the instance's words; empty for a success. */
  readonly error: string;
}

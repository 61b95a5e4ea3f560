// SPDX-License-Identifier: MIT
// The messages of the GNUnet testbed wire as values. [GNUNET-BARRIERS 2.3] [GNUNET-BARRIERS 6]
// Names of barriers are text here; names.ts says how any bytes become text and back.
import type { ErrorCode } from "../../core/code.ts";

/** First message of a driver. */
export interface TestbedInit {
  readonly kind: "testbed-init";
  readonly hostId: number;
  /** Bit set of the events a driver wants to hear of. u64. */
  readonly eventMask: bigint;
  /** How the driver calls the controller's host. */
  readonly hostname: string;
}

/** Registers a peer. Its configuration is zlib data of `configBytes` bytes, not looked into. */
export interface CreatePeer {
  readonly kind: "create-peer";
  readonly hostId: number;
  readonly operationId: bigint;
  readonly peerId: number;
  /** Size of the configuration when it is not compressed. u16. */
  readonly configBytes: number;
  readonly config: Uint8Array;
}

/** What a driver asks of a peer that it has registered. */
export interface PeerRequest {
  readonly kind: "start-peer" | "stop-peer" | "destroy-peer";
  readonly peerId: number;
  readonly operationId: bigint;
}

export interface PeerCreated {
  readonly kind: "peer-created";
  readonly peerId: number;
  readonly operationId: bigint;
}

export interface OperationSucceeded {
  readonly kind: "operation-succeeded";
  readonly operationId: bigint;
}

export interface OperationFailed {
  readonly kind: "operation-failed";
  readonly operationId: bigint;
  /** Byte string: one character for each byte, none of them NUL. */
  readonly text: string;
}

export interface BarrierInit {
  readonly kind: "barrier-init";
  /** Percentage of a controller's peers; one byte, which the wire does not bound to 100. */
  readonly quorum: number;
  readonly name: string;
}

export interface BarrierCancel {
  readonly kind: "barrier-cancel";
  readonly name: string;
}

export interface BarrierWait {
  readonly kind: "barrier-wait";
  readonly name: string;
}

export type BarrierStatus =
  | {
      readonly kind: "barrier-status";
      readonly status: "initialised" | "crossed";
      readonly name: string;
    }
  | {
      readonly kind: "barrier-status";
      readonly status: "error";
      readonly name: string;
      /** Why, as a byte string without NUL; may be empty. */
      readonly text: string;
    };

export type GnunetMessage =
  | TestbedInit
  | CreatePeer
  | PeerRequest
  | PeerCreated
  | OperationSucceeded
  | OperationFailed
  | BarrierInit
  | BarrierCancel
  | BarrierStatus
  | BarrierWait;

/** A message of a type that this codec does not know; its size was right. */
export interface UnknownMessage {
  readonly kind: "unknown";
  readonly type: number;
}

/** Bytes that are no message. Definite: nothing happened. */
export interface RefusedMessage {
  readonly kind: "refused";
  readonly code: ErrorCode;
  /** Says which clause is broken and what would have been right. */
  readonly message: string;
}

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

/** Tells a controller of a host, with its configuration as of `CreatePeer`. */
export interface AddHost {
  readonly kind: "add-host";
  readonly hostId: number;
  readonly sshPort: number;
  /** Byte strings: one character for each byte. */
  readonly user: string;
  readonly hostname: string;
  readonly configBytes: number;
  readonly config: Uint8Array;
}

/** The answer to it; no `text` when it is known now. */
export interface HostAdded {
  readonly kind: "host-added";
  readonly hostId: number;
  /** Why not, a byte string without NUL. */
  readonly text?: string;
}

/** Asks a controller to start another one, or to know it. */
export interface LinkControllers {
  readonly kind: "link-controllers";
  readonly delegatedHostId: number;
  readonly operationId: bigint;
  readonly slaveHostId: number;
  /** A byte: 1 for a controller below. */
  readonly isSubordinate: number;
}

/** Why that cannot be. What a controller says that has done it is not spoken here. */
export interface LinkFailed {
  readonly kind: "link-failed";
  readonly operationId: bigint;
  /** Byte string; the wire ends it with the message. */
  readonly text: string;
}

/** Changes the configuration of a peer. */
export interface ReconfigurePeer {
  readonly kind: "reconfigure-peer";
  readonly peerId: number;
  readonly operationId: bigint;
  readonly configBytes: number;
  readonly config: Uint8Array;
}

export interface GetSlaveConfiguration {
  readonly kind: "get-slave-configuration";
  readonly hostId: number;
  readonly operationId: bigint;
}

/** Stops and destroys all peers. */
export interface ShutdownPeers {
  readonly kind: "shutdown-peers";
  readonly operationId: bigint;
}

/** What a driver asks of a peer that it has registered. */
export interface PeerRequest {
  readonly kind: "start-peer" | "stop-peer" | "destroy-peer" | "get-peer-information";
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

/** About hosts, controllers and configurations: barriers need none of it. */
export type HierarchyMessage =
  | AddHost
  | HostAdded
  | LinkControllers
  | LinkFailed
  | ReconfigurePeer
  | GetSlaveConfiguration
  | ShutdownPeers;

export type GnunetMessage =
  | TestbedInit
  | HierarchyMessage
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

// SPDX-License-Identifier: MIT
// Values to messages of the GNUnet testbed wire. [GNUNET-BARRIERS 2.3] [GNUNET-BARRIERS 6]
// What cannot be said on the wire is a programmer's error here: callers check their input first.
import { assert, unreachable } from "../../core/assert.ts";
import { encodeLatin1 } from "../bytes.ts";
import {
  eventOperationFinished,
  messageBytesMax,
  nameBytesMaxOnWire,
  statusCrossed,
  statusError,
  statusInitialised,
  typeAddHost,
  typeBarrierCancel,
  typeBarrierInit,
  typeBarrierStatus,
  typeBarrierWait,
  typeCreatePeer,
  typeDestroyPeer,
  typeGetPeerInformation,
  typeGetSlaveConfiguration,
  typeHostAdded,
  typeLinkControllers,
  typeLinkResult,
  typeOperationFailed,
  typeOperationSucceeded,
  typePeerCreated,
  typeReconfigurePeer,
  typeShutdownPeers,
  typeStartPeer,
  typeStopPeer,
  typeTestbedInit,
} from "./constants.ts";
import type { BarrierStatus, GnunetMessage, HierarchyMessage, PeerRequest } from "./messages.ts";
import { encodeName } from "./names.ts";

const peerRequestTypes: Readonly<Record<PeerRequest["kind"], number>> = {
  "start-peer": typeStartPeer,
  "stop-peer": typeStopPeer,
  "destroy-peer": typeDestroyPeer,
  "get-peer-information": typeGetPeerInformation,
};

/** @returns the message with its header. @throws AssertionError for what the wire cannot say. */
export function encodeMessage(message: GnunetMessage): Uint8Array {
  switch (message.kind) {
    case "testbed-init": {
      const { view, bytes } = start(typeTestbedInit, 16, terminated(message.hostname));
      view.setUint32(4, message.hostId);
      view.setBigUint64(8, message.eventMask);
      return bytes;
    }
    case "create-peer": {
      const { view, bytes } = start(typeCreatePeer, 22, message.config);
      view.setUint32(4, message.hostId);
      view.setBigUint64(8, message.operationId);
      view.setUint32(16, message.peerId);
      view.setUint16(20, message.configBytes);
      return bytes;
    }
    case "add-host":
    case "host-added":
    case "link-controllers":
    case "link-failed":
    case "reconfigure-peer":
    case "get-slave-configuration":
    case "shutdown-peers":
      return encodeHierarchy(message);
    case "start-peer":
    case "stop-peer":
    case "destroy-peer":
    case "get-peer-information":
      return aboutPeer(peerRequestTypes[message.kind], message.peerId, message.operationId);
    case "peer-created":
      return aboutPeer(typePeerCreated, message.peerId, message.operationId);
    case "operation-succeeded":
      return aboutPeer(typeOperationSucceeded, eventOperationFinished, message.operationId);
    case "operation-failed": {
      const { view, bytes } = start(typeOperationFailed, 16, terminated(message.text));
      view.setUint32(4, eventOperationFinished);
      view.setBigUint64(8, message.operationId);
      return bytes;
    }
    case "barrier-init": {
      const { view, bytes } = start(typeBarrierInit, 5, nameOf(message.name));
      assert(Number.isInteger(message.quorum), "a quorum is a whole number");
      assert(message.quorum >= 0 && message.quorum <= 255, "a quorum fits a byte");
      view.setUint8(4, message.quorum);
      return bytes;
    }
    case "barrier-cancel":
      return start(typeBarrierCancel, 4, nameOf(message.name)).bytes;
    case "barrier-wait":
      return start(typeBarrierWait, 4, nameOf(message.name)).bytes;
    case "barrier-status":
      return encodeStatus(message);
    default:
      return unreachable(message);
  }
}

/** What is said about hosts, controllers and configurations, which barriers do not need. */
function encodeHierarchy(message: HierarchyMessage): Uint8Array {
  switch (message.kind) {
    case "add-host": {
      const { hostId, sshPort, configBytes, config } = message;
      const [user, hostname] = [encodeLatin1(message.user), encodeLatin1(message.hostname)];
      const { view, bytes } = start(typeAddHost, 16, joined(user, hostname, config));
      view.setUint32(4, hostId);
      for (const [index, value] of [sshPort, user.length, hostname.length, configBytes].entries()) {
        view.setUint16(8 + 2 * index, value);
      }
      return bytes;
    }
    case "host-added": {
      const text = message.text === undefined ? new Uint8Array(0) : terminated(message.text);
      const { view, bytes } = start(typeHostAdded, 8, text);
      view.setUint32(4, message.hostId);
      return bytes;
    }
    case "link-controllers": {
      const { view, bytes } = start(typeLinkControllers, 21, new Uint8Array(0));
      view.setUint32(4, message.delegatedHostId);
      view.setBigUint64(8, message.operationId);
      view.setUint32(16, message.slaveHostId);
      view.setUint8(20, message.isSubordinate);
      return bytes;
    }
    case "link-failed": {
      const { view, bytes } = start(typeLinkResult, 16, encodeLatin1(message.text));
      view.setBigUint64(8, message.operationId);
      return bytes;
    }
    case "reconfigure-peer": {
      const { view, bytes } = start(typeReconfigurePeer, 18, message.config);
      view.setUint32(4, message.peerId);
      view.setBigUint64(8, message.operationId);
      view.setUint16(16, message.configBytes);
      return bytes;
    }
    case "get-slave-configuration":
      return aboutPeer(typeGetSlaveConfiguration, message.hostId, message.operationId);
    case "shutdown-peers": {
      const { view, bytes } = start(typeShutdownPeers, 12, new Uint8Array(0));
      view.setBigUint64(4, message.operationId);
      return bytes;
    }
    default:
      return unreachable(message);
  }
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function encodeStatus(message: BarrierStatus): Uint8Array {
  const name = nameOf(message.name);
  const text = message.status === "error" ? terminated(message.text) : new Uint8Array(0);
  const tail = new Uint8Array(name.length + 1 + text.length);
  tail.set(name);
  tail.set(text, name.length + 1);
  const { view, bytes } = start(typeBarrierStatus, 8, tail);
  view.setUint16(4, statusWords[message.status]);
  view.setUint16(6, name.length);
  return bytes;
}

const statusWords = {
  initialised: statusInitialised,
  crossed: statusCrossed,
  error: statusError,
} as const;

/** Type, u32, u64: requests and answers about one peer or one operation. */
function aboutPeer(type: number, word: number, operationId: bigint): Uint8Array {
  const { view, bytes } = start(type, 16, new Uint8Array(0));
  view.setUint32(4, word);
  view.setBigUint64(8, operationId);
  return bytes;
}

function start(type: number, fixedBytes: number, tail: Uint8Array) {
  const size = fixedBytes + tail.length;
  assert(size <= messageBytesMax, `a message has at most ${messageBytesMax} bytes, not ${size}`);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, size);
  view.setUint16(2, type);
  bytes.set(tail, fixedBytes);
  return { view, bytes };
}

function nameOf(name: string): Uint8Array {
  const bytes = encodeName(name);
  assert(bytes.length <= nameBytesMaxOnWire, "the name fits a STATUS");
  assert(!bytes.includes(0), "a name has no NUL");
  return bytes;
}

function terminated(text: string): Uint8Array {
  const bytes = encodeLatin1(`${text}\0`);
  assert(bytes.indexOf(0) === bytes.length - 1, "a text has no NUL");
  return bytes;
}

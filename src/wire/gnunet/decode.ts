// SPDX-License-Identifier: MIT
// One whole message of the GNUnet testbed wire to a value. [GNUNET-BARRIERS 2.3] [GNUNET-BARRIERS
// 6]
//
//   W1. No input makes it throw.
//   W2. What it accepts is what encode.ts writes for the same message: nothing is left over,
//       nothing is guessed. A message with a fault is refused as a whole.
import { decodeLatin1 } from "../bytes.ts";
import {
  eventOperationFinished,
  headerBytes,
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
import type {
  BarrierStatus,
  GnunetMessage,
  PeerRequest,
  RefusedMessage,
  UnknownMessage,
} from "./messages.ts";
import { decodeName } from "./names.ts";

export type DecodeResult = GnunetMessage | UnknownMessage | RefusedMessage;

type Decoder = (bytes: Uint8Array, view: DataView) => GnunetMessage | RefusedMessage;

interface Layout {
  /** Bytes of the fixed part, the header included. */
  readonly fixedBytes: number;
  /** Whether anything may follow the fixed part. */
  readonly isOpen: boolean;
  readonly decode: Decoder;
}

const layouts: ReadonlyMap<number, Layout> = new Map<number, Layout>([
  [typeTestbedInit, { fixedBytes: 16, isOpen: true, decode: decodeTestbedInit }],
  [typeAddHost, { fixedBytes: 16, isOpen: true, decode: decodeAddHost }],
  [typeHostAdded, { fixedBytes: 8, isOpen: true, decode: decodeHostAdded }],
  [typeLinkControllers, { fixedBytes: 21, isOpen: false, decode: decodeLink }],
  [typeLinkResult, { fixedBytes: 16, isOpen: true, decode: decodeLinkResult }],
  [typeReconfigurePeer, { fixedBytes: 18, isOpen: true, decode: decodeReconfigure }],
  [typeGetPeerInformation, peerRequest("get-peer-information")],
  [typeGetSlaveConfiguration, { fixedBytes: 16, isOpen: false, decode: decodeGetSlave }],
  [typeShutdownPeers, { fixedBytes: 12, isOpen: false, decode: decodeShutdown }],
  [typeCreatePeer, { fixedBytes: 22, isOpen: true, decode: decodeCreatePeer }],
  [typeStartPeer, peerRequest("start-peer")],
  [typeStopPeer, peerRequest("stop-peer")],
  [typeDestroyPeer, peerRequest("destroy-peer")],
  [typeOperationFailed, { fixedBytes: 16, isOpen: true, decode: decodeOperationFailed }],
  [typePeerCreated, { fixedBytes: 16, isOpen: false, decode: decodePeerCreated }],
  [typeOperationSucceeded, { fixedBytes: 16, isOpen: false, decode: decodeSucceeded }],
  [typeBarrierInit, { fixedBytes: 5, isOpen: true, decode: decodeBarrierInit }],
  [typeBarrierCancel, { fixedBytes: 4, isOpen: true, decode: named("barrier-cancel") }],
  [typeBarrierStatus, { fixedBytes: 8, isOpen: true, decode: decodeBarrierStatus }],
  [typeBarrierWait, { fixedBytes: 4, isOpen: true, decode: named("barrier-wait") }],
]);

/** Decodes one message, header included; the framer has seen to the size. */
export function decodeMessage(bytes: Uint8Array): DecodeResult {
  if (bytes.length < headerBytes) return refuse("2.1", "a message has at least 4 bytes");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = view.getUint16(0);
  if (size !== bytes.length) {
    return refuse("2.1", `the header says ${size} bytes, the message has ${bytes.length}`);
  }
  const type = view.getUint16(2);
  const layout = layouts.get(type);
  if (layout === undefined) return { kind: "unknown", type };
  const { fixedBytes, isOpen, decode } = layout;
  if (size < fixedBytes || (!isOpen && size !== fixedBytes)) {
    const wanted = isOpen ? `at least ${fixedBytes}` : `exactly ${fixedBytes}`;
    return refuse("2.3", `a message of type ${type} has ${wanted} bytes, this one has ${size}`);
  }
  return decode(bytes, view);
}

function decodeTestbedInit(bytes: Uint8Array, view: DataView): GnunetMessage | RefusedMessage {
  const hostname = textBehind(bytes, 16);
  if (hostname === undefined) {
    return refuse("2.3", "the host name of a TESTBED_INIT ends with its only NUL");
  }
  const [hostId, eventMask] = [view.getUint32(4), view.getBigUint64(8)];
  return { kind: "testbed-init", hostId, eventMask, hostname };
}

function decodeCreatePeer(bytes: Uint8Array, view: DataView): GnunetMessage {
  return {
    kind: "create-peer",
    hostId: view.getUint32(4),
    operationId: view.getBigUint64(8),
    peerId: view.getUint32(16),
    configBytes: view.getUint16(20),
    config: bytes.subarray(22),
  };
}

function decodeAddHost(bytes: Uint8Array, view: DataView): GnunetMessage | RefusedMessage {
  const [userBytes, nameBytes] = [view.getUint16(10), view.getUint16(12)];
  const [nameAt, configAt] = [16 + userBytes, 16 + userBytes + nameBytes];
  if (configAt > bytes.length) {
    return refuse("6", `an ADD_HOST with texts of ${userBytes} and ${nameBytes} bytes is longer`);
  }
  return {
    kind: "add-host",
    hostId: view.getUint32(4),
    sshPort: view.getUint16(8),
    user: decodeLatin1(bytes, 16, nameAt),
    hostname: decodeLatin1(bytes, nameAt, configAt),
    configBytes: view.getUint16(14),
    config: bytes.subarray(configAt),
  };
}

function decodeHostAdded(bytes: Uint8Array, view: DataView): GnunetMessage | RefusedMessage {
  const hostId = view.getUint32(4);
  if (bytes.length === 8) return { kind: "host-added", hostId };
  const text = textBehind(bytes, 8);
  if (text === undefined) return refuse("6", "the text of a refusal ends with its only NUL");
  return { kind: "host-added", hostId, text };
}

function decodeLink(_bytes: Uint8Array, view: DataView): GnunetMessage {
  return {
    kind: "link-controllers",
    delegatedHostId: view.getUint32(4),
    operationId: view.getBigUint64(8),
    slaveHostId: view.getUint32(16),
    isSubordinate: view.getUint8(20),
  };
}

function decodeLinkResult(bytes: Uint8Array, view: DataView): GnunetMessage | RefusedMessage {
  if (view.getUint16(4) !== 0 || view.getUint16(6) !== 0) {
    return refuse("6", "controllers that were linked are not known of here");
  }
  const text = decodeLatin1(bytes, 16, bytes.length);
  return { kind: "link-failed", operationId: view.getBigUint64(8), text };
}

function decodeReconfigure(bytes: Uint8Array, view: DataView): GnunetMessage {
  return {
    kind: "reconfigure-peer",
    peerId: view.getUint32(4),
    operationId: view.getBigUint64(8),
    configBytes: view.getUint16(16),
    config: bytes.subarray(18),
  };
}

function decodeGetSlave(_bytes: Uint8Array, view: DataView): GnunetMessage {
  const [hostId, operationId] = [view.getUint32(4), view.getBigUint64(8)];
  return { kind: "get-slave-configuration", hostId, operationId };
}

function decodeShutdown(_bytes: Uint8Array, view: DataView): GnunetMessage {
  return { kind: "shutdown-peers", operationId: view.getBigUint64(4) };
}

function peerRequest(kind: PeerRequest["kind"]): Layout {
  const decode: Decoder = (_bytes, view) => {
    return { kind, peerId: view.getUint32(4), operationId: view.getBigUint64(8) };
  };
  return { fixedBytes: 16, isOpen: false, decode };
}

function decodePeerCreated(_bytes: Uint8Array, view: DataView): GnunetMessage {
  return {
    kind: "peer-created",
    peerId: view.getUint32(4),
    operationId: view.getBigUint64(8),
  };
}

function decodeSucceeded(_bytes: Uint8Array, view: DataView): GnunetMessage | RefusedMessage {
  const wrong = wrongEvent(view);
  if (wrong !== undefined) return wrong;
  return { kind: "operation-succeeded", operationId: view.getBigUint64(8) };
}

function decodeOperationFailed(bytes: Uint8Array, view: DataView): GnunetMessage | RefusedMessage {
  const wrong = wrongEvent(view);
  if (wrong !== undefined) return wrong;
  const text = textBehind(bytes, 16);
  if (text === undefined) return refuse("6", "the text of a failure ends with its only NUL");
  return { kind: "operation-failed", operationId: view.getBigUint64(8), text };
}

function wrongEvent(view: DataView): RefusedMessage | undefined {
  const event = view.getUint32(4);
  if (event === eventOperationFinished) return undefined;
  return refuse("6", `an operation ends with event ${eventOperationFinished}, not ${event}`);
}

function decodeBarrierInit(bytes: Uint8Array): GnunetMessage | RefusedMessage {
  const name = nameIn(bytes, 5, bytes.length);
  if (name === undefined) return refuseNul();
  return { kind: "barrier-init", quorum: bytes[4] ?? 0, name };
}

function named(kind: "barrier-cancel" | "barrier-wait"): Decoder {
  return (bytes) => {
    const name = nameIn(bytes, 4, bytes.length);
    return name === undefined ? refuseNul() : { kind, name };
  };
}

function decodeBarrierStatus(bytes: Uint8Array, view: DataView): BarrierStatus | RefusedMessage {
  const [word, nameBytes] = [view.getUint16(4), view.getUint16(6)];
  const textAt = 8 + nameBytes + 1;
  if (bytes.length < textAt || bytes[textAt - 1] !== 0) {
    return refuse("2.3", `no NUL follows the ${nameBytes} bytes of the name`);
  }
  const name = nameIn(bytes, 8, textAt - 1);
  if (name === undefined) return refuseNul();
  const kind = "barrier-status";
  if (word === statusError) {
    const text = textBehind(bytes, textAt);
    if (text === undefined) return refuse("2.3", "the text of an ERROR ends with its only NUL");
    return { kind, status: "error", name, text };
  }
  if (word !== statusInitialised && word !== statusCrossed) {
    return refuse("1.1", `a status is 1, 2 or 3, not ${word}`);
  }
  if (bytes.length !== textAt) {
    return refuse("2.3", `${bytes.length - textAt} bytes follow the name of status ${word}`);
  }
  return { kind, status: word === statusCrossed ? "crossed" : "initialised", name };
}

/** A NUL within a name would cut it short in every reply. [GNUNET-BARRIERS 2.4] */
function nameIn(bytes: Uint8Array, start: number, end: number): string | undefined {
  const raw = bytes.subarray(start, end);
  return raw.includes(0) ? undefined : decodeName(raw);
}

/** The text from `start` to the end: bytes with one NUL, which is the last. */
function textBehind(bytes: Uint8Array, start: number): string | undefined {
  const nul = bytes.indexOf(0, start);
  return nul === bytes.length - 1 ? decodeLatin1(bytes, start, nul) : undefined;
}

function refuseNul(): RefusedMessage {
  return refuse("2.4", "there is a NUL within the name");
}

function refuse(section: string, reason: string): RefusedMessage {
  return { kind: "refused", code: "invalid", message: `[GNUNET-BARRIERS ${section}] ${reason}` };
}

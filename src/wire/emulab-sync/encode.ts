// SPDX-License-Identifier: MIT
// Messages of the Emulab sync wire to bytes. [EMULAB-SYNC 2]
// What cannot be said on the wire is a programmer's error here: callers check their input first.
import { assert } from "../../core/assert.ts";
import { encodeLatin1, encodeUtf8 } from "../bytes.ts";
import {
  clientErrorMax,
  countOffset,
  describeBytesMax,
  errorOffset,
  flagNoWait,
  flagsOffset,
  nameBytesMax,
  nameFieldBytes,
  replyBytes,
  requestBytesV1,
  requestBytesV2,
  requestDescribe,
  requestInit,
  requestLeave,
  requestOffset,
  requestWait,
} from "./constants.ts";
import type { ByteOrder, SyncRequest, Version } from "./messages.ts";

/** How a request is put into bytes. */
export interface RequestFormat {
  readonly version: Version;
  readonly byteOrder: ByteOrder;
  /** The 32-bit request word of the seed (version 1 only); it has no room for flags. */
  readonly wideWord?: boolean;
  /**
   * Put behind the NUL of the name as far as it fits. Every server stops reading the name at the
   * NUL, so requests that differ here are at one barrier and yet tell two datagrams apart.
   */
  readonly nonce?: Uint8Array;
}

const words = { init: requestInit, wait: requestWait, describe: requestDescribe } as const;

/** @returns 72 or 76 bytes. @throws AssertionError for what the wire cannot say. */
export function encodeRequest(request: SyncRequest, format: RequestFormat): Uint8Array {
  const bytes = new Uint8Array(format.version === 1 ? requestBytesV1 : requestBytesV2);
  const view = new DataView(bytes.buffer);
  const little = format.byteOrder === "little";
  writeName(bytes, request.name, format.nonce);
  const word = words[request.kind];
  const flags = request.kind === "init" && !request.waits ? flagNoWait : 0;
  if (format.wideWord === true) {
    assert(format.version === 1 && flags === 0, "a wide word has no flags and no version 2");
    view.setInt32(requestOffset, word, little);
  } else {
    view.setUint16(requestOffset, word, little);
    view.setUint16(flagsOffset, flags, little);
  }
  if (request.kind === "init") {
    assert(request.count >= 1 && request.count <= 0x7fff_ffff, "count fits 31 bits");
    view.setInt32(countOffset, request.count, little);
  }
  const error = request.kind === "describe" ? 0 : request.error;
  assert(error >= 0 && error <= clientErrorMax, "error is 0 to 239");
  assert(format.version === 2 || error === 0, "version 1 carries no error");
  if (format.version === 2) view.setInt32(errorOffset, error, little);
  return bytes;
}

/** The datagram that takes back the request with these bytes. */
export function encodeLeave(request: Uint8Array, byteOrder: ByteOrder): Uint8Array {
  const bytes = request.slice();
  new DataView(bytes.buffer).setUint16(requestOffset, requestLeave, byteOrder === "little");
  return bytes;
}

function writeName(bytes: Uint8Array, name: string, nonce: Uint8Array | undefined): void {
  const encoded = encodeLatin1(name);
  assert(encoded.length <= nameBytesMax, "a name has at most 63 bytes");
  assert(!encoded.includes(0), "a name has no NUL");
  bytes.set(encoded);
  if (nonce === undefined) return;
  const free = nameFieldBytes - encoded.length - 1;
  bytes.set(nonce.subarray(0, free), encoded.length + 1);
}

/** @returns the four bytes of a reply. */
export function encodeReply(value: number, byteOrder: ByteOrder): Uint8Array {
  const bytes = new Uint8Array(replyBytes);
  new DataView(bytes.buffer).setInt32(0, value, byteOrder === "little");
  return bytes;
}

/** Answer to a describe request: the length of the text as 32 bits, then the text as UTF-8. */
export function encodeDescribeReply(json: string, byteOrder: ByteOrder): Uint8Array {
  const text = encodeUtf8(json);
  assert(text.length <= describeBytesMax, "a description has at most 1 MiB");
  const bytes = new Uint8Array(4 + text.length);
  new DataView(bytes.buffer).setUint32(0, text.length, byteOrder === "little");
  bytes.set(text, 4);
  return bytes;
}

// SPDX-License-Identifier: MIT
// Bytes to messages of the Emulab sync wire. [EMULAB-SYNC 2]
// Owns the byte order, the two sizes and the rules of each field; does not own time: whoever holds
// the connection waits for the last four bytes and then calls `finish`.
//
//   W1. The decoded request depends on the bytes alone, not on how they were cut into chunks.
//   W2. No input makes a decoder throw or keep more than 76 bytes.
import { decodeLatin1, decodeUtf8 } from "../bytes.ts";
import {
  clientErrorMax,
  countOffset,
  describeBytesMax,
  errorOffset,
  flagNoWait,
  flagsOffset,
  nameBytesMax,
  replyBytes,
  requestBytesV1,
  requestBytesV2,
  requestDescribe,
  requestInit,
  requestLeave,
  requestOffset,
  requestWait,
} from "./constants.ts";
import type { ByteOrder, RefusedFrame, RequestFrame, SyncRequest } from "./messages.ts";

export type DecodeResult = RequestFrame | RefusedFrame;

/** `more`: not yet a request. `hold`: 72 bytes, whole for version 1, a prefix for version 2. */
export type FrameResult = { readonly kind: "more" } | { readonly kind: "hold" } | DecodeResult;

const more: FrameResult = { kind: "more" };
const hold: FrameResult = { kind: "hold" };

/** Collects the one request of a TCP connection. */
export class RequestFramer {
  /** Absent until a request comes in pieces, which is rare. */
  #kept: Uint8Array | undefined;
  #keptBytes = 0;

  /** Takes the next bytes; what follows the 76th is not part of any request and is dropped. */
  push(chunk: Uint8Array): FrameResult {
    if (this.#keptBytes === 0 && chunk.length >= requestBytesV2) {
      return decodeRequest(chunk.subarray(0, requestBytesV2));
    }
    this.#kept ??= new Uint8Array(requestBytesV2);
    const taken = chunk.subarray(0, requestBytesV2 - this.#keptBytes);
    this.#kept.set(taken, this.#keptBytes);
    this.#keptBytes += taken.length;
    if (this.#keptBytes === requestBytesV2) return decodeRequest(this.#kept);
    return this.#keptBytes === requestBytesV1 ? hold : more;
  }

  /** No more bytes come, or not in time: exactly 72 are a request of version 1. */
  finish(): FrameResult {
    if (this.#kept === undefined || this.#keptBytes !== requestBytesV1) return more;
    return decodeRequest(this.#kept.subarray(0, requestBytesV1));
  }

  /** Bytes held so far, for the log line of a truncated request. */
  get receivedBytes(): number {
    return this.#keptBytes;
  }
}

/** Decodes one whole request; its size tells the version. */
export function decodeRequest(bytes: Uint8Array): DecodeResult {
  if (bytes.length !== requestBytesV1 && bytes.length !== requestBytesV2) {
    return refuse(`a request has 72 or 76 bytes, this one has ${bytes.length}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = bytes.length === requestBytesV1 ? 1 : 2;
  const head = readHead(view, version);
  if (head === undefined) {
    const word = Math.min(view.getUint16(requestOffset, true), view.getUint16(requestOffset));
    return refuse(`request word ${word} is neither 1 (init) nor 2 (wait)`);
  }
  const { byteOrder, word, flags } = head;
  const name = decodeName(bytes);
  if (word === requestDescribe) return frame(version, byteOrder, { kind: "describe", name });
  const little = byteOrder === "little";
  const error = version === 2 ? view.getInt32(errorOffset, little) : 0;
  if (error < 0 || error > clientErrorMax) {
    return refuse(`error ${error} is not between 0 and ${clientErrorMax}`);
  }
  if (word === requestWait) return frame(version, byteOrder, { kind: "wait", name, error });
  const count = view.getInt32(countOffset, little);
  if (count < 1) return refuse(`an init adds 1 to 2147483647 waiters, not ${count}`);
  const waits = (flags & flagNoWait) === 0;
  return frame(version, byteOrder, { kind: "init", name, count, waits, error });
}

interface Head {
  readonly byteOrder: ByteOrder;
  readonly word: number;
  readonly flags: number;
}

/** The byte order shows in the request word, which is small, or the one asymmetric word of ours. */
function readHead(view: DataView, version: 1 | 2): Head | undefined {
  for (const byteOrder of ["little", "big"] as const) {
    const word = view.getUint16(requestOffset, byteOrder === "little");
    if (word === requestInit || word === requestWait || word === requestDescribe) {
      return { byteOrder, word, flags: view.getUint16(flagsOffset, byteOrder === "little") };
    }
  }
  // The seed's request word has 32 bits. Little-endian that reads as a 16-bit word and flags of 0;
  // big-endian the 16-bit word reads as 0, which nobody else sends. [EMULAB-SYNC 2]
  const wide = view.getInt32(requestOffset);
  if (version === 1 && (wide === requestInit || wide === requestWait)) {
    return { byteOrder: "big", word: wide, flags: 0 };
  }
  return undefined;
}

/** Up to the NUL; without one the first 63 bytes, so that all such requests meet (fault 5). */
function decodeName(bytes: Uint8Array): string {
  const nul = bytes.subarray(0, nameBytesMax).indexOf(0);
  return decodeLatin1(bytes, 0, nul === -1 ? nameBytesMax : nul);
}

function frame(
  version: RequestFrame["version"],
  byteOrder: ByteOrder,
  request: SyncRequest,
): RequestFrame {
  return { kind: "request", version, byteOrder, request };
}

function refuse(reason: string): RefusedFrame {
  return { kind: "refused", code: "invalid", message: `[EMULAB-SYNC 2] ${reason}` };
}

/**
 * Reads a datagram that takes a request back.
 *
 * @returns the bytes of the requests it can mean (an init or a wait), undefined when it is another
 * datagram.
 */
export function decodeLeave(bytes: Uint8Array): readonly Uint8Array[] | undefined {
  if (bytes.length !== requestBytesV1 && bytes.length !== requestBytesV2) return undefined;
  const word = new DataView(bytes.buffer, bytes.byteOffset).getUint16(requestOffset);
  const swapped = (requestLeave >> 8) | ((requestLeave & 0xff) << 8);
  if (word !== requestLeave && word !== swapped) return undefined;
  return [requestInit, requestWait].map((original) => {
    // A copy by the constructor: `slice` of a Node Buffer shares its memory.
    const request = new Uint8Array(bytes);
    new DataView(request.buffer).setUint16(requestOffset, original, word === swapped);
    return request;
  });
}

/** @returns the value of a reply, or undefined when it has not exactly four bytes. */
export function decodeReply(bytes: Uint8Array, byteOrder: ByteOrder): number | undefined {
  if (bytes.length !== replyBytes) return undefined;
  return new DataView(bytes.buffer, bytes.byteOffset).getInt32(0, byteOrder === "little");
}

/** @returns the JSON text of an answer to a describe request, or undefined when it is not one. */
export function decodeDescribeReply(bytes: Uint8Array, byteOrder: ByteOrder): string | undefined {
  if (bytes.length < 4) return undefined;
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, byteOrder === "little");
  if (length > describeBytesMax || length !== bytes.length - 4) return undefined;
  return decodeUtf8(bytes.subarray(4));
}

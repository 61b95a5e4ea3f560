// SPDX-License-Identifier: MIT
// The four-byte answers, encoded once per crossing and not once per waiter. [EMULAB-SYNC 2]
import type { Released } from "../../core/effect.ts";
import {
  type ByteOrder,
  encodeReply,
  errorCleared,
  releasedV1,
  type Version,
} from "../../wire/emulab-sync/index.ts";

/** The answer of one crossing, in the four forms clients understand. */
export interface ReplySet {
  of(version: Version, byteOrder: ByteOrder): Buffer;
}

const version1 = { little: toBuffer(releasedV1, "little"), big: toBuffer(releasedV1, "big") };

/** Replies that carry `error`; version 1 hears 1, whatever happened. */
export function createReplies(error: number): ReplySet {
  const version2 = { little: toBuffer(error, "little"), big: toBuffer(error, "big") };
  return {
    of: (version, byteOrder) => (version === 1 ? version1 : version2)[byteOrder],
  };
}

/** The error a waiter is told. Only a crossing may say 0; the wire has one word for the others. */
export function replyError(effect: Released): number {
  return effect.outcome === "crossed" || effect.error !== 0 ? effect.error : errorCleared;
}

// A Buffer, because a stream wraps any other Uint8Array anew for every write.
function toBuffer(value: number, byteOrder: ByteOrder): Buffer {
  return Buffer.from(encodeReply(value, byteOrder));
}

// SPDX-License-Identifier: MIT
// A hash with a key for runs in virtual time, in place of those of Node, which cost ten times as
// much. It tells other bytes and another key, and keeps nobody from making one up, which nobody
// does here. Which bytes are hashed, and that what comes is compared, is the shipped code.
import { mixBits } from "../core/mix-bits.ts";
import { isSameBytes } from "../host/same-secret.ts";
import type { KeyedHash } from "../wire/event/authentication.ts";

export const quickHash: KeyedHash = {
  hmacSha1: (key, bytes) => hashOf(key, bytes, 20),
  hmacSha256: (key, bytes) => hashOf(key, bytes, 32),
  equal: isSameBytes,
};

function hashOf(key: Uint8Array, bytes: Uint8Array, length: number): Uint8Array {
  let [a, b] = [key.length, bytes.length];
  for (const part of [key, bytes]) {
    // Two sums, so that 64 bits have to be the same of what is taken for the same.
    for (let index = 0; index < part.length; index += 1) {
      const byte = part[index] ?? 0;
      a = Math.imul(a ^ byte, 0x01000193);
      b = Math.imul((b << 5) ^ (b >>> 27) ^ byte, 0x5bd1e995);
    }
  }
  const made = new Uint8Array(length);
  const view = new DataView(made.buffer);
  for (let at = 0; at < length; at += 4) view.setUint32(at, mixBits((at % 8 === 0 ? a : b) + at));
  return made;
}

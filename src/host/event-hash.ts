// SPDX-License-Identifier: MIT
// The hashes of Node for the authentication of notifications, and the file of an experiment's key.
import { createHmac, createSecretKey, type KeyObject } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { errorText } from "../core/text.ts";
import type { KeyedHash } from "../wire/event/authentication.ts";
import { findKeyFault } from "../wire/event/authentication.ts";
import { keyBytesMax } from "../wire/event/limits.ts";
import { isSameBytes } from "./same-secret.ts";

export const eventHash: KeyedHash = {
  hmacSha1: (key, bytes) => createHmac("sha1", key).update(bytes).digest(),
  hmacSha256: (key, bytes) => createHmac("sha256", keyObjectOf(key)).update(bytes).digest(),
  equal: isSameBytes,
};

/** Made once for each key: making it costs more than the hash of a notification. */
const keyObjects = new WeakMap<Uint8Array, KeyObject>();

function keyObjectOf(key: Uint8Array): KeyObject {
  const known = keyObjects.get(key);
  if (known !== undefined) return known;
  const made = createSecretKey(key);
  keyObjects.set(key, made);
  return made;
}

export type EventKey =
  | { readonly kind: "key"; readonly bytes: Uint8Array }
  | { readonly kind: "refused"; readonly message: string };

/**
 * The key is all bytes of the file, a newline at its end included. [EMULAB-EVENTS 1.7]
 * @param opened its descriptor, for who may not wait for a pipe in its place; it is closed
 */
export function readEventKey(file: string, opened?: number): EventKey {
  let bytes: Uint8Array;
  try {
    bytes = readAtMost(opened ?? openSync(file, "r"), keyBytesMax + 1);
  } catch (error) {
    const why = errorText(error);
    return { kind: "refused", message: `cannot read the key ${file}: ${why}` };
  }
  const fault = findKeyFault(bytes);
  return fault === undefined
    ? { kind: "key", bytes }
    : { kind: "refused", message: `${file}: ${fault}` };
}

/** A file that goes on for ever is read no further than needed to refuse it. */
function readAtMost(descriptor: number, bytesMax: number): Uint8Array {
  const buffer = new Uint8Array(bytesMax);
  try {
    let length = 0;
    while (length < bytesMax) {
      const read = readSync(descriptor, buffer, length, bytesMax - length, null);
      if (read === 0) break;
      length += read;
    }
    return buffer.slice(0, length);
  } finally {
    closeSync(descriptor);
  }
}

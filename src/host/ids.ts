// SPDX-License-Identifier: MIT
// The only place that draws randomness that is not seeded: identities that must not collide.
import { randomBytes } from "node:crypto";

/** A new incarnation number: positive, below 2^48. */
export function newIncarnation(): number {
  return randomBytes(6).readUIntBE(0, 6) + 1;
}

/** A short random name for a run, lower-case letters and digits. */
export function newRunId(): string {
  return randomBytes(5).toString("hex");
}

/** A secret that a child process presents to be let in; 32 hex digits. */
export function newSecret(): string {
  return randomBytes(16).toString("hex");
}

/** Bytes that tell one request from the next of the same sender; also a source of jitter. */
export function newNonce(byteCount: number): Uint8Array {
  return randomBytes(byteCount);
}

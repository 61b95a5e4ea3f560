// SPDX-License-Identifier: MIT
// The only place that draws randomness that is not seeded: identities that must not collide, and
// keys that must not be guessed.
import { generateKeyPair, type KeyPairKeyObjectResult, randomBytes } from "node:crypto";
import { promisify } from "node:util";

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
  if (byteCount > drawnBytes) return randomBytes(byteCount);
  if (drawn.length < byteCount) drawn = randomBytes(drawnBytes);
  // A copy: who keeps sixteen bytes must not keep all that were drawn with them.
  const nonce = Uint8Array.from(drawn.subarray(0, byteCount));
  drawn = drawn.subarray(byteCount);
  return nonce;
}

/** Drawn at once: asking the system for each nonce costs more than the hash of a notification. */
const drawnBytes = 4_096;
let drawn: Uint8Array = new Uint8Array(0);

/** What a certificate's key is: `ec` is NIST's P-256, `rsa` has 3072 bits, for old clients. */
export type KeyKind = "ec" | "rsa";

/** A new key pair. */
export async function newKeyPair(kind: KeyKind): Promise<KeyPairKeyObjectResult> {
  return kind === "ec"
    ? generate("ec", { namedCurve: "P-256" })
    : generate("rsa", { modulusLength: 3_072 });
}

const generate = promisify(generateKeyPair);

// SPDX-License-Identifier: MIT
// The only comparison of secrets: tokens, proofs, authentication of notifications, links. How long
// it takes says nothing of how much of a guess is right.
import { createHash, timingSafeEqual } from "node:crypto";

/** Of hashes and the like, whose length is no secret. */
export function isSameBytes(given: Uint8Array, kept: Uint8Array): boolean {
  return given.length === kept.length && timingSafeEqual(given, kept);
}

/** Of a secret as it was said, which may be anything: its length tells nothing either. */
export function isSameSecret(given: unknown, secret: string): boolean {
  const hash = (text: string): Buffer => createHash("sha256").update(text).digest();
  return typeof given === "string" && isSameBytes(hash(given), hash(secret));
}

/** By which those who have a secret find out whether others have the same; 16 hex digits. */
export function secretMark(secret: string): string {
  return createHash("sha256").update(`muster mark ${secret}`).digest("hex").slice(0, 16);
}

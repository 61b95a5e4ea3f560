// SPDX-License-Identifier: MIT
// How the two ends of a link that leaves the machine know each other: each proves that it has the
// key, over what both have drawn for this connection, and the key itself is not sent. Who listens
// on the way can neither learn it nor use what he heard; who changes what is said is kept out by
// TLS only. HMAC-SHA256, compared in constant time.
import { createHmac } from "node:crypto";
import { isSameBytes } from "./same-secret.ts";

/** Hex digits of what an end draws. */
export const nonceBytes = 16;

/** What a proof is about: one connection of one life of one edge. */
export interface ProofSubject {
  readonly coreNonce: string;
  readonly edgeNonce: string;
  readonly edge: string;
  readonly incarnation: number;
}

/** @param end whose proof it is: what one has said is of no use for the other */
export function proveLink(end: "edge" | "core", secret: string, about: ProofSubject): string {
  const { coreNonce, edgeNonce, edge, incarnation } = about;
  const text = JSON.stringify(["muster.link", end, coreNonce, edgeNonce, edge, incarnation]);
  return createHmac("sha256", secret).update(text).digest("hex");
}

export function isProof(given: unknown, expected: string): boolean {
  return typeof given === "string" && isSameBytes(Buffer.from(given), Buffer.from(expected));
}

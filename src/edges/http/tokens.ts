// SPDX-License-Identifier: MIT
// Tokens: what a client shows to be let in. `mst_ID_SECRET`: the id is public and finds the row,
// the secret is 192 random bits of which only the hash is kept, compared in constant time. Where
// rows are kept is token-file.ts.
//
//   T1. A check costs the same whether the id or the secret is wrong.
//   T2. A secret is in nothing that is kept, logged or shown after its creation.
import { createHash } from "node:crypto";
import { isSameBytes } from "../../host/same-secret.ts";
import type { Role } from "../../wire/link/roles.ts";

/** What is kept of a token. */
export interface TokenRow {
  /** Lower-case letters and digits. */
  readonly id: string;
  /** SHA-256 of the secret, 64 hex digits. */
  readonly hash: string;
  readonly role: Role;
  /** The one scope it is good for; null for all. */
  readonly scope: string | null;
  /** Milliseconds since 1970; null for never. */
  readonly expiresMs: number | null;
  readonly createdMs: number;
  /** For people: whom it was made for. */
  readonly note: string;
}

/** Where the door looks tokens up. */
export interface TokenSource {
  /** Undefined while nobody has made a token here: the door asks for none. */
  rows(): ReadonlyMap<string, TokenRow> | undefined;
}

/** What a client sends. */
export function formatToken(id: string, secret: string): string {
  return `mst_${id}_${secret}`;
}

export function hashSecret(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}

const pattern = /^mst_([a-z0-9]{1,32})_([A-Za-z0-9]{1,128})$/;
/** What a token without a row is compared with (T1); nothing hashes to it that anybody knows. */
const nobody = "0".repeat(64);

/** @returns the row that the token is good for, if it is. */
export function checkToken(
  token: string,
  rows: ReadonlyMap<string, TokenRow>,
  nowMs: number,
): TokenRow | undefined {
  const [, id = "", secret = ""] = pattern.exec(token) ?? [];
  const row = rows.get(id);
  const isSecret = isSameBytes(
    Buffer.from(hashSecret(secret), "hex"),
    Buffer.from(row?.hash ?? nobody, "hex"),
  );
  return isSecret && row !== undefined && isLive(row, nowMs) ? row : undefined;
}

export function isLive({ expiresMs }: TokenRow, nowMs: number): boolean {
  return expiresMs === null || nowMs < expiresMs;
}

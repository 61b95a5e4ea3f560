// SPDX-License-Identifier: MIT
// The file of tokens: JSON, readable by its owner alone, with hashes in place of secrets. Written
// by `muster token`, read by the door again whenever it has changed, so that a token that is
// revoked is of no use from then on.
//
//   F1. A reader sees the old file or the new one, never half of one; two writers never lose a row.
//   F2. A door that has seen the file once asks for tokens until it ends, also when the file is
//       gone or cannot be read: then nobody is let in.
import {
  closeSync,
  fstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { z } from "zod";
import { errorText } from "../../core/text.ts";
import type { Logger } from "../../host/logger.ts";
import { openWithoutWaiting } from "../../host/small-file.ts";
import { roles } from "../../wire/link/roles.ts";
import type { TokenRow, TokenSource } from "./tokens.ts";

/** Tokens that one file holds. */
export const tokensMax = 10_000;

export class TokenFileError extends Error {
  override readonly name = "TokenFileError";
}

const rowSchema = z.strictObject({
  id: z.string().regex(/^[a-z0-9]{1,32}$/),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  role: z.enum(roles),
  scope: z.string().nullable(),
  expiresMs: z.int().nullable(),
  createdMs: z.int(),
  note: z.string(),
});
const fileSchema = z.strictObject({ format: z.literal(1), tokens: z.array(rowSchema) });

/** @returns undefined when there is no such file. @throws TokenFileError */
export function readTokens(path: string): readonly TokenRow[] | undefined {
  let descriptor: number;
  try {
    descriptor = openWithoutWaiting(path);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw new TokenFileError(`cannot read the tokens: ${errorText(error)}`);
  }
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) throw new TokenFileError(`${path} is a directory, a pipe or a device`);
    if ((stats.mode & 0o077) !== 0) {
      throw new TokenFileError(`others may read ${path}; run: chmod 600 ${path}`);
    }
    return fileSchema.parse(JSON.parse(readFileSync(descriptor, "utf8"))).tokens;
  } catch (error) {
    if (error instanceof TokenFileError) throw error;
    const advice = "take it from a backup, or remove it and make new tokens";
    throw new TokenFileError(`${path} is not a file of tokens; ${advice}`);
  } finally {
    closeSync(descriptor);
  }
}

/** Changes the rows under a lock (F1). @throws TokenFileError */
export function changeTokens(
  path: string,
  change: (rows: readonly TokenRow[]) => readonly TokenRow[],
): void {
  const next = `${path}.new`;
  let descriptor: number;
  try {
    // The new file is the lock: whoever makes it writes, and renames it in one step.
    descriptor = openSync(next, "wx", 0o600);
  } catch (error) {
    const isHeld = codeOf(error) === "EEXIST";
    const why = isHeld
      ? `somebody else is changing the tokens; if nobody is, remove ${next}`
      : `cannot write the tokens: ${errorText(error)}`;
    throw new TokenFileError(why);
  }
  try {
    try {
      const tokens = change(readTokens(path) ?? []);
      if (tokens.length > tokensMax) {
        throw new TokenFileError(`${tokensMax} tokens are there already; revoke some of them`);
      }
      const text = `${JSON.stringify({ format: 1, tokens }, null, 2)}\n`;
      writeFileSync(descriptor, text, { flush: true });
    } finally {
      closeSync(descriptor);
    }
    renameSync(next, path);
  } catch (error) {
    rmSync(next, { force: true });
    throw error;
  }
}

/** The file as the door sees it. */
export class TokenFile implements TokenSource {
  readonly #path: string;
  readonly #logger: Logger;
  #version = "";
  #rows: ReadonlyMap<string, TokenRow> | undefined;

  /** @throws TokenFileError when there is a file that cannot be used. */
  constructor(path: string, logger: Logger) {
    this.#path = path;
    this.#logger = logger;
    this.#version = versionOf(path);
    this.#rows = toMap(readTokens(path));
  }

  rows(): ReadonlyMap<string, TokenRow> | undefined {
    const version = versionOf(this.#path);
    if (version !== this.#version) {
      this.#version = version;
      this.#rows = this.#read();
    }
    return this.#rows;
  }

  /** F2. */
  #read(): ReadonlyMap<string, TokenRow> | undefined {
    try {
      const rows = toMap(readTokens(this.#path));
      if (rows !== undefined || this.#rows === undefined) return rows;
      this.#logger.log("error", `${this.#path} is gone; nobody is let in until it is back`);
    } catch (error) {
      this.#logger.log("error", `nobody is let in: ${errorText(error)}`);
    }
    return new Map();
  }
}

/** Changes whenever the file does, also when it cannot be looked at any more. */
function versionOf(path: string): string {
  try {
    const found = statSync(path, { throwIfNoEntry: false, bigint: true });
    return found === undefined ? "" : `${found.ino} ${found.size} ${found.mtimeNs} ${found.mode}`;
  } catch (error) {
    return errorText(error);
  }
}

function toMap(rows: readonly TokenRow[] | undefined): ReadonlyMap<string, TokenRow> | undefined {
  return rows && new Map(rows.map((row) => [row.id, row]));
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

// SPDX-License-Identifier: MIT
// Reads files of certificates and keys. A key that others can read is refused.
import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { errorText } from "../core/text.ts";
import { pemBytesMax } from "./limits.ts";
import { PkiError } from "./pki-error.ts";

/** A certificate. @throws PkiError (FILE) */
export function readPem(path: string): string {
  return read(path, "public");
}

/** A private key. @throws PkiError (FILE, UNSAFE) */
export function readPrivatePem(path: string): string {
  return read(path, "private");
}

/** Looks at the file that it reads, not at one that is put in its place meanwhile. */
function read(path: string, kind: "public" | "private"): string {
  let descriptor: number | undefined;
  try {
    // A pipe must not hold up whoever reads.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = fstatSync(descriptor);
    const { mode, size } = stats;
    // A device may have no end.
    if (stats.isCharacterDevice()) throw new PkiError("FILE", `${path} is no file`);
    if (size > pemBytesMax) {
      throw new PkiError(
        "FILE",
        `${path} has ${size} bytes, more than the ${pemBytesMax} of a PEM file`,
      );
    }
    if (kind === "private" && (mode & 0o077) !== 0) {
      const message = `others can use the private key ${path}; run: chmod 600 ${path}`;
      throw new PkiError("UNSAFE", message);
    }
    return readFileSync(descriptor, "latin1");
  } catch (error) {
    if (error instanceof PkiError) throw error;
    const text = errorText(error);
    throw new PkiError("FILE", `cannot read ${path}: ${text}`);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

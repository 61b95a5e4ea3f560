// SPDX-License-Identifier: MIT
// What can go wrong with certificates and keys. The message says what to do next.

/**
 * All are definite: nothing was written.
 *
 * | code | |
 * |---|---|
 * | `BAD_NAME` | the name, or a further name, cannot stand in such a certificate |
 * | `BAD_DAYS` | the life asked for is none |
 * | `EXISTS` | a file of that name is there |
 * | `NO_AUTHORITY` | the directory has no authority to sign with, or it has expired |
 * | `NOT_FOUND` | there is no such certificate, or more than one |
 * | `UNSAFE` | others can read a private key |
 * | `DAMAGED` | a file is no certificate or key, or they do not belong together |
 * | `FILE` | a file cannot be read or written |
 */
export type PkiErrorCode =
  | "BAD_NAME"
  | "BAD_DAYS"
  | "EXISTS"
  | "NO_AUTHORITY"
  | "NOT_FOUND"
  | "UNSAFE"
  | "DAMAGED"
  | "FILE";

export class PkiError extends Error {
  override readonly name = "PkiError";
  readonly code: PkiErrorCode;
  constructor(code: PkiErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

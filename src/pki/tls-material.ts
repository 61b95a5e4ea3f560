// SPDX-License-Identifier: MIT
// What a door needs for TLS, from the directory of an authority: its own certificate and key, and
// the authority that its peers must be signed by. Everything is checked before anything listens.
import { createPrivateKey, X509Certificate } from "node:crypto";
import { authorityFiles, listNames, subjectFiles } from "./certificate-files.ts";
import { PkiError } from "./pki-error.ts";
import { readPem, readPrivatePem } from "./read-pem.ts";
import type { SubjectKind } from "./subject.ts";

/** PEM texts. */
export interface TlsMaterial {
  readonly name: string;
  readonly certificate: string;
  readonly key: string;
  readonly authority: string;
}

export interface TlsMaterialOptions {
  /** A server's when absent. */
  readonly kind?: SubjectKind;
  /** The only one of its kind when absent. */
  readonly name?: string;
  readonly nowMs: number;
}

/** @throws PkiError (NOT_FOUND, NO_AUTHORITY, UNSAFE, DAMAGED, FILE) */
export function loadTlsMaterial(directory: string, options: TlsMaterialOptions): TlsMaterial {
  const { kind = "server", nowMs } = options;
  const name = options.name ?? onlyName(directory, kind);
  const files = subjectFiles(directory, { kind, name });
  const authority = readPem(authorityFiles(directory).certificate);
  const certificate = readPem(files.certificate);
  const key = readPrivatePem(files.key);
  const complaint = examine({ authority, certificate, key }, nowMs);
  if (complaint !== undefined) {
    const again = `muster cert issue ${kind} ${name} --dir ${directory} --force`;
    throw new PkiError("DAMAGED", `${files.certificate}: ${complaint}; issue it anew: ${again}`);
  }
  return { name, certificate, key, authority };
}

function onlyName(directory: string, kind: SubjectKind): string {
  const names = listNames(directory, kind);
  const [first] = names;
  if (first !== undefined && names.length === 1) return first;
  const message =
    first === undefined
      ? `there is no certificate of a ${kind} in ${directory}; make one with: muster cert issue ${kind} NAME --dir ${directory}`
      : `${directory} has certificates of several ${kind}s (${names.join(", ")}); name one`;
  throw new PkiError("NOT_FOUND", message);
}

function examine(
  { authority, certificate, key }: Omit<TlsMaterial, "name">,
  nowMs: number,
): string | undefined {
  try {
    const own = new X509Certificate(certificate);
    const signer = new X509Certificate(authority);
    if (!own.checkPrivateKey(createPrivateKey(key)))
      return "its key is not that of the certificate";
    if (!own.verify(signer.publicKey)) return "it is not signed by the authority of the directory";
    const ends = own.validToDate;
    return ends.getTime() <= nowMs ? `it has expired (${ends.toISOString()})` : undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

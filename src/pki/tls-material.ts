// SPDX-License-Identifier: MIT
// What a door needs for TLS: its own certificate and key, and the authority that its peers must be
// signed by. From the directory of an authority of ours, or from files that somebody else has made;
// the same is checked of both, before anything listens.
import { createPrivateKey, X509Certificate } from "node:crypto";
import { errorText } from "../core/text.ts";
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

/** Files that somebody else has made: a chain, its key, and who has signed the clients'. */
export interface TlsFileNames {
  readonly certificate: string;
  readonly key: string;
  /** Not who has signed this certificate: that is the clients' business. */
  readonly authority?: string;
}

/** PEM texts. */
export type TlsTexts = Omit<TlsMaterial, "name" | "authority"> & { readonly authority?: string };

/** @throws PkiError (UNSAFE, DAMAGED, FILE) */
export function loadTlsFiles(files: TlsFileNames, nowMs: number): TlsTexts {
  const certificate = readPem(files.certificate);
  const key = readPrivatePem(files.key);
  const complaint = examine({ certificate, key }, nowMs);
  if (complaint !== undefined) {
    throw new PkiError("DAMAGED", `${files.certificate}: ${complaint}; give PEM files that match`);
  }
  if (files.authority === undefined) return { certificate, key };
  const authority = readPem(files.authority);
  const wrong = examineAuthority(authority);
  if (wrong !== undefined) throw new PkiError("DAMAGED", `${files.authority}: ${wrong}`);
  return { certificate, key, authority };
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

function examine({ authority, certificate, key }: TlsTexts, nowMs: number): string | undefined {
  try {
    const own = new X509Certificate(certificate);
    if (!own.checkPrivateKey(createPrivateKey(key)))
      return "its key is not that of the certificate";
    if (authority !== undefined && !own.verify(new X509Certificate(authority).publicKey)) {
      return "it is not signed by the authority of the directory";
    }
    const ends = own.validToDate;
    return ends.getTime() <= nowMs ? `it has expired (${ends.toISOString()})` : undefined;
  } catch (error) {
    return errorText(error);
  }
}

function examineAuthority(authority: string): string | undefined {
  try {
    return new X509Certificate(authority).ca
      ? undefined
      : "it is not the certificate of an authority";
  } catch (error) {
    return errorText(error);
  }
}

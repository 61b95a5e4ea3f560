// SPDX-License-Identifier: MIT
// Makes the files of an authority and of what it signs; where they are is in certificate-files.ts.
//
//   F1. Whatever holds a private key is made with mode 0600 and O_EXCL: at no moment can others
//       read it, and no link that somebody left there is followed.
//   F2. Nothing is written over unless that was asked for, and then by a rename: a reader sees the
//       old file or the new one.
import {
  closeSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { errorText } from "../core/text.ts";
import type { KeyKind } from "../host/ids.ts";
import { createAuthority, endOf, type Issued, issueCertificate } from "./certificate.ts";
import { authorityFiles, subjectFiles } from "./certificate-files.ts";
import { PkiError } from "./pki-error.ts";
import { readPem, readPrivatePem } from "./read-pem.ts";
import { alternativeNames, checkSubject, type Subject } from "./subject.ts";

/** Where the files of one certificate are. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
  /** Both in one file; the authority has none, its key goes nowhere. */
  readonly bundle?: string;
  readonly endsMs: number;
}

export interface InitOptions {
  readonly directory: string;
  readonly keyKind: KeyKind;
  readonly days: number;
  readonly force: boolean;
  readonly nowMs: number;
}

export interface IssueFilesOptions extends Subject {
  readonly directory: string;
  /** Further names, as given. */
  readonly san: readonly string[];
  readonly days: number;
  readonly force: boolean;
  readonly nowMs: number;
}

/** Makes the directory and its authority. @throws PkiError */
export async function initDirectory(options: InitOptions): Promise<CertificateFiles> {
  const { directory, keyKind, days, nowMs, force } = options;
  const files = authorityFiles(directory);
  if (!force) refuseExisting([files.certificate, files.key]);
  const authority = await createAuthority(keyKind, { nowMs, days });
  makeDirectory(directory);
  writeAll(
    [
      [files.key, authority.key],
      [files.certificate, authority.certificate],
    ],
    force,
  );
  return { ...files, endsMs: endOf(authority.certificate) };
}

/** Makes a key and a certificate for it. @throws PkiError */
export async function issueFiles(options: IssueFilesOptions): Promise<CertificateFiles> {
  const { directory, kind, name, san, days, nowMs, force } = options;
  const subject = { kind, name };
  checkSubject(subject);
  const names = alternativeNames(subject, san);
  const files = subjectFiles(directory, subject);
  if (!force) refuseExisting([files.certificate, files.key, files.bundle]);
  const authority = readAuthority(directory);
  const life = { nowMs, days };
  const issued = await issueCertificate({ authority, subject, alternativeNames: names, life });
  makeDirectory(join(directory, kind));
  const texts = [
    [files.key, issued.key],
    [files.bundle, issued.certificate + issued.key],
    [files.certificate, issued.certificate],
  ] as const;
  writeAll(texts, force);
  return { ...files, endsMs: endOf(issued.certificate) };
}

function readAuthority(directory: string): Issued {
  const files = authorityFiles(directory);
  if (statSync(files.certificate, { throwIfNoEntry: false }) === undefined) {
    const message = `there is no authority in ${directory}; make one with: muster cert init --dir ${directory}`;
    throw new PkiError("NO_AUTHORITY", message);
  }
  return { certificate: readPem(files.certificate), key: readPrivatePem(files.key) };
}

function refuseExisting(paths: readonly string[]): void {
  const found = paths.find((path) => statSync(path, { throwIfNoEntry: false }) !== undefined);
  if (found === undefined) return;
  throw new PkiError("EXISTS", `${found} is there already; --force writes a new one in its place`);
}

/** For the owner alone. A directory that is there keeps its mode: files guard themselves. */
function makeDirectory(path: string): void {
  wrap(path, () => mkdirSync(path, { recursive: true, mode: 0o700 }));
}

/** F1, F2. */
function writeAll(texts: readonly (readonly [path: string, text: string])[], force: boolean): void {
  const made: string[] = [];
  try {
    for (const [path, text] of texts) {
      const fresh = `${path}.new`;
      // What an earlier attempt left behind when it was killed.
      if (force) rmSync(fresh, { force: true });
      const target = force ? fresh : path;
      wrap(path, () => {
        const descriptor = openSync(target, "wx", 0o600);
        // From here on it is ours to take away, also when the disk is full.
        made.push(target);
        try {
          writeFileSync(descriptor, text);
        } finally {
          closeSync(descriptor);
        }
      });
    }
  } catch (error) {
    for (const path of made) rmSync(path, { force: true });
    throw error;
  }
  if (!force) return;
  for (const [path] of texts) wrap(path, () => renameSync(`${path}.new`, path));
}

function wrap(path: string, act: () => unknown): void {
  try {
    act();
  } catch (error) {
    const text = errorText(error);
    const exists = error instanceof Error && "code" in error && error.code === "EEXIST";
    throw exists
      ? new PkiError("EXISTS", `${path} is there already; --force writes a new one in its place`)
      : new PkiError("FILE", `cannot write ${path}: ${text}; choose another directory with --dir`);
  }
}

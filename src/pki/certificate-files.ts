// SPDX-License-Identifier: MIT
// Where the files of an authority are, as PEM texts in one directory:
//
//   ca.pem  ca-key.pem
//   KIND/NAME.crt  KIND/NAME.key  KIND/NAME.pem    KIND is server, node or user
//
// NAME.pem holds certificate and key, as old clients want them in one file (client.pem,
// ~/.ssl/emulab.pem).
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Subject, SubjectKind } from "./subject.ts";

export function authorityFiles(directory: string): { certificate: string; key: string } {
  return { certificate: join(directory, "ca.pem"), key: join(directory, "ca-key.pem") };
}

export function subjectFiles(directory: string, { kind, name }: Subject) {
  const base = join(directory, kind, name);
  return { certificate: `${base}.crt`, key: `${base}.key`, bundle: `${base}.pem` };
}

/** Names of the certificates of a kind, sorted. */
export function listNames(directory: string, kind: SubjectKind): readonly string[] {
  try {
    const files = readdirSync(join(directory, kind));
    const names = files.filter((file) => file.endsWith(".crt")).map((file) => file.slice(0, -4));
    return names.sort();
  } catch {
    return [];
  }
}

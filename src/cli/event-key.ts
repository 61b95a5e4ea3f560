// SPDX-License-Identifier: MIT
// The file of an experiment's event key: where it is, and what is in it. [EMULAB-EVENTS 1.7, 3]
import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { getSystemErrorMessage } from "node:util";
import { readEventKey } from "../host/event-hash.ts";

/** Where a key is below the directory of its experiment. */
const keyFile = "tbdata/eventkey";

export interface KeyOwner {
  readonly pid: string;
  readonly eid: string;
  /** As given; undefined: where the experiment has it. */
  readonly keyFile: string | undefined;
  /**
   * Directories the experiment may have here besides the testbed's; the first with a key counts.
   */
  readonly directories: readonly string[];
}

export type FoundKey =
  | { readonly kind: "key"; readonly bytes: Uint8Array }
  /** The reason is that of the system. */
  | { readonly kind: "unreadable"; readonly path: string; readonly reason: string }
  | { readonly kind: "unusable"; readonly message: string };

export function findKey(owner: KeyOwner): FoundKey {
  const path = choosePath(owner);
  const reason = unreadable(path);
  if (reason !== undefined) return { kind: "unreadable", path, reason };
  const read = readEventKey(path);
  if (read.kind === "key") return read;
  return { kind: "unusable", message: read.message };
}

/**
 * `$EXPDIR`, for the experiment whose program this is: nodes that are no name spaces do not see the
 * directory at its old path.
 */
export function ownDirectories(
  { pid, eid }: { readonly pid: string; readonly eid: string },
  environment: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  const { EXPDIR: directory, PID, EID } = environment;
  return directory !== undefined && PID === pid && EID === eid ? [directory] : [];
}

function choosePath({ pid, eid, keyFile: given, directories }: KeyOwner): string {
  if (given !== undefined) return given;
  const standard = join("/proj", pid, "exp", eid, keyFile);
  const others = directories.map((directory) => join(directory, keyFile));
  return [standard, ...others].find((path) => unreadable(path) === undefined) ?? standard;
}

/** As `strerror` of the C library has it. */
const reasons: Readonly<Record<string, string>> = {
  ENOENT: "No such file or directory",
  EACCES: "Permission denied",
  EPERM: "Operation not permitted",
  ENOTDIR: "Not a directory",
  ELOOP: "Too many levels of symbolic links",
  ENAMETOOLONG: "File name too long",
};

/** Why a file cannot be read; undefined when it can. */
function unreadable(path: string): string | undefined {
  try {
    accessSync(path, constants.R_OK);
    return undefined;
  } catch (error) {
    const { code, errno, message } = error as NodeJS.ErrnoException;
    const known = reasons[code ?? ""];
    return known ?? (errno === undefined ? message : getSystemErrorMessage(errno));
  }
}

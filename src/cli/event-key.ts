// SPDX-License-Identifier: MIT
// The file of an experiment's event key: where it is, and what is in it. [EMULAB-EVENTS 1.7, 3]
import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { getSystemErrorMessage } from "node:util";
import { readEventKey } from "../host/event-hash.ts";

/** Where a key is below the directory of its experiment. */
export const keyFile = "tbdata/eventkey";

export interface KeyOwner {
  readonly pid: string;
  readonly eid: string;
  /** As given; undefined: where the experiment has it. */
  readonly keyFile: string | undefined;
  /** Where it may be besides the testbed's place; the first that can be read counts. */
  readonly others: readonly string[];
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
 * Where a program of a run finds the key of its own experiment: in the experiment's directory,
 * which nodes that are no name spaces do not see at its old path, or among the boot files of its
 * node.
 */
export function ownKeyFiles(
  { pid, eid }: { readonly pid: string; readonly eid: string },
  environment: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  const { EXPDIR: directory, MUSTER_BOOT: boot, PID, EID } = environment;
  if (PID !== pid || EID !== eid) return [];
  return [
    ...(directory === undefined ? [] : [join(directory, keyFile)]),
    ...(boot === undefined ? [] : [join(boot, "eventkey")]),
  ];
}

function choosePath({ pid, eid, keyFile: given, others }: KeyOwner): string {
  if (given !== undefined) return given;
  const standard = join("/proj", pid, "exp", eid, keyFile);
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

// SPDX-License-Identifier: MIT
// The key of an experiment's events: where it is, and what is said when it cannot be read.
// [EMULAB-EVENTS 1.7, 3]
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { getSystemErrorMessage } from "node:util";
import type { Exit } from "./exit.ts";
import { failureCode } from "./tevc-arguments.ts";

/** Where a key is below the directory of its experiment. */
const keyFile = "tbdata/eventkey";

type Environment = Readonly<Record<string, string | undefined>>;

interface KeyOf {
  readonly pid: string;
  readonly eid: string;
  readonly keyFile: string | undefined;
}

/** The bytes of the key, or how the command ends. */
export function readKey(of: KeyOf, environment: Environment): { readonly key: Uint8Array } | Exit {
  const standard = `/proj/${of.pid}/exp/${of.eid}/${keyFile}`;
  const path = of.keyFile ?? standard;
  const [key, reason] = tryRead(path);
  if (key !== undefined) return { key };
  // Nodes that are no name spaces do not see the directory at its old path.
  const { EXPDIR: directory, PID: pid, EID: eid } = environment;
  if (of.keyFile === undefined && directory !== undefined && pid === of.pid && eid === of.eid) {
    const [own] = tryRead(join(directory, keyFile));
    if (own !== undefined) return { key: own };
  }
  const stderr = `Could not read ${path} : ${reason}\n`;
  return { kind: "exit", code: failureCode, stderr };
}

function tryRead(path: string): readonly [Uint8Array | undefined, string] {
  try {
    return [readFileSync(path), ""];
  } catch (error) {
    return [undefined, describe(error as NodeJS.ErrnoException)];
  }
}

/** As `strerror` of the C library has it. */
const reasons: Readonly<Record<string, string>> = {
  ENOENT: "No such file or directory",
  EACCES: "Permission denied",
  EPERM: "Operation not permitted",
  EISDIR: "Is a directory",
  ENOTDIR: "Not a directory",
  ELOOP: "Too many levels of symbolic links",
  ENAMETOOLONG: "File name too long",
};

function describe({ code, errno, message }: NodeJS.ErrnoException): string {
  const known = reasons[code ?? ""];
  return known ?? (errno === undefined ? message : getSystemErrorMessage(errno));
}

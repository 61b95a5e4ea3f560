// SPDX-License-Identifier: MIT
// The key of an experiment's events: where it is, and what is said when it cannot be read.
// [EMULAB-EVENTS 1.7, 3]
import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { getSystemErrorMessage } from "node:util";
import { readEventKey } from "../../host/event-hash.ts";
import type { Exit } from "./exit.ts";
import { failureCode } from "./tevc-arguments.ts";

/** Where a key is below the directory of its experiment. */
const keyFile = "tbdata/eventkey";

type Environment = Readonly<Record<string, string | undefined>>;

export interface KeyOwner {
  readonly pid: string;
  readonly eid: string;
  /** As given; undefined: where the testbed has it. */
  readonly keyFile: string | undefined;
}

/** The bytes of the key, or how the command ends. */
export function readKey(
  owner: KeyOwner,
  environment: Environment,
): { readonly key: Uint8Array } | Exit {
  const path = chooseFile(owner, environment);
  const reason = unreadable(path);
  if (reason !== undefined) return fail(`Could not read ${path} : ${reason}`);
  const read = readEventKey(path);
  return read.kind === "key" ? { key: read.bytes } : fail(`tevc: ${read.message}`);
}

function chooseFile({ pid, eid, keyFile: given }: KeyOwner, environment: Environment): string {
  if (given !== undefined) return given;
  const standard = `/proj/${pid}/exp/${eid}/${keyFile}`;
  // Nodes that are no name spaces do not see the experiment's directory at its old path.
  const { EXPDIR: directory, PID, EID } = environment;
  if (directory === undefined || PID !== pid || EID !== eid) return standard;
  const own = join(directory, keyFile);
  return unreadable(standard) !== undefined && unreadable(own) === undefined ? own : standard;
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

function fail(text: string): Exit {
  return { kind: "exit", code: failureCode, stderr: `${text}\n` };
}

// SPDX-License-Identifier: MIT
// Where the programs of this machine are that process nodes are made with.
import { accessSync, constants } from "node:fs";
import { join } from "node:path";

/** Where system programs are looked for; an ordinary user's PATH often lacks the sbin ones. */
export const STANDARD_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The absolute path of a program, or undefined. */
export function findProgram(name: string, path: string = STANDARD_PATH): string | undefined {
  return path
    .split(":")
    .map((directory) => join(directory, name))
    .find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Why a process or file could not be had, and what to do where that is known. */
export function describeSystemError({ message }: Error): string {
  return message.includes("EMFILE")
    ? `${message}, too many open files; raise the limit (ulimit -n)`
    : message;
}

/** How a command line is run. */
export interface NodeShell {
  /** For people: `csh -f -c`, `bash -c`, or `""` when there is neither. */
  readonly text: string;
  readonly argv: readonly string[];
}

/**
 * csh as the old agents had it, else bash: files redirect with `>&`, which plain sh does not know.
 * [EMULAB-EVENTS 4.4]
 */
export function chooseShell(path: string = STANDARD_PATH): NodeShell {
  const csh = findProgram("csh", path) ?? findProgram("tcsh", path);
  if (csh !== undefined) return { text: "csh -f -c", argv: [csh, "-f", "-c"] };
  const bash = findProgram("bash", path);
  if (bash !== undefined) return { text: "bash -c", argv: [bash, "-c"] };
  return { text: "", argv: [] };
}

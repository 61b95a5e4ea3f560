// SPDX-License-Identifier: MIT
// The files of programs in the log directory of their node. [EMULAB-EVENTS 4.5]
//
//   NAME.out.T, NAME.err.T, NAME.status.T   of the run with token T, for owner and group
//   NAME.out, NAME.err, NAME.status         links to those of the last run
//   NAME.TAG.out, ...                       links to those of the last run with that tag
//   .NAME.out.loaded, .NAME.err.loaded      of a program that is loaded; its token is not known yet
//
// Links are set when a run starts, so that who looks finds the output of what runs now; status,
// when it has ended. The directory belongs to the programs: what they put in the way is replaced,
// or what cannot be is left and said.
import {
  closeSync,
  lstatSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { errorText } from "../../core/text.ts";
import { openRegularFile } from "../nodes/regular-file.ts";
import type { OutputFacts } from "./program-status.ts";

/** Where the two streams of a program go. */
export interface OutputFiles {
  readonly stdout: string;
  readonly stderr: string;
}

const kinds = ["out", "err", "status"] as const;
type Kind = (typeof kinds)[number];

export function outputFiles(directory: string, name: string, token: number): OutputFiles {
  const file = (kind: Kind): string => join(directory, `${name}.${kind}.${token}`);
  return { stdout: file("out"), stderr: file("err") };
}

export function loadedFiles(directory: string, name: string): OutputFiles {
  const file = (kind: Kind): string => join(directory, `.${name}.${kind}.loaded`);
  return { stdout: file("out"), stderr: file("err") };
}

/** Whether the file is what a run of a program printed, and not a link to it. */
export function isRunOutput(file: string): boolean {
  return /\.(?:out|err)\.\d+$/.test(file);
}

/** Whether the file is there for a moment only: what is loaded, and links before they are set. */
export function isPassing(file: string): boolean {
  return /^\..+\.(?:(?:out|err)\.loaded|(?:out|err|status)\.new)$/.test(file);
}

/** @returns what went wrong. */
export function moveOutput(from: OutputFiles, to: OutputFiles): string | undefined {
  return attempt(() => {
    renameSync(from.stdout, to.stdout);
    renameSync(from.stderr, to.stderr);
  });
}

/** What no TOKEN can be: it has 31 bits. */
const displacedRuns = 0x8000_0000;

/**
 * The number of a run: its token, unless an earlier run has that. Senders choose tokens, and so do
 * agendas that know nothing of each other; what a run has printed is not overwritten for it.
 */
export function freeRunNumber(directory: string, name: string, token: number): number {
  const isTaken = (number: number): boolean => {
    const { stdout } = outputFiles(directory, name, number);
    return lstatSync(stdout, { throwIfNoEntry: false }) !== undefined;
  };
  if (!isTaken(token)) return token;
  let number = displacedRuns;
  while (isTaken(number)) number += 1;
  return number;
}

export function removeOutput({ stdout, stderr }: OutputFiles): void {
  attempt(() => rmSync(stdout, { force: true }));
  attempt(() => rmSync(stderr, { force: true }));
}

export interface RunNames {
  readonly directory: string;
  readonly name: string;
  readonly tag: string;
  readonly token: number;
}

/** @returns what went wrong. */
export function linkOutput(names: RunNames): string | undefined {
  return attempt(() => {
    for (const kind of ["out", "err"] as const) link(names, kind);
  });
}

/** Writes the status file and links it. @returns what went wrong. */
export function writeStatus(names: RunNames, text: string): string | undefined {
  const { directory, name, token } = names;
  const path = join(directory, `${name}.status.${token}`);
  return attempt(() => {
    rmSync(path, { force: true, recursive: true });
    const descriptor = openRegularFile(path, "append");
    if (typeof descriptor === "string") throw new Error(descriptor);
    try {
      writeSync(descriptor, text);
    } finally {
      closeSync(descriptor);
    }
    link(names, "status");
  });
}

/** Relative, so that it leads to the same file from the node and from the results. */
function link({ directory, name, tag, token }: RunNames, kind: Kind): void {
  const target = `${name}.${kind}.${token}`;
  const links = [`${name}.${kind}`, ...(tag === "" ? [] : [`${name}.${tag}.${kind}`])];
  for (const file of links) {
    const path = join(directory, file);
    const temporary = join(directory, `.${file}.new`);
    rmSync(temporary, { force: true, recursive: true });
    symlinkSync(target, temporary);
    // In one step: who reads it finds the last run or this one.
    renameSync(temporary, path);
  }
}

/** TIME START: nothing of earlier runs is left. @returns what went wrong. */
export function removeRunFiles(directory: string, names: readonly string[]): string | undefined {
  return attempt(() => {
    for (const file of readdirSync(directory)) {
      const owned = names.some((name) => isFileOf(name, file));
      if (owned) rmSync(join(directory, file), { force: true, recursive: true });
    }
  });
}

/** `NAME.out.T`, `NAME.TAG.out`, ...: the old agent removed `NAME.*out*`. */
function isFileOf(name: string, file: string): boolean {
  if (!file.startsWith(`${name}.`)) return false;
  return /^(?:.*\.)?(?:out|err|status)(?:\.\d+)?$/.test(file.slice(name.length + 1));
}

/** Size and time of a file of output; undefined when a program has put it out of reach. */
export function outputFacts(file: string): OutputFacts | undefined {
  try {
    const { size, mtimeMs } = statSync(file);
    return { bytes: size, modifiedWallMs: mtimeMs };
  } catch {
    return undefined;
  }
}

function attempt(act: () => void): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    return errorText(error);
  }
}

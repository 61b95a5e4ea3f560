// SPDX-License-Identifier: MIT
// The files that say which process supervises the scheduler of an experiment. They lie where the
// user of the scheduler cannot write: root signals the process that they name. Who is not root has
// schedulers of his own only, and files of his own.
//
//   P1. A file appears and changes as a whole, and only by who holds the lock of its experiment
//       (or was started by who holds it, and named itself in it).
//   P2. It names a process by its id and start, so that a process that came later with the same id
//       is never signalled.
//   P3. It is there from before the scheduler runs until after it has ended. A file whose process
//       is gone means that nobody stopped the scheduler: it died.
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { errorText } from "../../core/text.ts";
import { type ExperimentName, formatExperiment } from "./experiment-name.ts";
import { LaunchError, systemCode } from "./launch-error.ts";
import { isRunning, type ProcessIdentity } from "./process-identity.ts";

/** [EMULAB-EVENTS 7.5] */
export const defaultRunDirectory = "/var/run/emulab/evsched";

export type PidFileState =
  | { readonly kind: "none" }
  | { readonly kind: "running"; readonly process: ProcessIdentity }
  /** It died, or the machine was started anew, or the file is not one of ours. */
  | { readonly kind: "dead"; readonly pid: number | undefined };

export class PidFile {
  readonly path: string;
  /** Beside it, held by whoever starts or stops. */
  readonly lockPath: string;
  readonly #experiment: string;

  constructor(directory: string, name: ExperimentName) {
    this.#experiment = formatExperiment(name);
    // `a_b` of `c` and `a` of `b_c` would meet: no name has a comma.
    const separator = name.pid.includes("_") ? "," : "_";
    const base = join(directory, `${name.pid}${separator}${name.eid}`);
    this.path = `${base}.pid`;
    this.lockPath = `${base}.lock`;
  }

  read(): PidFileState {
    let text: string;
    try {
      text = readFileSync(this.path, "utf8");
    } catch (error) {
      if (systemCode(error) === "ENOENT") return { kind: "none" };
      throw error;
    }
    // The id alone on the first line, as scripts have always read it.
    const [, pid, startTicks, experiment] = /^(\d+)\n(\d+)\n(\S+)\n$/.exec(text) ?? [];
    if (pid === undefined || startTicks === undefined || experiment !== this.#experiment) {
      return { kind: "dead", pid: undefined };
    }
    const process = { pid: Number(pid), startTicks };
    return isRunning(process) ? { kind: "running", process } : { kind: "dead", pid: process.pid };
  }

  write({ pid, startTicks }: ProcessIdentity): void {
    const partial = `${this.path}.${pid}`;
    writeFileSync(partial, `${pid}\n${startTicks}\n${this.#experiment}\n`, { mode: 0o644 });
    renameSync(partial, this.path);
  }

  remove(): void {
    rmSync(this.path, { force: true });
  }

  /** By the process that it names, when nobody is there to hold the lock. */
  removeOwn({ pid }: ProcessIdentity): void {
    const state = this.read();
    if (state.kind === "running" && state.process.pid === pid) this.remove();
  }
}

/**
 * Makes the directory where there is none. Its parent is the system's.
 * @throws LaunchError (UNSAFE) when others than root, or than this user, can put files there
 */
export function prepareRunDirectory(path: string): void {
  const user = process.geteuid?.() ?? 0;
  const isMade = makeDirectory(path);
  if (isMade && user === 0) chmodSync(path, 0o775);
  const status = lstatSync(path);
  const othersMayWrite = (status.mode & 0o002) !== 0;
  const groupMayWrite = (status.mode & 0o020) !== 0 && status.gid !== 0;
  if (status.isDirectory() && status.uid === user && !othersMayWrite && !groupMayWrite) return;
  const who = user === 0 ? "only root" : "only you";
  const message = `${path} must be a directory that ${who} can write to; remove it, or name another with --rundir`;
  throw new LaunchError("UNSAFE", message);
}

/** @returns whether it was not there. @throws LaunchError (UNSAFE) */
function makeDirectory(path: string): boolean {
  try {
    return mkdirSync(path, { recursive: true, mode: 0o755 }) !== undefined;
  } catch (error) {
    const why = errorText(error);
    throw new LaunchError("UNSAFE", `cannot make ${path}: ${why}; name another with --rundir`);
  }
}

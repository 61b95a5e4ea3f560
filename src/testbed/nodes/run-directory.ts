// SPDX-License-Identifier: MIT
// The temporary directory of a run, `<tmp>/muster-<run id>`: what must exist outside the output
// directory while the run lives and must be gone afterwards. Its `owner` file says which process
// it belongs to, so that a later run can tell a leftover from a neighbour.
import {
  accessSync,
  constants,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Clock } from "../../host/clock.ts";
import { markedProcesses } from "./marked-processes.ts";
import { describeProcess, pidNamespace } from "./process-identity.ts";
import { startReaper } from "./reaper.ts";

const PREFIX = "muster-";

/** Leftovers that one run removes before it starts. */
const LEFTOVERS_MAX = 8;

/** Absolute, because processes with other working directories are told of it. */
function temporaryDirectory(): string {
  return resolve(tmpdir());
}

/** Where that of a run is, or would be. */
export function runDirectoryOf(runId: string): string {
  return join(temporaryDirectory(), `${PREFIX}${runId}`);
}

/** @returns why no run can have its directory there, a sentence for the user; undefined: it can */
export function refuseRunDirectory(): string | undefined {
  const parent = temporaryDirectory();
  try {
    // Of a file this fails.
    accessSync(join(parent, "."), constants.R_OK | constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    return notMade(parent, error);
  }
}

function notMade(parent: string, error: unknown): string {
  return `no directory can be made in ${parent}: ${String(error)}; set TMPDIR to one where you may`;
}

/**
 * Creates the directory, for its owner only.
 *
 * @throws Error with a sentence for the user.
 */
export function createRunDirectory(runId: string): string {
  const path = runDirectoryOf(runId);
  let isMade = false;
  try {
    mkdirSync(path, { mode: 0o700 });
    isMade = true;
    writeFileSync(join(path, "owner"), `${describeProcess("self") ?? ""}\n`);
  } catch (error) {
    // Without its owner's name nobody would ever take it for left over: the disk may be full.
    if (isMade) rmSync(path, { recursive: true, force: true });
    throw new Error(notMade(temporaryDirectory(), error), { cause: error });
  }
  return path;
}

/** What a dead run left on this machine. */
export interface Leftover {
  readonly runId: string;
  readonly directory: string;
  readonly processes: readonly number[];
}

/**
 * Temporary directories of this user whose run is dead. A directory whose owner lives in another
 * PID namespace is left out: nobody here can tell whether it is in use.
 */
export function findLeftovers(
  directory: string = temporaryDirectory(),
  countMax: number = Number.POSITIVE_INFINITY,
): readonly Leftover[] {
  const found: Leftover[] = [];
  for (const name of namesIn(directory)) {
    if (found.length >= countMax) break;
    const runId = /^muster-([0-9a-z]+)$/.exec(name)?.[1];
    if (runId === undefined) continue;
    const path = join(directory, name);
    if (!isOwnDirectory(path)) continue;
    const owner = readText(join(path, "owner"))?.trim();
    if (owner === undefined || isAlive(owner)) continue;
    found.push({ runId, directory: path, processes: markedProcesses(runId) });
  }
  return found;
}

/** Temporary directories of this user whose run is under way. */
export function findLiving(directory: string = temporaryDirectory()): readonly string[] {
  return namesIn(directory)
    .filter((name) => /^muster-[0-9a-z]+$/.test(name))
    .map((name) => join(directory, name))
    .filter((path) => {
      if (!isOwnDirectory(path)) return false;
      const owner = readText(join(path, "owner"))?.trim();
      return owner !== undefined && isAlive(owner);
    });
}

/** No run of anybody is where nothing can be read. */
function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** Ends the processes and removes the directories. @returns those that would not go. */
export async function removeLeftovers(
  leftovers: readonly Leftover[],
  clock: Clock,
): Promise<readonly Leftover[]> {
  const results = await Promise.all(
    leftovers.map(async (leftover) => {
      const reaper = await startReaper(leftover.runId, leftover.directory, clock);
      if (typeof reaper === "string") return leftover;
      return (await reaper.finish()) ? undefined : leftover;
    }),
  );
  return results.filter((leftover) => leftover !== undefined);
}

/**
 * What runs of this user left whose Muster and reaper were killed together, some of it at least.
 * Nothing that goes wrong here is a reason not to run.
 */
export async function removeOwnLeftovers(clock: Clock): Promise<void> {
  try {
    const found = findLeftovers(temporaryDirectory(), LEFTOVERS_MAX);
    if (found.length > 0) await removeLeftovers(found, clock);
  } catch {
    // Somebody else removes it meanwhile, or it may not be looked at.
  }
}

function isOwnDirectory(path: string): boolean {
  const status = lstatSync(path, { throwIfNoEntry: false });
  return status?.isDirectory() === true && status.uid === process.getuid?.();
}

function isAlive(owner: string): boolean {
  const [pid = "", , namespace] = owner.split(" ");
  if (namespace !== pidNamespace()) return true;
  return describeProcess(Number(pid)) === owner;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

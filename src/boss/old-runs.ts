// SPDX-License-Identifier: MIT
// Which results of old runs may go, by age and by size, and their removal. Works on files alone: no
// daemon need be up, and the rows of the experiments database stay. Nothing here holds up the event
// loop: a daemon does it beside what it serves.
//
//   O1. The last run of an experiment stays. As numbers only grow, that is also the one that is up.
//   O2. Results of `muster run` without a result may still be written, and stay.
import type { Dirent, Stats } from "node:fs";
import { lstat, readdir, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { errorText } from "../core/text.ts";
import { runsDirectory, type StateDirectory } from "./state-directory.ts";

export interface StoredRun {
  readonly directory: string;
  /** Runs of one experiment have the same. */
  readonly experiment: string;
  /** Orders the runs of an experiment. */
  readonly order: number;
  /** When the last of its files was written. */
  readonly writtenMs: number;
  readonly bytes: number;
}

export interface KeepRules {
  /** Runs that were written longer ago than this go. */
  readonly days?: number | undefined;
  /** The oldest go until all runs, those that stay in any case included, are at most so large. */
  readonly bytes?: number | undefined;
}

const dayMs = 86_400_000;

/** The runs that go, the oldest first. O1. */
export function planRemoval(
  runs: readonly StoredRun[],
  rules: KeepRules,
  nowMs: number,
): readonly StoredRun[] {
  const { days = Number.POSITIVE_INFINITY, bytes: bytesMax = Number.POSITIVE_INFINITY } = rules;
  const last = new Map<string, StoredRun>();
  for (const run of runs) {
    const known = last.get(run.experiment);
    if (known === undefined || run.order > known.order) last.set(run.experiment, run);
  }
  let bytes = runs.reduce((sum, run) => sum + run.bytes, 0);
  const oldestFirst = runs.toSorted((left, right) => left.writtenMs - right.writtenMs);
  return oldestFirst.filter((run) => {
    if (last.get(run.experiment) === run) return false;
    const isOld = nowMs - run.writtenMs > days * dayMs;
    if (!isOld && bytes <= bytesMax) return false;
    bytes -= run.bytes;
    return true;
  });
}

/** All runs that a daemon has left in its directory. */
export async function findStoredRuns(state: StateDirectory): Promise<readonly StoredRun[]> {
  const experiments = dirname(dirname(dirname(runsDirectory(state, "pid", "eid"))));
  const found: StoredRun[] = [];
  for (const pid of await directoriesIn(experiments)) {
    for (const eid of await directoriesIn(join(experiments, pid))) {
      const runs = runsDirectory(state, pid, eid);
      for (const name of await directoriesIn(runs)) {
        const order = runNumberOf(name);
        if (order === undefined) continue;
        const directory = join(runs, name);
        found.push({
          ...{ directory, experiment: `${pid}/${eid}`, order },
          ...(await measure(directory)),
        });
      }
    }
  }
  return found;
}

/** The number of a run, from the name of its directory; undefined: it is no run's. */
export function runNumberOf(name: string): number | undefined {
  return /^[1-9]\d{0,14}$/.test(name) ? Number(name) : undefined;
}

/** Results of `muster run` in a directory: those named NAME-TIME-XXXX that have ended. O2. */
export async function findResults(directory: string): Promise<readonly StoredRun[]> {
  const found: StoredRun[] = [];
  for (const name of await directoriesIn(directory)) {
    const experiment = /^(.+)-\d{8}-\d{6}-[0-9a-f]{4}$/.exec(name)?.[1];
    const path = join(directory, name);
    if (experiment === undefined || !(await isOver(path))) continue;
    const { writtenMs, bytes } = await measure(path);
    found.push({ directory: path, experiment, order: writtenMs, writtenMs, bytes });
  }
  return found;
}

/**
 * Removes a run with all its files; links in it are removed and not followed.
 * @returns why it could not be; undefined when it is gone, whoever removed it.
 */
export async function removeRun({ directory }: StoredRun): Promise<string | undefined> {
  try {
    await rm(directory, { recursive: true, force: true });
    return undefined;
  } catch (error) {
    return errorText(error);
  }
}

async function isOver(path: string): Promise<boolean> {
  for (const file of ["result.json", "series.json"]) {
    if ((await look(join(path, file))) !== undefined) return true;
  }
  return false;
}

/** @returns undefined when there is nothing, or nothing of ours. */
function look(path: string): Promise<Stats | undefined> {
  return lstat(path).catch(() => undefined);
}

async function directoriesIn(path: string): Promise<readonly string[]> {
  return (await list(path)).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
}

/** @returns nothing where there is no such directory; what is a link is not followed. */
function list(path: string): Promise<readonly Dirent[]> {
  return readdir(path, { withFileTypes: true }).catch(() => []);
}

async function measure(
  directory: string,
): Promise<{ readonly writtenMs: number; readonly bytes: number }> {
  let writtenMs = 0;
  let bytes = 0;
  const waiting = [directory];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    // What a program removes meanwhile counts no more.
    const found = await look(path);
    if (found === undefined) continue;
    writtenMs = Math.max(writtenMs, found.mtimeMs);
    if (found.isDirectory())
      for (const { name } of await list(path)) waiting.push(join(path, name));
    else bytes += found.size;
  }
  return { writtenMs, bytes };
}

/** What people call a run. */
export function nameRun({ experiment, directory }: StoredRun): string {
  return `${experiment} ${basename(directory)}`;
}

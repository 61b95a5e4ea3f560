// SPDX-License-Identifier: MIT
// Which results of old runs may go, by age and by size, and their removal. Works on files alone: no
// daemon need be up, and the rows of the experiments database stay.
//
//   O1. The last run of an experiment stays. As numbers only grow, that is also the one that is up.
//   O2. Results of `muster run` without a result may still be written, and stay.
import { type Dirent, lstatSync, readdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { textOf } from "./boss-error.ts";
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
  readonly days?: number;
  /** The oldest go until all runs, those that stay in any case included, are at most so large. */
  readonly bytes?: number;
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
export function findStoredRuns(state: StateDirectory): readonly StoredRun[] {
  const experiments = dirname(dirname(dirname(runsDirectory(state, "pid", "eid"))));
  return directoriesIn(experiments).flatMap((pid) =>
    directoriesIn(join(experiments, pid)).flatMap((eid) => {
      const runs = runsDirectory(state, pid, eid);
      const numbers = directoriesIn(runs).filter((name) => /^[1-9]\d{0,14}$/.test(name));
      return numbers.map((number) => {
        const directory = join(runs, number);
        const experiment = `${pid}/${eid}`;
        return { directory, experiment, order: Number(number), ...measure(directory) };
      });
    }),
  );
}

/** Results of `muster run` in a directory: those named NAME-TIME-XXXX that have ended. O2. */
export function findResults(directory: string): readonly StoredRun[] {
  return directoriesIn(directory).flatMap((name) => {
    const experiment = /^(.+)-\d{8}-\d{6}-[0-9a-f]{4}$/.exec(name)?.[1];
    const path = join(directory, name);
    const isOver = ["result.json", "series.json"].some((file) => isThere(join(path, file)));
    if (experiment === undefined || !isOver) return [];
    const { writtenMs, bytes } = measure(path);
    return [{ directory: path, experiment, order: writtenMs, writtenMs, bytes }];
  });
}

/**
 * Removes a run with all its files; links in it are removed and not followed.
 * @returns why it could not be; undefined when it is gone, whoever removed it.
 */
export function removeRun({ directory }: StoredRun): string | undefined {
  try {
    rmSync(directory, { recursive: true, force: true });
    return undefined;
  } catch (error) {
    return textOf(error);
  }
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function directoriesIn(path: string): readonly string[] {
  return list(path).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
}

/** @returns nothing where there is no such directory; what is a link is not followed. */
function list(path: string): readonly Dirent[] {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch {
    return [];
  }
}

function measure(directory: string): { readonly writtenMs: number; readonly bytes: number } {
  let writtenMs = 0;
  let bytes = 0;
  const waiting = [directory];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    // What a program removes meanwhile counts no more.
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined) continue;
    writtenMs = Math.max(writtenMs, found.mtimeMs);
    if (found.isDirectory()) for (const { name } of list(path)) waiting.push(join(path, name));
    else bytes += found.size;
  }
  return { writtenMs, bytes };
}

/** What people call a run. */
export function nameRun({ experiment, directory }: StoredRun): string {
  return `${experiment} ${basename(directory)}`;
}

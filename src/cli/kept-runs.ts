// SPDX-License-Identifier: MIT
// Runs of experiments that `muster up` keeps, found by their files, without asking the daemon: what
// they have left is there also when nothing is up any more.
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { runsDirectory, type StateDirectory } from "../boss/state-directory.ts";

export interface KeptRun {
  readonly pid: string;
  readonly eid: string;
  /** The directory of its last run. */
  readonly directory: string;
}

/** The experiments that `id` can mean: `pid/eid`, or `eid` in any project. */
export function findKeptRuns(state: StateDirectory, id: string): readonly KeptRun[] {
  const [first = "", second] = id.split("/");
  const experiments = dirname(dirname(dirname(runsDirectory(state, "pid", "eid"))));
  const projects = second === undefined ? list(experiments) : [first];
  const eid = second ?? first;
  return projects.flatMap((pid) => {
    const runs = runsDirectory(state, pid, eid);
    const numbers = list(runs).map(Number).filter(Number.isSafeInteger);
    if (numbers.length === 0) return [];
    const last = numbers.reduce((most, number) => Math.max(most, number), 0);
    return [{ pid, eid, directory: join(runs, String(last)) }];
  });
}

function list(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

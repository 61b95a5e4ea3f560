// SPDX-License-Identifier: MIT
// Runs of experiments that `muster up` keeps, found by their files, without asking the daemon: what
// they have left is there also when nothing is up any more.
import { readdirSync, readFileSync, statSync } from "node:fs";
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

export interface EndedRun {
  /** `pid/eid` */
  readonly experiment: string;
  /** `idle`, `terminate` and so on. */
  readonly endedBy: string;
  readonly endedWallMs: number;
  readonly nodes: readonly string[];
}

interface Result {
  readonly endedBy: string;
  readonly nodes?: readonly { readonly name: string }[];
}

/**
 * The run that was the last to end, of all experiments that are kept or of those that `id` means.
 */
export function findLastEnded(state: StateDirectory, id?: string): EndedRun | undefined {
  const experiments = dirname(dirname(dirname(runsDirectory(state, "pid", "eid"))));
  const ids =
    id === undefined
      ? list(experiments).flatMap((pid) =>
          list(join(experiments, pid)).map((eid) => `${pid}/${eid}`),
        )
      : [id];
  let last: (KeptRun & { readonly file: string; readonly endedWallMs: number }) | undefined;
  for (const run of ids.flatMap((one) => findKeptRuns(state, one))) {
    const file = join(run.directory, "result.json");
    const endedWallMs = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (endedWallMs > (last?.endedWallMs ?? 0)) last = { ...run, file, endedWallMs };
  }
  if (last === undefined) return undefined;
  const { pid, eid, file, endedWallMs } = last;
  try {
    const { endedBy, nodes = [] } = JSON.parse(readFileSync(file, "utf8")) as Result;
    const names = nodes.map(({ name }) => name);
    return { experiment: `${pid}/${eid}`, endedBy, endedWallMs, nodes: names };
  } catch {
    return undefined; // It is being removed.
  }
}

function list(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

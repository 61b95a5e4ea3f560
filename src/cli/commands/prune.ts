// SPDX-License-Identifier: MIT
// `muster prune`: removes the results of old runs, by age and by size. Never the last run of an
// experiment, so none that is up. Exit status: 0 done, 1 a run could not be removed, 64 no rule, 66
// no such directory of results.
import { statSync } from "node:fs";
import {
  BossError,
  checkStateDirectory,
  findResults,
  findStoredRuns,
  type KeepRules,
  nameRun,
  planRemoval,
  removeRun,
  type StoredRun,
} from "../../boss/index.ts";
import { systemClock } from "../../host/clock.ts";
import { plural } from "../../testbed/record/words.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError, type CommandIo } from "../io.ts";
import { stateOf } from "./serve-client.ts";

export interface PruneArguments {
  readonly state?: string;
  /** Of `muster run`, in place of the state directory. */
  readonly results?: string;
  readonly keepDays?: number;
  readonly keepBytes?: number;
  readonly dryRun: boolean;
  readonly json: boolean;
}

/** @returns the exit status. @throws CommandError */
export async function pruneCommand(argv: PruneArguments, io: CommandIo): Promise<number> {
  const { keepDays, keepBytes, dryRun, json } = argv;
  if (keepDays === undefined && keepBytes === undefined) {
    const message = "say what stays: --keep-days D, --keep-bytes N or both";
    throw new CommandError(exitCodes.usage, message);
  }
  const rules: KeepRules = { days: keepDays, bytes: keepBytes };
  const runs = await find(argv);
  const planned = planRemoval(runs, rules, systemClock.wallMs());
  const gone: StoredRun[] = [];
  let status: number = exitCodes.ok;
  for (const run of planned) {
    const why = dryRun ? undefined : await removeRun(run);
    if (why === undefined) gone.push(run);
    else {
      io.stderr(`muster: cannot remove ${run.directory}: ${why}\n`);
      status = exitCodes.failed;
    }
  }
  const bytes = gone.reduce((sum, run) => sum + run.bytes, 0);
  const kept = runs.length - gone.length;
  if (json) io.stdout(`${JSON.stringify({ dryRun, removed: gone, bytes, kept }, null, 2)}\n`);
  else {
    const verb = dryRun ? "would remove" : "removed";
    for (const run of gone) io.stdout(`${verb} ${nameRun(run)}, ${run.bytes} bytes\n`);
    const what = `${plural(gone.length, "run")} of ${bytes} bytes`;
    io.stdout(`${verb} ${what}, ${kept} ${kept === 1 ? "stays" : "stay"}\n`);
  }
  return status;
}

/** @throws CommandError */
async function find({ state, results }: PruneArguments): Promise<readonly StoredRun[]> {
  if (results !== undefined) {
    if (statSync(results, { throwIfNoEntry: false })?.isDirectory()) return findResults(results);
    const message = `--results ${results}: there is no such directory; name the one that has NAME-TIME-XXXX in it`;
    throw new CommandError(exitCodes.noInput, message);
  }
  const place = stateOf(state);
  try {
    // Somebody else's directory is not ours to remove from.
    return checkStateDirectory(place) ? await findStoredRuns(place) : [];
  } catch (error) {
    if (!(error instanceof BossError)) throw error;
    throw new CommandError(exitCodes.cannotCreate, error.message);
  }
}

// SPDX-License-Identifier: MIT
// Which run that is under way a name means, and what is said where that is none or several. Two
// runs of one file have one name, so each can also be named by its ID or its directory.
import { findEntrances, isRunNamed, type LivingRun } from "../testbed/nodes/index.ts";
import { exitCodes } from "./exit-codes.ts";
import { CommandError } from "./io.ts";

export type NamedRun = Pick<LivingRun, "runId" | "experiment" | "out">;

/** All of this user. */
export const runsUnderWay = (): readonly LivingRun[] => findEntrances();

/** The runs of this user that `id` names: `pid/eid`, eid, the ID of a run, or its directory. */
export function runsNamed(id: string): readonly LivingRun[] {
  return runsUnderWay().filter((one) => isRunNamed(one, id));
}

/** Runs that a message lists. */
const listedMax = 10;

/** What a name that means several of them is answered. Pure. */
export function severalRuns(what: string, runs: readonly NamedRun[]): CommandError {
  const named = runs.slice(0, listedMax).map(({ experiment, runId, out }) => {
    return `${experiment} ${runId}${out === undefined ? "" : ` in ${out}`}`;
  });
  const list = `${named.join(", ")}${runs.length > listedMax ? ", ..." : ""}`;
  const help = "name one by that ID or directory; muster run --eid NAME gives it a name of its own";
  return new CommandError(exitCodes.usage, `${what}: ${list}; ${help}`);
}

/** What is there instead, to be put behind a message that something is not. Pure. */
export function besides(runs: readonly NamedRun[]): string {
  if (runs.length === 0) return "";
  const names = [...new Set(runs.map(({ experiment }) => experiment))];
  const shown = names.slice(0, listedMax).join(", ");
  return `; under way: ${shown}${names.length > listedMax ? ", ..." : ""}`;
}

/** There is neither a run nor an experiment of that name. Pure. */
export function noSuchRun(id: string, runs: readonly NamedRun[]): CommandError {
  const what = `no run of yours is under way for ${id}; start one with muster run or muster up`;
  return new CommandError(exitCodes.noInput, `${what}${besides(runs)}`);
}

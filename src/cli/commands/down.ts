// SPDX-License-Identifier: MIT
// `muster down ID`: swaps an experiment out and waits until its nodes are gone.
import type { EndedRun } from "../../boss/index.ts";
import { exitCodes } from "../exit-codes.ts";
import type { CommandIo } from "../io.ts";
import { findKeptRuns } from "../kept-runs.ts";
import { harmless } from "../output.ts";
import { askDaemon, stateOf } from "./serve-client.ts";

export interface DownArguments {
  readonly id: string;
  readonly state?: string;
  readonly json: boolean;
}

/** @returns the exit status. @throws CommandError */
export async function downCommand(argv: DownArguments, io: CommandIo): Promise<number> {
  const request = { kind: "down", id: argv.id } as const;
  const value = await askDaemon({ state: stateOf(argv.state), request });
  const run = value as EndedRun;
  if (argv.json) io.stdout(`${JSON.stringify({ experiment: nameOf(argv), ...run }, null, 2)}\n`);
  else {
    io.stdout(describeDown(argv.id, run));
  }
  return exitCodes.ok;
}

/** What became of it, and of one that failed the first reason why. */
export function describeDown(id: string, run: EndedRun): string {
  const { number, outcome, directory, reasons = [] } = run;
  const [first] = reasons;
  const more = reasons.length > 1 ? `; more: muster logs ${id}` : "";
  const why = first === undefined ? "" : `  ${harmless(first.message)}${more}\n`;
  return `${id} is swapped out; run ${number} ${outcome}, results in ${directory}\n${why}`;
}

/** The full name; the daemon has found the experiment by what was given. */
function nameOf({ id, state }: DownArguments): string {
  const [run, another] = findKeptRuns(stateOf(state), id);
  return run === undefined || another !== undefined ? id : `${run.pid}/${run.eid}`;
}

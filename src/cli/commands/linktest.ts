// SPDX-License-Identifier: MIT
// `muster linktest FILE --plan`: what a linktest of the file would probe, how long it would take,
// and what it could not judge, before anybody waits for it.
// Exit status: 0 shown, 1 the file is refused, 64 wrong options, 66 unreadable.
import { formatDiagnostic } from "../../experiment/index.ts";
import { describePlan, type Level, linktestLimits, planLinktest } from "../../linktest/index.ts";
import { NodeNetwork } from "../../testbed/node-network.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError, type CommandIo } from "../io.ts";
import { loadExperiment } from "./parse.ts";

/** Arguments of `muster linktest`. */
export interface LinktestArguments {
  readonly file: string;
  /** Without it the command is refused: the word stays free for a command that probes. */
  readonly plan: boolean;
  /** First and last stage. */
  readonly startLevel: Level;
  readonly level: Level;
  readonly json: boolean;
  readonly set: readonly string[];
}

/** Runs `muster linktest FILE --plan`. @returns the exit status @throws CommandError */
export async function runLinktestPlan(argv: LinktestArguments, io: CommandIo): Promise<number> {
  const { file, set, startLevel, level, json } = argv;
  if (!argv.plan) {
    const message = `this command only shows the plan: add --plan; to test the links, say: muster run ${file} --linktest ${level}`;
    throw new CommandError(exitCodes.usage, message);
  }
  const loaded = await loadExperiment(file, { set, forRun: true });
  for (const one of loaded.diagnostics) io.stderr(`${formatDiagnostic(one, loaded.source)}\n`);
  const { experiment, rows = {} } = loaded;
  if (experiment === undefined) return exitCodes.failed;
  const network = new NodeNetwork({ experiment, tables: rows, standIn: (address) => address });
  const levels = { first: startLevel, last: level };
  const plan = planLinktest(network.linktest(), levels, linktestLimits);
  io.stdout(json ? `${JSON.stringify(plan, null, 2)}\n` : `${describePlan(plan).join("\n")}\n`);
  return exitCodes.ok;
}

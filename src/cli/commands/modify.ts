// SPDX-License-Identifier: MIT
// `muster modify ID FILE`: has the daemon make an experiment that is up into what a file says.
import { resolve } from "node:path";
import type { Answer, Modified } from "../../boss/index.ts";
import { exitCodes } from "../exit-codes.ts";
import type { CommandIo } from "../io.ts";
import { parsePreset, readExperimentFile } from "./experiment-file.ts";
import { askDaemon, stateOf } from "./serve-client.ts";

export interface ModifyArguments {
  readonly id: string;
  readonly file: string;
  readonly state?: string;
  readonly set: readonly string[];
  readonly json: boolean;
}

/** @returns the exit status: 1 when a node was lost on the way. @throws CommandError */
export async function modifyCommand(argv: ModifyArguments, io: CommandIo): Promise<number> {
  const request = {
    kind: "modify",
    id: argv.id,
    file: resolve(argv.file),
    text: await readExperimentFile(argv.file),
    presets: argv.set.map(parsePreset),
  } as const;
  const onAnswer = (answer: Answer): void => {
    if (answer.kind === "diagnostics") io.stderr(`${answer.lines.join("\n")}\n`);
  };
  const value = await askDaemon({ state: stateOf(argv.state), request, onAnswer });
  const { experiment, summary, lost, linkWarnings = [] } = value as Modified;
  if (argv.json) io.stdout(`${JSON.stringify(value, null, 2)}\n`);
  else io.stdout(`${experiment}: ${summary}\n`);
  for (const text of linkWarnings) io.stderr(`muster: warning: ${text}\n`);
  if (lost.length === 0) return exitCodes.ok;
  const names = lost.map(({ node }) => node).join(", ");
  const next = `muster modify ${experiment} ${argv.file} tries again`;
  io.stderr(`muster: ${experiment} goes on without ${names}; ${next}\n`);
  return exitCodes.failed;
}

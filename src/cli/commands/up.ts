// SPDX-License-Identifier: MIT
// `muster up FILE`: reads the file where the user is, and has the daemon do the rest. The daemon
// judges the file, so that there is one truth about it.
import { readFile, stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { Answer, UpRequest } from "../../boss/index.ts";
import { decode, textOf } from "../../boss/index.ts";
import { fileBytesMax } from "../../experiment/index.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError, type CommandIo } from "../io.ts";
import { isYamlFile } from "../yaml-loader.ts";
import { experimentName } from "./parse.ts";
import { askStartedDaemon, stateOf } from "./serve-client.ts";

export interface UpArguments {
  readonly file: string;
  readonly state?: string;
  readonly pid?: string;
  readonly eid?: string;
  readonly set: readonly string[];
  readonly seed?: number;
  readonly duration: number;
  readonly stuckAfter: number;
  readonly json: boolean;
}

type Accepted = Extract<Answer, { kind: "accepted" }>;

/** @returns the exit status. @throws CommandError */
export async function upCommand(argv: UpArguments, io: CommandIo): Promise<number> {
  if (isYamlFile(argv.file)) {
    throw new CommandError(
      exitCodes.usage,
      `up (NOT_YET): the daemon reads NS files only; make one of it with: muster convert ${argv.file} FILE.ns`,
    );
  }
  const request: UpRequest = {
    kind: "up",
    file: resolve(argv.file),
    text: await readExperimentFile(argv.file),
    pid: argv.pid ?? "muster",
    eid: argv.eid ?? experimentName(argv.file),
    presets: argv.set.map(parsePreset),
    seed: argv.seed ?? null,
    durationSeconds: argv.duration,
    stuckSeconds: argv.stuckAfter,
  };
  let accepted: Accepted | undefined;
  const onAnswer = (answer: Answer): void => {
    if (answer.kind === "diagnostics") io.stderr(`${answer.lines.join("\n")}\n`);
    if (answer.kind !== "accepted") return;
    accepted = answer;
    const { experiment, run, directory, seed } = answer;
    if (!argv.json) io.stdout(`${experiment}: run ${run}, seed ${seed}, results in ${directory}\n`);
  };
  await askStartedDaemon({ state: stateOf(argv.state), request, onAnswer });
  const { kind: _, ...facts } = accepted ?? { kind: "accepted", experiment: "" };
  if (argv.json) io.stdout(`${JSON.stringify({ ...facts, state: "active" }, null, 2)}\n`);
  else {
    const id = facts.experiment;
    io.stdout(
      `${id} is active; see muster status ${id}, muster logs -f ${id}, muster down ${id}\n`,
    );
  }
  return exitCodes.ok;
}

function parsePreset(text: string): readonly [string, string] {
  const cut = text.indexOf("=");
  if (cut > 0) return [text.slice(0, cut), text.slice(cut + 1)];
  const message = `--set ${text}: write --set 'opt(NAME)=VALUE' or --set NAME=VALUE`;
  throw new CommandError(exitCodes.usage, message);
}

/** @throws CommandError when it cannot be read or is too large to be an experiment file. */
async function readExperimentFile(file: string): Promise<string> {
  try {
    // The size is asked for first: a huge file must not be read to be refused.
    const { size } = await stat(file);
    if (size <= fileBytesMax) return decode(await readFile(file));
    const message =
      `${file}: ${size} bytes are more than the ${fileBytesMax} an experiment file may have; ` +
      "make it shorter with loops and procedures";
    throw new CommandError(exitCodes.refused, message);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    const message = `cannot read ${file}: ${textOf(error)}; check the path and its permissions`;
    throw new CommandError(exitCodes.noInput, message);
  }
}

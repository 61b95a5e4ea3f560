// SPDX-License-Identifier: MIT
// `muster up FILE`: has the daemon bring an experiment up.
import { resolve } from "node:path";
import type { Answer, NodeKind, UpRequest } from "../../boss/index.ts";
import type { Level } from "../../linktest/index.ts";
import { exitCodes } from "../exit-codes.ts";
import type { CommandIo } from "../io.ts";
import { parsePreset, readExperimentFile } from "./experiment-file.ts";
import { experimentName, isNameCut } from "./parse.ts";
import { parseAddresses } from "./run-hosts.ts";
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
  /** Left out: what the file says. */
  readonly linktest?: 0 | Level;
  /** Machines that have joined, with commas between. */
  readonly on?: string;
  readonly nodes?: NodeKind;
  readonly hostAddress: readonly string[];
  readonly json: boolean;
}

type Accepted = Extract<Answer, { kind: "accepted" }>;

/** @returns the exit status. @throws CommandError */
export async function upCommand(argv: UpArguments, io: CommandIo): Promise<number> {
  const on = argv.on?.split(",") ?? [];
  const request: UpRequest = {
    kind: "up",
    file: resolve(argv.file),
    text: await readExperimentFile(argv.file),
    pid: argv.pid ?? "muster",
    eid: argv.eid ?? experimentName(argv.file),
    insisted: (["pid", "eid"] as const).filter((name) => argv[name] !== undefined),
    presets: argv.set.map(parsePreset),
    seed: argv.seed ?? null,
    durationSeconds: argv.duration,
    stuckSeconds: argv.stuckAfter,
    linktestLevel: argv.linktest ?? null,
    on,
    nodes: argv.nodes ?? null,
    addresses: [...parseAddresses(argv.hostAddress, on)],
  };
  let accepted: Accepted | undefined;
  const onAnswer = (answer: Answer): void => {
    if (answer.kind === "diagnostics") io.stderr(`${answer.lines.join("\n")}\n`);
    if (answer.kind !== "accepted") return;
    accepted = answer;
    const { experiment, run, directory, seed } = answer;
    // A YAML file may have a name of its own.
    if (argv.eid === undefined && isNameCut(argv.file) && experiment.endsWith(`/${request.eid}`)) {
      const help = "files that begin alike share it; give one with --eid";
      io.stderr(`muster: the name of the file is cut: this is ${experiment}; ${help}\n`);
    }
    if (!argv.json) io.stdout(`${experiment}: run ${run}, seed ${seed}, results in ${directory}\n`);
  };
  // Whoever is not waited for any more comes up all the same: that is the daemon's.
  const forget = tellWhenEnded(io, () =>
    accepted === undefined
      ? "if the daemon has taken it already, it comes up all the same; see muster status"
      : `${accepted.experiment} goes on coming up; to end it: muster down ${accepted.experiment}`,
  );
  await askStartedDaemon({ state: stateOf(argv.state), request, onAnswer }).finally(forget);
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

/** Ends at a signal, with a sentence. @returns what takes that back */
function tellWhenEnded(io: CommandIo, describe: () => string): () => void {
  const listener = (signal: NodeJS.Signals): void => {
    io.stderr(`muster: ${describe()}\n`);
    process.exit(signal === "SIGTERM" ? exitCodes.terminated : exitCodes.interrupted);
  };
  for (const signal of endings) process.on(signal, listener);
  return () => {
    for (const signal of endings) process.off(signal, listener);
  };
}

const endings = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

// SPDX-License-Identifier: MIT
// `muster exec NODE -- CMD` and `muster shell NODE`: a command on a node of a run of this user,
// with the surroundings that programs of the run have there, at the terminal of who asks. It ends
// with the run.
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { resolveStateDirectory } from "../../boss/state-directory.ts";
import { systemClock } from "../../host/clock.ts";
import {
  enterNode,
  findEntrances,
  isRunNamed,
  type NodeEntrance,
  type RunEntrances,
} from "../../testbed/nodes/index.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError } from "../io.ts";
import { findLastEnded } from "../kept-runs.ts";
import { besides, severalRuns } from "../living-runs.ts";
import { formatDuration } from "../output.ts";

export interface ExecArguments {
  readonly node: string;
  /** Empty: a shell. */
  readonly command: readonly string[];
  /** `pid/eid`, eid, the ID of a run or its directory. */
  readonly experiment?: string;
}

/**
 * What stands behind NODE: `--experiment` belongs to us there, too, up to the first word of the
 * command or `--`. @throws CommandError
 */
export function parseBehindNode(
  words: readonly string[],
): Pick<ExecArguments, "command" | "experiment"> {
  const [first = "", second, ...rest] = words;
  if (first === "--") return { command: words.slice(1) };
  const given = /^--experiment=(.*)$/s.exec(first)?.[1];
  if (given === undefined && first !== "--experiment") return { command: words };
  const experiment = given ?? second ?? "";
  const { command } = parseBehindNode(given === undefined ? rest : words.slice(1));
  if (experiment === "" || command.length === 0) {
    const what = "muster exec NODE --experiment ID -- COMMAND: ID and COMMAND must be there";
    throw new CommandError(exitCodes.usage, what);
  }
  return { command, experiment };
}

/** Changes directory and becomes the program; says in one line why not. */
const launcher = `cd -- "$1" || exit 126; shift
[ $# -gt 0 ] || { command -v bash >/dev/null && exec bash; exec sh -i; }
exec "$@"`;

/** @returns the exit status of the command. @throws CommandError */
export async function execCommand(argv: ExecArguments): Promise<number> {
  const node = chooseNode(findEntrances(), argv, (name) =>
    describeLastEnded(argv.experiment, name),
  );
  const words = ["sh", "-c", launcher, "muster-exec", node.directory, ...argv.command];
  const [file = "", ...rest] = enterNode(node, words);
  const environment = { ...node.environment, TERM: process.env["TERM"] ?? "dumb" };
  // What is started from here is on the node's limits, as its programs are.
  for (const group of node.groups) joinGroup(group);
  // What is typed is for the command, which decides what becomes of it.
  for (const signal of ["SIGINT", "SIGQUIT"] as const) process.on(signal, () => undefined);
  return await new Promise((resolve, reject) => {
    const child = spawn(file, rest, { env: environment, stdio: "inherit", cwd: "/" });
    const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
    process.once("SIGTERM", pass);
    child.once("error", ({ message }) => {
      reject(new CommandError(exitCodes.notEntered, `${node.name} cannot be entered: ${message}`));
    });
    child.once("exit", (code, signal) => {
      process.off("SIGTERM", pass);
      resolve(code ?? 128 + (constants.signals[signal ?? "SIGKILL"] ?? 0));
    });
  });
}

function joinGroup(group: string): void {
  try {
    writeFileSync(join(group, "cgroup.procs"), String(process.pid));
  } catch {
    // It is gone with the run, which the command then finds out.
  }
}

/**
 * Who has just looked at a run is told that it has ended, and not that there never was one.
 * @param node only of a run that had it
 */
function describeLastEnded(experiment: string | undefined, node: string | undefined): string {
  const last = findLastEnded(resolveStateDirectory(undefined, process.env), experiment);
  if (last === undefined || (node !== undefined && !last.nodes.includes(node))) return "";
  const seconds = Math.max(0, Math.floor((systemClock.wallMs() - last.endedWallMs) / 1_000));
  const ago = seconds < 60 ? `${seconds} s` : formatDuration(seconds * 1_000_000);
  const which = node === undefined ? last.experiment : `${last.experiment}, which had it,`;
  return `; ${which} ended by ${last.endedBy} ${ago} ago`;
}

/** @param node undefined: whatever nodes it had */
type LastEnded = (node: string | undefined) => string;

/** @throws CommandError that says what there is. @param lastEnded of runs that are over */
export function chooseNode(
  runs: readonly RunEntrances[],
  { node, experiment }: Pick<ExecArguments, "node" | "experiment">,
  lastEnded: LastEnded = () => "",
): NodeEntrance {
  const asked = runs.filter((run) => experiment === undefined || isRunNamed(run, experiment));
  const found = asked.flatMap((run) => {
    const entrance = run.nodes.find(({ name }) => name === node);
    return entrance === undefined ? [] : [{ run, entrance }];
  });
  const [first] = found;
  if (first !== undefined && found.length === 1) return first.entrance;
  if (first !== undefined) {
    const having = found.map(({ run }) => run);
    throw severalRuns(`several runs have a node ${node}; --experiment chooses one of`, having);
  }
  const away = asked.find(({ elsewhere = [] }) => elsewhere.includes(node));
  if (away !== undefined) {
    const there = "and cannot be entered from here; muster exec there can";
    const why = `${node} of ${away.experiment} is on another machine, ${there}`;
    throw new CommandError(exitCodes.notEntered, why);
  }
  const why =
    asked.length > 0
      ? `no run of yours has a node ${node}; ${asked.map(describeRun).join("; ")}${lastEnded(node)}`
      : `no run of yours is under way${experiment === undefined ? "" : ` for ${experiment}`}` +
        `${lastEnded(undefined)}; start one with muster run or muster up${besides(runs)}`;
  throw new CommandError(exitCodes.notEntered, why);
}

/** What of it can be entered. */
function describeRun({ experiment, nodes }: RunEntrances): string {
  if (nodes.length === 0) return `${experiment} has none here`;
  const names = nodes.slice(0, 10).map(({ name }) => name);
  return `${experiment} has ${names.join(", ")}${nodes.length > 10 ? ", ..." : ""}`;
}

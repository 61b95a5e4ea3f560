// SPDX-License-Identifier: MIT
// The command line of loghole. [EMULAB-EVENTS 2.8, 2.10] The calls that the event system makes are
// known, and taken as they are; the texts of the old program are not, so these are Muster's.
import { splitExperiment } from "../../client/event-words.ts";
import { exitCodes } from "../exit-codes.ts";
import { describeMuster } from "../version.ts";
import type { Exit } from "./exit.ts";
import { formatFault, Getopt, type OptionNames } from "./getopt.ts";

export const usage = `usage: loghole [-e pid/eid] [-qv] command [options] [node ...]
 sync [node ...]                     Copy the logs of nodes into the experiment's directory
 clean [-f] [-n] [node ...]          Empty the logs of nodes and their copies
 archive [--delete] [name]           Put all that is copied into one file
 validate [node ...]                 Compare the copies with what is on the nodes

 -e pid/eid, --experiment=pid/eid    The experiment; otherwise the one that EXPDIR leads to
 -q, --quiet                         Print what went wrong, and nothing else
 -v                                  Print each file
 -f, --force                         clean: also what has no copy
 -n, --node-only                     clean: keep the copies
 --delete                            archive: remove the copies that it holds
 -s, --port=N                        Taken, without effect
 --state=DIR                         Where muster up keeps experiments
 --out=DIR                           The results of muster run, instead of -e
 --help, --version
`;

export type LogholeCommand = "sync" | "clean" | "archive" | "validate";

export interface LogholeArguments {
  readonly kind: "run";
  readonly command: LogholeCommand;
  /** Nodes, or the name of an archive. */
  readonly names: readonly string[];
  readonly experiment: string | undefined;
  readonly state: string | undefined;
  readonly out: string | undefined;
  readonly isQuiet: boolean;
  readonly isVerbose: boolean;
  readonly force: boolean;
  readonly nodesOnly: boolean;
  readonly deletes: boolean;
}

type Draft = { -readonly [Key in keyof LogholeArguments]: LogholeArguments[Key] };

const everywhere = { flags: "qv", valued: "e" } as const;
const longEverywhere = ["quiet", "help", "version"];
const longValued = ["experiment", "port", "state", "out"];

/** Before the command. */
const common: OptionNames = { ...everywhere, longFlags: longEverywhere, longValued };

/** After it. */
const names: Readonly<Record<LogholeCommand, OptionNames>> = {
  sync: { ...common, flags: "qvs" },
  clean: { ...common, flags: "qvfn", longFlags: [...longEverywhere, "force", "node-only"] },
  archive: { ...common, longFlags: [...longEverywhere, "delete"] },
  validate: common,
};

/** Reads the command line; the first fault ends it. */
export function parseLogholeArguments(args: readonly string[]): LogholeArguments | Exit {
  const draft: Draft = {
    kind: "run",
    command: "sync",
    names: [],
    experiment: undefined,
    state: undefined,
    out: undefined,
    isQuiet: false,
    isVerbose: false,
    force: false,
    nodesOnly: false,
    deletes: false,
  };
  const before = takeAll(draft, args, common);
  if ("kind" in before) return before;
  const [command, ...after] = before.rest;
  if (command === undefined) return fail(usage);
  if (!isCommand(command)) {
    const list = Object.keys(names).join(", ");
    return fail(`loghole: there is no command ${command}; there are ${list}\n${usage}`);
  }
  draft.command = command;
  const behind = takeAll(draft, after, names[command]);
  if ("kind" in behind) return behind;
  draft.names = behind.rest;
  return command === "archive" ? checkArchive(draft) : draft;
}

function takeAll(
  draft: Draft,
  args: readonly string[],
  options: OptionNames,
): { readonly rest: readonly string[] } | Exit {
  const getopt = new Getopt(args, options);
  const exit = getopt.takeAll<Exit>({
    flag: (name) => takeFlag(draft, name),
    valued: (name, value) => takeValue(draft, name, value),
    error: (fault) =>
      fail(`${formatFault("loghole", { ...fault, hint: "--help lists all options" })}\n`),
  });
  if (exit !== undefined) return exit;
  return { rest: getopt.rest };
}

function takeFlag(draft: Draft, name: string): Exit | undefined {
  switch (name) {
    case "help":
      return { kind: "exit", code: exitCodes.ok, stdout: usage };
    case "version":
      return { kind: "exit", code: exitCodes.ok, stdout: describeMuster() };
    case "q":
    case "quiet":
      draft.isQuiet = true;
      return undefined;
    case "v":
      draft.isVerbose = true;
      return undefined;
    case "f":
    case "force":
      draft.force = true;
      return undefined;
    case "n":
    case "node-only":
      draft.nodesOnly = true;
      return undefined;
    case "delete":
      draft.deletes = true;
      return undefined;
    // -s, which the events of $ns snapshot bring along.
    default:
      return undefined;
  }
}

function takeValue(draft: Draft, name: string, value: string): Exit | undefined {
  switch (name) {
    case "e":
    case "experiment":
      if (splitExperiment(value) === undefined) {
        return fail(`loghole: -e must be pid/eid: ${value}\n`);
      }
      draft.experiment = value;
      return undefined;
    case "state":
      draft.state = value;
      return undefined;
    case "out":
      draft.out = value;
      return undefined;
    // The port of a server that has no part in this.
    default:
      return undefined;
  }
}

/** The name becomes that of a file. */
function checkArchive(given: LogholeArguments): LogholeArguments | Exit {
  const [name = "archive", ...more] = given.names;
  if (more.length > 0) return fail(`loghole: archive takes one name, not ${given.names.length}\n`);
  if (/^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/.test(name)) return given;
  return fail(`loghole: the name of an archive is 1 to 100 letters, digits, . _ or -: ${name}\n`);
}

function isCommand(text: string): text is LogholeCommand {
  return Object.hasOwn(names, text);
}

function fail(stderr: string): Exit {
  return { kind: "exit", code: exitCodes.usage, stderr };
}

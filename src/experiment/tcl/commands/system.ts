// SPDX-License-Identifier: MIT
// info, puts, rename, and the commands of Tcl that an experiment file cannot have: each of them
// answers with what is missing and what to do instead.

import { TclError } from "../error.ts";
import type { CommandDefinition, Interpreter } from "../interpreter.ts";
import { formatList } from "../list.ts";
import { parseScript } from "../parser.ts";
import type { Procedure } from "./procedures.ts";
import { arg, command, ensemble, integerArg, many, matches, subcommands } from "./shared.ts";

function filtered(interp: Interpreter, all: Iterable<string>, argv: readonly string[]): string {
  const pattern = argv.length > 2 ? arg(argv, 2) : "*";
  return formatList([...all].filter((name) => matches(interp, pattern, name)));
}

function procedure(interp: Interpreter, name: string): Procedure {
  const found = interp.procedures.get(name.replace(/^::/, ""));
  if (found === undefined) {
    throw new TclError("TCL_PROC", `"${name}" isn't a procedure`, { word: 2 });
  }
  return found as Procedure;
}

function setNames(interp: Interpreter, which: "all" | "locals" | "globals"): string[] {
  const frame = which === "globals" ? interp.globals : interp.frame;
  if (which === "locals" && frame.kind !== "procedure") return [];
  return [...frame.variables]
    .filter(([name, variable]) => {
      return variable.isSet && !(which === "locals" && frame.links?.has(name) === true);
    })
    .map(([name]) => name);
}

function level(interp: Interpreter, argv: readonly string[]): string {
  if (argv.length === 2) return `${interp.stack.length - 1}`;
  const wanted = integerArg(argv, 2);
  const index = wanted > 0 ? wanted : interp.stack.length - 1 + wanted;
  const frame = interp.stack[index];
  if (frame === undefined || index === 0) {
    throw new TclError("TCL_LEVEL", `bad level "${arg(argv, 2)}"`, { word: 2 });
  }
  return formatList(frame.call);
}

const infoTable = subcommands(
  command("exists", "varName", 3, 3, (interp, argv) => (interp.exists(arg(argv, 2)) ? "1" : "0")),
  command("commands", "?pattern?", 2, 3, (interp, argv) =>
    filtered(interp, interp.commands.keys(), argv),
  ),
  command("procs", "?pattern?", 2, 3, (interp, argv) =>
    filtered(interp, interp.procedures.keys(), argv),
  ),
  command("vars", "?pattern?", 2, 3, (interp, argv) =>
    filtered(interp, setNames(interp, "all"), argv),
  ),
  command("locals", "?pattern?", 2, 3, (interp, argv) =>
    filtered(interp, setNames(interp, "locals"), argv),
  ),
  command("globals", "?pattern?", 2, 3, (interp, argv) =>
    filtered(interp, setNames(interp, "globals"), argv),
  ),
  command("args", "procname", 3, 3, (interp, argv) =>
    formatList(procedure(interp, arg(argv, 2)).parameters.map(({ name }) => name)),
  ),
  command("body", "procname", 3, 3, (interp, argv) => procedure(interp, arg(argv, 2)).body),
  command("level", "?number?", 2, 3, level),
  command("complete", "command", 3, 3, (_interp, argv) =>
    parseScript(arg(argv, 2), []).fault === undefined ? "1" : "0",
  ),
  command("tclversion", "", 2, 2, () => "8.6"),
  command("patchlevel", "", 2, 2, () => "8.6"),
);

function puts(interp: Interpreter, argv: readonly string[]): string {
  const words = argv.slice(1);
  const newline = words[0] === "-nonewline" ? "" : "\n";
  if (newline === "") words.shift();
  const [channel, text] = words.length === 2 ? words : ["stdout", words[0]];
  if (text === undefined || words.length > 2) {
    throw new TclError(
      "TCL_ARGUMENTS",
      'wrong # args: should be "puts ?-nonewline? ?channel? string"',
    );
  }
  if (channel !== "stdout" && channel !== "stderr") {
    const hint = "An experiment file can print to stdout and stderr only.";
    throw new TclError("TCL_FORBIDDEN", `can not find channel named "${channel}"`, { hint });
  }
  interp.print(text + newline);
  return "";
}

const isolated = "An experiment file has no access to files, processes, time or the network.";
const forbidden: readonly (readonly [names: string, hint: string])[] = [
  ["exec open socket file glob cd pwd load package fconfigure close read gets eof", isolated],
  ["fileevent flush seek tell fblocked fcopy chan pid", isolated],
  ["after vwait update clock time trace interp thread", isolated],
  ["rename", "Commands cannot be renamed here; define a procedure under a new name."],
  ["binary encoding", "Not available here; compute with string, split, format, scan and expr."],
];

function forbiddenCommands(): CommandDefinition[] {
  return forbidden.flatMap(([names, hint]) =>
    names.split(" ").map((name) =>
      command(name, "", 1, many, () => {
        throw new TclError("TCL_FORBIDDEN", `the command "${name}" is not available`, { hint });
      }),
    ),
  );
}

/** info, puts and the commands that are refused. */
export const systemCommands: readonly CommandDefinition[] = [
  ensemble("info", infoTable),
  command("puts", "?-nonewline? ?channel? string", 2, 4, puts),
  ...forbiddenCommands(),
];

// SPDX-License-Identifier: MIT
// The `array` command. Names come in the order of Tcl's hash table, as old files expect.

import { TclError } from "../error.ts";
import type { CommandDefinition, Interpreter } from "../interpreter.ts";
import { arg, command, ensemble, matches, optionOf, subcommands } from "./shared.ts";

function names(interp: Interpreter, argv: readonly string[]): string[] {
  const all = interp.find(arg(argv, 2))?.names() ?? [];
  interp.step(all.length);
  if (argv.length === 3) return all;
  const exact = argv.length === 5 && optionOf(arg(argv, 3), ["-exact", "-glob"], 3) === "-exact";
  const pattern = arg(argv, argv.length - 1);
  return all.filter((name) => (exact ? name === pattern : matches(interp, pattern, name)));
}

function get(interp: Interpreter, argv: readonly string[]): string {
  const variable = interp.find(arg(argv, 2));
  const pairs = names(interp, argv).flatMap((name) => [
    name,
    variable?.elements?.get(name)?.value ?? "",
  ]);
  const bytes = pairs.reduce((sum, text) => sum + text.length + 3, 0);
  interp.memory.reserve(bytes);
  return interp.formatList(pairs);
}

function set(interp: Interpreter, argv: readonly string[]): string {
  const pairs = interp.list(arg(argv, 3));
  if (pairs.length % 2 !== 0) {
    const message = "list must have an even number of elements";
    throw new TclError("TCL_LIST", message, { word: 3 });
  }
  const variable = interp.obtain(arg(argv, 2));
  if (variable.value !== undefined) {
    throw new TclError("TCL_NOT_ARRAY", `can't array set "${arg(argv, 2)}": variable isn't array`);
  }
  variable.elements ??= new Map();
  for (let i = 0; i + 1 < pairs.length; i += 2) {
    interp.set(`${arg(argv, 2)}(${arg(pairs, i)})`, arg(pairs, i + 1));
  }
  return "";
}

function unset(interp: Interpreter, argv: readonly string[]): string {
  if (argv.length === 3) interp.unset(arg(argv, 2));
  else for (const name of names(interp, argv)) interp.unset(`${arg(argv, 2)}(${name})`);
  return "";
}

const table = subcommands(
  command("exists", "arrayName", 3, 3, (interp, argv) =>
    interp.find(arg(argv, 2))?.elements === undefined ? "0" : "1",
  ),
  command("names", "arrayName ?mode? ?pattern?", 3, 5, (interp, argv) =>
    interp.formatList(names(interp, argv)),
  ),
  command("get", "arrayName ?pattern?", 3, 4, get),
  command("set", "arrayName list", 4, 4, set),
  command(
    "size",
    "arrayName",
    3,
    3,
    (interp, argv) => `${interp.find(arg(argv, 2))?.names().length ?? 0}`,
  ),
  command("unset", "arrayName ?pattern?", 3, 4, unset),
);

/** The array command. */
export const arrayCommands: readonly CommandDefinition[] = [ensemble("array", table)];

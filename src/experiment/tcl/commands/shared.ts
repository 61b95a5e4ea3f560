// SPDX-License-Identifier: MIT
// Small helpers of the command files: reading arguments, tables of commands and sub-commands.

import { scanBytes } from "../../limits.ts";
import { closest } from "../../suggest.ts";
import { TclError } from "../error.ts";
import { globMatch } from "../glob.ts";
import type { CommandDefinition, CommandProcedure, Interpreter } from "../interpreter.ts";
import { parseInteger } from "../number.ts";
import type { Command } from "../script.ts";

/** Argument `index`, or "" when it was left out (the number of words was checked before). */
export function arg(argv: readonly string[], index: number): string {
  return argv[index] ?? "";
}

/** One row of a command table. `max` counts words with the name. */
export function command(
  name: string,
  usage: string,
  min: number,
  max: number,
  run: CommandProcedure,
): CommandDefinition {
  return { name, usage, min, max, run };
}

/** No upper bound on the number of words. */
export const many: number = Number.POSITIVE_INFINITY;

/** Reads an integer argument that fits into a JavaScript number. @throws TclError */
export function integerArg(argv: readonly string[], index: number): number {
  const value = parseInteger(arg(argv, index));
  if (typeof value === "number") return value;
  throw new TclError("TCL_NUMBER", `expected integer but got "${arg(argv, index)}"`, {
    word: index,
  });
}

/** Reads an index such as `3`, `end`, `end-1` or `1+2` for a length. @throws TclError */
export function indexArg(argv: readonly string[], at: number, length: number): number {
  const text = arg(argv, at);
  const plain = parseInteger(text);
  if (typeof plain === "number") return plain;
  const match = /^(end|[+-]?[0-9]{1,15})(?:([+-])([0-9]{1,15}))?$/.exec(text);
  if (match === null) {
    throw new TclError("TCL_INDEX", `bad index "${text}": must be integer or end-integer`, {
      word: at,
    });
  }
  const base = match[1] === "end" ? length - 1 : Number(match[1]);
  const offset = Number(match[3] ?? "0");
  return match[2] === "-" ? base - offset : base + offset;
}

/** `string match`, charged by the worst it can cost. */
export function matches(interp: Interpreter, pattern: string, text: string): boolean {
  interp.scan((pattern.length * text.length) / scanBytes);
  return globMatch(pattern, text);
}

/** Runs the sub-command that word 1 names (or abbreviates without doubt). */
export function ensemble(
  name: string,
  table: Readonly<Record<string, CommandDefinition>>,
): CommandDefinition {
  const names = Object.keys(table);
  const run = (interp: Interpreter, argv: readonly string[], site: Command): string => {
    const word = arg(argv, 1);
    const matches = names.filter((known) => known.startsWith(word));
    const chosen = Object.hasOwn(table, word)
      ? word
      : matches.length === 1
        ? matches[0]
        : undefined;
    const definition = chosen === undefined ? undefined : table[chosen];
    if (definition === undefined) {
      const near = closest(word, names);
      const hint = near === undefined ? {} : { hint: `Did you mean "${name} ${near}"?` };
      const list = `${names.slice(0, -1).join(", ")}, or ${names.at(-1)}`;
      const message = `unknown or ambiguous subcommand "${word}" of ${name}: must be ${list}`;
      throw new TclError("TCL_SUBCOMMAND", message, { word: 1, ...hint });
    }
    if (argv.length < definition.min || argv.length > definition.max) {
      const usage = `${name} ${definition.name} ${definition.usage}`.trimEnd();
      throw new TclError("TCL_ARGUMENTS", `wrong # args: should be "${usage}"`);
    }
    return definition.run(interp, argv, site);
  };
  return { name, usage: "subcommand ?arg ...?", min: 2, max: many, run };
}

/** A table of sub-commands by name. */
export function subcommands(
  ...definitions: readonly CommandDefinition[]
): Readonly<Record<string, CommandDefinition>> {
  return Object.fromEntries(definitions.map((definition) => [definition.name, definition]));
}

/** The option `word` names or abbreviates. @throws TclError `TCL_OPTION` */
export function optionOf<T extends string>(word: string, options: readonly T[], index: number): T {
  const exact = options.find((option) => option === word);
  const matches = options.filter((option) => word.length > 1 && option.startsWith(word));
  const chosen = exact ?? (matches.length === 1 ? matches[0] : undefined);
  if (chosen !== undefined) return chosen;
  throw new TclError("TCL_OPTION", `bad option "${word}": must be one of ${options.join(", ")}`, {
    word: index,
  });
}

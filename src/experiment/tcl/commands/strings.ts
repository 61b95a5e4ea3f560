// SPDX-License-Identifier: MIT
// The `string` command.

import { elementOverheadBytes, scanBytes, stepBytes } from "../../limits.ts";
import { TclError, TclLimitError } from "../error.ts";
import type { CommandDefinition, CommandProcedure, Interpreter } from "../interpreter.ts";
import { parseBoolean, parseInteger, parseNumber } from "../number.ts";
import { compareText } from "../operators.ts";
import {
  arg,
  command,
  ensemble,
  indexArg,
  integerArg,
  many,
  matches,
  optionOf,
  subcommands,
} from "./shared.ts";

function repeat(interp: Interpreter, argv: readonly string[]): string {
  const text = arg(argv, 2);
  const count = Math.max(0, integerArg(argv, 3));
  interp.memory.reserve(text.length * count);
  interp.step(Math.floor((text.length * count) / 1024));
  return text.repeat(text === "" ? 0 : count);
}

interface CompareOptions {
  readonly nocase: boolean;
  readonly length: number | undefined;
}

function compareOptions(argv: readonly string[]): CompareOptions {
  let nocase = false;
  let length: number | undefined;
  for (let i = 2; i < argv.length - 2; i += 1) {
    if (optionOf(arg(argv, i), ["-nocase", "-length"], i) === "-nocase") nocase = true;
    else {
      i += 1;
      length = integerArg(argv, i);
    }
  }
  return { nocase, length };
}

function compared(argv: readonly string[]): number {
  const { nocase, length } = compareOptions(argv);
  const prepare = (text: string): string => {
    const cut = length === undefined || length < 0 ? text : text.slice(0, length);
    return nocase ? cut.toLowerCase() : cut;
  };
  const a = prepare(arg(argv, argv.length - 2));
  return compareText(a, prepare(arg(argv, argv.length - 1)));
}

function match(interp: Interpreter, argv: readonly string[]): string {
  const nocase = argv.length === 5 && optionOf(arg(argv, 2), ["-nocase"], 2) === "-nocase";
  const pattern = arg(argv, argv.length - 2);
  const text = arg(argv, argv.length - 1);
  if (!nocase) return matches(interp, pattern, text) ? "1" : "0";
  return matches(interp, pattern.toLowerCase(), text.toLowerCase()) ? "1" : "0";
}

/** Looking for a long text compares much of it again and again. */
function chargeNeedle(interp: Interpreter, needle: string, text: string): void {
  interp.step(Math.floor((needle.length * text.length) / stepBytes / scanBytes));
}

function first(interp: Interpreter, argv: readonly string[]): string {
  const text = arg(argv, 3);
  chargeNeedle(interp, arg(argv, 2), text);
  const from = argv.length > 4 ? indexArg(argv, 4, text.length) : 0;
  return `${arg(argv, 2) === "" ? -1 : text.indexOf(arg(argv, 2), from)}`;
}

function last(interp: Interpreter, argv: readonly string[]): string {
  const needle = arg(argv, 2);
  const text = arg(argv, 3);
  chargeNeedle(interp, needle, text);
  if (needle === "") return "-1";
  if (argv.length === 4) return `${text.lastIndexOf(needle)}`;
  const start = indexArg(argv, 4, text.length) - needle.length + 1;
  return `${start < 0 ? -1 : text.lastIndexOf(needle, start)}`;
}

function map(interp: Interpreter, argv: readonly string[]): string {
  const nocase = argv.length === 5 && optionOf(arg(argv, 2), ["-nocase"], 2) === "-nocase";
  const pairs = interp.list(arg(argv, argv.length - 2));
  if (pairs.length % 2 !== 0) throw new TclError("TCL_LIST", "char map list unbalanced");
  const text = arg(argv, argv.length - 1);
  const subject = nocase ? text.toLowerCase() : text;
  const mapping = arg(argv, argv.length - 2).length;
  interp.scan(text.length * Math.max(pairs.length, mapping / scanBytes));
  const keys = pairs.map((key) => (nocase ? key.toLowerCase() : key));
  let result = "";
  let copied = 0;
  let grown = 0;
  for (let at = 0; at < text.length; ) {
    const pair = keys.findIndex((key, index) => {
      return index % 2 === 0 && key !== "" && subject.startsWith(key, at);
    });
    if (pair < 0) {
      at += 1;
      continue;
    }
    const piece = pairs[pair + 1] ?? "";
    // Each piece of a text under construction is a value of its own until it is looked at.
    grown += elementOverheadBytes + piece.length + (at - copied);
    interp.memory.reserve(grown);
    result += text.slice(copied, at) + piece;
    at += (pairs[pair] ?? "").length;
    copied = at;
  }
  return result + text.slice(copied);
}

function replace(_interp: Interpreter, argv: readonly string[]): string {
  const text = arg(argv, 2);
  const from = Math.max(0, indexArg(argv, 3, text.length));
  const to = Math.min(indexArg(argv, 4, text.length), text.length - 1);
  if (from > to || from >= text.length || to < 0) return text;
  return text.slice(0, from) + arg(argv, 5) + text.slice(to + 1);
}

function changeCase(change: (text: string) => string) {
  return (_interp: Interpreter, argv: readonly string[]): string => {
    const text = arg(argv, 2);
    if (argv.length === 3) return change(text);
    const from = Math.max(0, indexArg(argv, 3, text.length));
    const to = argv.length > 4 ? indexArg(argv, 4, text.length) : from;
    return text.slice(0, from) + change(text.slice(from, to + 1)) + text.slice(to + 1);
  };
}

function trim(ends: "both" | "left" | "right") {
  return (interp: Interpreter, argv: readonly string[]): string => {
    const text = arg(argv, 2);
    interp.scan(text.length);
    const drop = argv.length > 3 ? arg(argv, 3) : " \t\n\r\f\v\0";
    let from = 0;
    let to = text.length;
    if (ends !== "right") while (from < to && drop.includes(text[from] ?? "")) from += 1;
    if (ends !== "left") while (to > from && drop.includes(text[to - 1] ?? "")) to -= 1;
    return text.slice(from, to);
  };
}

const classes: Readonly<Record<string, (text: string) => boolean>> = {
  alnum: (text) => /^[\p{L}\p{N}]+$/u.test(text),
  alpha: (text) => /^\p{L}+$/u.test(text),
  ascii: (text) => /^[\0-\x7f]+$/.test(text),
  digit: (text) => /^\p{Nd}+$/u.test(text),
  lower: (text) => /^\p{Ll}+$/u.test(text),
  upper: (text) => /^\p{Lu}+$/u.test(text),
  space: (text) => /^\s+$/.test(text),
  xdigit: (text) => /^[0-9a-fA-F]+$/.test(text),
  wordchar: (text) => /^[\p{L}\p{N}_]+$/u.test(text),
  punct: (text) => /^\p{P}+$/u.test(text),
  boolean: (text) => parseBoolean(text) !== undefined,
  true: (text) => parseBoolean(text) === true,
  false: (text) => parseBoolean(text) === false,
  integer: (text) => parseInteger(text) !== undefined,
  entier: (text) => parseInteger(text) !== undefined,
  wideinteger: (text) => parseInteger(text) !== undefined,
  double: (text) => parseNumber(text) !== undefined,
};

function isList(interp: Interpreter, text: string): boolean {
  try {
    interp.list(text);
    return true;
  } catch (error) {
    if (error instanceof TclError && !(error instanceof TclLimitError)) return false;
    throw error;
  }
}

function is(interp: Interpreter, argv: readonly string[]): string {
  const name = optionOf(arg(argv, 2), [...Object.keys(classes), "list"], 2);
  const strict = argv.length === 5 && optionOf(arg(argv, 3), ["-strict"], 3) === "-strict";
  const text = arg(argv, argv.length - 1);
  if (text === "") return strict || name === "list" ? (name === "list" ? "1" : "0") : "1";
  interp.scan(text.length);
  if (name === "list") return isList(interp, text) ? "1" : "0";
  return classes[name]?.(text) === true ? "1" : "0";
}

function title(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1).toLowerCase();
}

const table = subcommands(
  command("length", "string", 3, 3, (_interp, argv) => `${arg(argv, 2).length}`),
  command("index", "string charIndex", 4, 4, (_interp, argv) => {
    const text = arg(argv, 2);
    return text[indexArg(argv, 3, text.length)] ?? "";
  }),
  command("range", "string first last", 5, 5, (_interp, argv) => {
    const text = arg(argv, 2);
    const from = Math.max(0, indexArg(argv, 3, text.length));
    return text.slice(from, Math.max(from, indexArg(argv, 4, text.length) + 1));
  }),
  command(
    "compare",
    "?-nocase? ?-length int? string1 string2",
    4,
    7,
    (_interp, argv) => `${compared(argv)}`,
  ),
  command("equal", "?-nocase? ?-length int? string1 string2", 4, 7, (_interp, argv) =>
    compared(argv) === 0 ? "1" : "0",
  ),
  command("match", "?-nocase? pattern string", 4, 5, match),
  command("first", "needleString haystackString ?startIndex?", 4, 5, first),
  command("last", "needleString haystackString ?lastIndex?", 4, 5, last),
  command("map", "?-nocase? mapping string", 4, 5, map),
  command("repeat", "string count", 4, 4, repeat),
  command("replace", "string first last ?newString?", 5, 6, replace),
  command("reverse", "string", 3, 3, (interp, argv) => {
    interp.scan(arg(argv, 2).length);
    interp.reserveElements(arg(argv, 2).length, arg(argv, 2).length);
    return [...arg(argv, 2)].reverse().join("");
  }),
  command(
    "tolower",
    "string ?first? ?last?",
    3,
    5,
    changeCase((text) => text.toLowerCase()),
  ),
  command(
    "toupper",
    "string ?first? ?last?",
    3,
    5,
    changeCase((text) => text.toUpperCase()),
  ),
  command("totitle", "string ?first? ?last?", 3, 5, changeCase(title)),
  command("trim", "string ?chars?", 3, 4, trim("both")),
  command("trimleft", "string ?chars?", 3, 4, trim("left")),
  command("trimright", "string ?chars?", 3, 4, trim("right")),
  command("is", "class ?-strict? string", 4, 5, is),
  command("cat", "?arg ...?", 2, many, (interp, argv) => {
    const pieces = argv.slice(2);
    interp.memory.reserve(pieces.reduce((sum, piece) => sum + piece.length, 0));
    return pieces.join("");
  }),
);

const stringEnsemble = ensemble("string", table);

/** The string command. */
export const stringCommands: readonly CommandDefinition[] = [
  { ...stringEnsemble, run: charged(stringEnsemble.run) },
];

/** Most of them look at every character, quickly; `length` and `index` do not. */
function charged(run: CommandProcedure): CommandProcedure {
  return (interp, argv, site) => {
    const isConstant = argv[1] === "length" || argv[1] === "index";
    if (!isConstant) for (const text of argv) interp.step(text.length >> 8);
    return run(interp, argv, site);
  };
}

// SPDX-License-Identifier: MIT
// regexp, regsub, and what other commands need to match expressions.

import { regexpWorkPerStep } from "../../limits.ts";
import { TclError } from "../error.ts";
import type { CommandDefinition, Interpreter } from "../interpreter.ts";
import { matchRegexp, type RegexpMatch } from "../regexp.ts";
import { compileRegexp, type RegexpProgram } from "../regexp-parser.ts";
import { arg, command, indexArg, many, optionOf } from "./shared.ts";

/** An expression with the interpreter that pays for it. */
export interface Matcher {
  readonly program: RegexpProgram;
  readonly find: (text: string, from: number) => RegexpMatch | undefined;
}

/** Compiles an expression; each look at a text is charged by its length times the program's. */
export function matcherOf(interp: Interpreter, pattern: string, nocase: boolean): Matcher {
  interp.scan(pattern.length * 4);
  const program = compileRegexp(pattern, nocase);
  interp.step(program.code.length >> 3);
  const find = (text: string, from: number): RegexpMatch | undefined => {
    const work = (text.length - from + 1) * program.code.length * (program.groups + 1);
    interp.step(1 + Math.floor(work / regexpWorkPerStep));
    return matchRegexp(program, text, from);
  };
  return { program, find };
}

const regexpOptions = ["-nocase", "-indices", "-inline", "-all", "-start", "--"] as const;
const regsubOptions = ["-nocase", "-all", "-start", "--"] as const;

/** Options before the pattern; `at` is the pattern's word. */
function readOptions<T extends string>(
  argv: readonly string[],
  known: readonly T[],
): { readonly on: ReadonlySet<string>; readonly at: number; readonly startWord: number } {
  const on = new Set<string>();
  let startWord = 0;
  let at = 1;
  for (; arg(argv, at).startsWith("-"); at += 1) {
    const option = optionOf(arg(argv, at), known, at);
    if (option === "--") return { on, at: at + 1, startWord };
    on.add(option);
    if (option === "-start") {
      at += 1;
      startWord = at;
    }
  }
  return { on, at, startWord };
}

function startOf(argv: readonly string[], word: number, text: string): number {
  return word === 0 ? 0 : Math.max(0, indexArg(argv, word, text.length));
}

/** All matches, or the first one; an empty match moves on by one character. */
function matchesOf(
  matcher: Matcher,
  text: string,
  start: number,
  how: "first" | "count" | "replace",
): RegexpMatch[] {
  const found: RegexpMatch[] = [];
  for (let at = start; at <= text.length; ) {
    const match = matcher.find(text, at);
    if (match === undefined) break;
    found.push(match);
    const [begin = 0, end = 0] = match;
    if (how === "first") break;
    at = end > begin ? end : end + 1;
    // The empty text at the very end is replaced, but not counted.
    if (at >= text.length && how === "count") break;
  }
  return found;
}

function regexpCommand(interp: Interpreter, argv: readonly string[]): string {
  const { on, at, startWord } = readOptions(argv, regexpOptions);
  if (argv.length < at + 2) {
    const usage = "regexp ?-option ...? exp string ?matchVar? ?subMatchVar ...?";
    throw new TclError("TCL_ARGUMENTS", `wrong # args: should be "${usage}"`);
  }
  const text = arg(argv, at + 1);
  const matcher = matcherOf(interp, arg(argv, at), on.has("-nocase"));
  const how = on.has("-all") ? "count" : "first";
  const found = matchesOf(matcher, text, startOf(argv, startWord, text), how);
  const shown = (match: RegexpMatch, group: number): string => {
    const [begin = -1, end = -1] = match.slice(group * 2, group * 2 + 2);
    if (on.has("-indices")) return begin < 0 ? "-1 -1" : `${begin} ${end - 1}`;
    return begin < 0 ? "" : text.slice(begin, end);
  };
  const groups = Array.from({ length: matcher.program.groups + 1 }, (_, group) => group);
  if (on.has("-inline")) {
    if (argv.length > at + 2) {
      throw new TclError("TCL_REGEXP", "regexp match variables not allowed when using -inline");
    }
    return interp.formatList(found.flatMap((match) => groups.map((group) => shown(match, group))));
  }
  const last = found.at(-1);
  for (let i = at + 2; last !== undefined && i < argv.length; i += 1) {
    const group = i - at - 2;
    const none = on.has("-indices") ? "-1 -1" : "";
    interp.set(arg(argv, i), group < groups.length ? shown(last, group) : none);
  }
  return on.has("-all") ? `${found.length}` : last === undefined ? "0" : "1";
}

/** `&` and `\0` to `\9` stand for what was matched. */
function substitution(template: string, text: string, match: RegexpMatch): string {
  return template.replace(/\\([0-9&\\])|&/g, (whole, escaped: string | undefined) => {
    if (escaped === "&" || escaped === "\\") return escaped;
    const group = whole === "&" ? 0 : Number(escaped);
    const [begin = -1, end = -1] = match.slice(group * 2, group * 2 + 2);
    return begin < 0 ? "" : text.slice(begin, end);
  });
}

function regsubCommand(interp: Interpreter, argv: readonly string[]): string {
  const { on, at, startWord } = readOptions(argv, regsubOptions);
  if (argv.length < at + 3 || argv.length > at + 4) {
    const usage = "regsub ?-option ...? exp string subSpec ?varName?";
    throw new TclError("TCL_ARGUMENTS", `wrong # args: should be "${usage}"`);
  }
  const [text, template] = [arg(argv, at + 1), arg(argv, at + 2)];
  const matcher = matcherOf(interp, arg(argv, at), on.has("-nocase"));
  const how = on.has("-all") ? "replace" : "first";
  const found = matchesOf(matcher, text, startOf(argv, startWord, text), how);
  let result = "";
  let copied = 0;
  for (const match of found) {
    const [begin = 0, end = 0] = match;
    interp.scan(template.length);
    const piece = text.slice(copied, begin) + substitution(template, text, match);
    interp.memory.reserve(result.length + piece.length);
    result += piece;
    copied = end;
  }
  result += text.slice(copied);
  if (argv.length === at + 3) return result;
  interp.set(arg(argv, at + 3), result);
  return `${found.length}`;
}

/** Commands on regular expressions. */
export const regexpCommands: readonly CommandDefinition[] = [
  command(
    "regexp",
    "?-option ...? exp string ?matchVar? ?subMatchVar ...?",
    3,
    many,
    regexpCommand,
  ),
  command("regsub", "?-option ...? exp string subSpec ?varName?", 4, many, regsubCommand),
];

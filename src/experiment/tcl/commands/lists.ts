// SPDX-License-Identifier: MIT
// list, llength, lindex, lrange, linsert, lreplace, lreverse, lrepeat, lsearch, lsort, lassign,
// lset, concat, join, split.

import { TclError } from "../error.ts";
import { type CommandDefinition, completion, type Interpreter } from "../interpreter.ts";
import { listReportElements } from "../list.ts";
import { parseInteger, parseNumber } from "../number.ts";
import { compareText, compareValues } from "../operators.ts";
import { matcherOf } from "./regexps.ts";
import { arg, command, indexArg, integerArg, many, matches, optionOf } from "./shared.ts";

/** Reads a list argument; an error points at the word. */
function list(interp: Interpreter, argv: readonly string[], word: number): readonly string[] {
  try {
    return interp.list(arg(argv, word));
  } catch (error) {
    if (error instanceof TclError && error.offset < 0) {
      throw new TclError(error.code, error.message, { ...error.details, word });
    }
    throw error;
  }
}

function lindex(interp: Interpreter, argv: readonly string[]): string {
  let value = arg(argv, 1);
  const indexes = argv.length === 3 ? list(interp, argv, 2) : argv.slice(2);
  for (const index of indexes) {
    const elements = interp.list(value);
    value = elements[indexArg([index], 0, elements.length)] ?? "";
  }
  return value;
}

function lrange(interp: Interpreter, argv: readonly string[]): string {
  const elements = list(interp, argv, 1);
  const first = Math.max(0, indexArg(argv, 2, elements.length));
  const last = indexArg(argv, 3, elements.length);
  return interp.formatList(elements.slice(first, Math.max(first, last + 1)));
}

function linsert(interp: Interpreter, argv: readonly string[]): string {
  const elements = list(interp, argv, 1);
  // `end` means after the last element here.
  const at = indexArg(argv, 2, elements.length + 1);
  const index = Math.min(Math.max(at, 0), elements.length);
  return interp.formatList([
    ...elements.slice(0, index),
    ...argv.slice(3),
    ...elements.slice(index),
  ]);
}

function lreplace(interp: Interpreter, argv: readonly string[]): string {
  const elements = list(interp, argv, 1);
  const first = Math.min(Math.max(0, indexArg(argv, 2, elements.length)), elements.length);
  const last = Math.max(first - 1, indexArg(argv, 3, elements.length));
  return interp.formatList([
    ...elements.slice(0, first),
    ...argv.slice(4),
    ...elements.slice(last + 1),
  ]);
}

function lrepeat(interp: Interpreter, argv: readonly string[]): string {
  const count = integerArg(argv, 1);
  if (count < 0) throw new TclError("TCL_NUMBER", `bad count "${count}": must be integer >= 0`);
  const once = interp.formatList(argv.slice(2));
  interp.memory.reserve(count * (once.length + 1));
  interp.step(Math.floor((count * (once.length + 1)) / 1024));
  if (argv.length === 2 || count === 0) return "";
  return `${`${once} `.repeat(count - 1)}${once}`;
}

function lset(interp: Interpreter, argv: readonly string[]): string {
  const name = arg(argv, 1);
  const value = arg(argv, argv.length - 1);
  const path = argv.length === 4 ? list(interp, argv, 2) : argv.slice(2, -1);
  return interp.set(name, replaceAt(interp, interp.get(name), path, value));
}

function replaceAt(
  interp: Interpreter,
  text: string,
  path: readonly string[],
  value: string,
): string {
  const [first, ...rest] = path;
  if (first === undefined) return value;
  const elements = [...interp.list(text)];
  const index = indexArg([first], 0, elements.length);
  if (index < 0 || index > elements.length) {
    throw new TclError("TCL_INDEX", "list index out of range", { word: 2 });
  }
  elements[index] = replaceAt(interp, elements[index] ?? "", rest, value);
  return interp.formatList(elements);
}

function lassign(interp: Interpreter, argv: readonly string[]): string {
  const elements = list(interp, argv, 1);
  for (let i = 2; i < argv.length; i += 1) interp.set(arg(argv, i), elements[i - 2] ?? "");
  return interp.formatList(elements.slice(argv.length - 2));
}

function split(interp: Interpreter, argv: readonly string[]): string {
  const text = arg(argv, 1);
  const separators = argv.length > 2 ? arg(argv, 2) : " \t\n\r";
  if (text === "") return "";
  interp.scan(text.length * Math.max(1, separators.length / 8));
  if (separators === "") {
    interp.step(text.length);
    interp.reserveElements(text.length, text.length);
    return interp.formatList([...text]);
  }
  const elements: string[] = [];
  let start = 0;
  for (let at = 0; at < text.length; ) {
    const ch = String.fromCodePoint(text.codePointAt(at) ?? 0);
    if (separators.includes(ch)) {
      elements.push(text.slice(start, at));
      if (elements.length % listReportElements === 0) {
        interp.step(listReportElements);
        interp.reserveElements(elements.length, text.length);
      }
      start = at + ch.length;
    }
    at += ch.length;
  }
  elements.push(text.slice(start));
  return interp.formatList(elements);
}

const searchOptions = ["-exact", "-glob", "-all", "-inline", "-not", "-nocase", "-regexp"] as const;

function lsearch(interp: Interpreter, argv: readonly string[]): string {
  const on = new Set<string>();
  for (let i = 1; i < argv.length - 2; i += 1) on.add(optionOf(arg(argv, i), searchOptions, i));
  const elements = list(interp, argv, argv.length - 2);
  interp.step(elements.length);
  if (on.has("-nocase")) interp.scan(arg(argv, argv.length - 2).length);
  const fold = (text: string): string => (on.has("-nocase") ? text.toLowerCase() : text);
  const given = arg(argv, argv.length - 1);
  const pattern = fold(given);
  const matcher = on.has("-regexp") ? matcherOf(interp, given, on.has("-nocase")) : undefined;
  const isHit = (element: string): boolean => {
    if (matcher !== undefined) return matcher.find(element, 0) !== undefined;
    return on.has("-exact") ? fold(element) === pattern : matches(interp, pattern, fold(element));
  };
  const accepts = (element: string): boolean => isHit(element) !== on.has("-not");
  const found = elements.flatMap((element, index) => (accepts(element) ? [index] : []));
  const shown = found.map((index) => (on.has("-inline") ? (elements[index] ?? "") : `${index}`));
  if (on.has("-all")) return interp.formatList(shown);
  return shown[0] ?? (on.has("-inline") ? "" : "-1");
}

const sortOptions = [
  "-ascii",
  "-dictionary",
  "-integer",
  "-real",
  "-increasing",
  "-decreasing",
  "-unique",
  "-nocase",
  "-index",
  "-command",
] as const;

type Compare = (a: string, b: string) => number;

function lsort(interp: Interpreter, argv: readonly string[]): string {
  const on = new Set<string>();
  let index: string | undefined;
  let script: string | undefined;
  for (let i = 1; i < argv.length - 1; i += 1) {
    const option = optionOf(arg(argv, i), sortOptions, i);
    if (option === "-index" || option === "-command") {
      i += 1;
      if (option === "-index") index = arg(argv, i);
      else script = arg(argv, i);
    }
    on.add(option);
  }
  const elements = list(interp, argv, argv.length - 1);
  // As many rounds as the number of elements has bits; each looks at every character at worst.
  const rounds = 32 - Math.clz32(elements.length);
  interp.step(elements.length * rounds * (on.has("-dictionary") ? 4 : 1));
  interp.scan(arg(argv, argv.length - 1).length * rounds);
  interp.reserveElements(elements.length, 0);
  const keys = index === undefined ? undefined : keysOf(interp, elements, index);
  const key = (element: string): string => keys?.get(element) ?? element;
  const compare = script === undefined ? comparison(on) : byCommand(interp, script);
  const sign = on.has("-decreasing") ? -1 : 1;
  const sorted = elements.toSorted((a, b) => sign * compare(key(a), key(b)));
  if (!on.has("-unique")) return interp.formatList(sorted);
  // Of equal elements the last one stays.
  const kept = sorted.filter((element, at) => {
    const next = sorted[at + 1];
    return next === undefined || compare(key(element), key(next)) !== 0;
  });
  return interp.formatList(kept);
}

/** What `-index` sorts by, for each element. */
function keysOf(
  interp: Interpreter,
  elements: readonly string[],
  index: string,
): ReadonlyMap<string, string> {
  interp.step(elements.length);
  const keyOf = (element: string): string => {
    const parts = interp.list(element);
    return parts[indexArg([index], 0, parts.length)] ?? "";
  };
  return new Map(elements.map((element) => [element, keyOf(element)]));
}

/** Compares by a command of the file; each comparison costs what the command does. */
function byCommand(interp: Interpreter, script: string): Compare {
  return (a, b) => {
    const result = interp.evalText(`${script} ${interp.formatList([a, b])}`, []);
    if (interp.code !== completion.ok) interp.code = completion.ok;
    const value = parseInteger(result);
    if (value !== undefined) return Number(value);
    throw new TclError("TCL_NUMBER", "-compare command returned non-integer result");
  };
}

function comparison(on: ReadonlySet<string>): Compare {
  if (on.has("-integer") || on.has("-real")) {
    const read = (text: string): number | bigint => {
      const value = on.has("-integer") ? parseInteger(text) : parseNumber(text);
      if (value === undefined) {
        const kind = on.has("-integer") ? "integer" : "floating-point number";
        throw new TclError("TCL_NUMBER", `expected ${kind} but got "${text}"`);
      }
      return typeof value === "object" ? value.value : value;
    };
    return (a, b) => {
      const x = read(a);
      const y = read(b);
      return x < y ? -1 : x > y ? 1 : 0;
    };
  }
  if (on.has("-dictionary")) return compareDictionary;
  if (on.has("-nocase")) return (a, b) => compareText(a.toLowerCase(), b.toLowerCase());
  return compareText;
}

/** Digits inside names compare as numbers; letter case matters last. */
function compareDictionary(a: string, b: string): number {
  const x = a.toLowerCase().match(/[0-9]+|[^0-9]+/g) ?? [];
  const y = b.toLowerCase().match(/[0-9]+|[^0-9]+/g) ?? [];
  for (let i = 0; i < Math.min(x.length, y.length); i += 1) {
    const p = x[i] ?? "";
    const q = y[i] ?? "";
    const digits = /^[0-9]/.test(p) && /^[0-9]/.test(q);
    const order = digits
      ? compareValues(normalInteger(p), normalInteger(q)) || p.length - q.length
      : compareText(p, q);
    if (order !== 0) return order;
  }
  return x.length - y.length || compareText(a, b);
}

function normalInteger(digits: string): string {
  return digits.replace(/^0+(?=[0-9])/, "");
}

/** Commands on lists. */
export const listCommands: readonly CommandDefinition[] = [
  command("list", "?arg ...?", 1, many, (interp, argv) => interp.formatList(argv.slice(1))),
  command("llength", "list", 2, 2, (interp, argv) => `${list(interp, argv, 1).length}`),
  command("lindex", "list ?index ...?", 2, many, lindex),
  command("lrange", "list first last", 4, 4, lrange),
  command("linsert", "list index ?element ...?", 3, many, linsert),
  command("lreplace", "list first last ?element ...?", 4, many, lreplace),
  command("lreverse", "list", 2, 2, (interp, argv) =>
    interp.formatList(list(interp, argv, 1).toReversed()),
  ),
  command("lrepeat", "count ?value ...?", 2, many, lrepeat),
  command("lset", "varName ?index ...? value", 3, many, lset),
  command("lassign", "list ?varName ...?", 2, many, lassign),
  command("lsearch", "?-option value ...? list pattern", 3, many, lsearch),
  command("lsort", "?-option value ...? list", 2, many, lsort),
  command("concat", "?arg ...?", 1, many, (interp, argv) => {
    interp.memory.reserve(argv.reduce((sum, text) => sum + text.length, 0));
    return argv
      .slice(1)
      .map((text) => text.trim())
      .filter((text) => text !== "")
      .join(" ");
  }),
  command("join", "list ?joinString?", 2, 3, (interp, argv) => {
    const elements = list(interp, argv, 1);
    const between = argv.length > 2 ? arg(argv, 2) : " ";
    interp.scan(elements.length);
    interp.memory.reserve(arg(argv, 1).length + between.length * elements.length);
    return elements.join(between);
  }),
  command("split", "string ?splitChars?", 2, 3, split),
];

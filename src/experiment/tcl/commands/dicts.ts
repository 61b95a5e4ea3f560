// SPDX-License-Identifier: MIT
// The `dict` command: dictionaries as lists of keys and values, in order of insertion.

import { TclError } from "../error.ts";
import { type CommandDefinition, completion, type Interpreter } from "../interpreter.ts";
import { parseInteger } from "../number.ts";
import { applyBinary, formatValue } from "../operators.ts";
import type { Command } from "../script.ts";
import { arg, command, ensemble, many, matches, subcommands } from "./shared.ts";

type Dict = Map<string, string>;

function parseDict(interp: Interpreter, text: string): Dict {
  const elements = interp.list(text);
  interp.step(elements.length >> 2);
  if (elements.length % 2 !== 0) {
    throw new TclError("TCL_DICT", "missing value to go with key");
  }
  const dict: Dict = new Map();
  for (let i = 0; i < elements.length; i += 2) dict.set(arg(elements, i), arg(elements, i + 1));
  return dict;
}

function formatDict(interp: Interpreter, dict: Dict): string {
  return interp.formatList([...dict].flat());
}

function noKey(key: string): TclError {
  return new TclError("TCL_DICT", `key "${key}" not known in dictionary`);
}

/** The value at a path of keys. */
function lookUp(interp: Interpreter, text: string, keys: readonly string[]): string | undefined {
  let value: string | undefined = text;
  for (const key of keys) {
    if (value === undefined) return undefined;
    value = parseDict(interp, value).get(key);
  }
  return value;
}

function get(interp: Interpreter, argv: readonly string[]): string {
  const keys = argv.slice(3);
  const value = lookUp(interp, arg(argv, 2), keys);
  if (value === undefined) throw noKey(keys.at(-1) ?? "");
  return keys.length === 0 ? formatDict(interp, parseDict(interp, value)) : value;
}

/** The dictionary with `value` at the path; undefined removes it. */
function placed(
  interp: Interpreter,
  text: string,
  keys: readonly string[],
  value: string | undefined,
): string {
  interp.step(1);
  const [key, ...rest] = keys;
  if (key === undefined) return value ?? "";
  const dict = parseDict(interp, text);
  if (rest.length === 0 && value === undefined) dict.delete(key);
  else {
    if (rest.length > 0 && value === undefined && !dict.has(key)) throw noKey(key);
    dict.set(key, placed(interp, dict.get(key) ?? "", rest, value));
  }
  return formatDict(interp, dict);
}

function store(interp: Interpreter, argv: readonly string[], value: string | undefined): string {
  const keys = argv.slice(3, value === undefined ? undefined : -1);
  const name = arg(argv, 2);
  const before = interp.exists(name) ? interp.get(name) : "";
  return interp.set(name, placed(interp, before, keys, value));
}

/** append, incr and lappend of one key. */
function change(
  interp: Interpreter,
  argv: readonly string[],
  update: (before: string | undefined) => string,
): string {
  const name = arg(argv, 2);
  const dict = parseDict(interp, interp.exists(name) ? interp.get(name) : "");
  const value = update(dict.get(arg(argv, 3)));
  interp.memory.reserve(value.length);
  dict.set(arg(argv, 3), value);
  return interp.set(name, formatDict(interp, dict));
}

function increased(before: string | undefined, by: string): string {
  const [a, b] = [parseInteger(before ?? "0"), parseInteger(by)];
  if (a === undefined || b === undefined) {
    const wrong = a === undefined ? before : by;
    throw new TclError("TCL_NUMBER", `expected integer but got "${wrong}"`);
  }
  return formatValue(applyBinary("+", a, b));
}

function forEach(interp: Interpreter, argv: readonly string[], site: Command): string {
  const [key, value, ...more] = interp.list(arg(argv, 2));
  if (key === undefined || value === undefined || more.length > 0) {
    throw new TclError("TCL_DICT", "must have exactly two variable names", { word: 2 });
  }
  const body = interp.scriptOf(site, 4, arg(argv, 4));
  for (const [name, text] of parseDict(interp, arg(argv, 3))) {
    interp.step(1);
    interp.set(key, name);
    interp.set(value, text);
    interp.run(body);
    if (interp.code === completion.ok) continue;
    if (interp.code !== completion.continue) break;
    interp.code = completion.ok;
  }
  if (interp.code === completion.break) interp.code = completion.ok;
  return interp.code === completion.ok ? "" : interp.returned;
}

function filtered(interp: Interpreter, argv: readonly string[], which: 0 | 1): string {
  const pattern = argv.length > 3 ? arg(argv, 3) : "*";
  const all = [...parseDict(interp, arg(argv, 2))].map((pair) => pair[which]);
  return interp.formatList(all.filter((text) => matches(interp, pattern, text)));
}

function merged(interp: Interpreter, dicts: readonly string[]): string {
  const result: Dict = new Map();
  for (const text of dicts) for (const [k, v] of parseDict(interp, text)) result.set(k, v);
  return formatDict(interp, result);
}

function without(interp: Interpreter, argv: readonly string[]): string {
  const dict = parseDict(interp, arg(argv, 2));
  for (const key of argv.slice(3)) dict.delete(key);
  return formatDict(interp, dict);
}

function created(interp: Interpreter, pairs: readonly string[]): string {
  if (pairs.length % 2 === 0) return merged(interp, [interp.formatList(pairs)]);
  throw new TclError("TCL_ARGUMENTS", 'wrong # args: should be "dict create ?key value ...?"');
}

const table = subcommands(
  command("create", "?key value ...?", 2, many, (interp, argv) => created(interp, argv.slice(2))),
  command("get", "dictionary ?key ...?", 3, many, get),
  command("set", "dictVarName key ?key ...? value", 5, many, (interp, argv) =>
    store(interp, argv, arg(argv, argv.length - 1)),
  ),
  command("unset", "dictVarName key ?key ...?", 4, many, (interp, argv) =>
    store(interp, argv, undefined),
  ),
  command("exists", "dictionary key ?key ...?", 4, many, (interp, argv) =>
    lookUp(interp, arg(argv, 2), argv.slice(3)) === undefined ? "0" : "1",
  ),
  command("keys", "dictionary ?pattern?", 3, 4, (interp, argv) => filtered(interp, argv, 0)),
  command("values", "dictionary ?pattern?", 3, 4, (interp, argv) => filtered(interp, argv, 1)),
  command("size", "dictionary", 3, 3, (interp, argv) => `${parseDict(interp, arg(argv, 2)).size}`),
  command("for", "{keyVar valueVar} dictionary script", 5, 5, forEach),
  command("merge", "?dictionary ...?", 2, many, (interp, argv) => merged(interp, argv.slice(2))),
  command("remove", "dictionary ?key ...?", 3, many, without),
  command("replace", "dictionary ?key value ...?", 3, many, (interp, argv) =>
    merged(interp, [arg(argv, 2), created(interp, argv.slice(3))]),
  ),
  command("append", "dictVarName key ?value ...?", 4, many, (interp, argv) =>
    change(interp, argv, (before) => (before ?? "") + argv.slice(4).join("")),
  ),
  command("incr", "dictVarName key ?increment?", 4, 5, (interp, argv) =>
    change(interp, argv, (before) => increased(before, argv[4] ?? "1")),
  ),
  command("lappend", "dictVarName key ?value ...?", 4, many, (interp, argv) =>
    change(interp, argv, (before) =>
      interp.formatList([...interp.list(before ?? ""), ...argv.slice(4)]),
    ),
  ),
);

/** The dict command. */
export const dictCommands: readonly CommandDefinition[] = [ensemble("dict", table)];

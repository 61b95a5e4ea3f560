// SPDX-License-Identifier: MIT
// set, unset, incr, append, lappend, global, variable, upvar: commands on single variables.

import { variableOverheadBytes } from "../../limits.ts";
import { TclError } from "../error.ts";
import type { CommandDefinition, Interpreter } from "../interpreter.ts";
import { formatElement, parseList } from "../list.ts";
import { formatNumber, parseInteger } from "../number.ts";
import { applyBinary, formatValue } from "../operators.ts";
import type { Variable } from "../variables.ts";
import { arg, command, many } from "./shared.ts";

function incr(interp: Interpreter, argv: readonly string[]): string {
  const name = arg(argv, 1);
  const variable = interp.frame.variables.get(name) ?? interp.obtainAny(name);
  if ((variable.value?.length ?? 0) > 20) interp.scan(variable.value?.length ?? 0);
  const before = parseInteger(variable.value ?? "0");
  const by = argv.length > 2 ? parseInteger(arg(argv, 2)) : 1;
  if (before === undefined || by === undefined) {
    const wrong = before === undefined ? variable.value : argv[2];
    const word = before === undefined ? 1 : 2;
    throw new TclError("TCL_NUMBER", `expected integer but got "${wrong}"`, { word });
  }
  if (typeof before === "number" && typeof by === "number") {
    const sum = before + by;
    if (Number.isSafeInteger(sum)) return interp.assign(variable, name, formatNumber(sum));
  }
  return interp.assign(variable, name, formatValue(applyBinary("+", before, by)));
}

function append(interp: Interpreter, argv: readonly string[]): string {
  const name = arg(argv, 1);
  if (argv.length === 2) return interp.get(name);
  const variable = interp.obtainAny(name);
  let bytes = 0;
  for (let i = 2; i < argv.length; i += 1) bytes += arg(argv, i).length;
  interp.memory.reserve(bytes);
  return interp.assign(variable, name, (variable.value ?? "") + argv.slice(2).join(""));
}

function lappend(interp: Interpreter, argv: readonly string[]): string {
  const name = arg(argv, 1);
  const variable = interp.obtainAny(name);
  let text = variable.value ?? "";
  if (!variable.isList) {
    interp.scan(text.length);
    parseList(text);
  }
  for (let i = 2; i < argv.length; i += 1) {
    const element = formatElement(arg(argv, i), text === "");
    interp.memory.reserve(element.length + text.length - (variable.value?.length ?? 0));
    text = text === "" ? element : `${text} ${element}`;
  }
  interp.assign(variable, name, text);
  variable.isList = true;
  return text;
}

function unset(interp: Interpreter, argv: readonly string[]): string {
  let complain = true;
  for (let i = 1; i < argv.length; i += 1) {
    const name = arg(argv, i);
    if (i === 1 && name === "-nocomplain") complain = false;
    else if (!interp.unset(name) && complain) {
      throw new TclError("TCL_NO_VARIABLE", `can't unset "${name}": no such variable`, {
        word: i,
        silent: interp.scopes.isExcused(name),
      });
    }
  }
  return "";
}

/** Makes `local` in the current frame stand for `target`. */
function link(interp: Interpreter, local: string, target: Variable, word: number): void {
  const known = interp.frame.variables.get(local);
  if (known !== undefined && known !== target && known.isSet) {
    throw new TclError("TCL_LINK", `variable "${local}" already exists`, { word });
  }
  if (known === undefined) interp.memory.hold(variableOverheadBytes);
  interp.frame.variables.set(local, target);
  interp.frame.links ??= new Set();
  interp.frame.links.add(local);
}

function tailOf(name: string): string {
  return name.slice(name.lastIndexOf("::") < 0 ? 0 : name.lastIndexOf("::") + 2);
}

function globalCommand(interp: Interpreter, argv: readonly string[]): string {
  if (interp.frame.kind === "namespace") return "";
  for (let i = 1; i < argv.length; i += 1) {
    const name = arg(argv, i);
    const target = interp.atLevel(0, () => interp.obtain(name));
    link(interp, tailOf(name), target, i);
  }
  return "";
}

function variableCommand(interp: Interpreter, argv: readonly string[]): string {
  for (let i = 1; i < argv.length; i += 2) {
    const name = arg(argv, i);
    const space = interp.frame.namespace;
    const full = name.includes("::") ? name : `::${space === "" ? "" : `${space}::`}${name}`;
    const target = interp.obtain(full);
    if (interp.frame.kind === "procedure") link(interp, tailOf(name), target, i);
    if (i + 1 < argv.length) interp.assign(target, name, arg(argv, i + 1));
  }
  return "";
}

function upvar(interp: Interpreter, argv: readonly string[]): string {
  const hasLevel = argv.length % 2 === 0;
  const level = interp.levelOf(hasLevel ? arg(argv, 1) : "1");
  for (let i = hasLevel ? 2 : 1; i + 1 < argv.length; i += 2) {
    const target = interp.atLevel(level, () => interp.obtainAny(arg(argv, i)));
    link(interp, arg(argv, i + 1), target, i + 1);
  }
  return "";
}

/** Commands on variables. */
export const variableCommands: readonly CommandDefinition[] = [
  command("set", "varName ?newValue?", 2, 3, (interp, argv) =>
    argv.length === 2 ? interp.get(arg(argv, 1)) : interp.set(arg(argv, 1), arg(argv, 2)),
  ),
  command("unset", "?-nocomplain? ?varName ...?", 1, many, unset),
  command("incr", "varName ?increment?", 2, 3, incr),
  command("append", "varName ?value ...?", 2, many, append),
  command("lappend", "varName ?value ...?", 2, many, lappend),
  command("global", "?varName ...?", 1, many, globalCommand),
  command("variable", "?name value ...? name ?value?", 2, many, variableCommand),
  command("upvar", "?level? otherVar localVar ?otherVar localVar ...?", 3, many, upvar),
];

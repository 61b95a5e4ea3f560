// SPDX-License-Identifier: MIT
// The `scan` command: reads a text by a template. Conversions d i u x o b c s f e g n and sets.

import { TclError } from "../error.ts";
import type { CommandDefinition, Interpreter } from "../interpreter.ts";
import { formatDouble, formatNumber, normalizeInteger } from "../number.ts";
import { arg, command, many } from "./shared.ts";

const conversion = /^%(\*?)([0-9]{0,6})(?:l|ll|h|L)?(?:([diuxXobcsfegEGn%])|(\[\^?\]?[^\]]*\]))/;

interface Field {
  readonly isKept: boolean;
  readonly width: number;
  readonly kind: string;
}

const digits: Readonly<Record<string, readonly [pattern: string, prefix: string]>> = {
  d: ["[0-9]+", ""],
  u: ["[0-9]+", ""],
  x: ["(?:0[xX])?[0-9a-fA-F]+", "0x"],
  X: ["(?:0[xX])?[0-9a-fA-F]+", "0x"],
  o: ["[0-7]+", "0o"],
  b: ["[01]+", "0b"],
};

/** The text that a field takes and its value; undefined when nothing fits. */
function readField(
  rest: string,
  { kind, width }: Field,
): readonly [used: number, value: string] | undefined {
  const room = rest.slice(0, width);
  const base = digits[kind === "i" ? integerKind(room) : kind];
  if (base !== undefined) {
    const match = new RegExp(`^([+-]?)(${base[0]})`).exec(room);
    if (match === null) return undefined;
    const text = (match[2] ?? "").replace(/^0[xX]/, "");
    const value = BigInt(base[1] + text) * (match[1] === "-" ? -1n : 1n);
    return [match[0].length, formatNumber(normalizeInteger(value))];
  }
  switch (kind) {
    case "c":
      return room === "" ? undefined : [1, `${room.charCodeAt(0)}`];
    case "s": {
      const text = /^\S+/.exec(room)?.[0];
      return text === undefined ? undefined : [text.length, text];
    }
    case "f":
    case "e":
    case "E":
    case "g":
    case "G": {
      const text = /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?/.exec(room)?.[0];
      return text === undefined ? undefined : [text.length, formatDouble(Number(text))];
    }
    default: {
      const text = spanOf(room, kind);
      return text === "" ? undefined : [text.length, text];
    }
  }
}

function integerKind(text: string): string {
  if (/^[+-]?0[xX]/.test(text)) return "x";
  return /^[+-]?0[0-7]/.test(text) ? "o" : "d";
}

/** The beginning of a text whose characters are all in a set such as `[^a-z]`. */
function spanOf(text: string, set: string): string {
  const isNegated = set.startsWith("[^");
  const members = set.slice(isNegated ? 2 : 1, -1);
  const accepts = (ch: string): boolean => {
    for (let i = 0; i < members.length; i += 1) {
      const low = members[i] ?? "";
      const high = members[i + 2];
      if (members[i + 1] === "-" && high !== undefined) {
        if (ch >= low && ch <= high) return true;
        i += 2;
      } else if (ch === low) return true;
    }
    return false;
  };
  let end = 0;
  while (end < text.length && accepts(text[end] ?? "") !== isNegated) end += 1;
  return text.slice(0, end);
}

function scan(interp: Interpreter, argv: readonly string[]): string {
  const [text, template] = [arg(argv, 1), arg(argv, 2)];
  interp.scan(text.length + template.length * 4);
  const values: (string | undefined)[] = [];
  let at = 0;
  let isStopped = false;
  let isEmpty = false;
  for (let t = 0; t < template.length; ) {
    const ch = template[t] ?? "";
    if (ch !== "%") {
      t += 1;
      if (isStopped) continue;
      if (/\s/.test(ch)) at += /^\s*/.exec(text.slice(at))?.[0].length ?? 0;
      else if (text[at] === ch) at += 1;
      else isStopped = true;
      continue;
    }
    const match = conversion.exec(template.slice(t));
    if (match === null) {
      throw new TclError("TCL_FORMAT", `bad scan conversion character "${template[t + 1] ?? ""}"`);
    }
    t += match[0].length;
    const kind = match[3] ?? match[4] ?? "";
    const width = match[2] === "" ? Number.POSITIVE_INFINITY : Number(match[2]);
    const field: Field = { isKept: match[1] === "", width, kind };
    if (kind === "n") {
      if (field.isKept) values.push(isStopped ? undefined : `${at}`);
      continue;
    }
    if (!isStopped && !"cn[".includes(kind[0] ?? "")) {
      at += /^\s*/.exec(text.slice(at))?.[0].length ?? 0;
    }
    if (!isStopped && at >= text.length && values.length === 0) isEmpty = true;
    const read = isStopped ? undefined : readField(text.slice(at), field);
    if (read === undefined) isStopped = true;
    else at += read[0];
    if (field.isKept) values.push(read?.[1]);
  }
  if (argv.length === 3)
    return isEmpty ? "" : interp.formatList(values.map((value) => value ?? ""));
  return assignAll(interp, argv, values, isEmpty);
}

function assignAll(
  interp: Interpreter,
  argv: readonly string[],
  values: readonly (string | undefined)[],
  isEmpty: boolean,
): string {
  if (values.length !== argv.length - 3) {
    const message = "different numbers of variable names and field specifiers";
    throw new TclError("TCL_ARGUMENTS", message);
  }
  values.forEach((value, index) => {
    if (value !== undefined) interp.set(arg(argv, index + 3), value);
  });
  return isEmpty ? "-1" : `${values.filter((value) => value !== undefined).length}`;
}

/** The scan command. */
export const scanCommands: readonly CommandDefinition[] = [
  command("scan", "string format ?varName ...?", 3, many, scan),
];

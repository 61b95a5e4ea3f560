// SPDX-License-Identifier: MIT
// Numbers of expressions. Integers are exact at any size (JavaScript numbers while safe, bigint
// beyond); floating point values are boxed, so that 2 and 2.0 stay different, as in Tcl 8.6.

import { integerBitsMax } from "../limits.ts";
import { TclError } from "./error.ts";

/** A floating point value. */
export class Double {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

/** An integer: a safe JavaScript integer, or a bigint outside of that range (never inside). */
export type Integer = number | bigint;
export type Numeric = Integer | Double;

/** The smallest representation of an integer. @throws TclError `TCL_INTEGER` beyond the limit. */
export function normalizeInteger(value: bigint): Integer {
  const small = Number(value);
  if (Number.isSafeInteger(small)) return small;
  checkBits(value);
  return value;
}

function checkBits(value: bigint): void {
  if (BigInt.asIntN(integerBitsMax, value) === value) return;
  throw new TclError("TCL_INTEGER", `an integer grew beyond ${integerBitsMax} bits`);
}

const integerPattern =
  /^\s*([+-]?)(?:0[xX]([0-9a-fA-F]+)|0[oO]([0-7]+)|0[bB]([01]+)|0([0-7]+)|(0|[1-9][0-9]*))\s*$/;
const doublePattern = /^\s*[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*$/;
const infinitePattern = /^\s*([+-]?)inf(?:inity)?\s*$/i;

/** Reads an integer in any notation of Tcl 8.6 (0x, 0o, 0b, leading 0), or undefined. */
export function parseInteger(text: string): Integer | undefined {
  const quick = quickInteger(text);
  if (quick !== undefined) return quick;
  if (text.length > integerBitsMax * 2) return undefined;
  const match = integerPattern.exec(text);
  if (match === null) return undefined;
  const [, sign, hex, octal, binary, oldOctal, decimal] = match;
  let magnitude: bigint;
  if (hex !== undefined) magnitude = BigInt(`0x${hex}`);
  else if (octal !== undefined) magnitude = BigInt(`0o${octal}`);
  else if (binary !== undefined) magnitude = BigInt(`0b${binary}`);
  else if (oldOctal !== undefined) magnitude = BigInt(`0o${oldOctal}`);
  else if ((decimal ?? "").length * 3 > integerBitsMax) return undefined;
  else magnitude = BigInt(decimal ?? "0");
  return normalizeInteger(sign === "-" ? -magnitude : magnitude);
}

/** Plain decimal integers of up to 15 digits, the common case, without a pattern. */
function quickInteger(text: string): number | undefined {
  const length = text.length;
  if (length === 0 || length > 15) return undefined;
  let at = 0;
  const negative = text.charCodeAt(0) === 45;
  if (negative) at = 1;
  const first = text.charCodeAt(at);
  if (first === 48) return length === at + 1 ? 0 : undefined;
  let value = 0;
  if (at === length) return undefined;
  for (; at < length; at += 1) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  return negative ? -value : value;
}

/** Reads any number, or undefined when the text is not one. */
export function parseNumber(text: string): Numeric | undefined {
  // Longer than any number within the limit of integers, in any notation.
  if (text.length > integerBitsMax * 2) return undefined;
  const first = text.charCodeAt(0);
  // Letters (other than in "inf" and "nan") start no number: most strings leave here.
  if (first > 64 && first !== 73 && first !== 105) return undefined;
  const integer = parseInteger(text);
  if (integer !== undefined) return integer;
  if (doublePattern.test(text)) {
    if (/^\s*[+-]?0[0-9]+\s*$/.test(text)) return undefined;
    return new Double(Number(text));
  }
  const infinite = infinitePattern.exec(text);
  if (infinite === null) return undefined;
  return new Double(infinite[1] === "-" ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY);
}

/** The text of a number: integers in decimal, doubles as the shortest text that reads back. */
export function formatNumber(value: Numeric): string {
  if (typeof value === "number") return `${value === 0 ? 0 : value}`;
  if (typeof value === "bigint") return value.toString();
  return formatDouble(value.value);
}

/** Shortest text of a double, always with a point or an exponent: `2.0`, `1e-5`, `1e+20`. */
export function formatDouble(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (value === Number.POSITIVE_INFINITY) return "Inf";
  if (value === Number.NEGATIVE_INFINITY) return "-Inf";
  if (Object.is(value, -0)) return "-0.0";
  const [digits = "", exponentText = "0"] = value.toExponential().split("e");
  const exponent = Number(exponentText);
  if (exponent < -4 || exponent >= 17) {
    return `${digits}e${exponent < 0 ? "-" : "+"}${Math.abs(exponent)}`;
  }
  const negative = digits.startsWith("-");
  const plain = digits.replace("-", "").replace(".", "");
  let text: string;
  if (exponent < 0) text = `0.${"0".repeat(-exponent - 1)}${plain}`;
  else if (plain.length <= exponent + 1) text = `${plain.padEnd(exponent + 1, "0")}.0`;
  else text = `${plain.slice(0, exponent + 1)}.${plain.slice(exponent + 1)}`;
  return negative ? `-${text}` : text;
}

const trueWords = ["true", "yes", "on", "1"];
const falseWords = ["false", "no", "off", "0"];

/** Reads a boolean: a number, or an unambiguous beginning of true, yes, on, false, no, off. */
export function parseBoolean(text: string): boolean | undefined {
  if (text === "1") return true;
  if (text === "0") return false;
  const word = text.trim().toLowerCase();
  if (word !== "" && word !== "o") {
    if (trueWords.some((known) => known.startsWith(word))) return true;
    if (falseWords.some((known) => known.startsWith(word))) return false;
  }
  const value = parseNumber(text);
  return value === undefined ? undefined : isTrue(value);
}

/** A number counts as true unless it is zero. */
export function isTrue(value: Numeric): boolean {
  return value instanceof Double ? value.value !== 0 : Number(value) !== 0;
}

/** Floating point value of a number. */
export function toDouble(value: Numeric): number {
  return value instanceof Double ? value.value : Number(value);
}

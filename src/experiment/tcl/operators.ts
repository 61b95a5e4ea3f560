// SPDX-License-Identifier: MIT
// Arithmetic and comparison of expressions on already evaluated operands, by the rules of Tcl 8.6:
// integers stay exact, division and remainder round down, a double makes the result a double.

import { integerBitsMax } from "../limits.ts";
import { TclError } from "./error.ts";
import {
  Double,
  formatNumber,
  type Integer,
  type Numeric,
  normalizeInteger,
  parseBoolean,
  parseNumber,
  toDouble,
} from "./number.ts";

/** A value inside an expression: text, or a number already read. */
export type ExpressionValue = string | Numeric;

/** Text of a value. */
export function formatValue(value: ExpressionValue): string {
  return typeof value === "string" ? value : formatNumber(value);
}

/** The number a value stands for, or undefined. */
export function asNumber(value: ExpressionValue): Numeric | undefined {
  return typeof value === "string" ? parseNumber(value) : value;
}

/** Truth of a value. @throws TclError `TCL_BOOLEAN` */
export function asCondition(value: ExpressionValue): boolean {
  if (typeof value === "number") return value !== 0;
  const truth = typeof value === "string" ? parseBoolean(value) : toDouble(value) !== 0;
  if (truth === undefined) {
    throw new TclError("TCL_BOOLEAN", `expected boolean value but got "${shorten(value)}"`);
  }
  return truth;
}

function shorten(value: ExpressionValue): string {
  const text = formatValue(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function numeric(value: ExpressionValue, operator: string): Numeric {
  const number = asNumber(value);
  if (number !== undefined) return number;
  const what = value === "" ? "empty string" : `non-numeric string "${shorten(value)}"`;
  throw new TclError("TCL_NUMBER", `can't use ${what} as operand of "${operator}"`);
}

function integer(value: ExpressionValue, operator: string): Integer {
  const number = numeric(value, operator);
  if (!(number instanceof Double)) return number;
  const text = `can't use floating-point value "${shorten(value)}" as operand of "${operator}"`;
  throw new TclError("TCL_NUMBER", text);
}

/** Result of a binary operator other than `&&`, `||`, `in` and `ni`. */
export function applyBinary(
  operator: string,
  left: ExpressionValue,
  right: ExpressionValue,
): ExpressionValue {
  switch (operator) {
    case "==":
    case "!=":
    case "<":
    case ">":
    case "<=":
    case ">=":
      return compareBy(operator, left, right) ? 1 : 0;
    case "eq":
      return formatValue(left) === formatValue(right) ? 1 : 0;
    case "ne":
      return formatValue(left) === formatValue(right) ? 0 : 1;
    case "+":
    case "-":
    case "*":
    case "/":
    case "**":
      return arithmetic(operator, numeric(left, operator), numeric(right, operator));
    default:
      return integerOperation(operator, integer(left, operator), integer(right, operator));
  }
}

/** Order of two values: numbers by value, anything else by code points. */
export function compareValues(left: ExpressionValue, right: ExpressionValue): number {
  const a = asNumber(left);
  const b = a === undefined ? undefined : asNumber(right);
  if (a === undefined || b === undefined) return compareText(formatValue(left), formatValue(right));
  if (a instanceof Double || b instanceof Double) {
    const x = toDouble(a);
    const y = toDouble(b);
    return x < y ? -1 : x > y ? 1 : x === y ? 0 : Number.NaN;
  }
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Order of two texts by code unit. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function compareBy(operator: string, left: ExpressionValue, right: ExpressionValue): boolean {
  const order = compareValues(left, right);
  switch (operator) {
    case "==":
      return order === 0;
    case "!=":
      return order !== 0;
    case "<":
      return order < 0;
    case ">":
      return order > 0;
    case "<=":
      return order <= 0;
    default:
      return order >= 0;
  }
}

function arithmetic(operator: string, a: Numeric, b: Numeric): Numeric {
  if (a instanceof Double || b instanceof Double) {
    return new Double(doubleArithmetic(operator, toDouble(a), toDouble(b)));
  }
  switch (operator) {
    case "+":
    case "-":
    case "*":
      return exact(operator, a, b);
    case "/":
      return floorDivide(a, b);
    default:
      return power(a, b);
  }
}

function doubleArithmetic(operator: string, a: number, b: number): number {
  switch (operator) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "/":
      if (b === 0) throw divisionByZero();
      return a / b;
    default:
      return a ** b;
  }
}

function exact(operator: string, a: Integer, b: Integer): Integer {
  if (typeof a === "number" && typeof b === "number") {
    const quick = operator === "+" ? a + b : operator === "-" ? a - b : a * b;
    if (Number.isSafeInteger(quick)) return quick;
  }
  const x = BigInt(a);
  const y = BigInt(b);
  return normalizeInteger(operator === "+" ? x + y : operator === "-" ? x - y : x * y);
}

function divisionByZero(): TclError {
  return new TclError("TCL_DIVIDE", "divide by zero");
}

function floorDivide(a: Integer, b: Integer): Integer {
  if (typeof a === "number" && typeof b === "number") {
    if (b === 0) throw divisionByZero();
    const remainder = floorRemainder(a, b);
    return (a - Number(remainder)) / b;
  }
  const x = BigInt(a);
  const y = BigInt(b);
  if (y === 0n) throw divisionByZero();
  return normalizeInteger((x - BigInt(floorRemainder(a, b))) / y);
}

/** Remainder with the sign of the divisor. */
function floorRemainder(a: Integer, b: Integer): Integer {
  if (typeof a === "number" && typeof b === "number") {
    if (b === 0) throw divisionByZero();
    const remainder = a % b;
    return remainder !== 0 && remainder < 0 !== b < 0 ? remainder + b : remainder;
  }
  const y = BigInt(b);
  if (y === 0n) throw divisionByZero();
  const remainder = BigInt(a) % y;
  return normalizeInteger(
    remainder !== 0n && remainder < 0n !== y < 0n ? remainder + y : remainder,
  );
}

/** @throws TclError `TCL_INTEGER` before computing what would pass the limit. */
function power(a: Integer, b: Integer): Integer {
  const base = BigInt(a);
  const exponent = BigInt(b);
  if (exponent < 0n) {
    if (base === 0n) throw new TclError("TCL_DIVIDE", "exponentiation of zero by negative power");
    if (base === 1n) return 1;
    if (base === -1n) return exponent % 2n === 0n ? 1 : -1;
    return 0;
  }
  if (base === 0n || base === 1n) return exponent === 0n ? 1 : Number(base);
  if (base === -1n) return exponent % 2n === 0n ? 1 : -1;
  const bits = BigInt(base.toString(2).length - 1);
  checkGrowth(bits * exponent);
  return normalizeInteger(base ** exponent);
}

function checkGrowth(bits: bigint): void {
  if (bits < BigInt(integerBitsMax)) return;
  throw new TclError("TCL_INTEGER", `an integer grew beyond ${integerBitsMax} bits`);
}

function integerOperation(operator: string, a: Integer, b: Integer): Integer {
  if (operator === "%") return floorRemainder(a, b);
  const x = BigInt(a);
  const y = BigInt(b);
  switch (operator) {
    case "&":
      return normalizeInteger(x & y);
    case "|":
      return normalizeInteger(x | y);
    case "^":
      return normalizeInteger(x ^ y);
    case "<<":
      if (y < 0n) throw new TclError("TCL_NUMBER", "negative shift argument");
      if (x !== 0n) checkGrowth(y + BigInt(x.toString(2).length));
      return x === 0n ? 0 : normalizeInteger(x << y);
    default:
      if (y < 0n) throw new TclError("TCL_NUMBER", "negative shift argument");
      if (y > BigInt(integerBitsMax)) return x < 0n ? -1 : 0;
      return normalizeInteger(x >> y);
  }
}

/** Result of `-x`, `+x`, `~x` or `!x`. */
export function applyUnary(operator: string, value: ExpressionValue): ExpressionValue {
  if (operator === "!") {
    const number = asNumber(value);
    if (number !== undefined) return asCondition(number) ? 0 : 1;
    const truth = typeof value === "string" ? parseBoolean(value) : undefined;
    if (truth === undefined) numeric(value, operator);
    return truth === true ? 0 : 1;
  }
  if (operator === "~") return normalizeInteger(~BigInt(integer(value, operator)));
  const number = numeric(value, operator);
  if (operator === "+") return number;
  if (number instanceof Double) return new Double(-number.value);
  return typeof number === "number" ? 0 - number : normalizeInteger(-number);
}

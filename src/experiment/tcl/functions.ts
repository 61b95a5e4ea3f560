// SPDX-License-Identifier: MIT
// Functions of expressions: abs(), int(), min() and so on. No rand(): the same file must give the
// same experiment every time.

import { TclError } from "./error.ts";
import { Double, type Integer, type Numeric, normalizeInteger, toDouble } from "./number.ts";
import {
  applyUnary,
  asCondition,
  asNumber,
  compareValues,
  type ExpressionValue,
} from "./operators.ts";

interface MathFunction {
  readonly min: number;
  readonly max: number;
  readonly apply: (values: readonly ExpressionValue[], name: string) => ExpressionValue;
}

function number(value: ExpressionValue | undefined, name: string): Numeric {
  const read = value === undefined ? undefined : asNumber(value);
  if (read !== undefined) return read;
  throw new TclError("TCL_NUMBER", `${name}() expects a number but got "${value}"`);
}

/** Rounds a double to an exact integer by `round`. */
function toInteger(value: Numeric, round: (x: number) => number): Integer {
  if (!(value instanceof Double)) return value;
  const rounded = round(value.value);
  if (!Number.isFinite(rounded)) {
    throw new TclError("TCL_INTEGER", "integer value too large to represent");
  }
  return Number.isSafeInteger(rounded) ? rounded + 0 : normalizeInteger(BigInt(rounded));
}

function unary(apply: (value: Numeric) => ExpressionValue): MathFunction {
  return { min: 1, max: 1, apply: ([value], name) => apply(number(value, name)) };
}

function double(apply: (value: number) => number): MathFunction {
  return unary((value) => {
    const result = apply(toDouble(value));
    if (Number.isNaN(result)) {
      throw new TclError("TCL_NUMBER", "domain error: argument not in valid range");
    }
    return new Double(result);
  });
}

function double2(apply: (a: number, b: number) => number): MathFunction {
  return {
    min: 2,
    max: 2,
    apply: ([a, b], name) =>
      new Double(apply(toDouble(number(a, name)), toDouble(number(b, name)))),
  };
}

function extreme(sign: number): MathFunction {
  return {
    min: 1,
    max: Number.POSITIVE_INFINITY,
    apply: (values, name) =>
      values
        .map((value) => number(value, name))
        .reduce((best, value) => (compareValues(value, best) * sign > 0 ? value : best)),
  };
}

/** Halves round away from zero. */
function roundHalf(x: number): number {
  return x < 0 ? -Math.floor(-x + 0.5) : Math.floor(x + 0.5);
}

const rounding: Readonly<Record<string, MathFunction>> = {
  int: unary((value) => wrap64(toInteger(value, Math.trunc))),
  wide: unary((value) => wrap64(toInteger(value, Math.trunc))),
  entier: unary((value) => toInteger(value, Math.trunc)),
  round: unary((value) => toInteger(value, roundHalf)),
  ceil: double(Math.ceil),
  floor: double(Math.floor),
  isqrt: unary((value) =>
    toInteger(new Double(Math.floor(Math.sqrt(toDouble(value)))), Math.trunc),
  ),
};

/** int() keeps the low 64 bits, signed. */
function wrap64(value: Integer): Integer {
  return typeof value === "number" ? value : normalizeInteger(BigInt.asIntN(64, value));
}

const functions: Readonly<Record<string, MathFunction>> = {
  ...rounding,
  abs: unary((value) => {
    if (value instanceof Double) return new Double(Math.abs(value.value));
    return value < 0 ? applyUnary("-", value) : value;
  }),
  double: unary((value) => new Double(toDouble(value))),
  bool: { min: 1, max: 1, apply: ([value]) => (asCondition(value ?? "") ? 1 : 0) },
  sqrt: double(Math.sqrt),
  exp: double(Math.exp),
  log: double(Math.log),
  log10: double(Math.log10),
  sin: double(Math.sin),
  cos: double(Math.cos),
  tan: double(Math.tan),
  asin: double(Math.asin),
  acos: double(Math.acos),
  atan: double(Math.atan),
  sinh: double(Math.sinh),
  cosh: double(Math.cosh),
  tanh: double(Math.tanh),
  atan2: double2(Math.atan2),
  hypot: double2(Math.hypot),
  fmod: double2((a, b) => a % b),
  pow: double2((a, b) => a ** b),
  min: extreme(-1),
  max: extreme(1),
};

/**
 * Applies a function by name.
 * @throws TclError `TCL_FUNCTION` when there is none, or it takes another number of arguments.
 */
export function applyFunction(name: string, values: readonly ExpressionValue[]): ExpressionValue {
  const known = Object.hasOwn(functions, name) ? functions[name] : undefined;
  if (known === undefined) {
    const random = name === "rand" || name === "srand";
    const message = random ? `${name}() is not available` : `unknown math function "${name}"`;
    const hint = random
      ? "The same file must give the same experiment: pass a value in with --set."
      : "Known: abs ceil double floor int max min pow round sqrt and the usual others.";
    throw new TclError("TCL_FUNCTION", message, { hint });
  }
  if (values.length < known.min || values.length > known.max) {
    const few = values.length < known.min ? "not enough" : "too many";
    throw new TclError("TCL_FUNCTION", `${few} arguments for math function "${name}"`);
  }
  return known.apply(values, name);
}

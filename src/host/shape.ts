// SPDX-License-Identifier: MIT
// Checks of the shape of values that came as JSON, made of one another.

export type Fields = Readonly<Record<string, unknown>>;
export type Check = (value: unknown) => boolean;

export const isText: Check = (value) => typeof value === "string";
export const isFlag: Check = (value) => typeof value === "boolean";
export const isNumber: Check = (value) => Number.isSafeInteger(value);
export const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
/** The core refuses one that is no integer: that arrival, and not the whole edge. */
export const isAmount: Check = (value) => Number.isFinite(value);
export const isPositive: Check = (value) => isCount(value) && value !== 0;
export const isAbsent: Check = (value) => value === undefined;
export const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null;

/**
 * Whether every text in it has bytes. One with half of a surrogate pair has none: whoever reads it
 * elsewhere sees U+FFFD, and two names that differ look the same.
 */
export const isWellFormed: Check = (value) => {
  if (typeof value === "string") return value.isWellFormed();
  if (Array.isArray(value)) return value.every(isWellFormed);
  return !isFields(value) || Object.values(value).every(isWellFormed);
};

export function listOf(check: Check): Check {
  return (value) => Array.isArray(value) && value.every(check);
}

export function either(a: Check, b: Check): Check {
  return (value) => a(value) || b(value);
}

/** A check of an object, which can also say which of its fields is wrong. */
export interface ShapeCheck extends Check {
  readonly wrongField: (value: Fields) => string | undefined;
}

export function shape(checks: Readonly<Record<string, Check>>): ShapeCheck {
  const rows = Object.entries(checks);
  const wrongField = (value: Fields): string | undefined => {
    for (const [name, check] of rows) if (!check(value[name])) return name;
    return undefined;
  };
  const check = (value: unknown) => isFields(value) && wrongField(value) === undefined;
  return Object.assign(check, { wrongField });
}

export function optional(check: Check): Check {
  return either(check, isAbsent);
}

export function oneOf(...words: readonly unknown[]): Check {
  return (value) => words.includes(value);
}

// SPDX-License-Identifier: MIT
// The ARGS of an event: `KEY=value KEY={a {nested} value} KEY='a value'`. [EMULAB-EVENTS 1.6]
//
// Differs from the old parser on purpose, in two places. It read words inside a value of another
// key as keys of their own, so that `COMMAND={x TAG=evil y} TAG=ok` had the tag `evil`; here a
// value is passed over whole. And a word without `=` ended its search; here it is passed over, too.
// Nothing needs the old way, so there is none.

export type FoundArg =
  | { readonly kind: "found"; readonly value: string }
  | { readonly kind: "absent" }
  /** A quote or a brace before the key is not closed. */
  | { readonly kind: "malformed"; readonly message: string };

/** The value of the first item with this key, in whatever case; without its quotes or braces. */
export function findArg(args: string, key: string): FoundArg {
  const wanted = key.toUpperCase();
  let at = 0;
  while (at < args.length) {
    if (isBlank(args[at])) {
      at += 1;
      continue;
    }
    const item = takeItem(args, at);
    if (item.kind === "unclosed") {
      const message = `ARGS: ${item.key} is not closed; end it with ${item.closer}`;
      return { kind: "malformed", message };
    }
    if (item.kind === "item" && item.key.toUpperCase() === wanted) {
      return { kind: "found", value: item.value };
    }
    at = item.end;
  }
  return { kind: "absent" };
}

/** The value of a key, or undefined when it is absent or cannot be read. */
export function getArg(args: string, key: string): string | undefined {
  const found = findArg(args, key);
  return found.kind === "found" ? found.value : undefined;
}

/** The value of a key as a decimal integer; undefined when it is none. */
export function getIntegerArg(args: string, key: string): number | undefined {
  const value = getArg(args, key);
  return value !== undefined && /^[+-]?\d{1,15}$/.test(value) ? Number(value) : undefined;
}

type TakenItem =
  | { readonly kind: "item"; readonly key: string; readonly value: string; readonly end: number }
  | { readonly kind: "word"; readonly end: number }
  | { readonly kind: "unclosed"; readonly key: string; readonly closer: string };

/** The item that begins at `start`, which is no blank; what is glued to its end belongs to it. */
function takeItem(args: string, start: number): TakenItem {
  const wordEnd = endOfWord(args, start);
  const equals = args.indexOf("=", start);
  if (equals < 0 || equals >= wordEnd) return { kind: "word", end: wordEnd };
  const key = args.slice(start, equals);
  const opener = args[equals + 1];
  if (opener !== "'" && opener !== "{") {
    return { kind: "item", key, value: args.slice(equals + 1, wordEnd), end: wordEnd };
  }
  const close = opener === "'" ? args.indexOf("'", equals + 2) : endOfBraces(args, equals + 1);
  if (close < 0) return { kind: "unclosed", key, closer: opener === "'" ? "'" : "}" };
  return {
    kind: "item",
    key,
    value: args.slice(equals + 2, close),
    end: endOfWord(args, close + 1),
  };
}

function endOfWord(args: string, start: number): number {
  let end = start;
  while (end < args.length && !isBlank(args[end])) end += 1;
  return end;
}

/** Index of the brace that closes the one at `open`, or -1. */
function endOfBraces(args: string, open: number): number {
  let depth = 0;
  for (let index = open; index < args.length; index += 1) {
    if (args[index] === "{") depth += 1;
    else if (args[index] === "}") depth -= 1;
    if (depth === 0) return index;
  }
  return -1;
}

function isBlank(char: string | undefined): boolean {
  return char === " " || char === "\t";
}

export type FormattedArgs =
  | { readonly kind: "args"; readonly text: string }
  | { readonly kind: "refused"; readonly message: string };

/**
 * Writes items so that `findArg` gives every value back. An old receiver looks for keys inside
 * values, too: for one of those, put values with blanks last.
 */
export function formatArgs(
  items: readonly (readonly [key: string, value: string])[],
): FormattedArgs {
  const parts: string[] = [];
  for (const [key, value] of items) {
    if (!/^[^ \t=]+$/.test(key)) {
      return {
        kind: "refused",
        message: `${JSON.stringify(key)} is no key; leave blanks and = out`,
      };
    }
    const quoted = quoteArg(value);
    if (quoted === undefined) {
      const message = `${key} has a quote and a lone brace, which ARGS cannot carry; use a file`;
      return { kind: "refused", message };
    }
    parts.push(`${key}=${quoted}`);
  }
  return { kind: "args", text: parts.join(" ") };
}

/** A value as ARGS carry it; undefined when no form of theirs can. */
function quoteArg(value: string): string | undefined {
  if (!/^['{]|[ \t]/.test(value)) return value;
  if (!value.includes("'")) return `'${value}'`;
  const braced = `{${value}}`;
  return endOfBraces(braced, 0) === braced.length - 1 ? braced : undefined;
}

/** What a COMPLETE says of the work that has ended. [EMULAB-EVENTS 1.3] */
export interface Completion {
  /** 0 is success. */
  readonly error: number;
  /** The TOKEN of the event that caused the work. */
  readonly token: number;
}

/** With the leading blank that the old helper wrote. */
export function formatCompletionArgs({ error, token }: Completion): string {
  return ` ERROR=${error} CTOKEN=${token}`;
}

/** Undefined when one of the two is missing or no integer. */
export function parseCompletionArgs(args: string): Completion | undefined {
  const error = getIntegerArg(args, "ERROR");
  const token = getIntegerArg(args, "CTOKEN");
  return error === undefined || token === undefined ? undefined : { error, token };
}

// SPDX-License-Identifier: MIT
// Tcl lists as text: splitting and quoting. `parseList(formatList(x))` is x for every x.

import { readBackslash } from "./backslash.ts";
import { TclError } from "./error.ts";

/** Elements after which a reader of a list tells its caller how many there are. */
export const listReportElements = 4_096;

/**
 * Splits a list into its elements.
 * @param onMore is told of the number of elements so far, now and then, and may throw
 * @throws TclError `TCL_LIST` when braces or quotes do not close, or text follows a closing one.
 */
export function parseList(text: string, onMore?: (count: number) => void): string[] {
  const elements: string[] = [];
  let at = skipSpace(text, 0);
  while (at < text.length) {
    const ch = text[at];
    let element: { value: string; end: number };
    if (ch === "{") element = readBracedElement(text, at);
    else if (ch === '"') element = readQuotedElement(text, at);
    else element = readBareElement(text, at);
    elements.push(element.value);
    if (elements.length % listReportElements === 0) onMore?.(elements.length);
    at = skipSpace(text, element.end);
  }
  return elements;
}

/** Joins elements into a list, quoting where needed. */
export function formatList(elements: readonly string[]): string {
  if (elements.length === 1) return formatElement(elements[0] ?? "", true);
  return elements.map((element, index) => formatElement(element, index === 0)).join(" ");
}

const plainElement = /^[^\s"{}[\]$;\\#][^\s"{}[\]$;\\]*$/;

/**
 * Quotes one element. The first element of a list must not look like a comment.
 */
export function formatElement(element: string, first: boolean): string {
  if (element === "") return "{}";
  if (plainElement.test(element)) return element;
  if (!needsQuoting(element, first)) return element;
  if (canBrace(element)) return `{${element}}`;
  return escapeElement(element, first);
}

function needsQuoting(element: string, first: boolean): boolean {
  if (element[0] === "{" || element[0] === '"') return true;
  if (first && element[0] === "#") return true;
  return /[\s"{}[\]$;\\]/.test(element);
}

/** Braces must balance as the reader counts them, and no backslash may eat the closing one. */
function canBrace(element: string): boolean {
  let level = 0;
  for (let i = 0; i < element.length; i += 1) {
    const ch = element[i];
    if (ch === "{") level += 1;
    else if (ch === "}") {
      level -= 1;
      if (level < 0) return false;
    } else if (ch === "\\") {
      if (i + 1 >= element.length || element[i + 1] === "\n") return false;
      i += 1;
    }
  }
  return level === 0;
}

const escapes: Readonly<Record<string, string>> = {
  "\n": "\\n",
  "\t": "\\t",
  "\r": "\\r",
  "\f": "\\f",
  "\v": "\\v",
};

/** Characters that are escaped at once: a replacement keeps every piece until it is done. */
const escapeCharacters = 65_536;

function escapeElement(element: string, first: boolean): string {
  let text = "";
  for (let at = 0; at < element.length; at += escapeCharacters) {
    text += element
      .slice(at, at + escapeCharacters)
      .replace(/[ "{}[\]$;\\]/g, "\\$&")
      .replace(/[\n\t\r\f\v]/g, (ch) => escapes[ch] ?? ch);
  }
  return first && text.startsWith("#") ? `\\${text}` : text;
}

function isSpace(ch: string | undefined): boolean {
  return ch === " " || ch === "\t" || ch === "\n" || ch === "\r" || ch === "\f" || ch === "\v";
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (isSpace(text[at])) at += 1;
  return at;
}

function readBracedElement(text: string, start: number): { value: string; end: number } {
  let level = 1;
  let at = start + 1;
  for (; at < text.length; at += 1) {
    const ch = text[at];
    if (ch === "\\") at += 1;
    else if (ch === "{") level += 1;
    else if (ch === "}") {
      level -= 1;
      if (level === 0) break;
    }
  }
  if (level > 0 || at >= text.length)
    throw new TclError("TCL_LIST", "unmatched open brace in list");
  checkEnd(text, at + 1, "braces");
  return { value: text.slice(start + 1, at), end: at + 1 };
}

function readQuotedElement(text: string, start: number): { value: string; end: number } {
  let value = "";
  let at = start + 1;
  while (at < text.length && text[at] !== '"') {
    if (text[at] === "\\") {
      const sequence = readBackslash(text, at);
      value += sequence.value;
      at = sequence.end;
    } else {
      value += text[at];
      at += 1;
    }
  }
  if (at >= text.length) throw new TclError("TCL_LIST", "unmatched open quote in list");
  checkEnd(text, at + 1, "quotes");
  return { value, end: at + 1 };
}

function checkEnd(text: string, at: number, closing: string): void {
  if (at >= text.length || isSpace(text[at])) return;
  const rest = text.slice(at, at + 20).split(/\s/)[0] ?? "";
  throw new TclError(
    "TCL_LIST",
    `list element in ${closing} followed by "${rest}" instead of space`,
  );
}

function readBareElement(text: string, start: number): { value: string; end: number } {
  let at = start;
  let value = "";
  let copied = start;
  while (at < text.length && !isSpace(text[at])) {
    if (text[at] === "\\") {
      value += text.slice(copied, at);
      const sequence = readBackslash(text, at);
      value += sequence.value;
      at = sequence.end;
      copied = at;
    } else at += 1;
  }
  return { value: value + text.slice(copied, at), end: at };
}

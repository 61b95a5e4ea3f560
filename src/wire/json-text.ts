// SPDX-License-Identifier: MIT
// Finds the members of a JSON object in its text, so that a value can be kept as it was written: a
// number beyond 2^53, the order of keys, a payload that nobody needs to take apart. Only for text
// that JSON.parse has accepted, and that is not too deep.

/** A member of an object, in the order of the text; a name may come twice. */
export interface Member {
  readonly name: string;
  /** The text of its value. */
  readonly text: string;
}

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const [openBrace, closeBrace, openBracket, closeBracket] = [0x7b, 0x7d, 0x5b, 0x5d];

/** How deep values are within values; 0 for one that holds none. For any text. */
export function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit === quote) at = endOfString(text, at) - 1;
    else if (unit === openBrace || unit === openBracket) {
      depth += 1;
      if (depth > deepest) deepest = depth;
    } else if (unit === closeBrace || unit === closeBracket) depth -= 1;
  }
  return deepest;
}

/** @param text of an object. */
export function membersOf(text: string): readonly Member[] {
  const members: Member[] = [];
  let at = skipBlanks(text, skipBlanks(text, 0) + 1);
  while (text.charCodeAt(at) === quote) {
    const nameEnd = endOfString(text, at);
    const name = stringOf(text.slice(at, nameEnd));
    const start = skipBlanks(text, skipBlanks(text, nameEnd) + 1);
    const end = endOfValue(text, start);
    members.push({ name, text: text.slice(start, end) });
    // A comma and the next name, or the end of the object.
    at = skipBlanks(text, skipBlanks(text, end) + 1);
  }
  return members;
}

/** @param text of an object. @returns the last of that name, as JSON.parse takes it */
export function memberText(text: string, name: string): string | undefined {
  return membersOf(text).findLast((member) => member.name === name)?.text;
}

/** The value of a string of JSON; most have nothing to decode. */
export function stringOf(text: string): string {
  return text.includes("\\") ? (JSON.parse(text) as string) : text.slice(1, -1);
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  while (isBlank(text.charCodeAt(at))) at += 1;
  return at;
}

function isBlank(unit: number): boolean {
  return unit === 0x20 || unit === 0x0a || unit === 0x0d || unit === 0x09;
}

/** Behind the closing quote of the string that begins at `from`. */
function endOfString(text: string, from: number): number {
  let at = from + 1;
  while (at < text.length) {
    const unit = text.charCodeAt(at);
    if (unit === quote) return at + 1;
    at += unit === backslash ? 2 : 1;
  }
  return text.length;
}

function endsValue(unit: number): boolean {
  return unit === comma || unit === closeBrace || unit === closeBracket || isBlank(unit);
}

function endOfValue(text: string, from: number): number {
  const first = text.charCodeAt(from);
  if (first === quote) return endOfString(text, from);
  if (first !== openBrace && first !== openBracket) {
    let at = from;
    while (at < text.length && !endsValue(text.charCodeAt(at))) at += 1;
    return at;
  }
  let depth = 0;
  let at = from;
  do {
    const unit = text.charCodeAt(at);
    if (unit === quote) {
      at = endOfString(text, at);
      continue;
    }
    if (unit === openBrace || unit === openBracket) depth += 1;
    else if (unit === closeBrace || unit === closeBracket) depth -= 1;
    at += 1;
  } while (depth > 0 && at < text.length);
  return at;
}

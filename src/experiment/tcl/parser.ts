// SPDX-License-Identifier: MIT
// Reads Tcl text into commands, words and parts. It never evaluates and never throws: what cannot
// be read becomes the `fault` of the script, raised when evaluation reaches it, as Tcl does.
// Nesting is bounded, so hostile text cannot exhaust the stack. [EMULAB-NS 2]

import { tclDepthMax, tclMemoryBytesMax, wordOverheadBytes } from "../limits.ts";
import { readBackslash } from "./backslash.ts";
import { locateIn, type Origin } from "./origin.ts";
import type { Command, ParseFault, Part, Script, Word } from "./script.ts";

/** Called for each longer braced word: its text and the source offset where that text starts. */
export type LiteralListener = (text: string, source: number) => void;

const wordsMax = Math.floor(tclMemoryBytesMax / wordOverheadBytes);

interface Reader {
  readonly text: string;
  readonly origin: Origin;
  readonly onLiteral: LiteralListener | undefined;
  pos: number;
  depth: number;
  words: number;
}

class Fault extends Error {
  readonly fault: ParseFault;
  constructor(fault: ParseFault) {
    super(fault.message);
    this.fault = fault;
  }
}

/** Reads a whole script. */
export function parseScript(text: string, origin: Origin, onLiteral?: LiteralListener): Script {
  const reader: Reader = { text, origin, onLiteral, pos: 0, depth: 0, words: 0 };
  return readScript(reader, false);
}

/**
 * Reads the next command at or after `start`: a file is read and run command by command.
 * @returns a script of at most one command; its `end` is where to go on.
 */
export function parseNextCommand(
  text: string,
  start: number,
  origin: Origin,
  onLiteral?: LiteralListener,
): Script {
  const reader: Reader = { text, origin, onLiteral, pos: start, depth: 0, words: 0 };
  return readScript(reader, false, 1);
}

/** Reads text with substitutions but no words, as in double quotes or `subst`. Throws nothing. */
export function parseSubstitutions(
  text: string,
  origin: Origin,
): { readonly parts: readonly Part[]; readonly fault: ParseFault | undefined } {
  const reader: Reader = { text, origin, onLiteral: undefined, pos: 0, depth: 0, words: 0 };
  try {
    return { parts: readParts(reader, () => false), fault: undefined };
  } catch (error) {
    if (error instanceof Fault) return { parts: [], fault: error.fault };
    throw error;
  }
}

/**
 * Reads the variable reference at `pos` of `text` (a `$`), or undefined for a lone dollar sign.
 */
export function parseVariable(
  text: string,
  pos: number,
  origin: Origin,
): { readonly part: Part | undefined; readonly end: number; readonly fault?: ParseFault } {
  const reader: Reader = { text, origin, onLiteral: undefined, pos, depth: 0, words: 0 };
  try {
    const part = readVariable(reader);
    return { part, end: reader.pos };
  } catch (error) {
    if (error instanceof Fault) return { part: undefined, end: pos, fault: error.fault };
    throw error;
  }
}

/** Reads the `[script]` whose bracket is at `pos`; `end` is one past its closing bracket. */
export function parseBracket(text: string, pos: number, origin: Origin): Script {
  const reader: Reader = { text, origin, onLiteral: undefined, pos: pos + 1, depth: 1, words: 0 };
  return readScript(reader, true);
}

function fail(reader: Reader, start: number, code: string, message: string, hint: string): never {
  const newline = reader.text.indexOf("\n", start);
  const resume = newline < 0 ? reader.text.length : newline + 1;
  throw new Fault({ code, message, hint, start, resume });
}

function readScript(
  reader: Reader,
  inBracket: boolean,
  commandsMax: number = Number.POSITIVE_INFINITY,
): Script {
  const commands: Command[] = [];
  const start = reader.pos;
  let words = 0;
  const script: { -readonly [K in keyof Script]: Script[K] } = {
    text: reader.text,
    origin: reader.origin,
    commands,
    fault: undefined,
    end: start,
    words: 0,
  };
  try {
    while (commands.length < commandsMax) {
      skipToCommand(reader);
      const ch = reader.text[reader.pos];
      if (ch === undefined || (inBracket && ch === "]")) break;
      const command = readCommand(reader, script, inBracket);
      if (command !== undefined) commands.push(command);
      words += command?.words.length ?? 0;
    }
    if (inBracket) {
      if (reader.text[reader.pos] !== "]") {
        fail(
          reader,
          start - 1,
          "TCL_BRACKET",
          "missing close-bracket",
          "Close this bracket with ].",
        );
      }
      reader.pos += 1;
    }
  } catch (error) {
    // A bracket inside a word has no life of its own: the fault belongs to the whole command.
    if (!(error instanceof Fault) || inBracket) throw error;
    script.fault = error.fault;
  }
  script.end = reader.pos;
  script.words = words;
  return script;
}

function skipToCommand(reader: Reader): void {
  const { text } = reader;
  for (;;) {
    const ch = text[reader.pos];
    if (ch === "\n" || ch === ";" || ch === " " || ch === "\t" || ch === "\r") reader.pos += 1;
    else if (ch === "\f" || ch === "\v") reader.pos += 1;
    else if (ch === "\\" && text[reader.pos + 1] === "\n") reader.pos += 2;
    else if (ch === "#") skipComment(reader);
    else return;
  }
}

function skipComment(reader: Reader): void {
  const { text } = reader;
  while (reader.pos < text.length && text[reader.pos] !== "\n") {
    reader.pos += text[reader.pos] === "\\" ? 2 : 1;
  }
}

function readCommand(reader: Reader, script: Script, inBracket: boolean): Command | undefined {
  const start = reader.pos;
  const words: Word[] = [];
  let plain = true;
  for (;;) {
    skipBlanks(reader);
    const ch = reader.text[reader.pos];
    if (ch === undefined || ch === "\n" || ch === ";" || (inBracket && ch === "]")) break;
    const word = readWord(reader, inBracket);
    if (word.expand) plain = false;
    words.push(word);
    reader.words += 1;
    if (reader.words > wordsMax) {
      const message = `one script of more than ${wordsMax} words`;
      fail(reader, word.start, "TCL_MEMORY", message, "Make it shorter: use a loop.");
    }
  }
  if (words.length === 0) return undefined;
  return { script, words, start, plain, procedure: undefined, epoch: -1 };
}

function skipBlanks(reader: Reader): void {
  const { text } = reader;
  for (;;) {
    const ch = text[reader.pos];
    if (ch === " " || ch === "\t" || ch === "\r" || ch === "\f" || ch === "\v") reader.pos += 1;
    else if (ch === "\\" && text[reader.pos + 1] === "\n") reader.pos += 2;
    else return;
  }
}

function isWordEnd(ch: string | undefined, inBracket: boolean): boolean {
  switch (ch) {
    case undefined:
    case " ":
    case "\t":
    case "\n":
    case "\r":
    case "\f":
    case "\v":
    case ";":
      return true;
    case "]":
      return inBracket;
    default:
      return false;
  }
}

function readWord(reader: Reader, inBracket: boolean): Word {
  const { text } = reader;
  const start = reader.pos;
  let expand = false;
  if (text.startsWith("{*}", start) && !isWordEnd(text[start + 3], inBracket)) {
    expand = true;
    reader.pos += 3;
  }
  const ch = text[reader.pos];
  if (ch === "{") return finishWord(reader, start, expand, readBraced(reader), inBracket);
  if (ch === '"') return finishWord(reader, start, expand, readQuoted(reader), inBracket);
  const parts = readParts(reader, (at) => isBareEnd(text, at, inBracket));
  return makeWord(reader, start, expand, parts);
}

function isBareEnd(text: string, at: number, inBracket: boolean): boolean {
  return isWordEnd(text[at], inBracket) || (text[at] === "\\" && text[at + 1] === "\n");
}

interface WordText {
  readonly literal: string | undefined;
  readonly parts: readonly Part[];
  readonly contentStart: number;
  readonly exact: boolean;
  readonly breaks: Word["breaks"];
}

function finishWord(
  reader: Reader,
  start: number,
  expand: boolean,
  body: WordText,
  inBracket: boolean,
): Word {
  if (!isBareEnd(reader.text, reader.pos, inBracket)) {
    const closing = reader.text[reader.pos - 1] === "}" ? "brace" : "quote";
    fail(
      reader,
      reader.pos,
      "TCL_EXTRA_CHARACTERS",
      `extra characters after close-${closing}`,
      closing === "quote" && /\w/.test(reader.text[reader.pos] ?? "")
        ? 'A quote inside "..." is written \\"; or use {...} around the whole.'
        : `Put a space after the closing ${closing}.`,
    );
  }
  return { ...body, expand, start, end: reader.pos, script: undefined, expression: undefined };
}

function makeWord(reader: Reader, start: number, expand: boolean, parts: readonly Part[]): Word {
  const only = parts[0];
  let literal: string | undefined;
  if (only === undefined) literal = "";
  else if (parts.length === 1 && only.kind === "text") literal = only.value;
  return {
    literal,
    parts: literal === undefined ? parts : noParts,
    contentStart: start,
    exact: literal !== undefined && literal.length === reader.pos - start,
    breaks: noBreaks,
    expand,
    start,
    end: reader.pos,
    script: undefined,
    expression: undefined,
  };
}

const noParts: readonly Part[] = [];
const noBreaks: Word["breaks"] = [];

/** A braced word: no substitution but backslash-newline, which shifts what follows. */
function readBraced(reader: Reader): WordText {
  const { text } = reader;
  const start = reader.pos;
  let level = 1;
  let at = start + 1;
  let copied = at;
  let value = "";
  const breaks: [number, number][] = [];
  for (; ; at += 1) {
    const code = text.charCodeAt(at);
    if (Number.isNaN(code)) {
      const hint =
        "Close this brace with }. Braces count in comments and in quotes inside braces too.";
      fail(reader, start, "TCL_BRACE", "missing close-brace", hint);
    }
    if (code === 123) level += 1;
    else if (code === 125) {
      level -= 1;
      if (level === 0) break;
    } else if (code === 92) {
      at += 1;
      if (text[at] !== "\n") continue;
      value += `${text.slice(copied, at - 1)} `;
      while (text[at + 1] === " " || text[at + 1] === "\t") at += 1;
      copied = at + 1;
      breaks.push([value.length, copied]);
    }
  }
  value = breaks.length === 0 ? text.slice(copied, at) : value + text.slice(copied, at);
  reader.pos = at + 1;
  if (reader.onLiteral !== undefined && value.length >= 8) {
    const source = locateIn(reader.origin, start + 1);
    if (source >= 0) reader.onLiteral(value, source);
  }
  return { literal: value, parts: noParts, contentStart: start + 1, exact: true, breaks };
}

function readQuoted(reader: Reader): WordText {
  const start = reader.pos;
  reader.pos += 1;
  const parts = readParts(reader, (at) => reader.text[at] === '"');
  if (reader.text[reader.pos] !== '"') {
    fail(reader, start, "TCL_QUOTE", 'missing "', 'Close this string with a double quote (").');
  }
  const raw = reader.pos - start - 1;
  reader.pos += 1;
  const only = parts[0];
  const contentStart = start + 1;
  if (parts.length === 0 || (parts.length === 1 && only?.kind === "text")) {
    const value = only?.kind === "text" ? only.value : "";
    // With backslashes inside, the text is shorter than its source: only the start is known.
    const exact = value.length === raw;
    return { literal: value, parts: noParts, contentStart, exact, breaks: noBreaks };
  }
  return { literal: undefined, parts, contentStart, exact: false, breaks: noBreaks };
}

/** Text with substitutions up to a character that `isEnd` accepts (or the end of the text). */
function readParts(reader: Reader, isEnd: (at: number) => boolean): Part[] {
  const { text } = reader;
  const parts: Part[] = [];
  let pending = "";
  let copied = reader.pos;
  const flush = (): void => {
    pending += text.slice(copied, reader.pos);
    if (pending !== "") parts.push({ kind: "text", value: pending });
    pending = "";
  };
  while (reader.pos < text.length && !isEnd(reader.pos)) {
    const ch = text[reader.pos];
    if (ch === "\\") {
      pending += text.slice(copied, reader.pos);
      const sequence = readBackslash(text, reader.pos);
      pending += sequence.value;
      reader.pos = sequence.end;
      copied = reader.pos;
    } else if (ch === "[") {
      flush();
      parts.push({ kind: "script", script: readBracket(reader) });
      copied = reader.pos;
    } else if (ch === "$") {
      const start = reader.pos;
      const part = readVariable(reader);
      if (part === undefined) continue;
      const end = reader.pos;
      reader.pos = start;
      flush();
      reader.pos = end;
      copied = end;
      parts.push(part);
    } else reader.pos += 1;
  }
  flush();
  return parts;
}

function readBracket(reader: Reader): Script {
  const start = reader.pos;
  if (reader.depth >= tclDepthMax) {
    const message = `more than ${tclDepthMax} brackets inside one another`;
    fail(reader, start, "TCL_DEPTH", message, "Compute the inner parts before, into variables.");
  }
  reader.depth += 1;
  reader.pos = start + 1;
  const script = readScript(reader, true);
  reader.depth -= 1;
  return script;
}

/** At `$`: the reference, or undefined for a dollar sign that stands for itself. */
function readVariable(reader: Reader): Part | undefined {
  const { text } = reader;
  const start = reader.pos;
  if (text[start + 1] === "{") {
    const close = text.indexOf("}", start + 2);
    if (close < 0) {
      const hint = "Close the name with }.";
      fail(reader, start, "TCL_BRACE", "missing close-brace for variable name", hint);
    }
    reader.pos = close + 1;
    return bracedReference(text.slice(start + 2, close), start);
  }
  let at = start + 1;
  while (isNameCharacter(text.charCodeAt(at)) || text.startsWith("::", at)) {
    at += text[at] === ":" ? 2 : 1;
  }
  while (text[at] === ":" && text[at - 1] === ":") at += 1;
  const name = text.slice(start + 1, at);
  if (text[at] !== "(") {
    reader.pos = name === "" ? start + 1 : at;
    return name === "" ? undefined : { kind: "variable", name, start };
  }
  reader.pos = at + 1;
  if (reader.depth >= tclDepthMax) {
    const message = `more than ${tclDepthMax} array indexes inside one another`;
    fail(reader, start, "TCL_DEPTH", message, "Compute the inner index before, into a variable.");
  }
  reader.depth += 1;
  const index = readParts(reader, (end) => text[end] === ")");
  reader.depth -= 1;
  if (text[reader.pos] !== ")") {
    fail(reader, start, "TCL_PARENTHESIS", "missing )", "Close the array index with ).");
  }
  reader.pos += 1;
  return { kind: "element", name, index, start };
}

/** `${name}` and `${name(index)}`, the index taken as it stands. */
function bracedReference(name: string, start: number): Part {
  const open = name.indexOf("(");
  if (open < 0 || !name.endsWith(")")) return { kind: "variable", name, start };
  const index: Part[] = [{ kind: "text", value: name.slice(open + 1, -1) }];
  return { kind: "element", name: name.slice(0, open), index, start };
}

function isNameCharacter(code: number): boolean {
  return (
    (code >= 48 && code <= 57) ||
    (code >= 65 && code <= 90) ||
    (code >= 97 && code <= 122) ||
    code === 95
  );
}

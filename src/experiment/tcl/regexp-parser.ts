// SPDX-License-Identifier: MIT
// Reads a regular expression into instructions for regexp.ts. Of Tcl's advanced expressions there
// are: alternatives, groups, sets and classes, all repetitions, the plain escapes and anchors. What
// cannot be matched in time proportional to the text (back references) or is not there (look-ahead,
// embedded options, collating elements) is refused by name.

import { regexpSizeMax } from "../limits.ts";
import { TclError } from "./error.ts";

/** Whether one character is accepted. */
export type CharTest = (ch: string) => boolean;

/** One step of a match; numbers are places in the program. `first` is tried before `second`. */
export type Instruction =
  | { readonly op: "char"; readonly test: CharTest }
  | { readonly op: "split"; first: number; second: number }
  | { readonly op: "jump"; to: number }
  | { readonly op: "save"; readonly slot: number }
  | { readonly op: "start" | "end" | "wordStart" | "wordEnd" | "boundary" | "inside" }
  | { readonly op: "match" };

/** A compiled expression. */
export interface RegexpProgram {
  readonly code: readonly Instruction[];
  readonly groups: number;
  /** The first repetition asks for as little as possible, and so does the whole. */
  readonly isShortest: boolean;
}

type Tree =
  | { readonly kind: "char"; readonly test: CharTest }
  | { readonly kind: "sequence" | "choice"; readonly parts: readonly Tree[] }
  | { readonly kind: "group"; readonly index: number; readonly body: Tree }
  | {
      readonly kind: "anchor";
      readonly op: "start" | "end" | "wordStart" | "wordEnd" | "boundary" | "inside";
    }
  | {
      readonly kind: "repeat";
      readonly body: Tree;
      readonly min: number;
      readonly max: number;
      readonly isLazy: boolean;
    };

const isDigit: CharTest = (ch) => ch >= "0" && ch <= "9";
const isWordChar: CharTest = (ch) => /^[\p{L}\p{N}_]$/u.test(ch);
const isBlank: CharTest = (ch) => /^\s$/.test(ch);
const not =
  (test: CharTest): CharTest =>
  (ch) =>
    !test(ch);
const literal =
  (wanted: string): CharTest =>
  (ch) =>
    ch === wanted;

const classes: Readonly<Record<string, CharTest>> = {
  alpha: (ch) => /^\p{L}$/u.test(ch),
  digit: isDigit,
  alnum: (ch) => /^[\p{L}\p{N}]$/u.test(ch),
  upper: (ch) => /^\p{Lu}$/u.test(ch),
  lower: (ch) => /^\p{Ll}$/u.test(ch),
  space: isBlank,
  blank: (ch) => ch === " " || ch === "\t",
  punct: (ch) => /^[\p{P}\p{S}]$/u.test(ch),
  xdigit: (ch) => /^[0-9A-Fa-f]$/.test(ch),
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is their class
  cntrl: (ch) => /^[\x00-\x1f\x7f]$/.test(ch),
  print: (ch) => ch >= " " && ch !== "\x7f",
  graph: (ch) => ch > " " && ch !== "\x7f",
};

const classEscapes: Readonly<Record<string, CharTest>> = {
  d: isDigit,
  D: not(isDigit),
  w: isWordChar,
  W: not(isWordChar),
  s: isBlank,
  S: not(isBlank),
};

const anchorEscapes: Readonly<Record<string, Extract<Tree, { kind: "anchor" }>["op"]>> = {
  A: "start",
  Z: "end",
  m: "wordStart",
  M: "wordEnd",
  y: "boundary",
  Y: "inside",
};

const controls: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  B: "\\",
  e: "\x1b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "0": "\0",
};

const repeatMax = 255;
const depthMax = 50;

function wrong(message: string): TclError {
  return new TclError("TCL_REGEXP", `couldn't compile regular expression pattern: ${message}`);
}

function missing(what: string): TclError {
  return new TclError("TCL_REGEXP", `${what} are not available in regular expressions here`, {
    hint: "Use string match, string map or split, or match in two steps.",
  });
}

class Reader {
  readonly #text: string;
  readonly #nocase: boolean;
  #at = 0;
  #depth = 0;
  groups = 0;
  firstRepeat: "none" | "greedy" | "lazy" = "none";

  constructor(text: string, nocase: boolean) {
    this.#text = text;
    this.#nocase = nocase;
  }

  readAll(): Tree {
    if (this.#text.startsWith("***") || /^\(\?[a-z]/.test(this.#text)) {
      throw missing("embedded options");
    }
    const tree = this.#choice();
    if (this.#at < this.#text.length) throw wrong("parentheses () not balanced");
    return tree;
  }

  #choice(): Tree {
    this.#depth += 1;
    if (this.#depth > depthMax) throw wrong("nesting too deep");
    const parts = [this.#sequence()];
    while (this.#text[this.#at] === "|") {
      this.#at += 1;
      parts.push(this.#sequence());
    }
    this.#depth -= 1;
    // Of alternatives the longest is taken. [as Tcl does]
    if (parts.length > 1 && this.#depth === 0) this.firstRepeat = "greedy";
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : { kind: "choice", parts };
  }

  #sequence(): Tree {
    const parts: Tree[] = [];
    for (;;) {
      const ch = this.#text[this.#at];
      if (ch === undefined || ch === "|" || ch === ")") break;
      parts.push(this.#repeated());
    }
    return { kind: "sequence", parts };
  }

  #repeated(): Tree {
    const body = this.#atom();
    const bounds = this.#bounds();
    if (bounds === undefined) return body;
    const isLazy = this.#text[this.#at] === "?";
    if (isLazy) this.#at += 1;
    if (this.firstRepeat === "none") this.firstRepeat = isLazy ? "lazy" : "greedy";
    if (this.#bounds() !== undefined) throw wrong("quantifier operand invalid");
    return { kind: "repeat", body, ...bounds, isLazy };
  }

  #bounds(): { readonly min: number; readonly max: number } | undefined {
    const many = Number.POSITIVE_INFINITY;
    const simple = { "*": [0, many], "+": [1, many], "?": [0, 1] } as const;
    const ch = this.#text[this.#at] ?? "";
    if (ch === "*" || ch === "+" || ch === "?") {
      this.#at += 1;
      return { min: simple[ch][0], max: simple[ch][1] };
    }
    if (ch !== "{" || !isDigit(this.#text[this.#at + 1] ?? "")) return undefined;
    const match = /^\{([0-9]{1,3})(,?)([0-9]{0,3})\}/.exec(
      this.#text.slice(this.#at, this.#at + 9),
    );
    const min = Number(match?.[1]);
    const max = match?.[2] === "" ? min : match?.[3] === "" ? many : Number(match?.[3]);
    const isTooMuch = min > repeatMax || (max !== many && max > repeatMax);
    if (match === null || max < min || isTooMuch) throw wrong("invalid repetition count(s)");
    this.#at += match[0].length;
    return { min, max };
  }

  #atom(): Tree {
    const ch = this.#text[this.#at] ?? "";
    this.#at += 1;
    switch (ch) {
      case "(":
        return this.#group();
      case "[":
        return { kind: "char", test: this.#set() };
      case ".":
        return { kind: "char", test: () => true };
      case "^":
        return { kind: "anchor", op: "start" };
      case "$":
        return { kind: "anchor", op: "end" };
      case "\\":
        return this.#escape();
      case "*":
      case "+":
      case "?":
        throw wrong("quantifier operand invalid");
      default:
        return this.#char(ch);
    }
  }

  #char(ch: string): Tree {
    if (!this.#nocase) return { kind: "char", test: literal(ch) };
    const folded = ch.toLowerCase();
    return { kind: "char", test: (one) => one.toLowerCase() === folded };
  }

  #group(): Tree {
    let index = -1;
    if (this.#text[this.#at] === "?") {
      const kind = this.#text[this.#at + 1];
      if (kind === "=" || kind === "!") throw missing("look-ahead conditions");
      if (kind !== ":") throw wrong("quantifier operand invalid");
      this.#at += 2;
    } else {
      this.groups += 1;
      index = this.groups;
    }
    const body = this.#choice();
    if (this.#text[this.#at] !== ")") throw wrong("parentheses () not balanced");
    this.#at += 1;
    return index < 0 ? body : { kind: "group", index, body };
  }

  #escape(): Tree {
    const ch = this.#text[this.#at];
    if (ch === undefined) throw wrong("invalid escape \\ sequence");
    this.#at += 1;
    const test = Object.hasOwn(classEscapes, ch) ? classEscapes[ch] : undefined;
    if (test !== undefined) return { kind: "char", test };
    const op = Object.hasOwn(anchorEscapes, ch) ? anchorEscapes[ch] : undefined;
    if (op !== undefined) return { kind: "anchor", op };
    if (ch >= "1" && ch <= "9") throw missing("back references");
    return this.#char(this.#plainEscape(ch));
  }

  /** The character that the escape `ch` stands for; the reader is behind it. */
  #plainEscape(ch: string): string {
    if (ch === "u" || ch === "x") {
      const pattern = ch === "u" ? /^[0-9A-Fa-f]{4}/ : /^[0-9A-Fa-f]{1,4}/;
      const digits = pattern.exec(this.#text.slice(this.#at, this.#at + 4))?.[0];
      if (digits === undefined) throw wrong("invalid escape \\ sequence");
      this.#at += digits.length;
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    const control = Object.hasOwn(controls, ch) ? controls[ch] : undefined;
    if (control !== undefined) return control;
    if (/^[A-Za-z]$/.test(ch)) throw wrong("invalid escape \\ sequence");
    return ch;
  }

  /** The rest of `[...]`. */
  #set(): CharTest {
    const isNegated = this.#text[this.#at] === "^";
    if (isNegated) this.#at += 1;
    const tests: CharTest[] = [];
    for (let isFirst = true; ; isFirst = false) {
      const ch = this.#text[this.#at];
      if (ch === undefined) throw wrong("brackets [] not balanced");
      if (ch === "]" && !isFirst) break;
      tests.push(this.#setPart());
    }
    this.#at += 1;
    const any: CharTest = (ch) => tests.some((test) => test(ch));
    const folded: CharTest = this.#nocase
      ? (ch) => any(ch.toLowerCase()) || any(ch.toUpperCase())
      : any;
    return isNegated ? not(folded) : folded;
  }

  #setPart(): CharTest {
    const rest = this.#text.slice(this.#at, this.#at + 16);
    const named = /^\[:([a-z]+):\]/.exec(rest);
    if (named !== null) {
      this.#at += named[0].length;
      const name = named[1] ?? "";
      const test = Object.hasOwn(classes, name) ? classes[name] : undefined;
      if (test === undefined) throw wrong("invalid character class");
      return test;
    }
    if (rest.startsWith("[.") || rest.startsWith("[=")) throw missing("collating elements");
    const shorthand = rest[0] === "\\" ? classEscapes[rest[1] ?? ""] : undefined;
    if (shorthand !== undefined && Object.hasOwn(classEscapes, rest[1] ?? "")) {
      this.#at += 2;
      return shorthand;
    }
    const low = this.#setChar();
    const next = this.#text[this.#at + 1];
    if (this.#text[this.#at] !== "-" || next === "]" || next === undefined) return literal(low);
    this.#at += 1;
    const high = this.#setChar();
    if (high < low) throw wrong("invalid character range");
    return (ch) => ch >= low && ch <= high;
  }

  #setChar(): string {
    const ch = this.#text[this.#at] ?? "";
    this.#at += 1;
    if (ch !== "\\") return ch;
    const escaped = this.#text[this.#at];
    if (escaped === undefined) throw wrong("brackets [] not balanced");
    this.#at += 1;
    return this.#plainEscape(escaped);
  }
}

/** Compiles an expression. @throws TclError `TCL_REGEXP` */
export function compileRegexp(text: string, nocase: boolean): RegexpProgram {
  const reader = new Reader(text, nocase);
  const tree = reader.readAll();
  const code: Instruction[] = [];
  emit(code, { kind: "group", index: 0, body: tree });
  code.push({ op: "match" });
  return { code, groups: reader.groups, isShortest: reader.firstRepeat === "lazy" };
}

function emit(code: Instruction[], tree: Tree): void {
  if (code.length > regexpSizeMax) throw wrong("the expression is too large");
  switch (tree.kind) {
    case "char":
      code.push({ op: "char", test: tree.test });
      return;
    case "anchor":
      code.push({ op: tree.op });
      return;
    case "sequence":
      for (const part of tree.parts) emit(code, part);
      return;
    case "group":
      code.push({ op: "save", slot: tree.index * 2 });
      emit(code, tree.body);
      code.push({ op: "save", slot: tree.index * 2 + 1 });
      return;
    case "choice":
      emitChoice(code, tree.parts);
      return;
    case "repeat":
      emitRepeat(code, tree);
      return;
  }
}

function emitChoice(code: Instruction[], parts: readonly Tree[]): void {
  const ends: { to: number }[] = [];
  parts.forEach((part, at) => {
    if (at === parts.length - 1) {
      emit(code, part);
      return;
    }
    const split = { op: "split" as const, first: code.length + 1, second: 0 };
    code.push(split);
    emit(code, part);
    const jump = { op: "jump" as const, to: 0 };
    code.push(jump);
    ends.push(jump);
    split.second = code.length;
  });
  for (const jump of ends) jump.to = code.length;
}

function emitRepeat(code: Instruction[], tree: Extract<Tree, { kind: "repeat" }>): void {
  const { body, min, max, isLazy } = tree;
  const branch = (): { aim: (away: number) => void } => {
    const split = { op: "split" as const, first: 0, second: 0 };
    code.push(split);
    const inside = code.length;
    return {
      aim: (away) => {
        split.first = isLazy ? away : inside;
        split.second = isLazy ? inside : away;
      },
    };
  };
  for (let i = 0; i < min; i += 1) emit(code, body);
  if (max === Number.POSITIVE_INFINITY) {
    const loop = code.length;
    const { aim } = branch();
    emit(code, body);
    code.push({ op: "jump", to: loop });
    aim(code.length);
    return;
  }
  const branches: { aim: (away: number) => void }[] = [];
  for (let i = min; i < max; i += 1) {
    branches.push(branch());
    emit(code, body);
  }
  for (const { aim } of branches) aim(code.length);
}

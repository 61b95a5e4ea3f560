// SPDX-License-Identifier: MIT
// Expressions: reads the text once into closures and evaluates those. Precedence and laziness are
// Tcl 8.6's; operators and functions are in operators.ts and functions.ts.

import { tclDepthMax } from "../limits.ts";
import { TclError } from "./error.ts";
import { applyFunction } from "./functions.ts";
import { parseNumber } from "./number.ts";
import {
  applyBinary,
  applyUnary,
  asCondition,
  asNumber,
  type ExpressionValue,
  formatValue,
} from "./operators.ts";
import { locateIn, type Origin } from "./origin.ts";
import { parseBracket, parseSubstitutions, parseVariable } from "./parser.ts";
import type { Part } from "./script.ts";
import type { Frame } from "./variables.ts";

/** What an expression needs of the interpreter that evaluates it. */
export interface Evaluator {
  /** The variables that it sees. */
  readonly frame: Frame;
  /** Charges for so many steps. @throws TclLimitError */
  step(count: number): void;
  /** Charges for looking at so many characters. @throws TclLimitError */
  scan(characters: number): void;
  /** @throws TclError `TCL_LIST` */
  list(text: string): readonly string[];
  /** Evaluates parts and joins them. @throws TclError */
  substitute(parts: readonly Part[], origin: Origin): string;
}

type Node = (interp: Evaluator) => ExpressionValue;

/** A compiled expression. Evaluating costs one step. */
export interface Expression {
  readonly origin: Origin;
  readonly evaluate: (interp: Evaluator) => ExpressionValue;
  readonly test: (interp: Evaluator) => boolean;
}

interface Reader {
  readonly text: string;
  readonly origin: Origin;
  pos: number;
  depth: number;
}

const precedence: readonly (readonly string[])[] = [
  ["||"],
  ["&&"],
  ["|"],
  ["^"],
  ["&"],
  ["in", "ni"],
  ["eq", "ne"],
  ["==", "!="],
  ["<=", ">=", "<", ">"],
  ["<<", ">>"],
  ["+", "-"],
  ["*", "/", "%"],
];

/**
 * Compiles an expression. A text that is no expression compiles too: evaluating it throws the
 * TclError `TCL_EXPRESSION`, with the place of the fault.
 */
export function compileExpression(text: string, origin: Origin): Expression {
  const reader: Reader = { text, origin, pos: 0, depth: 0 };
  let root: Node;
  try {
    skipSpace(reader);
    if (reader.pos >= text.length) throw syntax(reader, "empty expression");
    root = readTernary(reader);
    if (reader.pos < text.length) throw syntax(reader, "extra text after the expression");
  } catch (error) {
    if (!(error instanceof TclError)) throw error;
    root = () => {
      throw new TclError(error.code, error.message, { ...error.details, offset: error.offset });
    };
  }
  const evaluate = (interp: Evaluator): ExpressionValue => {
    interp.step(1);
    return root(interp);
  };
  return { origin, evaluate, test: (interp) => asCondition(evaluate(interp)) };
}

function syntax(reader: Reader, why: string): TclError {
  const near = reader.text.slice(reader.pos, reader.pos + 20).split("\n")[0] ?? "";
  const message = near === "" ? `${why} in expression` : `${why} in expression at "${near}"`;
  const offset = locateIn(reader.origin, reader.pos);
  return new TclError("TCL_EXPRESSION", message, { offset, within: near });
}

function skipSpace(reader: Reader): void {
  for (;;) {
    const ch = reader.text[reader.pos];
    if (ch === " " || ch === "\t" || ch === "\n" || ch === "\r") reader.pos += 1;
    else if (ch === "\\" && reader.text[reader.pos + 1] === "\n") reader.pos += 2;
    else return;
  }
}

function nested<T>(reader: Reader, read: () => T): T {
  reader.depth += 1;
  if (reader.depth > tclDepthMax) {
    throw new TclError("TCL_DEPTH", `an expression nested deeper than ${tclDepthMax}`, {
      offset: locateIn(reader.origin, reader.pos),
    });
  }
  const result = read();
  reader.depth -= 1;
  return result;
}

function readTernary(reader: Reader): Node {
  const condition = readBinary(reader, 0);
  skipSpace(reader);
  if (reader.text[reader.pos] !== "?") return condition;
  reader.pos += 1;
  const yes = nested(reader, () => readTernary(reader));
  skipSpace(reader);
  if (reader.text[reader.pos] !== ":") throw syntax(reader, 'missing ":" of "?"');
  reader.pos += 1;
  const no = nested(reader, () => readTernary(reader));
  return (interp) => (asCondition(condition(interp)) ? yes(interp) : no(interp));
}

function readBinary(reader: Reader, level: number): Node {
  const operators = precedence[level];
  if (operators === undefined) return readPower(reader);
  const first = readBinary(reader, level + 1);
  const links: ChainLink[] = [];
  for (;;) {
    skipSpace(reader);
    const operator = operators.find((candidate) => isOperatorAt(reader, candidate));
    if (operator === undefined) return chainNode(first, links);
    const offset = locateIn(reader.origin, reader.pos);
    reader.pos += operator.length;
    links.push({ operator, right: readBinary(reader, level + 1), offset });
  }
}

interface ChainLink {
  readonly operator: string;
  readonly right: Node;
  readonly offset: number;
}

/** Operators of one level up to which each is called by the next one. */
const nestedLinksMax = 8;

/** `a + b - c ...`: from left to right. A long chain is a loop: it must not use up the stack. */
function chainNode(first: Node, links: readonly ChainLink[]): Node {
  if (links.length <= nestedLinksMax) {
    return links.reduce(
      (left, { operator, right, offset }) => binaryNode(operator, left, right, offset),
      first,
    );
  }
  // Every operator reads its left side before anything else runs, so one place serves them all.
  let held: ExpressionValue = 0;
  const left: Node = () => held;
  const nodes = links.map(({ operator, right, offset }) => {
    return binaryNode(operator, left, right, offset);
  });
  return (interp) => {
    let value = first(interp);
    interp.step(nodes.length >> 3);
    for (const node of nodes) {
      held = value;
      value = node(interp);
    }
    return value;
  };
}

function isOperatorAt(reader: Reader, operator: string): boolean {
  const { text, pos } = reader;
  if (!text.startsWith(operator, pos)) return false;
  const next = text[pos + operator.length] ?? "";
  switch (operator) {
    case "in":
    case "ni":
    case "eq":
    case "ne":
      // Word operators end where a word ends; a short sign is not the start of a longer one.
      return !/\w/.test(next);
    case "|":
    case "&":
      return next !== operator;
    case "<":
    case ">":
      return next !== operator && next !== "=";
    case "*":
      return next !== "*";
    default:
      return true;
  }
}

function binaryNode(operator: string, left: Node, right: Node, offset: number): Node {
  switch (operator) {
    case "&&":
      return (interp) => (asCondition(left(interp)) && asCondition(right(interp)) ? 1 : 0);
    case "||":
      return (interp) => (asCondition(left(interp)) || asCondition(right(interp)) ? 1 : 0);
    case "in":
    case "ni": {
      const found = operator === "in" ? 1 : 0;
      return (interp) => {
        const element = formatValue(left(interp));
        const list = formatValue(right(interp));
        return interp.list(list).includes(element) ? found : 1 - found;
      };
    }
    case "<":
      return (interp) => {
        const a = left(interp);
        const b = right(interp);
        const x = quick(a);
        const y = quick(b);
        if (typeof x === "number" && typeof y === "number") return x < y ? 1 : 0;
        return applyBinary("<", a, b);
      };
    case "+":
    case "-":
      return (interp) => {
        const a = quick(left(interp));
        const b = quick(right(interp));
        if (typeof a === "number" && typeof b === "number") {
          const sum = operator === "+" ? a + b : a - b;
          if (Number.isSafeInteger(sum)) return sum;
        }
        return at(offset, () => applyBinary(operator, a, b));
      };
    default:
      return (interp) => {
        const a = left(interp);
        const b = right(interp);
        return at(offset, () => applyBinary(operator, a, b));
      };
  }
}

/** Points an error of an operator at the operator. */
function at<T>(offset: number, apply: () => T): T {
  try {
    return apply();
  } catch (error) {
    if (error instanceof TclError && error.offset < 0) error.offset = offset;
    throw error;
  }
}

/** `**` binds to the right and tighter than the other binary operators. */
function readPower(reader: Reader): Node {
  const base = readUnary(reader);
  skipSpace(reader);
  if (!reader.text.startsWith("**", reader.pos)) return base;
  const offset = locateIn(reader.origin, reader.pos);
  reader.pos += 2;
  const exponent = nested(reader, () => readPower(reader));
  return binaryNode("**", base, exponent, offset);
}

function readUnary(reader: Reader): Node {
  skipSpace(reader);
  const ch = reader.text[reader.pos];
  if (ch !== "-" && ch !== "+" && ch !== "!" && ch !== "~") return readPrimary(reader);
  const offset = locateIn(reader.origin, reader.pos);
  reader.pos += 1;
  const operand = nested(reader, () => readUnary(reader));
  return (interp) => {
    const value = operand(interp);
    return at(offset, () => applyUnary(ch, value));
  };
}

function readPrimary(reader: Reader): Node {
  const { text } = reader;
  const start = reader.pos;
  switch (text[start]) {
    case undefined:
      throw syntax(reader, "missing operand");
    case "(": {
      reader.pos += 1;
      const inner = nested(reader, () => readTernary(reader));
      skipSpace(reader);
      if (text[reader.pos] !== ")") throw syntax(reader, 'missing ")"');
      reader.pos += 1;
      return inner;
    }
    case "$":
      return readVariableNode(reader);
    case "[":
      return readBracketNode(reader);
    case '"':
      return readQuotedNode(reader);
    case "{":
      return readBracedNode(reader);
    default:
      return readNumberOrName(reader);
  }
}

/** A text operand as a number when it is one: `eq` and `in` must still see the text itself. */
function quick(value: ExpressionValue): ExpressionValue {
  return typeof value === "string" ? (asNumber(value) ?? value) : value;
}

/** Long operands are compared and converted character by character. */
function charged(interp: Evaluator, value: string): string {
  if (value.length > 64) interp.scan(value.length);
  return value;
}

function readVariableNode(reader: Reader): Node {
  const { part, end, fault } = parseVariable(reader.text, reader.pos, reader.origin);
  if (part === undefined) throw syntax(reader, fault?.message ?? "invalid character");
  reader.pos = end;
  const { origin } = reader;
  if (part.kind === "variable") {
    const { name } = part;
    const parts = [part];
    return (interp) => {
      const value = interp.frame.variables.get(name)?.value ?? interp.substitute(parts, origin);
      return value.length > 64 ? charged(interp, value) : value;
    };
  }
  const parts = [part];
  return (interp) => charged(interp, interp.substitute(parts, origin));
}

function readBracketNode(reader: Reader): Node {
  const { origin } = reader;
  try {
    const script = parseBracket(reader.text, reader.pos, origin);
    reader.pos = script.end;
    const parts: Part[] = [{ kind: "script", script }];
    return (interp) => charged(interp, interp.substitute(parts, origin));
  } catch (error) {
    if (error instanceof TclError || !(error instanceof Error)) throw error;
    throw syntax(reader, error.message);
  }
}

function readQuotedNode(reader: Reader): Node {
  const { text, origin } = reader;
  const start = reader.pos + 1;
  let end = start;
  let brackets = 0;
  for (; end < text.length; end += 1) {
    const ch = text[end];
    if (ch === "\\") end += 1;
    else if (ch === "[") brackets += 1;
    else if (ch === "]") brackets -= 1;
    else if (ch === '"' && brackets <= 0) break;
  }
  if (end >= text.length) throw syntax(reader, 'missing "');
  const inner = text.slice(start, end);
  const base = locateIn(origin, start);
  const at: Origin = base < 0 ? [] : [{ text: 0, source: base, exact: true }];
  const { parts, fault } = parseSubstitutions(inner, at);
  if (fault !== undefined) throw syntax(reader, fault.message);
  reader.pos = end + 1;
  return (interp) => interp.substitute(parts, at);
}

function readBracedNode(reader: Reader): Node {
  const { text } = reader;
  let level = 0;
  for (let end = reader.pos; end < text.length; end += 1) {
    const ch = text[end];
    if (ch === "\\") end += 1;
    else if (ch === "{") level += 1;
    else if (ch === "}") {
      level -= 1;
      if (level > 0) continue;
      const value = text.slice(reader.pos + 1, end);
      reader.pos = end + 1;
      return () => value;
    }
  }
  throw syntax(reader, "missing close-brace");
}

const digitsAt = "0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+";
const decimalAt = "(?:[0-9]+\\.?[0-9]*|\\.[0-9]+)(?:[eE][+-]?[0-9]+)?";
const numberAt = new RegExp(`(?:${digitsAt}|${decimalAt})(?!\\w)`, "y");
const nameAt = /[A-Za-z_][\w:]*/y;
const booleans = new Set(["true", "false", "yes", "no", "on", "off"]);

function readNumberOrName(reader: Reader): Node {
  const { text, pos } = reader;
  numberAt.lastIndex = pos;
  const digits = numberAt.exec(text)?.[0];
  if (digits !== undefined) {
    const value = parseNumber(digits);
    if (value === undefined) throw syntax(reader, "invalid number");
    reader.pos += digits.length;
    return () => value;
  }
  nameAt.lastIndex = pos;
  const name = nameAt.exec(text)?.[0];
  if (name === undefined) throw syntax(reader, "missing operand");
  const offset = locateIn(reader.origin, pos);
  reader.pos += name.length;
  skipSpace(reader);
  if (text[reader.pos] === "(") return readCall(reader, name, offset);
  if (booleans.has(name.toLowerCase())) return () => name;
  const number = parseNumber(name);
  if (number !== undefined) return () => number;
  reader.pos = pos;
  const error = syntax(reader, `invalid bareword "${name}"`);
  const hint = `Write $${name} for a variable or "${name}" for text.`;
  throw new TclError(error.code, `invalid bareword "${name}" in expression`, { offset, hint });
}

function readCall(reader: Reader, name: string, offset: number): Node {
  reader.pos += 1;
  const nodes: Node[] = [];
  skipSpace(reader);
  while (reader.text[reader.pos] !== ")") {
    nodes.push(nested(reader, () => readTernary(reader)));
    skipSpace(reader);
    if (reader.text[reader.pos] === ",") reader.pos += 1;
    else if (reader.text[reader.pos] !== ")") throw syntax(reader, 'missing ")"');
  }
  reader.pos += 1;
  return (interp) => {
    const values = nodes.map((node) => node(interp));
    return at(offset, () => applyFunction(name, values));
  };
}

/** Evaluates an expression to text. */
export function evaluateText(interp: Evaluator, expression: Expression): string {
  return formatValue(quick(expression.evaluate(interp)));
}

// SPDX-License-Identifier: MIT
// Remembers scripts and expressions that were put together at run time, so that a loop over `eval`
// reads its text once; and where braced texts stand in the file, so that running one out of a
// variable still points into the file. Bounded by number and bytes.

import { wordOverheadBytes } from "../limits.ts";
import { compileExpression, type Expression } from "./expression.ts";
import type { Origin } from "./origin.ts";
import { type LiteralListener, parseScript } from "./parser.ts";
import type { Script } from "./script.ts";
import type { Memory } from "./variables.ts";

const entriesMax = 1_000;
const bytesMax = 1024 * 1024;
const expressionBytesMax = 200;

export class CodeCache {
  readonly #memory: Memory;
  readonly #literals = new Map<string, number>();
  readonly #expressions = new Map<string, Expression>();
  #scripts = new Map<string, Script>();
  #scriptBytes = 0;

  readonly #charge: (characters: number) => void;

  /** @param charge is told of every text that has to be read */
  constructor(memory: Memory, charge: (characters: number) => void) {
    this.#memory = memory;
    this.#charge = charge;
  }

  /** The first place of a text is as good as any other: the text is the same. */
  noteLiteral(text: string, source: number): void {
    if (!this.#literals.has(text)) this.#literals.set(text, source);
  }

  /** @throws TclLimitError when the script needs more memory than there is */
  script(text: string, fallback: Origin, onLiteral: LiteralListener): Script {
    const literal = this.#literals.get(text);
    const origin: Origin =
      literal === undefined ? fallback : [{ text: 0, source: literal, exact: true }];
    const known = this.#scripts.get(text);
    if (known !== undefined && sameOrigin(known.origin, origin)) return known;
    this.#charge(text.length);
    const script = parseScript(text, origin, onLiteral);
    const bytes = text.length + script.words * wordOverheadBytes;
    this.#memory.reserve(bytes);
    this.#scriptBytes += bytes;
    if (this.#scripts.size >= entriesMax || this.#scriptBytes > bytesMax) {
      this.#scripts = new Map();
      this.#scriptBytes = bytes;
    }
    this.#scripts.set(text, script);
    return script;
  }

  expression(text: string, origin: Origin): Expression {
    const known = this.#expressions.get(text);
    if (known !== undefined && sameOrigin(known.origin, origin)) return known;
    this.#charge(text.length);
    const expression = compileExpression(text, origin);
    if (this.#expressions.size >= entriesMax) this.#expressions.clear();
    if (text.length < expressionBytesMax) this.#expressions.set(text, expression);
    return expression;
  }
}

function sameOrigin(a: Origin, b: Origin): boolean {
  return a.length === b.length && a[0]?.source === b[0]?.source && a[0]?.exact === b[0]?.exact;
}

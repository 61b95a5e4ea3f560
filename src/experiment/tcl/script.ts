// SPDX-License-Identifier: MIT
// What the parser makes of a script: commands of words of parts, with offsets into the script text.
// Nodes carry caches that the evaluator fills (compiled bodies, resolved commands), so that a loop
// body is read once.

import { locateIn, type Origin, originFrom } from "./origin.ts";

export type Part =
  | { readonly kind: "text"; readonly value: string }
  | { readonly kind: "variable"; readonly name: string; readonly start: number }
  | {
      readonly kind: "element";
      readonly name: string;
      readonly index: readonly Part[];
      readonly start: number;
    }
  | { readonly kind: "script"; readonly script: Script };

export interface Word {
  /** Text of a word without substitutions; undefined when `parts` must be evaluated. */
  readonly literal: string | undefined;
  readonly parts: readonly Part[];
  /** `{*}word`: its list elements become words. */
  readonly expand: boolean;
  /** Offsets in the script text; `end` is one past the last character. */
  readonly start: number;
  readonly end: number;
  /** Where the literal's own text starts, and whether it maps character by character. */
  readonly contentStart: number;
  readonly exact: boolean;
  /** Braced text with continued lines: pairs of (offset in the literal, offset in the script). */
  readonly breaks: readonly (readonly [literal: number, script: number])[];
  /** Caches of the evaluator. */
  script: Script | undefined;
  expression: unknown;
}

/** The origin of a literal word's own text, for words that are scripts or expressions. */
export function wordOrigin(word: Word, script: Script): Origin {
  if (!word.exact) {
    const source = locateIn(script.origin, word.start);
    return source < 0 ? [] : [{ text: 0, source, exact: false }];
  }
  const origin = originFrom(script.origin, word.contentStart);
  if (word.breaks.length === 0 || origin.length !== 1) return origin;
  const rest = word.breaks.map(([literal, offset]) => {
    return { text: literal, source: locateIn(script.origin, offset), exact: true };
  });
  return [...origin, ...rest];
}

export interface Command {
  readonly script: Script;
  readonly words: readonly Word[];
  readonly start: number;
  /** Every word is plain: no expansion, so argument i is word i. */
  readonly plain: boolean;
  /** Cache: the procedure behind a literal first word, valid while `epoch` is the interpreter's. */
  procedure: unknown;
  epoch: number;
}

/** Why the rest of a script cannot be read. */
export interface ParseFault {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  /** Offset in the script text. */
  readonly start: number;
  /** Where reading may go on, for a reader that reports more than one fault. */
  readonly resume: number;
}

export interface Script {
  readonly text: string;
  readonly origin: Origin;
  readonly commands: readonly Command[];
  /** What stopped the reading after the last command; it is raised when evaluation gets there. */
  readonly fault: ParseFault | undefined;
  /** Offset one past the last character read. */
  readonly end: number;
  readonly words: number;
}

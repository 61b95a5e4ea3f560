// SPDX-License-Identifier: MIT
// Keeps one fault from being reported again by everything that needed its result: the variables
// that a failed command would have set are remembered, and that they are missing is no news.

import type { Procedure } from "./tcl/commands/procedures.ts";
import type { Interpreter } from "./tcl/interpreter.ts";
import { parseScript } from "./tcl/parser.ts";
import type { Command, Part, Script, Word } from "./tcl/script.ts";

/** Variables a command may assign, and whether it may run the simulator. */
export interface Assigned {
  readonly names: readonly string[];
  readonly mayRun: boolean;
}

/** Names whose absence follows from an earlier fault. */
export class Poison {
  readonly #names = new Set<string>();
  readonly #prefixes = new Set<string>();

  /** Adds names; one that ends in `*` stands for all that begin so. */
  add(names: readonly string[]): void {
    for (const name of names) {
      if (name === "") continue;
      if (name.endsWith("*")) this.#prefixes.add(name.slice(0, -1));
      else this.#names.add(name);
    }
  }

  covers(name: string): boolean {
    const plain = name.replace(/^::/, "");
    if (this.#names.has(plain) || this.#names.has(plain.replace(/\(.*$/s, ""))) return true;
    for (const prefix of this.#prefixes) if (plain.startsWith(prefix)) return true;
    return false;
  }
}

/** Commands whose second word is a variable they assign. */
const assigners = new Set([
  "set",
  "append",
  "lappend",
  "incr",
  "foreach",
  "lmap",
  "array",
  "global",
]);
const depthMax = 20;

/** What the command of a script may assign, by reading it without running it. */
export function collectAssigned(script: Script, interp: Interpreter): Assigned {
  const names: string[] = [];
  const seen = new Set<string>();
  let mayRun = false;
  const visitScript = (text: string, depth: number): void => {
    if (depth > depthMax || seen.has(text)) return;
    seen.add(text);
    for (const command of parseScript(text, []).commands) visit(command, depth);
  };
  const visitParts = (parts: readonly Part[], depth: number): void => {
    for (const part of parts) {
      if (part.kind === "script") for (const inner of part.script.commands) visit(inner, depth);
      else if (part.kind === "element") visitParts(part.index, depth);
    }
  };
  const visit = (command: Command, depth: number): void => {
    const [first, second, third] = command.words;
    const name = first?.literal;
    if (name !== undefined && assigners.has(name) && second !== undefined) {
      names.push(...targets(name === "array" ? (third ?? second) : second));
    }
    if (second?.literal === "run") mayRun = true;
    const procedure = interp.procedures.get(name ?? "") as Procedure | undefined;
    if (procedure !== undefined) visitScript(procedure.body, depth + 1);
    for (const word of command.words) {
      visitParts(word.parts, depth + 1);
      if (word.literal !== undefined && /[\s\n]/.test(word.literal))
        visitScript(word.literal, depth + 1);
    }
  };
  for (const command of script.commands) visit(command, 0);
  return { names, mayRun };
}

/** Names a word may stand for: known ones, or a beginning followed by `*`. */
function targets(word: Word): string[] {
  if (word.literal !== undefined)
    return word.literal.split(/\s+/).map((name) => name.replace(/^::/, ""));
  let prefix = "";
  for (const part of word.parts) {
    if (part.kind !== "text") break;
    prefix += part.value;
  }
  return [`${prefix}*`];
}

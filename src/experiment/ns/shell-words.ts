// SPDX-License-Identifier: MIT
// Hints for words that hold a command for the shell: who writes one thinks of the shell's `$` and
// `[`, and Tcl takes them first.

import type { TclError } from "../tcl/error.ts";
import { locateIn } from "../tcl/origin.ts";
import type { Command, Word } from "../tcl/script.ts";

const startCommands: ReadonlySet<string> = new Set(["tb-set-node-startcmd", "tb-set-node-startup"]);

/** What to do about an error of a command, when it comes from what was meant for the shell. */
export function adviseOnShellWord(error: TclError, command: Command): string | undefined {
  const { words, script } = command;
  if (error.code === "TCL_ARGUMENTS") return adviseOnQuotes(error, command);
  if (error.code !== "TCL_NO_VARIABLE" && error.code !== "NS_UNKNOWN_COMMAND") return undefined;
  const index = words.findIndex((word) => {
    const start = locateIn(script.origin, word.start);
    return start >= 0 && error.offset > start && error.offset < start + (word.end - word.start);
  });
  const word = words[index];
  if (word === undefined || script.text[word.start] !== '"') return undefined;
  if (!isForShell(words, index)) return undefined;
  const part = word.parts.find((one) => {
    return one.kind !== "text" && one.kind !== "script"
      ? locateIn(script.origin, one.start) === error.offset
      : false;
  });
  if (part === undefined || part.kind === "text" || part.kind === "script") {
    return 'Tcl runs what is in [...] inside "..."; for the shell write \\[ or use {...}.';
  }
  // The object of an event is Tcl's own.
  if (part.start === word.start + 1) return undefined;
  return `Tcl replaces $${part.name} inside "..."; for the shell write \\$${part.name} or use {...}.`;
}

function isForShell(words: readonly Word[], index: number): boolean {
  if (startCommands.has(words[0]?.literal ?? "")) return index === 2;
  const before = words[index - 1]?.literal;
  return before === "-command" || before === "command" || words[1]?.literal === "at";
}

/** `tb-set-node-startcmd $node echo hi`. */
function adviseOnQuotes(error: TclError, { words, script }: Command): string | undefined {
  const [first, , third] = words;
  const last = words.at(-1);
  if (words.length < 4 || third === undefined || last === undefined) return undefined;
  if (error.details.hint !== undefined || !startCommands.has(first?.literal ?? ""))
    return undefined;
  const text = script.text.slice(third.start, last.end);
  const shown = text.length > 60 || /["\n]/.test(text) ? "{...}" : `"${text}"`;
  return `Put the command in quotes or braces: ${shown}`;
}

// SPDX-License-Identifier: MIT
// Which shell read the commands of a run, and what to say when a program failed because its author
// thought of another one. Pure.

/** `csh` for `csh -f -c`; `""` for none. */
export function shellName(shell: string): string {
  return shell.split(" ", 1)[0] ?? "";
}

/** How lines end in which csh and tcsh say that they do not understand. */
const cshWords = [
  "Command not found.",
  "Undefined variable.",
  "Illegal variable name.",
  "Missing name for redirect.",
  "Ambiguous output redirect.",
  "Badly placed ()'s.",
  "Badly placed (.",
  "Expression Syntax.",
  "Missing }.",
  "Missing {.",
  "Missing ].",
  "Too many ('s.",
  "Unmatched '\"'.",
  "Unmatched '''.",
  "Event not found.",
  "No match.",
  "Variable name must begin with a letter.",
  "Variable name must contain alphanumeric characters.",
];

/** What to do about a failed program whose standard error holds csh's own words; or null. */
export function shellHint(shell: string, stderrTail: string): string | null {
  if (shellName(shell) !== "csh") return null;
  const lines = stderrTail.split("\n").map((line) => line.trimEnd());
  if (!lines.some((line) => cshWords.some((words) => line.endsWith(words)))) return null;
  return (
    "this ran in csh, where export, for ... do and >&2 mean something else; " +
    "write sh -c '...' or a script"
  );
}

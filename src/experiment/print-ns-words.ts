// SPDX-License-Identifier: MIT
// Words of NS files: quoted so that the Tcl evaluator reads exactly the text that was meant.

/** One word of a command. */
export function nsWord(text: string): string {
  if (/^[-A-Za-z0-9_./:=+,%@()]+$/.test(text)) return text;
  return isBalanced(text) ? `{${text}}` : `"${text.replace(/[\\"$[\]{}]/g, "\\$&")}"`;
}

/** Whether braces around a text keep every character of it. */
function isBalanced(text: string): boolean {
  if (/[\\\n\r]/.test(text)) return false;
  let depth = 0;
  for (const character of text) {
    if (character === "{") depth += 1;
    if (character === "}") depth -= 1;
    if (depth < 0) return false;
  }
  return depth === 0;
}

/** The value of the variable that an object is named after. */
export function nsReference(name: string): string {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? `$${name}` : `\${${name}}`;
}

// SPDX-License-Identifier: MIT
// `string match` patterns: * ? [set] and backslash. Runs in time proportional to the product of the
// lengths at worst; there is no exponential pattern.

/** True when the whole of `text` matches `pattern`. */
export function globMatch(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let starPattern = -1;
  let starText = 0;
  while (t < text.length) {
    const next = p < pattern.length ? matchOne(pattern, p, text[t] ?? "") : -1;
    if (pattern[p] === "*") {
      starPattern = p;
      starText = t;
      p += 1;
    } else if (next > 0) {
      p = next;
      t += 1;
    } else if (starPattern >= 0) {
      // Only the last star needs to give way: an earlier one could not match more.
      p = starPattern + 1;
      starText += 1;
      t = starText;
    } else return false;
  }
  while (pattern[p] === "*") p += 1;
  return p === pattern.length;
}

/** Offset after the pattern element at `p` when it accepts `ch`, or -1. */
function matchOne(pattern: string, p: number, ch: string): number {
  switch (pattern[p]) {
    case "?":
      return p + 1;
    case "[":
      return matchSet(pattern, p, ch);
    case "\\":
      return (pattern[p + 1] ?? "\\") === ch ? p + 2 : -1;
    default:
      return pattern[p] === ch ? p + 1 : -1;
  }
}

function matchSet(pattern: string, p: number, ch: string): number {
  let at = p + 1;
  let hit = false;
  while (at < pattern.length && pattern[at] !== "]") {
    const low = pattern[at] ?? "";
    if (pattern[at + 1] === "-" && at + 2 < pattern.length && pattern[at + 2] !== "]") {
      const high = pattern[at + 2] ?? "";
      if ((low <= ch && ch <= high) || (high <= ch && ch <= low)) hit = true;
      at += 3;
    } else {
      if (low === ch) hit = true;
      at += 1;
    }
  }
  return hit ? at + 1 : -1;
}

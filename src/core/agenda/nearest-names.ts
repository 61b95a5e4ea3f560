// SPDX-License-Identifier: MIT
// Near misses: the names that a wrong one most likely meant, nearest first.

/** Candidates looked at; an answer must not take longer than the request is worth. */
const candidatesMax = 10_000;
const wordLengthMax = 64;

/**
 * Names within a quarter of the word's length of it by edit distance, a swap of neighbours counting
 * once and ASCII case nothing; equal distances in the order of the candidates.
 */
export function nearestNames(
  word: string,
  candidates: Iterable<string>,
  max: number,
): readonly string[] {
  if (word === "" || word.length > wordLengthMax) return [];
  const allowed = Math.max(1, Math.floor(word.length / 4));
  const lower = asciiLower(word);
  const found: { readonly name: string; readonly distance: number }[] = [];
  let looked = 0;
  for (const name of candidates) {
    looked += 1;
    if (looked > candidatesMax) break;
    if (Math.abs(name.length - word.length) > allowed) continue;
    const distance = editDistance(lower, asciiLower(name));
    if (distance <= allowed) found.push({ name, distance });
  }
  found.sort((a, b) => a.distance - b.distance);
  return found.slice(0, max).map(({ name }) => name);
}

/** Not `toLowerCase`: that follows the tables of Unicode, which differ between platforms (D16). */
function asciiLower(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => String.fromCharCode(letter.charCodeAt(0) + 32));
}

function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (above[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const one = Math.min(replaced, (above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row.push(isSwap ? Math.min(one, (before[j - 2] ?? 0) + 1) : one);
    }
    before = above;
    above = row;
  }
  return above[b.length] ?? 0;
}

// SPDX-License-Identifier: MIT
// Near misses: the known name that a wrong one most likely meant.

/**
 * The candidate closest to `word` by edit distance (a swap of neighbours counts once, letter case
 * counts little), or undefined when none is near enough: more than half of the letters must be as
 * they were meant, so that nobody who writes "c" is told of "a", but of "l" who writes "ll".
 */
export function closest(word: string, candidates: Iterable<string>): string | undefined {
  if (word === "" || word.length > 64) return undefined;
  const allowed = Math.max(1, Math.floor(word.length / 4));
  const lower = word.toLowerCase();
  let best: string | undefined;
  let bestDistance = allowed + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) > allowed) continue;
    const other = candidate.toLowerCase();
    const distance = editDistance(lower, other);
    const isMostly = distance * 2 < Math.max(candidate.length, word.length);
    if (!isMostly && withoutDoubles(lower) !== withoutDoubles(other)) continue;
    if (distance < bestDistance && candidate !== word) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

const withoutDoubles = (text: string): string => text.replace(/(.)\1+/gu, "$1");

function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1];
      const replaced = (above[j - 1] ?? 0) + (same ? 0 : 1);
      let least = Math.min(replaced, (above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) least = Math.min(least, (before[j - 2] ?? 0) + 1);
      row.push(least);
    }
    before = above;
    above = row;
  }
  return above[b.length] ?? 0;
}

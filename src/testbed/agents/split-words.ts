// SPDX-License-Identifier: MIT
// A command line of a file as words, for commands that are run without a shell: nothing in it is
// replaced, expanded or carried out (fault 29). Pure.

/**
 * Words between blanks. `'...'` and `"..."` hold blanks and everything else; `\` takes the next
 * character as it is, except within `'...'`.
 *
 * @returns undefined when a quote is not closed.
 */
export function splitWords(text: string): readonly string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at] ?? "";
    if (quote !== "" && character === quote) quote = "";
    else if (character === "\\" && quote !== "'") {
      at += 1;
      word = (word ?? "") + (text[at] ?? "\\");
    } else if (quote !== "") word = (word ?? "") + character;
    else if (character === "'" || character === '"') {
      quote = character;
      word ??= "";
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? "") + character;
  }
  if (quote !== "") return undefined;
  if (word !== undefined) words.push(word);
  return words;
}

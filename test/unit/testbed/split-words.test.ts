// SPDX-License-Identifier: MIT
// Goal: a command line becomes words as a shell would make them, and nothing else of a shell.
import { expect, it } from "vitest";
import { splitWords } from "../../../src/testbed/agents/split-words.ts";

it.each([
  ["", []],
  ["  perl  digest.pl\t-a ", ["perl", "digest.pl", "-a"]],
  ["a 'b c' d", ["a", "b c", "d"]],
  ['a"b c"d', ["ab cd"]],
  ["'' x", ["", "x"]],
  [`"it's" 'say "hi"'`, ["it's", 'say "hi"']],
  ['a\\ b "\\"" \'\\\'', ["a b", '"', "\\"]],
  ["a; rm -rf $HOME `id` | b > c", ["a;", "rm", "-rf", "$HOME", "`id`", "|", "b", ">", "c"]],
])("splits %j", (text, words) => {
  expect(splitWords(text)).toEqual(words);
});

it.each(["'a", 'a "b', "a'b\"c'd\""])("does not guess where the quote of %j ends", (text) => {
  expect(splitWords(text)).toBeUndefined();
});

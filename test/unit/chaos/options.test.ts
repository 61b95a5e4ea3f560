// SPDX-License-Identifier: MIT
// Goal: who asks `npm run chaos` for help, or mistypes an option, is told what there is. Method:
// its reader of options, and the text of its help.
import { expect, it } from "vitest";
import { faultNames } from "../../../chaos/faults.ts";
import { help, parseOptions } from "../../../chaos/options.ts";

const parse = (...words: readonly string[]) => parseOptions(words, "/root");

it("the help has each option with its default, and each fault", () => {
  const { seconds, seed, servers, lanes, rate } = parse();
  for (const [option, standard] of Object.entries({ servers, lanes, rate, seed })) {
    expect(help).toMatch(new RegExp(`--${option} N .*\\(default: ${standard}\\)`));
  }
  expect(help).toMatch(new RegExp(`--minutes M .*\\(default: ${seconds / 60}\\)`));
  for (const name of faultNames) expect(help).toMatch(new RegExp(`^  ${name} .*[a-z]{3}`, "m"));
  expect(help.split("\n").filter((line) => line.length > 100)).toEqual([]);
});

it.each([
  [["--frob"], "there is no option '--frob'"],
  [["frob", "1"], "there is no option 'frob'"],
  [["--seed"], "--seed needs a value behind it"],
  [["--seed", "x"], "--seed is a number from 0 to 4294967295, not 'x'"],
])("%j is refused", (words, why) => expect(() => parse(...words)).toThrow(why));

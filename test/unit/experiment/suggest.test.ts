// SPDX-License-Identifier: MIT
// Goal: who has mistyped a name is told which one was meant, and nobody a name that has little of
// what was written. Method: a table.
import { expect, test } from "vitest";
import { closest } from "../../../src/experiment/suggest.ts";

const names = ["l", "lan0", "noded", "experiment"];

test.each([
  ["ll", "l"],
  ["c", undefined],
  ["la", undefined],
  ["lan", "lan0"],
  ["nodde", "noded"],
  ["experimment", "experiment"],
  ["", undefined],
])("%j is %j", (word, meant) => expect(closest(word, names)).toBe(meant));

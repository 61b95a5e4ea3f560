// SPDX-License-Identifier: MIT
// Goal: each key has as many as were added and not dropped, and nobody else's.
import { expect, it } from "vitest";
import { KeyCounts } from "../../../src/edges/key-counts.ts";

it("counts for each key what was added and not dropped", () => {
  const counts = new KeyCounts();
  expect([counts.of("a"), counts.most]).toEqual([0, 0]);
  for (const key of ["a", "b", "a", "a"]) counts.add(key);
  expect([counts.of("a"), counts.of("b"), counts.most]).toEqual([3, 1, 3]);
  counts.drop("b");
  counts.drop("a");
  expect([counts.of("a"), counts.of("b"), counts.most]).toEqual([2, 0, 2]);
  // One that has none has none less.
  counts.drop("b");
  counts.add("b");
  expect(counts.of("b")).toBe(1);
  counts.clear();
  expect([counts.of("a"), counts.most]).toEqual([0, 0]);
});

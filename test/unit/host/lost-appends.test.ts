// SPDX-License-Identifier: MIT
// Goal: an append is taken for lost when its place in the log holds another entry, and only then,
// in whichever order its answer and the entry come (Q1, Q2). Method: answers and entries by hand.
import { beforeEach, expect, it } from "vitest";
import { LostAppends } from "../../../src/host/lost-appends.ts";

let lost: LostAppends;
beforeEach(() => {
  lost = new LostAppends();
  lost.forget();
});

it("Q1: is not lost when its place holds it, whichever comes first", () => {
  expect(lost.taken(lost.life, 5, 4)).toBe(false);
  expect(lost.delivered(5, true)).toBe(false);
  expect(lost.delivered(6, true)).toBe(false);
  expect(lost.taken(lost.life, 6, 6)).toBe(false);
});

it("Q1: is lost when its place holds another entry, whichever comes first", () => {
  expect(lost.taken(lost.life, 5, 4)).toBe(false);
  expect(lost.delivered(5, false)).toBe(true);
  expect(lost.delivered(6, false)).toBe(false);
  expect(lost.taken(lost.life, 6, 6)).toBe(true);
});

it("Q2: what was sent before this life is not looked for, though its answer comes in it", () => {
  const { life } = lost;
  expect(lost.delivered(5, true)).toBe(false);
  lost.forget();
  expect(lost.taken(life, 5, 5)).toBe(false);
  expect(lost.taken(lost.life, 6, 6)).toBe(true);
});

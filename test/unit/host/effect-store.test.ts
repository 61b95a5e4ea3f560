// SPDX-License-Identifier: MIT
// Goal: what edges have not seen is kept for those who live, however many they are, and of those
// who have ended as much as is stated (H3). Method: the table alone, at its bounds and one past.
import { expect, it } from "vitest";
import type { EdgeEffect } from "../../../src/core/effect.ts";
import { EffectStore } from "../../../src/host/effect-store.ts";
import { LifeTable } from "../../../src/host/life-table.ts";

const acknowledged: EdgeEffect = { kind: "acknowledged", connection: 1 };
const revoked: EdgeEffect = { kind: "revoked" };
const life = (number: number, incarnation = 1) => ({ edge: `e${number}`, incarnation });
const sequencesOf = (store: EffectStore, number: number) =>
  store.after(life(number), 0).map(({ sequence }) => sequence);

it("keeps the last words of one who has ended beside thousands who live", () => {
  const store = new EffectStore();
  for (let number = 0; number < 3_000; number += 1) store.keep(life(number), 1, [acknowledged]);
  store.keep(life(7), 2, [revoked]);
  expect(sequencesOf(store, 7)).toEqual([1, 2]);
  expect(sequencesOf(store, 2_999)).toEqual([1]);
});

it("keeps those of 1000 who have ended; the oldest makes room, and nobody who lives", () => {
  const store = new EffectStore();
  store.keep(life(5_000), 1, [acknowledged]);
  for (let number = 0; number < 1_000; number += 1) store.keep(life(number), 1, [revoked]);
  expect(sequencesOf(store, 0)).toEqual([1]);
  store.keep(life(1_000), 2, [revoked]);
  expect(sequencesOf(store, 0)).toEqual([]);
  expect(sequencesOf(store, 1)).toEqual([1]);
  expect(sequencesOf(store, 1_000)).toEqual([2]);
  expect(sequencesOf(store, 5_000)).toEqual([1]);
});

it("keeps 64 last words of each, and everything for one who lives", () => {
  const store = new EffectStore();
  for (let sequence = 1; sequence <= 100; sequence += 1) {
    store.keep(life(1), sequence, [acknowledged]);
  }
  expect(sequencesOf(store, 1)).toHaveLength(100);
  store.keep(life(1), 101, [revoked]);
  expect(sequencesOf(store, 1)).toHaveLength(64);
  expect(sequencesOf(store, 1).at(-1)).toBe(101);
  // What comes behind the end is one more of them.
  store.keep(life(1), 102, [acknowledged]);
  expect(sequencesOf(store, 1)).toHaveLength(64);
});

it("drops what has been seen, of the incarnation that has seen it, and says how much", () => {
  const store = new EffectStore();
  for (const sequence of [1, 2, 3]) store.keep(life(1), sequence, [acknowledged]);
  store.keep(life(1, 2), 4, [acknowledged]);
  expect(store.drop(life(1), 2)).toBe(2);
  expect(sequencesOf(store, 1)).toEqual([3]);
  expect(store.after(life(1, 2), 0)).toHaveLength(1);
  store.keep(life(1), 5, [revoked]);
  expect(store.drop(life(1), 9)).toBe(2);
  expect(store.drop(life(1), 9)).toBe(0);
});

it("is the same after it was written and read", () => {
  const store = new EffectStore();
  store.keep(life(1), 1, [acknowledged]);
  store.keep(life(2), 2, [revoked]);
  const copy = new EffectStore();
  copy.keep(life(3), 9, [acknowledged]);
  copy.load(JSON.parse(JSON.stringify(store.dump())));
  expect(copy.dump()).toEqual(store.dump());
});

it("finds values by edge and incarnation, and counts them", () => {
  const table = new LifeTable<string>();
  table.set(life(1), "a");
  table.set(life(1, 2), "b");
  table.set(life(1), "c");
  expect([table.size, table.get(life(1)), table.get(life(1, 2))]).toEqual([2, "c", "b"]);
  expect([table.delete(life(1)), table.delete(life(1)), table.has(life(1))]).toEqual([
    true,
    false,
    false,
  ]);
  table.deleteFirst();
  expect([table.size, table.values(), table.rows()]).toEqual([0, [], []]);
});

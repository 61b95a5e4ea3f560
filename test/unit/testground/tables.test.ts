// SPDX-License-Identifier: MIT
// Goal: the tables of the door give back what was put in, and stay within their bounds. Method: the
// tables alone.
import { expect, it } from "vitest";
import { resolveLimits } from "../../../src/core/limits.ts";
import type { Ask } from "../../../src/edges/testground/ask.ts";
import { AskTable } from "../../../src/edges/testground/ask-table.ts";
import { KeyPlaces } from "../../../src/edges/testground/key-places.ts";

function ask(id: string, connection: number): Ask {
  return {
    ...{ id, connection, scope: "s", name: "n", bytes: 0, heldBytes: 1, state: "asked" },
    ...{ operation: { kind: "signal", state: "n" }, payload: undefined, event: undefined },
    ...{ subscription: undefined, network: undefined, callback: undefined },
  };
}

it("asks are found by an id that several have, in their order, until the last is over", () => {
  const table = new AskTable();
  const [a, b, c, other] = [ask("x", 1), ask("x", 2), ask("x", 3), ask("y", 4)] as const;
  for (const one of [a, b, c, other]) table.add(one);
  expect([table.count, table.of("x"), table.of("z")]).toEqual([4, [a, b, c], []]);
  table.delete(b);
  expect([table.count, table.of("x")]).toEqual([3, [a, c]]);
  table.delete(a);
  table.delete(c);
  expect([table.count, table.of("x"), table.all()]).toEqual([1, [], [other]]);
  table.add(a);
  expect(table.of("x")).toEqual([a]);
});

it("a key leads to the same place each time, also when too many were asked for between", () => {
  const places = new KeyPlaces({ scope: "s", limits: resolveLimits() });
  const key = "run:r:plan:p:case:c:states:x";
  const place = { scope: "run:r", name: "plan:p:case:c:states:x" };
  const first = places.find(key);
  expect(first).toEqual(place);
  expect(places.find(key)).toBe(first);
  for (let number = 0; number < 999; number += 1) places.find(`state-${number}`);
  expect(places.find(key)).toBe(first);
  places.find("one more than are kept");
  expect(places.find(key)).not.toBe(first);
  expect(places.find(key)).toEqual(place);
});

it("a key that is too long is refused each time, and not kept", () => {
  const limits = resolveLimits({ nameBytesMax: 40 });
  const places = new KeyPlaces({ scope: "s", limits });
  expect(places.find("x".repeat(40))).toEqual({ scope: "s", name: "x".repeat(40) });
  for (const key of ["x".repeat(41), `run:${"r".repeat(37)}:plan:p`]) {
    expect(places.find(key)).toMatchObject({ limit: "nameBytesMax" });
    expect(places.find(key)).toMatchObject({ limit: "nameBytesMax" });
  }
});

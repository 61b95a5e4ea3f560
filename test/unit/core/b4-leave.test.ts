// SPDX-License-Identifier: MIT
// B4: who leaves before the point of no return is uncounted, and a leave that completes the
// condition releases the rest. Catches: a leave that forgets the party but not its count
// (`removeWaiter` without `count -= contribution`).
import { expect, it } from "vitest";
import { CoreDriver, init, initOnly, releases, wait } from "../../../src/testing/core-driver.ts";

const leave = (connection: number) => ({ kind: "leave", connection }) as const;

it("B4 a wait is given back when its party leaves", () => {
  const core = new CoreDriver();
  core.send("e", init(1, 2), wait(2), leave(2));
  expect(releases(core.send("e", wait(3)))).toEqual([]);
  expect(releases(core.send("e", wait(4)))).toHaveLength(3);
});

it("B4 a waiting init takes its count away when its party leaves", () => {
  const core = new CoreDriver();
  core.send("e", init(1, 2), wait(2), leave(1));
  expect(core.service.describe("s").barriers[0]).toMatchObject({ count: -1, expected: 0 });
});

it("B4 the rest is released when a leave makes the count 0", () => {
  const core = new CoreDriver();
  core.send("e", init(1, 1), init(2, 1), wait(3, { error: 44 }));
  expect(releases(core.send("e", leave(2)))).toEqual([
    [1, "crossed", 44],
    [3, "crossed", 44],
  ]);
});

it("B4 a leave after the release changes nothing", () => {
  const core = new CoreDriver();
  core.send("e", init(1, 1), wait(2), wait(3), leave(2), leave(1));
  expect(core.service.describe("s").barriers[0]).toMatchObject({ count: -1, arrived: 1 });
});

it("B4 an edge that ends leaves with everybody, and completes what that completes", () => {
  const core = new CoreDriver();
  core.send("e", init(1, 1), wait(2, { barrier: "other" }));
  core.send("f", init(1, 1), wait(2));
  const released = releases(core.send("e", { kind: "end-edge" }));
  expect(released).toEqual([
    [1, "crossed", 0],
    [2, "crossed", 0],
  ]);
  expect(core.service.describe("s").barriers).toEqual([]);
});

it("B4 all parties of an edge leave at one instant: none crosses on the count of another", () => {
  const core = new CoreDriver();
  core.send("e", init(1, 1), init(2, 1));
  core.send("f", wait(3));
  // With 1 gone and 2 still counted the sum would be 0.
  expect(releases(core.send("e", { kind: "end-edge" }))).toEqual([]);
  expect(core.service.describe("s").barriers[0]).toMatchObject({ count: -1, arrived: 1 });
  expect(releases(core.send("f", initOnly(4, 1)))).toEqual([[3, "crossed", 0]]);
});

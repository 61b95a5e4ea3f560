// SPDX-License-Identifier: MIT
// B5: an initialised count is never lost because waiters left. Catches: the old server's first
// fault, a barrier that is dropped with its last waiter (`#takeBack` ending an empty barrier).
// [EMULAB-SYNC 3 fault 1]
import { expect, it } from "vitest";
import { CoreDriver, initOnly, releases, wait } from "../../../src/testing/core-driver.ts";

it("B5 the count of an init outlives a waiter that gives up", () => {
  const core = new CoreDriver();
  core.send("e", initOnly(1, 3), wait(2), { kind: "leave", connection: 2 });
  expect(core.service.describe("s").barriers[0]).toMatchObject({ count: 3, arrived: 0 });
  core.send("e", wait(3), wait(4));
  expect(releases(core.send("e", wait(5)))).toHaveLength(3);
});

it("B5 the count of an init outlives a waiter whose deadline passes", () => {
  const core = new CoreDriver();
  core.send("e", initOnly(1, 2, { barrier: "y" }), wait(3, { barrier: "y", timeoutUs: 1 }));
  core.pass(1_000_000);
  expect(core.service.describe("s", "y").barriers[0]).toMatchObject({ count: 2, arrived: 0 });
});

it("B5 the count of an init outlives the edge of the initialiser and of all waiters", () => {
  const core = new CoreDriver();
  core.send("e", initOnly(1, 2), wait(2), { kind: "end-edge" });
  core.send("f", wait(1));
  expect(releases(core.send("f", wait(2)))).toHaveLength(2);
});

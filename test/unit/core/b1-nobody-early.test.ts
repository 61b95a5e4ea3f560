// SPDX-License-Identifier: MIT
// B1: nobody is released before the condition holds. Catches: a barrier that counts as complete as
// soon as its count is not positive (`count <= 0` for `count === 0`).
import { expect, it } from "vitest";
import { CoreDriver, init, initOnly, releases, wait } from "../../../src/testing/core-driver.ts";

it("B1 nobody is released while waits are missing, whoever comes first", () => {
  const core = new CoreDriver();
  expect(releases(core.send("e", init(1, 2)))).toEqual([]);
  expect(releases(core.send("e", wait(2)))).toEqual([]);
  expect(releases(core.send("e", wait(3))).map(([connection]) => connection)).toEqual([1, 2, 3]);
});

it("B1 nobody is released while the init is missing, however many wait", () => {
  const core = new CoreDriver();
  for (let connection = 1; connection <= 5; connection += 1) {
    expect(releases(core.send("e", wait(connection)))).toEqual([]);
  }
  expect(releases(core.send("e", initOnly(9, 4)))).toEqual([]);
  expect(releases(core.send("e", initOnly(9, 1)))).toHaveLength(5);
});

it("B1 inits add up: none of them releases what another still expects", () => {
  const core = new CoreDriver();
  core.send("e", init(1, 1), init(2, 2), wait(3), wait(4));
  expect(core.service.describe("s").barriers[0]).toMatchObject({
    count: 1,
    arrived: 4,
    expected: 5,
  });
  expect(releases(core.send("e", wait(5)))).toHaveLength(5);
});

it("B1 a deadline of one party releases that party only", () => {
  const core = new CoreDriver();
  core.send("e", init(1, 3), wait(2, { timeoutUs: 1_000_000 }), wait(3));
  expect(releases(core.pass(5_000_000))).toEqual([[2, "timeout", 0]]);
});

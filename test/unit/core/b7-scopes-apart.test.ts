// SPDX-License-Identifier: MIT
// B7: scopes never meet. Catches: a lookup of the scope that finds any scope there is.
import { expect, it } from "vitest";
import { CoreDriver, init, initOnly, releases, wait } from "../../../src/testing/core-driver.ts";

it("B7 a barrier is met by its scope and name, never by its name alone", () => {
  const core = new CoreDriver();
  core.send("e", init(1, 1, { scope: "s" }));
  expect(releases(core.send("e", wait(2, { scope: "t" })))).toEqual([]);
  expect(releases(core.send("e", initOnly(3, 1, { scope: "t" })))).toEqual([[2, "crossed", 0]]);
  expect(releases(core.send("e", wait(4, { scope: "s" })))).toHaveLength(2);
});

it("B7 names that would run together when joined stay apart", () => {
  const core = new CoreDriver();
  core.send("e", init(1, 1, { scope: "a b", barrier: "c" }));
  expect(releases(core.send("e", wait(2, { scope: "a", barrier: "b c" })))).toEqual([]);
});

it("B7 cancelling one scope leaves the other as it is", () => {
  const core = new CoreDriver();
  core.send("e", wait(1, { scope: "s" }), wait(2, { scope: "t" }));
  expect(releases(core.send("e", { kind: "cancel-all", scope: "s", error: 240 }))).toEqual([
    [1, "cancelled", 240],
  ]);
  expect(core.service.describe("t").barriers[0]).toMatchObject({ arrived: 1 });
});

it("B7 a scope that is opened again knows nothing of the one before", () => {
  const core = new CoreDriver();
  core.send("e", { kind: "open-scope", scope: "s", nodes: ["old"] }, wait(1), initOnly(2, 3));
  core.send("e", { kind: "close-scope", scope: "s", error: 0 });
  core.send("e", wait(1));
  const [barrier] = core.service.describe("s").barriers;
  expect(barrier).toMatchObject({ generation: 1, count: -1 });
  expect(barrier?.missing.join()).not.toContain("old");
});

it("B7 the number of a scope's nodes and closed barriers is its own", () => {
  const core = new CoreDriver();
  core.send("e", { kind: "open-scope", scope: "s", nodes: ["n0"] });
  core.send("e", wait(1, { scope: "t" }));
  expect(core.service.describe("t").barriers[0]?.missing.join()).not.toContain("n0");
});

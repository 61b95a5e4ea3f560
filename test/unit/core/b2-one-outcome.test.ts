// SPDX-License-Identifier: MIT
// B2: every waiter gets exactly one outcome. Catches: a release that does not forget its
// connections (`#end` without `#detach`), after which a leave or a deadline reaches them again.
import { expect, it } from "vitest";
import type { Command } from "../../../src/core/command.ts";
import { CoreDriver, init, releases, wait } from "../../../src/testing/core-driver.ts";

const after: readonly (readonly [string, Command])[] = [
  ["leaves", { kind: "leave", connection: 2 }],
  ["is cancelled", { kind: "cancel-all", scope: "s", error: 240 }],
  ["loses its scope", { kind: "close-scope", scope: "s", error: 0 }],
  ["loses its edge", { kind: "end-edge" }],
];

it.each(after)("B2 a released party hears nothing more when it then %s", (_, command) => {
  const core = new CoreDriver();
  core.send("e", init(1, 1));
  expect(releases(core.send("e", wait(2, { timeoutUs: 1_000_000 })))).toHaveLength(2);
  expect(releases(core.send("e", command))).toEqual([]);
  expect(releases(core.pass(15_000_000))).toEqual([]);
});

it.each(after)("B2 a party at a deadline hears of it once, also when it then %s", (_, command) => {
  const core = new CoreDriver();
  core.send("e", wait(2, { timeoutUs: 1_000_000 }), wait(3));
  expect(releases(core.pass(2_000_000))).toEqual([[2, "timeout", 0]]);
  const rest = releases(core.send("e", command));
  expect(rest.map(([connection]) => connection)).not.toContain(2);
});

it("B2 a connection may wait again after its outcome, and gets one more", () => {
  const core = new CoreDriver();
  for (let round = 1; round <= 3; round += 1) {
    core.send("e", wait(1));
    expect(releases(core.send("e", init(2, 1)))).toEqual([
      [1, "crossed", 0],
      [2, "crossed", 0],
    ]);
  }
});

it("B2 a connection that waits is refused a second place, and keeps the first", () => {
  const core = new CoreDriver();
  core.send("e", wait(1));
  const [refused] = core.send("e", wait(1, { barrier: "other" })).addressed;
  expect(refused?.effect).toMatchObject({ kind: "refused", connection: 1, code: "invalid" });
  expect(releases(core.send("e", init(2, 1)))).toHaveLength(2);
});

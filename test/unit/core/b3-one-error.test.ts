// SPDX-License-Identifier: MIT
// B3: all waiters of one crossing get the same outcome, and the error is the largest reported.
// Catches: the error of the last arrival instead of the largest (`!== 0` for `> this.error`).
import { expect, it } from "vitest";
import { CoreDriver, effectsOf, init, initOnly, wait } from "../../../src/testing/core-driver.ts";

it("B3 the largest error goes to all when it came neither first nor last", () => {
  const core = new CoreDriver();
  core.send("e", init(1, 2, { error: 5 }));
  core.send("f", wait(1, { error: 200 }));
  const released = effectsOf(core.send("e", wait(2, { error: 33 })), "released");
  expect(released.map(({ error, connections }) => [error, connections])).toEqual([
    [200, [1, 2]],
    [200, [1]],
  ]);
});

it("B3 the error of a party that left since still counts", () => {
  const core = new CoreDriver();
  core.send("e", wait(1, { error: 77 }), wait(2), { kind: "leave", connection: 1 });
  expect(effectsOf(core.send("e", init(3, 1)), "released")[0]).toMatchObject({ error: 77 });
});

it("B3 the error of an initialiser that does not wait is dropped", () => {
  const core = new CoreDriver();
  core.send("e", initOnly(1, 1, { error: 99 }));
  expect(effectsOf(core.send("e", wait(2, { error: 4 })), "released")[0]).toMatchObject({
    error: 4,
  });
});

it("B3 an error does not outlive its crossing", () => {
  const core = new CoreDriver();
  core.send("e", wait(1, { error: 77 }), init(2, 1), wait(1));
  expect(effectsOf(core.send("e", init(2, 1)), "released")[0]).toMatchObject({
    error: 0,
    generation: 2,
  });
});

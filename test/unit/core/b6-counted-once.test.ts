// SPDX-License-Identifier: MIT
// B6: a retried arrival counts once. Retries are batches sent again under the same number, after a
// failed append or a link that was cut. Catches: a table that takes any batch of the living
// incarnation (`accepts` without `number === lastBatch + 1`).
import { expect, it } from "vitest";
import { CoreDriver, initOnly, releases, wait } from "../../../src/testing/core-driver.ts";

it("B6 a batch that is sent twice counts once", () => {
  const core = new CoreDriver();
  core.send("e", initOnly(9, 2));
  const batch = core.batch("e", [wait(1)]);
  core.apply([batch]);
  expect(core.apply([batch]).addressed).toEqual([]);
  expect(core.service.describe("s").barriers[0]).toMatchObject({ count: 1, arrived: 1 });
});

it("B6 a batch that is twice in one entry counts once", () => {
  const core = new CoreDriver();
  core.send("e", initOnly(9, 2));
  const batch = core.batch("e", [wait(1)]);
  core.apply([batch, batch]);
  expect(core.service.describe("s").barriers[0]).toMatchObject({ count: 1 });
});

it("B6 a batch that overtook a failed one waits for its turn", () => {
  const core = new CoreDriver();
  core.send("e", initOnly(9, 2));
  const [first, second] = [core.batch("e", [wait(1)]), core.batch("e", [wait(2)])];
  expect(core.apply([second]).addressed).toEqual([]);
  core.apply([first]);
  expect(releases(core.apply([second]))).toHaveLength(2);
});

it("B6 the same numbers of another edge, or of its next life, are other arrivals", () => {
  const core = new CoreDriver();
  core.send("e", initOnly(9, 3));
  core.send("e", wait(1));
  core.send("f", wait(1));
  expect(core.service.describe("s").barriers[0]).toMatchObject({ count: 1, arrived: 2 });
  core.apply([core.attachBatch("e", 2, [wait(1)])]);
  expect(core.service.describe("s").barriers[0]).toMatchObject({ count: 1, arrived: 2 });
});

// SPDX-License-Identifier: MIT
// Goal: what is said of packets that were late is in proportion to how many were. Method: figures
// made up.
import { expect, test } from "vitest";
import { describeLate } from "../../../src/network/delay-node/delay-node-backend.ts";

test.each([
  [2, 5_000, "was busy for a moment"],
  [50, 5_000, "was busy for a moment"],
  [51, 5_000, "was too busy for its links"],
  [1, 1, "was too busy for its links"],
])("%i of %i late: the machine %s", (late, packets, why) => {
  const what = `the delay node sent ${late} of ${packets} packets more than 1 ms late`;
  const said = describeLate({ packets, late, lagMaxUs: 3_250 });
  expect(said).toBe(`${what}, up to 3.25 ms; the machine ${why}`);
});

// SPDX-License-Identifier: MIT
// Goal: waiting with an end leaves no timer behind, which would keep the process alive, whatever
// becomes of what is waited for. Method: a clock that counts what is armed.
import { expect, test } from "vitest";
import type { Clock } from "../../../src/host/clock.ts";
import { within } from "../../../src/testbed/nodes/within.ts";

test.each([
  ["resolves", () => Promise.resolve()],
  ["is rejected", () => Promise.reject(new Error("lost"))],
])("no timer is left of a wait for what %s", async (_how, begin) => {
  let armed = 0;
  const clock: Pick<Clock, "after"> = {
    after: () => {
      armed += 1;
      return () => {
        armed -= 1;
      };
    },
  };
  const told = await within(clock as Clock, begin(), 60_000).then(
    () => "done",
    (error: Error) => error.message,
  );
  expect(["done", "lost"]).toContain(told);
  expect(armed).toBe(0);
});

// SPDX-License-Identifier: MIT
// B9: a wait with a deadline ends by it, in log time. Catches: a deadline that is never told to the
// host (`nextDeadlineUs` returning nothing), and one that is taken for an instant instead of a
// duration.
import { expect, it } from "vitest";
import { CoreDriver, init, initOnly, releases, wait } from "../../../src/testing/core-driver.ts";

it("B9 a wait ends at its deadline, not one microsecond before", () => {
  const core = new CoreDriver();
  core.pass(3_000_000);
  core.send("e", wait(1, { timeoutUs: 1_500_000 }));
  expect(core.service.nextDeadlineUs()).toBe(core.service.nowUs + 1_500_000);
  expect(releases(core.pass(1_499_999))).toEqual([]);
  expect(releases(core.tick(1))).toEqual([[1, "timeout", 0]]);
});

it("B9 a deadline of 0 ends the wait with the next entry", () => {
  const core = new CoreDriver();
  expect(releases(core.send("e", wait(1, { timeoutUs: 0 })))).toEqual([]);
  expect(core.service.nextDeadlineUs()).toBe(core.service.nowUs);
  expect(releases(core.tick(0))).toEqual([[1, "timeout", 0]]);
});

it("B9 a wait that timed out is taken back, and the rest may cross by that", () => {
  const core = new CoreDriver();
  core.send("e", init(1, 1), init(2, 1, { timeoutUs: 1_000_000 }), wait(3));
  expect(releases(core.pass(1_000_000))).toEqual([
    [2, "timeout", 0],
    [1, "crossed", 0],
    [3, "crossed", 0],
  ]);
});

it("B9 a barrier whose last party timed out is recorded as timed out", () => {
  const core = new CoreDriver();
  core.send("e", wait(1, { timeoutUs: 1_000_000 }));
  expect(core.pass(1_000_000).observed).toMatchObject([
    { kind: "barrier-closed", outcome: "timeout", participants: [{ left: true }] },
  ]);
});

it("B9 a wait without a deadline waits", () => {
  const core = new CoreDriver();
  core.send("e", wait(1));
  expect(releases(core.pass(60_000_000))).toEqual([]);
});

it("B9 a deadline that is not an integer from 0 up is refused", () => {
  const core = new CoreDriver();
  for (const timeoutUs of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    const { addressed } = core.send("e", wait(1, { timeoutUs }));
    expect(addressed[0]?.effect).toMatchObject({ kind: "refused", code: "invalid" });
  }
  expect(core.service.snapshot().scopes).toEqual([]);
});

it("B9 a deadline of a barrier that crossed does nothing to the next one of the name", () => {
  const core = new CoreDriver();
  core.send("e", wait(1, { timeoutUs: 1_000_000 }), initOnly(2, 1));
  core.send("e", wait(1));
  expect(releases(core.pass(5_000_000))).toEqual([]);
});

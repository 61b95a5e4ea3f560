// SPDX-License-Identifier: MIT
// B8: a crossed generation leaves behind only its bounded record: O(1) per name, bounded per scope,
// the oldest dropped first. Catches: a record that is never dropped (`close` without its bound),
// and a warning timer that outlives its barrier.
import { expect, it } from "vitest";
import { CoreDriver, effectsOf, init, initOnly, wait } from "../../../src/testing/core-driver.ts";

function cross(core: CoreDriver, barrier: string): number {
  const applied = core.send("e", wait(1, { barrier, timeoutUs: 9 }), init(2, 1, { barrier }));
  return effectsOf(applied, "released")[0]?.generation ?? 0;
}

it("B8 a thousand crossings leave no waiter, no timer and the last records only", () => {
  const core = new CoreDriver({ closedBarriersPerScopeMax: 3 });
  for (let index = 0; index < 1000; index += 1) cross(core, `b${index}`);
  const snapshot = core.service.snapshot();
  expect(snapshot.timers.rows).toEqual([]);
  expect(snapshot.scopes[0]?.counts).toEqual([]);
  const keys = snapshot.scopes[0]?.closed.map(({ key }) => key);
  expect(keys).toEqual(["count b997", "count b998", "count b999"]);
  expect(snapshot.edges.map(({ connections }) => connections)).toEqual([[]]);
  expect(core.service.nextDeadlineUs()).toBeUndefined();
});

it("B8 a name keeps counting its generations, in place of one record", () => {
  const core = new CoreDriver({ closedBarriersPerScopeMax: 3 });
  expect([1, 2, 3].map(() => cross(core, "b"))).toEqual([1, 2, 3]);
  expect(core.service.snapshot().scopes[0]?.closed).toHaveLength(1);
});

it("B8 a generation is never used twice, also when the record of the name was dropped", () => {
  const core = new CoreDriver({ closedBarriersPerScopeMax: 1 });
  const used = ["a", "b", "a", "b", "b", "a"].map((name) => [name, cross(core, name)] as const);
  const keys = used.map(([name, generation]) => `${name} ${generation}`);
  expect(new Set(keys).size).toBe(keys.length);
  const ofA = used.filter(([name]) => name === "a").map(([, generation]) => generation);
  expect(ofA).toEqual([...ofA].sort((a, b) => a - b));
});

it("B8 the parties that left are remembered for the record up to its bound", () => {
  const core = new CoreDriver({ namesInReportMax: 2 });
  core.send("e", initOnly(99, 1));
  for (let connection = 1; connection <= 9; connection += 1) {
    core.send("e", wait(connection, { barrier: "x" }), initOnly(99, 1));
    core.send("e", { kind: "leave", connection });
  }
  const closed = core.send("e", { kind: "cancel-all", scope: "s", error: 0 }).observed;
  const sizes = closed.map(
    (effect) => effect.kind === "barrier-closed" && effect.participants.length,
  );
  expect(sizes).toEqual([2]);
});

// SPDX-License-Identifier: MIT
// Goal: a failing run of a cluster is made small: nothing stays that the failure does not need, and
// what stays comes when it came. Method: runs whose failure is known, in place of real ones.
import { describe, expect, it } from "vitest";
import { differenceOf } from "../../src/testing/cluster/cluster-checker.ts";
import { drawFaults, generate } from "../../src/testing/cluster/generate.ts";
import type { Script } from "../../src/testing/cluster/script.ts";
import { shrink } from "../../src/testing/cluster/shrink.ts";

const whole = generate({ seed: 3, operations: 300, servers: 5, faults: drawFaults(3) });

function startsUs({ steps }: Script): ReadonlyMap<number, number> {
  let nowUs = 0;
  return new Map(
    steps.map(({ id, afterUs }) => {
      nowUs += afterUs;
      return [id, nowUs];
    }),
  );
}

/** Fails with K2 when all of these steps are there. */
function needing(...needed: readonly number[]) {
  let runs = 0;
  return {
    get runs() {
      return runs;
    },
    run: async ({ script }: { readonly script: Script }) => {
      runs += 1;
      const ids = new Set(script.steps.map(({ id }) => id));
      return { problems: needed.every((id) => ids.has(id)) ? ["K2 entry 7: ..."] : ["K7 ..."] };
    },
  };
}

describe("shrink()", () => {
  it("leaves the steps that break the same rule, at their instants, and no other fault or server", async () => {
    const { run } = needing(17, 140, 141, 299);
    const small = await shrink(whole, "K2", { run });
    expect(small.steps.map(({ id }) => id)).toEqual([17, 140, 141, 299]);
    expect(small).toMatchObject({ faults: {}, servers: 1 });
    const before = startsUs(whole);
    for (const [id, atUs] of startsUs(small)) expect(atUs).toBe(before.get(id));
  });

  it("runs no more often than it may", async () => {
    const fake = needing(17);
    const small = await shrink(whole, "K2", { run: fake.run, runsMax: 5 });
    expect(fake.runs).toBe(5);
    expect(small.steps.length).toBeGreaterThan(1);
  });
});

describe("a violation of K2", () => {
  it.each([
    ["a\nb  \nc\n", "a\nc\n", "[b], should say []"],
    ["a \n", "a \nb\n", "[], should say [b]"],
    ["a 1\n", "a 2\n", "[a 1], should say [a 2]"],
    ["a\nb\n", "b\na\n", "[a; b], should say [b; a]"],
    ["a\na\n", "a\n", "[a; a], should say [a]"],
  ])("tells %j from %j by what differs, in a line", (said, should, text) => {
    expect(differenceOf(said, should)).toBe(text);
  });
});

// SPDX-License-Identifier: MIT
// Goal: a run can be repeated by the line it prints. Method: lines against arguments.
import { describe, expect, it } from "vitest";
import {
  type RunArguments,
  repeatCommandLine,
  stuckAfterDefault,
} from "../../../src/cli/commands/run-arguments.ts";

const plain: RunArguments = {
  ...{ file: "a b.ns", duration: 0, stuckAfter: stuckAfterDefault, repeat: 3 },
  ...{ set: ["N=1", "N=2"], limit: [], out: "o", json: true, junit: "j.xml" },
};

describe("repeatCommandLine()", () => {
  it("has the seed and the settings of this run only, and not where results go", () => {
    expect(repeatCommandLine(plain, { seed: 8, set: ["N=2"] }, {})).toBe(
      "muster run 'a b.ns' --seed 8 --set N=2",
    );
  });

  it("has everything that decides what happens", () => {
    const limit = ["edgesMax=5"];
    const nodes = "process" as const;
    const given = { ...plain, duration: 9, stuckAfter: 0.5, limit, nodes, pid: "p", eid: "it's" };
    expect(
      repeatCommandLine(given, { seed: 1, set: ["opt(X)=$y"] }, { MUSTER_NODES: "environment" }),
    ).toBe(
      "MUSTER_NODES=environment muster run 'a b.ns' --seed 1 --duration 9 --stuck-after 0.5 " +
        "--set 'opt(X)=$y' --limit edgesMax=5 --nodes process --pid p --eid 'it'\\''s'",
    );
  });
});

// SPDX-License-Identifier: MIT
// Goal: whatever breaks in a cluster of servers, all agree, nobody is released early, everybody
// hears once, nothing acknowledged is lost and nothing hangs. Method: fixed seeds through the
// simulator of clusters, and every run that once failed (regressions.json). That it finds mistakes
// when there are some: cluster-mutants.test.ts. `npm run simulate` runs more of them.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runScript } from "../../src/testing/cluster/cluster-run.ts";
import { drawFaults, generate } from "../../src/testing/cluster/generate.ts";
import type { FaultRates, Script } from "../../src/testing/cluster/script.ts";

const operations = 200;
const servers = 5;

function scriptOf(seed: number, faults: FaultRates = drawFaults(seed)): Script {
  return generate({ seed, operations, servers, faults });
}

interface Regression {
  readonly why: string;
  readonly script: Script;
}

const regressions = JSON.parse(
  readFileSync(join(import.meta.dirname, "regressions.json"), "utf8"),
) as readonly Regression[];

describe("runScript()", () => {
  it("gives the same run to the last line when the script is the same", async () => {
    const runs = [];
    for (let run = 0; run < 2; run += 1) {
      const lines: string[] = [];
      const script = scriptOf(4);
      const result = await runScript({ script, onLine: (line) => lines.push(line) });
      runs.push({ result, lines });
    }
    expect(runs[0]?.lines.length).toBeGreaterThan(operations);
    expect(runs[1]).toEqual(runs[0]);
  });

  it("has no fault unless asked, and then answers everybody who stays", async () => {
    const { problems, struck, crossings } = await runScript({ script: scriptOf(5, {}) });
    expect({ problems, struck }).toEqual({ problems: [], struck: {} });
    expect(crossings).toBeGreaterThan(5);
  });

  it("holds for the seeds with the faults they draw", async () => {
    const struck = new Set<string>();
    for (let seed = 1; seed <= 8; seed += 1) {
      const result = await runScript({ script: scriptOf(seed) });
      expect(result.problems, `seed ${seed}`).toEqual([]);
      for (const fault of Object.keys(result.struck)) struck.add(fault);
    }
    expect(struck.size).toBeGreaterThan(10);
  });

  it.each(regressions)("holds where it once did not: $why", async ({ script }) => {
    const { problems } = await runScript({ script });
    expect(problems).toEqual([]);
  });
});

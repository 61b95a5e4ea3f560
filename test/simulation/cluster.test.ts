// SPDX-License-Identifier: MIT
// Goal: whatever breaks in a cluster of servers, all agree, nobody is released early, everybody
// hears once, nothing acknowledged is lost and nothing hangs. Method: fixed seeds through the
// simulator of clusters, and every run that once failed (regressions.json). That it finds mistakes
// when there are some: cluster-mutants.test.ts. `npm run simulate` runs more of them.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { httpTime } from "../../src/edges/http-time.ts";
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

  it("gives the same run where the machine lets it wait for longer than a door would", async () => {
    const asked = { do: "ask", barrier: "b", ask: { what: "count-init", count: 0, waits: true } };
    const pause = { do: "break", fault: "pause", session: 1, forMs: 100 };
    const script = {
      ...{ seed: 1, servers: 2, faults: { delay: 1 } },
      steps: [
        { ...asked, by: { door: "http", server: 0 }, error: 0, id: 1, afterUs: 0 },
        { ...pause, server: 0, id: 2, afterUs: 1 },
      ],
    } as Script;
    const traces: string[][] = [];
    for (const stopMs of [0, 1.3 * httpTime.headMs]) {
      const word = new Int32Array(new SharedArrayBuffer(4));
      // The head of a request is on its way to the server, which has its connection.
      const lines: string[] = [];
      const onLine = (line: string): void => {
        lines.push(line);
        if (line.includes(" n0 is stopped")) Atomics.wait(word, 0, 0, stopMs);
      };
      const { problems } = await runScript({ script, onLine });
      expect(problems).toEqual([]);
      traces.push(lines);
    }
    expect(traces[1]).toEqual(traces[0]);
  });

  it("has no fault unless asked, and then answers everybody who stays", async () => {
    const { problems, struck, crossings } = await runScript({ script: scriptOf(5, {}) });
    expect({ problems, struck }).toEqual({ problems: [], struck: {} });
    expect(crossings).toBeGreaterThan(5);
  });

  it("ends what is left in each scope where there is one server alone", async () => {
    for (let seed = 1; seed <= 3; seed += 1) {
      const script = generate({ seed, operations, servers: 1, faults: drawFaults(seed) });
      const { problems } = await runScript({ script });
      expect(problems, `seed ${seed}`).toEqual([]);
    }
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

  it("holds where servers start behind snapshots, and the log is cut", async () => {
    const seen = { begun: 0, cut: 0, died: 0 };
    const ofSnapshots = { snapshots: 1, "slow-snapshots": 1, "lose-snapshots": 0.03 };
    const strikes = { "crash-snapshot": 0.02, "damage-snapshot": 0.01, crash: 0.02 };
    for (let seed = 1; seed <= 3; seed += 1) {
      const faults = { ...ofSnapshots, ...strikes };
      const script = generate({ seed, servers, operations: 300, faults });
      const onLine = (line: string): void => {
        if (line.includes("goes on behind the snapshot")) seen.begun += 1;
        if (line.includes("log begins with entry")) seen.cut += 1;
        if (line.includes("dies while it writes a snapshot")) seen.died += 1;
      };
      const { problems } = await runScript({ script, onLine });
      expect(problems, `seed ${seed}`).toEqual([]);
    }
    expect(Math.min(seen.begun, seen.cut, seen.died), JSON.stringify(seen)).toBeGreaterThan(0);
  });

  it("holds where who loses its server asks another one at once with the same id", async () => {
    const seen = { again: 0, cut: 0, lost: 0 };
    const faults = { delay: 1, crash: 0.03, pause: 0.02, "cut-log": 0.01, "slow-log": 1 };
    for (let seed = 1; seed <= 3; seed += 1) {
      const script = generate({ seed, servers, operations: 800, faults });
      const onLine = (line: string): void => {
        if (/ c\d+ asks n\d again/.test(line)) seen.again += 1;
        if (/ c\d+ its connection is cut/.test(line)) seen.cut += 1;
        if (/ c\d+ has lost its request/.test(line)) seen.lost += 1;
      };
      const { problems } = await runScript({ script, onLine });
      expect(problems, `seed ${seed}`).toEqual([]);
    }
    expect(Math.min(...Object.values(seen)), JSON.stringify(seen)).toBeGreaterThan(3);
  });

  it("answers everybody who stays at the controllers of a tree, which meet", async () => {
    const { problems, struck, crossings } = await runScript({ script: scriptOf(5, { trees: 1 }) });
    expect(problems).toEqual([]);
    expect(Object.keys(struck)).toEqual(["trees"]);
    expect(crossings).toBeGreaterThan(5);
  });

  it("holds for controllers whose links are cut and slow, and whose servers die", async () => {
    const seen = { joined: 0, cut: 0, back: 0, crossings: 0 };
    const ofTrees = { trees: 1, "cut-tree": 0.02, "part-tree": 0.01, delay: 1 };
    for (let seed = 1; seed <= 4; seed += 1) {
      const script = scriptOf(seed, { ...ofTrees, crash: 0.008, pause: 0.008 });
      const onLine = (line: string): void => {
        if (line.includes("has joined")) seen.joined += 1;
        if (line.includes("its link is cut")) seen.cut += 1;
        if (/controller \w+ is back/.test(line)) seen.back += 1;
      };
      const { problems, crossings } = await runScript({ script, onLine });
      expect(problems, `seed ${seed}`).toEqual([]);
      seen.crossings += crossings;
    }
    expect(Math.min(...Object.values(seen)), JSON.stringify(seen)).toBeGreaterThan(3);
  });

  it("holds for controllers one of whose servers reaches none above, and passes the link on", async () => {
    const seen = { cut: 0, passed: 0, crossings: 0 };
    const faults = { trees: 1, "cut-uplink": 0.02, "part-tree": 0.005, delay: 1 };
    for (let seed = 1; seed <= 2; seed += 1) {
      const script = generate({ seed, servers, operations: 600, faults });
      const onLine = (line: string): void => {
        if (line.includes("reaches no controller above")) seen.cut += 1;
        if (line.includes("another one of its log is to try")) seen.passed += 1;
      };
      const { problems, crossings } = await runScript({ script, onLine });
      expect(problems, `seed ${seed}`).toEqual([]);
      seen.crossings += crossings;
    }
    expect(Math.min(...Object.values(seen)), JSON.stringify(seen)).toBeGreaterThan(3);
  });

  it.each(regressions)("holds where it once did not: $why", async ({ script }) => {
    const { problems } = await runScript({ script });
    expect(problems).toEqual([]);
  });
});

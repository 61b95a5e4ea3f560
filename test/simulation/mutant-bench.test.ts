// SPDX-License-Identifier: MIT
// Goal: a planted mistake counts as found when a rule is broken or a test fails by it, and not when
// what was planted is no program. Method: mistakes of each kind are planted in a small file, for
// its test, and in one of the core, for the simulation; and what single ends of runs mean.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { judgeSimulation, judgeTests } from "../../tools/mutant-verdict.ts";
import { type Mutant, MutantBench } from "../../tools/mutants.ts";

let bench: MutantBench;
beforeAll(() => {
  bench = new MutantBench();
});
afterAll(() => bench.dispose());

const line = "  let lines = 0;\n";
function planted(replace: string): Mutant {
  const by = "test/unit/host/calm-logger.test.ts";
  return { name: "planted", file: "src/host/calm-logger.ts", find: line, replace, by };
}

function inCore(replace: string): Mutant {
  const find = "return this.count === 0;";
  const file = "src/core/barriers/count-barrier.ts";
  return { name: "planted", file, find, replace, by: "simulation" };
}

describe("MutantBench", () => {
  it("finds a mistake by the test that fails, and none where none is", async () => {
    const wrong = planted(`${line}  lines = 1;\n`);
    expect(await bench.run(wrong)).toContain("AssertionError");
    expect(await bench.run(planted(`${line}  void lines;\n`))).toBeUndefined();
    expect(await bench.isGreen(wrong.by)).toBeUndefined();
  });

  it.each([
    ["cannot be read", "  let lines = = 0;\n"],
    ["has names that are nowhere", `${line}  lines += nowhere;\n`],
    ["imports what is not there", `${line}}\nimport "./nowhere.ts";\nfunction rest() {\n`],
  ])("does not take for a mistake what %s", async (_, text) => {
    await expect(bench.run(planted(text))).rejects.toThrow("is no program");
  });

  it("does the same in the simulation", async () => {
    expect(await bench.run(inCore("return this.count <= 0;"))).toMatch(/^seed \d+: /);
    await expect(bench.run(inCore("return nowhere;"))).rejects.toThrow("is no program");
    await expect(bench.run(inCore("return ) 0;"))).rejects.toThrow("is no program");
  });
});

describe("the end of a run", () => {
  const found = { code: 10, isEndless: false, output: "seed 3: K3 n1 has stopped\n" };

  it("of the simulation has found what the row says", () => {
    expect(judgeSimulation(found)).toEqual({ kind: "found", reason: "seed 3: K3 n1 has stopped" });
    expect(judgeSimulation(found, "K3").kind).toBe("found");
    expect(judgeSimulation(found, "K6").kind).toBe("missed");
    expect(judgeSimulation({ ...found, code: 0 }).kind).toBe("missed");
    expect(judgeSimulation({ ...found, code: null, isEndless: true }).kind).toBe("found");
    expect(judgeSimulation({ ...found, code: 1 }).kind).toBe("no-program");
    expect(judgeSimulation({ ...found, output: "" }).kind).toBe("no-program");
  });

  it("of tests has found something when one of them, or what is around them, failed", () => {
    const run = { code: 1, isEndless: false, output: "" };
    const report = (message: string, failureMessages: readonly string[], status = "failed") =>
      JSON.stringify({
        testResults: [{ message, assertionResults: [{ status, failureMessages }] }],
      });
    const kindOf = (text: string, output = ""): string =>
      judgeTests({ ...run, output, report: text }).kind;
    expect(kindOf(report("", ["AssertionError: expected 1 to be 2"]))).toBe("found");
    expect(kindOf(report("", ["ReferenceError: a is not defined"]))).toBe("no-program");
    expect(kindOf(report("hook timed out", [], "pending"))).toBe("found");
    expect(kindOf(report("", [], "passed"), "Unhandled Rejection")).toBe("found");
    expect(kindOf(report("", [], "passed"))).toBe("no-program");
    expect(kindOf(JSON.stringify({ testResults: [] }), "Unhandled Error")).toBe("no-program");
    expect(judgeTests(run).kind).toBe("no-program");
  });
});

// SPDX-License-Identifier: MIT
// Goal: limits of agents at the limit and one past it, where no other test has them. Method: the
// shipped parts on files of their own.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseProgramAgentArguments } from "../../../src/cli/compat/program-agent-arguments.ts";
import { readConfig } from "../../../src/cli/compat/program-agent-setup.ts";
import type { TrafficFlow } from "../../../src/experiment/model.ts";
import { describeError } from "../../../src/testbed/agents/error-details.ts";
import { programLimits } from "../../../src/testbed/agents/program-limits.ts";
import { applyArgs } from "../../../src/testbed/agents/program-settings.ts";
import { reportLimits } from "../../../src/testbed/agents/report-limits.ts";
import { TrafficAgent } from "../../../src/testbed/agents/trafgen/traffic-agent.ts";
import { trafficLimits } from "../../../src/testbed/agents/trafgen/traffic-limits.ts";
import { FakeClock } from "../record/fake-clock.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "agent-limits-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe("what an error record shows of a program's output", () => {
  async function shown(text: string): Promise<string | undefined> {
    const logs = join(folder, "logs/n0/local/logs");
    mkdirSync(logs, { recursive: true });
    writeFileSync(join(logs, "p.status.7"), "EXIT_CODE=3\n");
    writeFileSync(join(logs, "p.out.7"), text);
    const record = { object: "p", type: "PROGRAM", token: 7, error: 3, text: "" };
    const { parts } = await describeError(record, { experiment: folder, nodeOf: () => "n0" });
    const [out] = parts;
    return out?.kind === "tail" ? out.text : undefined;
  }

  const lines = (count: number): string =>
    Array.from({ length: count }, (_none, index) => `line ${index}\n`).join("");

  it("is tailLinesMax lines from its end", async () => {
    const { tailLinesMax } = reportLimits;
    expect(await shown(lines(tailLinesMax))).toContain("line 0");
    const past = await shown(lines(tailLinesMax + 1));
    expect(past).not.toContain("line 0\n");
    expect(past).toContain("line 1\n");
  });

  it("is tailBytesMax bytes from its end", async () => {
    const { tailBytesMax } = reportLimits;
    expect(await shown(`b${"x".repeat(tailBytesMax - 1)}`)).toMatch(/^b/);
    expect(await shown(`b${"x".repeat(tailBytesMax)}`)).toMatch(/^x/);
  });
});

describe("a configuration of program-agent", () => {
  const read = (text: string) => {
    const file = join(folder, "config");
    writeFileSync(file, text);
    const given = parseProgramAgentArguments(["-e", "p/e", "-c", file], "");
    if (given.kind === "exit") throw new Error(given.stderr);
    return readConfig(given);
  };

  it("has at most configBytesMax bytes", () => {
    const { configBytesMax } = programLimits;
    const agent = "AGENT=p COMMAND='true'\n";
    expect(read(agent.padEnd(configBytesMax, "\n")).programs).toHaveLength(1);
    expect(() => read(agent.padEnd(configBytesMax + 1, "\n"))).toThrow("configBytesMax");
  });
});

describe("a tag", () => {
  it("has at most tagCharactersMax characters", () => {
    const settings = {
      ...{ command: "x", directory: "", timeoutSeconds: 0, expectedExitCode: 0, tag: "" },
    };
    const tag = "t".repeat(programLimits.tagCharactersMax);
    expect(applyArgs(settings, { tag }).settings.tag).toBe(tag);
    const past = applyArgs(settings, { tag: `${tag}t` });
    expect(past.settings.tag).toBe("");
    expect(past.warning).toContain(String(programLimits.tagCharactersMax));
  });
});

describe("a traffic agent", () => {
  it("has at most flowsMax flows", () => {
    const end = { name: "e", node: "n", port: 1, address: "" };
    const flow = (index: number): TrafficFlow => ({
      ...{ name: `f${index}`, kind: "cbr", protocol: "udp", source: end, sink: end },
      ...{ packetBytes: 1, rateBps: undefined, intervalSeconds: undefined, tos: undefined },
      at: { file: "", line: 1, column: 1 },
    });
    const { flowsMax } = trafficLimits;
    const flows = Array.from({ length: flowsMax + 1 }, (_none, index) => flow(index));
    const agent = new TrafficAgent({ flows, clock: new FakeClock(), locate: () => "nowhere" });
    expect(agent.knows(`f${flowsMax - 1}`)).toBe(true);
    expect(agent.knows(`f${flowsMax}`)).toBe(false);
  });
});

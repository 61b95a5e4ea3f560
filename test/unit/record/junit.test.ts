// SPDX-License-Identifier: MIT
// Goal: the JUnit file is XML that others can read. Method: Python's own XML parser reads it back.
import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { escapeXml, renderJunit } from "../../../src/testbed/record/junit.ts";
import { createResultBuilder } from "../../../src/testbed/record/result.ts";
import type { RunEvent } from "../../../src/testbed/run-event.ts";
import { goodStory, makeExperiment, Story } from "./synthetic-run.ts";

interface ParsedCase {
  readonly name: string;
  readonly group: string;
  readonly time: string;
  readonly failure: { readonly message: string; readonly text: string } | null;
  readonly skipped: boolean;
}

const reader = `
import json, sys, xml.etree.ElementTree as tree
root = tree.fromstring(sys.stdin.buffer.read())
suite = root.find("testsuite")
def case(c):
    f = c.find("failure")
    return {"name": c.get("name"), "group": c.get("classname"), "time": c.get("time"),
            "failure": None if f is None else {"message": f.get("message"), "text": f.text},
            "skipped": c.find("skipped") is not None}
json.dump({"tag": root.tag, "attributes": suite.attrib,
           "properties": {p.get("name"): p.get("value") for p in suite.iter("property")},
           "cases": [case(c) for c in suite.findall("testcase")]}, sys.stdout)
`;

function readBack(events: readonly RunEvent[]): {
  tag: string;
  attributes: Record<string, string>;
  properties: Record<string, string>;
  cases: ParsedCase[];
} {
  const builder = createResultBuilder({ experiment: makeExperiment() });
  for (const event of events) builder.add(event);
  const input = Buffer.from(renderJunit(builder.build()));
  return JSON.parse(execFileSync("python3", ["-c", reader], { input }).toString());
}

describe("renderJunit()", () => {
  it("has a case for the run, each program and each barrier", () => {
    const suite = readBack(goodStory().events);
    expect(suite.tag).toBe("testsuites");
    expect(suite.attributes).toEqual({
      name: "demo/five",
      tests: "4",
      failures: "0",
      errors: "0",
      skipped: "0",
      time: "2.100500",
      timestamp: "2023-11-14T22:13:20.000Z",
      id: "0",
    });
    expect(suite.properties).toMatchObject({ seed: "7", runId: "r-1", endedBy: "idle" });
    expect(suite.cases).toEqual([
      { name: "run", group: "demo/five.run", time: "2.100500", failure: null, skipped: false },
      {
        name: "web on node0",
        group: "demo/five.programs",
        time: "1.999900",
        failure: null,
        skipped: false,
      },
      {
        name: "load on node1",
        group: "demo/five.programs",
        time: "2.099850",
        failure: null,
        skipped: false,
      },
      {
        name: "ready",
        group: "demo/five.barriers",
        time: "0.001000",
        failure: null,
        skipped: false,
      },
    ]);
  });

  it("fails the case of what failed, and skips what never started", () => {
    const story = new Story()
      .start(["node0"], { programs: [{ name: "idle", node: "node0" }] })
      .program(0, 100, { exitCode: 2, stderrTail: "first\nlast" })
      .barrier(200, { outcome: "timeout", missing: ["node7"], generation: 3 })
      .end(300, { endedBy: "interrupt" });
    const suite = readBack(story.events);
    expect(suite.attributes).toMatchObject({ tests: "4", failures: "3", skipped: "1" });
    const [run, web, idle, ready] = suite.cases;
    expect(run?.failure?.message).toBe("the run was interrupted before it ended");
    expect(web?.failure?.message).toBe("program web on node0 exited with 2, expected 0");
    expect(web?.failure?.text).toContain("last lines of standard error:\nfirst\nlast");
    expect(idle).toMatchObject({ name: "idle on node0", skipped: true, failure: null });
    expect(ready?.name).toBe("ready (generation 3)");
    expect(ready?.failure?.message).toBe(
      "barrier ready timed out: 2 of 2 arrived (node0, node1); missing: node7",
    );
  });

  it("survives hostile names and output", () => {
    const hostile = `<b>&amp;"'\u{0}\u{1b}[31m\u{ffff}\u{d800}]]>\t\n\r\u{1f600}`;
    const story = new Story()
      .start([hostile], { experiment: hostile, file: hostile, out: hostile, runId: hostile })
      .program(0, 9, { name: hostile, node: hostile, exitCode: 1, stderrTail: hostile })
      .barrier(9, { name: hostile, outcome: "failed", missing: [hostile] })
      .end(10, {
        error: { code: hostile, message: hostile },
        endedBy: "failure",
      });
    const shown = `<b>&amp;"'\u{fffd}\u{fffd}[31m\u{fffd}\u{fffd}]]>\t\n\n\u{1f600}`;
    const suite = readBack(story.events);
    expect(suite.attributes["name"]).toBe(shown);
    expect(suite.properties["file"]).toBe(shown);
    expect(suite.cases.map((one) => one.name)).toEqual(["run", `${shown} on ${shown}`, shown]);
    expect(suite.cases[1]?.failure?.text?.endsWith(shown)).toBe(true);
  });
});

describe("escapeXml()", () => {
  it("leaves nothing that XML 1.0 forbids", () => {
    let all = "";
    for (let code = 0; code <= 0x2_ffff; code += 1) all += String.fromCodePoint(code);
    const text = Buffer.from(`<x>${escapeXml(all)}</x>`);
    const length = `
import sys, xml.etree.ElementTree as tree
print(len(tree.fromstring(sys.stdin.buffer.read().decode("utf-8")).text))`;
    const shown = execFileSync("python3", ["-c", length], { input: text }).toString();
    // A carriage return followed by a line feed does not occur in the text, so nothing is merged.
    expect(Number(shown)).toBe([...all.toWellFormed()].length);
  });
});

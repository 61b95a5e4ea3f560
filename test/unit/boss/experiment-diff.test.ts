// SPDX-License-Identifier: MIT
// Goal: what is different between two experiments is found by name and content, and nothing else
// counts. Method: experiments read from files, so that the model is the real one.
import { describe, expect, it } from "vitest";
import { diffExperiments, isSameExperiment } from "../../../src/boss/experiment-diff.ts";
import { type Experiment, parseNsFile } from "../../../src/experiment/index.ts";

const nothing = { added: [], removed: [], changed: [] };

function read(body: string, eid = "exp"): Experiment {
  const text = `set ns [new Simulator]\nsource tb_compat.tcl\n${body}\n$ns run\n`;
  const { experiment, diagnostics } = parseNsFile(text, { file: "a.ns", pid: "pp", eid });
  if (experiment === undefined) throw new Error(JSON.stringify(diagnostics));
  return experiment;
}

const node = (name: string): string => `set ${name} [$ns node]`;
const program = (name: string, on: string, command: string): string =>
  `set ${name} [$${on} program-agent -command "${command}"]`;
const base = [
  node("a"),
  node("b"),
  "set l0 [$ns duplex-link $a $b 10Mb 5ms DropTail]",
  program("p", "a", "true"),
].join("\n");

describe("diffExperiments()", () => {
  it("finds nothing when only places, order of lines and names of the experiment differ", () => {
    const diff = diffExperiments(read(base), read(`\n\n# moved\n${base}`, "other"));
    expect(diff).toEqual({
      nodes: { ...nothing, unchanged: ["a", "b"] },
      links: { ...nothing, unchanged: ["l0"] },
      programs: { ...nothing, unchanged: ["p"] },
      restChanged: false,
    });
    expect(isSameExperiment(diff)).toBe(true);
  });

  it("names what came and what went", () => {
    const more = read(`${base}\n${node("c")}\n${program("q", "c", "date")}`);
    const came = diffExperiments(read(base), more);
    expect(came.nodes).toEqual({ ...nothing, added: ["c"], unchanged: ["a", "b"] });
    expect(came.programs).toEqual({ ...nothing, added: ["q"], unchanged: ["p"] });
    const went = diffExperiments(more, read(base));
    expect(went.nodes).toEqual({ ...nothing, removed: ["c"], unchanged: ["a", "b"] });
    expect(went.programs).toEqual({ ...nothing, removed: ["q"], unchanged: ["p"] });
    expect(isSameExperiment(went)).toBe(false);
  });

  it("tells a changed program, node and link from those that stay", () => {
    const changed = base
      .replace('"true"', '"false"')
      .replace("10Mb", "1Mb")
      .replace(node("b"), `${node("b")}\ntb-set-node-os $b FBSD-STD`);
    const { nodes, links, programs } = diffExperiments(read(base), read(changed));
    expect(nodes).toEqual({ ...nothing, changed: ["b"], unchanged: ["a"] });
    expect(links).toEqual({ ...nothing, changed: ["l0"], unchanged: [] });
    expect(programs).toEqual({ ...nothing, changed: ["p"], unchanged: [] });
  });

  it.each([
    ["an event", `${base}\n$ns at 5 "$p start"`],
    ["the environment", `${base}\nset opt(SIZE) 5`],
    ["the sync server", `${base}\ntb-set-sync-server $b`],
  ])("says that the rest has changed for %s", (_what, after) => {
    const diff = diffExperiments(read(base), read(after));
    expect(diff.restChanged).toBe(true);
    expect(diff.nodes).toEqual({ ...nothing, unchanged: ["a", "b"] });
  });
});

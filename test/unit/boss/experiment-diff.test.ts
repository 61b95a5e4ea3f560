// SPDX-License-Identifier: MIT
// Goal: what is different between two experiments is found by name and content, and nothing else
// counts. Method: experiments read from files, so that the model is the real one.
import { describe, expect, it } from "vitest";
import { diffExperiments, isUnchanged, saysTheSame } from "../../../src/boss/experiment-diff.ts";
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
    expect(diff).toMatchObject({
      nodes: { ...nothing, unchanged: ["a", "b"] },
      links: { ...nothing, unchanged: ["l0"] },
      programs: { ...nothing, unchanged: ["p"] },
    });
    expect(Object.values(diff).every(isUnchanged)).toBe(true);
  });

  it("names what came and what went", () => {
    const more = read(`${base}\n${node("c")}\n${program("q", "c", "date")}`);
    const came = diffExperiments(read(base), more);
    expect(came.nodes).toEqual({ ...nothing, added: ["c"], unchanged: ["a", "b"] });
    expect(came.programs).toEqual({ ...nothing, added: ["q"], unchanged: ["p"] });
    const went = diffExperiments(more, read(base));
    expect(went.nodes).toEqual({ ...nothing, removed: ["c"], unchanged: ["a", "b"] });
    expect(went.programs).toEqual({ ...nothing, removed: ["q"], unchanged: ["p"] });
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

  it("names variables, groups, sequences and timelines", () => {
    const more = [
      `${base}\nset opt(SIZE) 5\nset g [new EventGroup $ns]\n$g add $p`,
      "set s [$ns event-sequence { $p run }]",
      'set t [$ns event-timeline]\n$t at 1 "$p start"',
    ].join("\n");
    const { environment, groups, sequences, timelines } = diffExperiments(read(base), read(more));
    const added = [environment, groups, sequences, timelines].map((one) => one.added);
    expect(added).toEqual([["SIZE"], ["g"], ["s"], ["t"]]);
  });

  it("takes an event for the same wherever it stands in the file", () => {
    const early = read(`${base}\n$ns at 5 "$p start"`);
    const late = read(`${base}\n$ns at 1 "$p stop"\n$ns at 5 "$p start"`);
    expect(saysTheSame(early.events[0], late.events[1])).toBe(true);
    expect(saysTheSame(early.events[0], late.events[0])).toBe(false);
  });
});

// SPDX-License-Identifier: MIT
// Goal: the plan of a modification names what comes, goes and is started anew, and nothing else;
// what a running experiment cannot become is refused by its name. Method: experiments from files.
import { describe, expect, it } from "vitest";
import { planModification } from "../../../src/boss/modify-plan.ts";
import { type Experiment, parseNsFile } from "../../../src/experiment/index.ts";

function read(lines: readonly string[]): Experiment {
  const text = ["set ns [new Simulator]", "source tb_compat.tcl", ...lines, "$ns run"].join("\n");
  const { experiment, diagnostics } = parseNsFile(text, { file: "a.ns", pid: "pp", eid: "ee" });
  if (experiment === undefined) throw new Error(JSON.stringify(diagnostics));
  return experiment;
}

const node = (name: string): string => `set ${name} [$ns node]`;
const program = (name: string, on = "b", command = "true"): string =>
  `set ${name} [$${on} program-agent -command "${command}"]`;
const base = [
  ...[node("a"), node("b"), "tb-set-sync-server $a"],
  ...[program("p", "a"), program("q"), '$ns at 0 "$p start"', '$ns at 1 "$q start"'],
];

function planned(before: readonly string[], after: readonly string[]) {
  const plan = planModification(read(before), read(after));
  if (plan.kind === "refused") throw new Error(plan.reasons.join());
  const { nodes, programs, events } = plan.modification;
  return {
    nodes,
    programs,
    events: events.map(({ object, event, atUs }) => `${Number(atUs) / 1e6} ${object} ${event}`),
  };
}

function refused(after: readonly string[], before: readonly string[] = base): readonly string[] {
  const plan = planModification(read(before), read(after));
  return plan.kind === "refused" ? plan.reasons : [];
}

const nothing = { added: [], removed: [], restarted: [] };

describe("planModification()", () => {
  it("refuses instances of a Testground plan, before and after", () => {
    const groups = [{ name: "g", instances: 1, role: "", params: [] }];
    const plan = { ...read(base), testground: { plan: "p", testCase: "c", groups } };
    const reasons = [expect.stringContaining("instances of a Testground plan cannot be modified")];
    expect(planModification(plan, read(base))).toEqual({ kind: "refused", reasons });
    expect(planModification(read(base), plan)).toEqual({ kind: "refused", reasons });
  });

  it("plans nothing where only places differ", () => {
    const plan = planned(base, ["# moved", "", ...base]);
    expect(plan).toEqual({ nodes: nothing, programs: nothing, events: [] });
  });

  it("starts what is added by its events, whatever else is in the file", () => {
    const plan = planned(base, [...base, node("c"), program("r", "c"), '$ns at 7 "$r start"']);
    expect(plan).toEqual({
      nodes: { ...nothing, added: ["c"] },
      programs: { ...nothing, added: ["r"] },
      events: ["7 r START"],
    });
  });

  it("takes a removed node's programs and their events away with it", () => {
    const more = [...base, node("c"), program("r", "c"), '$ns at 7 "$r start"'];
    const plan = planned(more, base);
    expect(plan.nodes.removed).toEqual(["c"]);
    expect(plan.programs).toEqual({ ...nothing, removed: ["r"] });
  });

  it("starts a changed program anew, with its events, also those it has by a group", () => {
    const group = ["set g [new EventGroup $ns]", "$g add $q", '$ns at 2 "$g start"'];
    const after = [...base.slice(0, 4), program("q", "b", "false"), ...base.slice(5), ...group];
    const plan = planned([...base, ...group], after);
    expect(plan.programs).toEqual({ ...nothing, restarted: ["q"] });
    expect(plan.events).toEqual(["1 q START", "2 q START"]);
  });

  it("keeps sequences and timelines whose programs change, and not those that say otherwise", () => {
    const inner = [
      "set s [$ns event-sequence { $q run }]",
      "set t [$ns event-timeline]",
      '$t at 3 "$q start"',
    ];
    const changed = (more: readonly string[]): readonly string[] => [
      ...base.slice(0, 4),
      program("q", "b", "false"),
      ...base.slice(5),
      ...more,
    ];
    expect(planned([...base, ...inner], changed(inner)).programs.restarted).toEqual(["q"]);
    const [sequence = "", ...timeline] = inner;
    const other = sequence.replace("run", 'run -command "yes"');
    const reasons = refused(changed([other, ...timeline]), [...base, ...inner]);
    expect(reasons).toEqual(["sequence s is changed"]);
  });

  it("starts a changed node anew with all of its programs", () => {
    const plan = planned(base, [...base, "tb-set-node-os $b FBSD-STD"]);
    expect(plan.nodes).toEqual({ ...nothing, restarted: ["b"] });
    expect(plan.programs).toEqual({ ...nothing, restarted: ["q"] });
    expect(plan.events).toEqual(["1 q START"]);
  });

  it("starts a program that moved anew", () => {
    const plan = planned(base, [...base.slice(0, 4), program("q", "a"), ...base.slice(5)]);
    expect(plan.programs.restarted).toEqual(["q"]);
  });

  it.each([
    ["a link", [...base, "set l [$ns duplex-link $a $b 1Mb 5ms DropTail]"], "link l is added"],
    ["a variable", [...base, "set opt(X) 1", "set opt(Y) 2"], "variables X, Y are added"],
    ["a sequence", [...base, "set s [$ns event-sequence { $q run }]"], "sequence s is added"],
    ["a timeline", [...base, "set t [$ns event-timeline]"], "timeline t is added"],
    ["an event", [...base, '$ns at 9 "$q stop"'], "the events of q are changed"],
    ["the time of an event", base.map((line) => line.replace("at 1", "at 2")), "the events of q"],
    ["a message", [...base, '$ns at 9 "$ns log x"'], "the events of ns are changed"],
    ["the server's node", [...base, "tb-set-node-os $a FBSD-STD"], "node a is changed, and runs"],
    [
      "the server",
      base.map((line) => line.replace("server $a", "server $b")),
      "the sync server is on a and would be on b; it stays where it is: name a in the file",
    ],
  ])("refuses %s", (_what, after, reason) => {
    const [first, ...others] = refused(after);
    expect(first).toContain(reason);
    expect(others).toEqual([]);
  });

  it("names everything that stands in the way at once", () => {
    expect(refused([...base, "set opt(X) 1", '$ns at 9 "$q stop"'])).toHaveLength(2);
  });

  it("refuses a server that would move because of a name", () => {
    const open = base.filter((line) => !line.includes("sync-server"));
    expect(refused([node("A"), ...open], open)[0]).toContain("is on a and would be on A");
  });
});

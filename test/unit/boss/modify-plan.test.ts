// SPDX-License-Identifier: MIT
// Goal: the plan of a modification names what comes, goes and is started anew, and nothing else;
// what a running experiment cannot become is refused by its name. Method: experiments from files.
import { describe, expect, it } from "vitest";
import { planModification } from "../../../src/boss/modify-plan.ts";
import { type Experiment, type PlannedEvent, parseNsFile } from "../../../src/experiment/index.ts";

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
  const { nodes, programs, agenda } = plan.modification;
  return { nodes, programs, events: told(agenda.fromNow) };
}

const told = (events: readonly PlannedEvent[]): string[] =>
  events.map(({ index, object, event, atUs }) => {
    const at = atUs === "swapout" ? atUs : atUs / 1e6;
    return `${index < 0 ? "" : `${index}: `}${at} ${object} ${event}`;
  });

/** What is not empty of the change of the agenda. */
function changed(before: readonly string[], after: readonly string[]) {
  const plan = planModification(read(before), read(after));
  if (plan.kind === "refused") throw new Error(plan.reasons.join());
  const { removed, changed, added, fromNow, defined, undefined: gone } = plan.modification.agenda;
  const all = {
    ...{ removed: told(removed), changed: told(changed), added: told(added) },
    ...{ fromNow: told(fromNow), defined, gone },
  };
  const parts = Object.entries(all).filter(([, list]) => list.length > 0);
  return Object.fromEntries(parts);
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

  it("refuses to touch what waits for others or for a barrier, and no other program", () => {
    const at = { file: "a", line: 1, column: 1 };
    const startWhen = { after: [{ program: "p", at }], delayUs: 0, at };
    const waits = (command: string, more: readonly string[] = []): Experiment => {
      const read1 = read([...base, ...more]);
      const programs = read1.programs.map((one) =>
        one.name === "q" ? { ...one, command, startWhen } : one,
      );
      return { ...read1, programs };
    };
    const reasons = ["q: what starts when others have ended or at a barrier cannot be changed"];
    expect(planModification(waits("x"), waits("y"))).toEqual({ kind: "refused", reasons });
    const more = [node("c"), program("r", "c")];
    expect(planModification(waits("x"), waits("x", more)).kind).toBe("planned");
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
    const edited = (more: readonly string[]): readonly string[] => [
      ...base.slice(0, 4),
      program("q", "b", "false"),
      ...base.slice(5),
      ...more,
    ];
    expect(planned([...base, ...inner], edited(inner)).programs.restarted).toEqual(["q"]);
    const [sequence = "", ...timeline] = inner;
    const other = sequence.replace("run", 'run -command "yes"');
    expect(changed([...base, ...inner], edited([other, ...timeline]))).toEqual({
      ...{ defined: ["s"], removed: ["1: 1 q START"], fromNow: ["1 q START"] },
    });
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

  describe("events of what stays", () => {
    it("that come have the times of the run", () => {
      const after = [...base, '$ns at 9 "$q stop"', '$ns at swapout "$p stop"'];
      expect(changed(base, after)).toEqual({ added: ["9 q STOP", "swapout p STOP"] });
    });

    it("that go are those of before, by their place in the file", () => {
      expect(changed(base, base.slice(0, -1))).toEqual({ removed: ["1: 1 q START"] });
    });

    it("that have another time or other arguments are the same events, changed", () => {
      const after = base.map((line) => line.replace("at 1", "at 2"));
      expect(changed(base, after)).toEqual({ changed: ["1: 2 q START"] });
      const args = [...base.slice(0, -1), '$ns at 1 "$q start -command {x}"'];
      expect(changed(base, args)).toEqual({ changed: ["1: 1 q START"] });
    });

    it("are matched by what they say, whatever stands between them", () => {
      const two = [...base, '$ns at 3 "$q stop"', '$ns at 5 "$q stop"'];
      const after = [...base, '$ns at 1 "$ns log x"', '$ns at 5 "$q stop"', '$ns at 4 "$q stop"'];
      expect(changed(two, after)).toEqual({ changed: ["2: 4 q STOP"], added: ["1 ns LOG"] });
    });

    it("are new ones where they wait for something else, or are for swap-out now", () => {
      const after = base.map((line) => line.replace("at 1", "at swapout"));
      expect(changed(base, after)).toEqual({
        ...{ removed: ["1: 1 q START"], added: ["swapout q START"] },
      });
    });

    it("keep the numbers that they had, and new ones have none", () => {
      const plan = planModification(read(base), read(['$ns at 0 "$ns log x"', ...base]));
      const events = plan.kind === "planned" ? plan.modification.experiment.events : [];
      expect(told(events)).toEqual(["0 ns LOG", "0: 0 p START", "1: 1 q START"]);
    });
  });

  it("brings timelines, sequences and groups with their events, and takes them away", () => {
    const more = [
      ...["set s [$ns event-sequence { $q run }]", "set t [$ns event-timeline]"],
      ...['$t at 3 "$q start"', '$ns at 2 "$s start"', "set g [new EventGroup $ns]"],
      ...["$g add $q", '$ns at 4 "$g stop"'],
    ];
    expect(changed(base, [...base, ...more])).toEqual({
      ...{ defined: ["s", "t"], fromNow: ["2 s START", "4 g STOP"] },
    });
    expect(changed([...base, ...more], base)).toEqual({
      ...{
        gone: ["s", "t"],
        removed: expect.arrayContaining([expect.stringMatching(/2 s START$/)]),
      },
    });
  });

  it("ends and begins flows of traffic, with the events that name them", () => {
    const flow = (rate: string): string[] => [
      ...["set u [new Agent/UDP]", "$ns attach-agent $a $u", "set z [new Agent/Null]"],
      ...["$ns attach-agent $b $z", "$ns connect $u $z", "set c [new Application/Traffic/CBR]"],
      ...["$c attach-agent $u", `$c set rate_ ${rate}`, '$ns at 2 "$c start"'],
    ];
    const linked = [...base, "set l [$ns duplex-link $a $b 1Mb 5ms DropTail]"];
    const traffic = (before: readonly string[], after: readonly string[]) => {
      const plan = planModification(read(before), read(after));
      return plan.kind === "planned" ? plan.modification.traffic : plan.reasons;
    };
    const with1 = [...linked, ...flow("100Kb")];
    const [begun, ended] = [["c"], ["c"]];
    expect(traffic(linked, with1)).toEqual({ ended: [], begun });
    expect(traffic(with1, linked)).toEqual({ ended, begun: [] });
    expect(traffic(with1, [...linked, ...flow("200Kb")])).toEqual({ ended, begun });
    expect(changed(linked, with1)).toMatchObject({ fromNow: ["2 c START"] });
  });

  it("changes what a link does, and makes one anew that is connected otherwise", () => {
    const link = (ends: string, rate: string): readonly string[] => [
      ...base,
      `set l [$ns duplex-link ${ends} ${rate} DropTail]`,
    ];
    const before = link("$a $b", "1Mb 5ms");
    const links = (after: readonly string[], from = before): unknown => {
      const plan = planModification(read(from), read(after));
      if (plan.kind !== "planned") return plan;
      const { links: changed, relinked } = plan.modification;
      return [changed, relinked.made, relinked.gone];
    };
    expect(links(link("$a $b", "2Mb 5ms"))).toEqual([["l"], [], []]);
    expect(links(before)).toEqual([[], [], []]);
    expect(links(link("$b $a", "2Mb 5ms"))).toEqual([[], ["l"], ["l"]]);
    expect(links(before, base)).toEqual([[], ["l"], []]);
    expect(links(base)).toEqual([[], [], ["l"]]);
  });

  it.each([
    ["a variable", [...base, "set opt(X) 1", "set opt(Y) 2"], "variables X, Y are added"],
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
    expect(refused([...base, "set opt(X) 1", "tb-set-node-os $a FBSD-STD"])).toHaveLength(2);
  });

  it("refuses other routes, unless links come or go with them", () => {
    const link = (name: string, from: string, to: string): string =>
      `set ${name} [$ns duplex-link $${from} $${to} 10Mb 0ms DropTail]`;
    const chain = [...base, node("c"), link("ab", "a", "b"), link("bc", "b", "c")];
    const routed = [...chain, "$a add-route $c $b"];
    const reasons = [
      "routes are changed, which is done only when links are added or removed with them",
    ];
    expect(refused(routed, chain)).toEqual(reasons);
    expect(refused(chain, routed)).toEqual(reasons);
    expect(refused([...chain, "$a add-route $bc $b"], routed)).toEqual(reasons);
    expect(refused(["# moved down", ...routed], routed)).toEqual([]);
    const wider = [...chain, node("d"), link("bd", "b", "d"), "$a add-route $d $b"];
    expect(refused(wider, chain)).toEqual([]);
  });

  it("refuses a server that would move because of a name", () => {
    const open = base.filter((line) => !line.includes("sync-server"));
    expect(refused([node("A"), ...open], open)[0]).toContain("is on a and would be on A");
  });
});

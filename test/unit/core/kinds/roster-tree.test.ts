// SPDX-License-Identifier: MIT
// Goal: what a roster over a tree of controllers does beside meeting: how much is said, who is told
// when it is open, who is missing, deaths, deadlines, controllers that are lost, older builds.
// Method: cores joined by wires in the test's hands. That it meets as one server's does is
// test/property/roster-tree-model.test.ts.
import { describe, expect, it } from "vitest";
import type { RosterMember } from "../../../../src/core/barriers/commands.ts";
import { missingBehind } from "../../../../src/core/barriers/report.ts";
import type { TreeMessage } from "../../../../src/core/barriers/tree-messages.ts";
import type { Command, RosterOpen } from "../../../../src/core/command.ts";
import { newMembersVersion } from "../../../../src/core/version.ts";
import { rosterArrive, rosterOpen } from "../../../../src/testing/core-driver.ts";
import { type Told, TreeBench } from "../../../../src/testing/tree-bench.ts";

const pairs = [
  ["root", "a"],
  ["root", "b"],
  ["a", "c"],
] as const;
const everywhere = [
  { name: "r1" },
  { name: "a1", at: "a" },
  { name: "b1", at: "/b" },
  { name: "c1", at: "a/c" },
  { name: "c2", group: "g", at: "/a/c/" },
] as const;

type Rules = Parameters<typeof rosterOpen>[2];

function open(members: readonly RosterMember[], rules: Rules = {}, connection = 1): RosterOpen {
  return { ...rosterOpen(connection, [], rules), members };
}

/**
 * `CONTROLLER CONNECTION OUTCOME REASON` of releases, `CONTROLLER CONNECTION MESSAGE` of refusals.
 */
function words(told: readonly Told[]): readonly string[] {
  return told.flatMap(({ controller, effect }) => {
    if (effect.kind === "released") {
      const { outcome, reason = "" } = effect;
      return effect.connections.map((one) => `${controller} ${one} ${outcome} ${reason}`.trim());
    }
    if (effect.kind === "refused") return [`${controller} ${effect.connection} ${effect.message}`];
    if (effect.kind === "acknowledged") return [`${controller} ${effect.connection} done`];
    return [];
  });
}

function arriveAll(bench: TreeBench, ...names: readonly string[]): readonly string[] {
  return names.flatMap((name, index) => {
    const at = { r: "root", a: "a", b: "b", c: "c" }[name[0] ?? ""] ?? "root";
    return words(bench.send(at, "e", rosterArrive(10 + index, name)));
  });
}

describe("how much is said", () => {
  it.each([10, 1_000])(
    "is one up and one down a child and phase, for %i that come one by one",
    (each) => {
      const bench = new TreeBench([
        ["root", "a"],
        ["root", "b"],
      ]);
      const members = ["a", "b"].flatMap((at) =>
        Array.from({ length: each }, (_, index) => ({ name: `${at}${index}`, at })),
      );
      const counts = new Map<string, number>();
      bench.onMessage = ({ kind }: TreeMessage) => counts.set(kind, (counts.get(kind) ?? 0) + 1);
      bench.send("root", "x", open(members, { phases: 3 }));
      expect([...counts]).toEqual([
        ["roster-open", 2],
        ["roster-opened", 2],
      ]);
      for (let phase = 1; phase <= 3; phase += 1) {
        counts.clear();
        let released = 0;
        for (let index = 0; index < each; index += 1) {
          for (const at of ["a", "b"]) {
            const told = bench.send(at, "e", rosterArrive(phase * each + index, `${at}${index}`));
            for (const { effect } of told) {
              if (effect.kind === "released") released += effect.connections.length;
            }
          }
        }
        expect(released).toBe(2 * each);
        expect([...counts]).toEqual([
          ["roster-complete", 2],
          ["roster-crossed", 2],
        ]);
      }
    },
  );

  it("is a part in pieces of treeReportMax members", () => {
    for (const [size, pieces] of [
      [3, 1],
      [4, 2],
    ] as const) {
      const bench = new TreeBench([["root", "a"]], { treeReportMax: 3 });
      let count = 0;
      bench.onMessage = ({ kind }: TreeMessage) => {
        if (kind === "roster-open") count += 1;
      };
      const members = Array.from({ length: size }, (_, index) => ({ name: `a${index}`, at: "a" }));
      expect(words(bench.send("root", "x", open(members)))).toEqual(["root 1 done"]);
      expect(count).toBe(pieces);
      const names = members.map(({ name }) => name);
      expect(arriveAll(bench, ...names).length).toBe(size);
    }
  });
});

describe("whoever opens it", () => {
  it("is told when every controller has its part, wherever that is said", () => {
    const bench = new TreeBench(pairs);
    bench.put(
      "b",
      "x",
      open([{ name: "b1" }, { name: "c1", at: "/a/c" }, { name: "r1", at: "/" }]),
    );
    bench.step("root", "b");
    expect(words(bench.takeTold())).toEqual([]);
    bench.settle();
    expect(words(bench.takeTold())).toEqual(["b 1 done"]);
    expect([...arriveAll(bench, "b1", "c1", "r1")].toSorted()).toEqual([
      "b 10 crossed",
      "c 11 crossed",
      "root 12 crossed",
    ]);
  });

  it("is told which controller is not there", () => {
    const bench = new TreeBench(pairs);
    expect(words(bench.send("root", "x", open([{ name: "m", at: "d" }])))).toEqual([
      "root 1 no controller d has joined root",
    ]);
    expect(words(bench.send("b", "x", open([{ name: "m", at: "/a/d" }])))).toEqual([
      expect.stringMatching(/^b 1 b has ended \(failed\): no controller d has joined a$/),
    ]);
    for (const { service } of bench.cores.values()) {
      expect(service.describe("s").barriers).toEqual([]);
    }
  });

  it("is told that a name is taken below", () => {
    const bench = new TreeBench([["root", "a"]], {}, new Map([["a", 2]]));
    bench.send("a", "x", open([{ name: "own" }]));
    bench.send("a", "host", { kind: "version", version: 3 });
    expect(words(bench.send("root", "x", open([{ name: "a1", at: "a" }])))).toEqual([
      "root 1 b has ended (failed): a roster b is open already at a",
    ]);
    // That one goes on, and ends by itself.
    expect(words(bench.send("a", "e", rosterArrive(5, "own")))).toEqual(["a 5 crossed"]);
  });
});

describe("members", () => {
  it("are told where they are expected when they come elsewhere", () => {
    const bench = new TreeBench(pairs);
    bench.send("root", "x", open(everywhere));
    expect(words(bench.send("root", "e", rosterArrive(7, "c1")))).toEqual([
      "root 7 c1 is expected at the controller a/c",
    ]);
  });

  it("that are missing are known by name everywhere, after treeNewsUs", () => {
    const bench = new TreeBench(pairs);
    bench.send("root", "x", open(everywhere));
    const missing = (name: string) => bench.core(name).service.describe("s").barriers[0]?.missing;
    expect(missing("root")).toEqual(["r1", "a1, at a", "c1, at a", "c2 of g, at a", "b1, at b"]);
    arriveAll(bench, "r1", "c1", "b1");
    bench.pass(3_000_000);
    expect(missing("root")).toEqual(["a1, at a", "c2 of g, at c, at a"]);
    expect(missing("b")).toEqual(["a1, at a", "c2 of g, at c, at a"]);
    bench.send("b", "e", { kind: "leave", connection: 12 });
    bench.send("b", "e", rosterArrive(13, "b1", { timeoutUs: 5_000_000 }));
    const [told] = bench.pass(6_000_000);
    expect(told?.effect).toMatchObject({ outcome: "timeout", missing: missing("c") });
  });

  // B4.
  it("that leave are expected again, though all of their part had come", () => {
    const bench = new TreeBench(pairs);
    bench.send("root", "x", open(everywhere));
    arriveAll(bench, "b1");
    bench.send("b", "e", { kind: "leave", connection: 10 });
    expect(arriveAll(bench, "r1", "a1", "c1", "c2")).toEqual([]);
    expect(words(bench.send("b", "e", rosterArrive(20, "b1")))).toHaveLength(5);
  });

  it("come and go by orders from anywhere", () => {
    const bench = new TreeBench(pairs);
    bench.send("root", "x", open(everywhere));
    arriveAll(bench, "r1", "a1", "b1", "c1");
    const change: Command = {
      ...{ kind: "roster-change", scope: "s", barrier: "b", connection: 9 },
      ...{ add: [{ name: "b2" }], remove: ["c2"] },
    };
    expect(words(bench.send("b", "x", change))).toEqual(["b 9 done"]);
    expect([...words(bench.send("b", "e", rosterArrive(20, "b2")))].toSorted()).toEqual([
      ...["a 11 crossed", "b 12 crossed", "b 20 crossed", "c 13 crossed", "root 10 crossed"],
    ]);
  });
});

describe("a death", () => {
  const dead = (participant: string): Command => {
    return { kind: "roster-dead", scope: "s", participant, reason: "ill", connection: 9 };
  };

  it("fails it for all, wherever it is known", () => {
    const bench = new TreeBench(pairs);
    bench.send("root", "x", open(everywhere));
    arriveAll(bench, "r1", "b1");
    expect([...words(bench.send("b", "x", dead("c1")))].toSorted()).toEqual([
      ...["b 11 failed c1 is dead: ill", "b 9 done", "root 10 failed c1 is dead: ill"],
    ]);
  });

  it("lets the others go on where the rules say so", () => {
    const bench = new TreeBench(pairs);
    bench.send("root", "x", open(everywhere, { whenDead: "shrink" }));
    arriveAll(bench, "r1", "b1", "a1", "c2");
    expect([...words(bench.send("root", "x", dead("c1")))].toSorted()).toEqual([
      ...["a 12 crossed", "b 11 crossed", "c 13 crossed", "root 10 crossed", "root 9 done"],
    ]);
  });

  // D9: what the root has crossed is not taken back by what a part learns meanwhile.
  it("that is known below when the root has crossed changes the next phase only", () => {
    const bench = new TreeBench(pairs);
    bench.send("root", "x", open(everywhere, { phases: 2 }));
    arriveAll(bench, "r1", "a1", "c1", "c2");
    bench.put("b", "e", rosterArrive(30, "b1"));
    bench.step("root", "b");
    expect(words(bench.takeTold())).toEqual(["root 10 crossed"]);
    bench.put("c", "gone", { kind: "end-edge" });
    bench.put("c", "e", { kind: "end-edge" });
    bench.settle();
    const told = words(bench.takeTold());
    expect(told).toContain("b 30 crossed");
    expect(told).not.toContain(expect.stringContaining("failed"));
    bench.send("root", "e", rosterArrive(40, "r1"));
    expect(bench.core("root").service.describe("s").barriers).toEqual([]);
  });
});

describe("a deadline", () => {
  it.each([
    ["opening", "root"],
    ["first-arrival", "c"],
  ] as const)("since %s ends it for all", (since, _where) => {
    const bench = new TreeBench(pairs);
    bench.send("root", "x", open(everywhere, { deadline: { since, us: 5_000_000 } }));
    bench.pass(1_000_000);
    arriveAll(bench, "c1");
    bench.pass(1_000_000);
    arriveAll(bench, "b1");
    const lateUs = since === "opening" ? 2_900_000 : 3_900_000;
    expect(words(bench.pass(lateUs))).toEqual([]);
    const told = bench.pass(200_000);
    expect([...words(told)].toSorted()).toEqual(["b 10 timeout", "c 10 timeout"]);
    expect(told[0]?.effect).toMatchObject({ missing: expect.arrayContaining(["r1"]) });
  });

  it("since the last arrival is for one controller", () => {
    const bench = new TreeBench(pairs);
    const rules = { deadline: { since: "last-arrival", us: 1 } } as const;
    expect(words(bench.send("root", "x", open(everywhere, rules)))).toEqual([
      expect.stringMatching(/since the last arrival is for a roster at one controller/),
    ]);
    expect(words(bench.send("root", "x", open([{ name: "r1" }], rules)))).toEqual(["root 1 done"]);
  });
});

describe("a controller that is lost", () => {
  it("is the death of its members: fail says who and why", () => {
    const bench = new TreeBench(pairs);
    bench.send("root", "x", open(everywhere));
    arriveAll(bench, "r1", "b1", "c1");
    const why = "c1 is dead: the sub-controller c was lost";
    expect([...words(bench.lose("a", "c"))].toSorted()).toEqual([
      `b 11 failed ${why}`,
      "c 12 failed the controller above, a, was lost",
      `root 10 failed ${why}`,
    ]);
  });

  it("is gone on without where the rules say shrink", () => {
    const bench = new TreeBench(pairs);
    bench.send("root", "x", open(everywhere, { whenDead: "shrink" }));
    arriveAll(bench, "r1", "b1");
    expect([...words(bench.lose("root", "a"))].toSorted()).toEqual([
      "b 11 crossed",
      "root 10 crossed",
    ]);
  });

  it("is waited for where they say wait, and gets its part anew", () => {
    const bench = new TreeBench(pairs);
    bench.send("root", "x", open(everywhere, { whenDead: "wait" }));
    arriveAll(bench, "r1", "b1", "a1", "c1");
    bench.lose("a", "c");
    expect(bench.core("a").service.describe("s").barriers[0]?.missing).toEqual([
      "c1 (dead: the sub-controller c was lost), at c",
      "c2 of g (dead: the sub-controller c was lost), at c",
    ]);
    bench.mend("a", "c");
    bench.settle();
    bench.send("c", "e", rosterArrive(50, "c1"));
    expect(words(bench.send("c", "e", rosterArrive(51, "c2")))).toHaveLength(5);
  });
});

it("an older build below is told of, and asked for nothing that it does not know", () => {
  const bench = new TreeBench([["root", "a"]], {}, new Map([["a", 2]]));
  expect(words(bench.send("root", "x", open([{ name: "m", at: "a" }])))).toEqual([
    "root 1 the controller a knows no rosters of a tree",
  ]);
});

describe("who is missing of members that are new (B10)", () => {
  const change: Command = {
    ...{ kind: "roster-change", scope: "s", barrier: "b", connection: 2 },
    ...{ add: [{ name: "a1", at: "a" }], remove: ["a1"] },
  };
  const members = [{ name: "r1" }, { name: "a1", at: "a" }];

  /** a1 came and is replaced by itself, which `a` has not heard yet; then r1 is out of time. */
  function replace(isNewsLate: boolean, versions?: ReadonlyMap<string, number>): TreeBench {
    const bench = new TreeBench([["root", "a"]], {}, versions);
    bench.send("root", "x", open(members, { whenDead: "wait", phases: 2 }));
    bench.put("a", "e", rosterArrive(10, "a1"));
    bench.tick(2_000_000);
    const late = isNewsLate ? bench.onItsWay("root", "a") : 0;
    if (!isNewsLate) bench.settle();
    bench.put("root", "x", change);
    for (let left = late; left > 0; left -= 1) bench.step("root", "a");
    bench.put("root", "e", rosterArrive(11, "r1", { timeoutUs: 100_000 }));
    bench.tick(200_000);
    return bench;
  }

  function missingIn(told: readonly Told[]): readonly string[] | undefined {
    const end = told.find(({ effect }) => effect.kind === "released");
    return end?.effect.kind === "released" ? end.effect.missing : undefined;
  }

  it.each([false, true])("is named until `a` says otherwise; its news is late: %s", (isLate) => {
    const bench = replace(isLate);
    expect(missingIn(bench.takeTold())).toEqual(["a1, at a"]);
    bench.settle();
    bench.send("a", "e", rosterArrive(12, "a1"));
    expect(arriveAll(bench, "r1")).toContain("a 12 crossed");
  });

  it("is named no more when what `a` has to say is what it said before", () => {
    const bench = new TreeBench([["root", "a"]]);
    bench.send("root", "x", open([...members, { name: "a2", at: "a" }]));
    bench.send("a", "e", rosterArrive(10, "a1"));
    bench.pass(2_000_000);
    const missing = () => bench.core("root").service.describe("s").barriers[0]?.missing;
    expect(missing()).toEqual(["r1", "a2, at a"]);
    bench.send("root", "x", change);
    expect(missing()).toEqual(["r1", "a2, at a", "a1, at a"]);
    bench.send("a", "e", rosterArrive(12, "a1"));
    bench.pass(2_000_000);
    expect(missing()).toEqual(["r1", "a2, at a"]);
  });

  it("is known at once where the change was taken, to who is out of time before the next news", () => {
    const bench = new TreeBench([["root", "a"]]);
    bench.send("root", "x", open([...members, { name: "a2", at: "a" }], { whenDead: "wait" }));
    bench.send("a", "e", rosterArrive(10, "a1"));
    bench.pass(3_000_000);
    const add = [{ name: "a3", at: "a" }];
    bench.send("root", "x", { ...change, add, remove: ["a2"] });
    bench.send("a", "e", { kind: "leave", connection: 10 });
    bench.put("a", "e", rosterArrive(11, "a1", { timeoutUs: 10_000 }));
    bench.tick(20_000);
    expect(missingIn(bench.takeTold())).toEqual(["r1", "a3"]);
  });

  it("names who was dead and is new once, nobody who was taken out, and no more than are named", () => {
    const said = ["x (dead: gone), at a", "y of g, at a", "z, at a", "xy, at a"];
    const change = { add: [{ name: "x", group: "g" }], remove: ["z", "y"] };
    expect(missingBehind(said, change, 100)).toEqual(["xy, at a", "x of g"]);
    expect(missingBehind(said, change, 1)).toEqual(["xy, at a"]);
  });

  it("is not of the phase before", () => {
    const bench = new TreeBench([["root", "a"]]);
    bench.send("root", "x", open(members, { phases: 2 }));
    bench.send("root", "e", rosterArrive(11, "r1"));
    bench.put("a", "e", rosterArrive(10, "a1"));
    // It says that all of its part have come, and a second later that nobody is missing.
    bench.tick(2_000_000);
    while (bench.step("root", "a"));
    const told = bench.send("root", "e", rosterArrive(12, "r1", { timeoutUs: 100_000 }));
    expect(missingIn([...told, ...bench.pass(200_000)].slice(-1))).toEqual(["a1, at a"]);
  });

  it("is all of a part that was lost, though nobody was missing there", () => {
    const bench = new TreeBench([["root", "a"]]);
    bench.send("root", "x", open(members, { whenDead: "wait" }));
    bench.send("a", "e", rosterArrive(10, "a1"));
    bench.pass(2_000_000);
    bench.lose("root", "a");
    bench.send("root", "e", rosterArrive(11, "r1", { timeoutUs: 100_000 }));
    expect(missingIn(bench.pass(200_000))?.[0]).toMatch(/^a1 \(dead: .*\), at a$/);
  });

  it.each(["root", "a"])("is as it was where the log of %s is of an older build", (name) => {
    const bench = replace(false, new Map([[name, newMembersVersion - 1]]));
    expect(missingIn(bench.takeTold())).toEqual([]);
  });
});

describe("who is missing while a link is cut", () => {
  const leave: Command = { kind: "leave", connection: 10 };
  const about = (kind: "attached" | "detach", edge: string): Command => {
    return { kind, edge, incarnation: 1 };
  };

  /** c1 came and was known to, and both ends of the link to `a` know that it is cut. */
  function cutOff(versions?: ReadonlyMap<string, number>): TreeBench {
    const bench = new TreeBench(pairs, {}, versions);
    bench.send("root", "x", open(everywhere));
    arriveAll(bench, "c1");
    bench.pass(3_000_000);
    bench.cut("root", "a");
    bench.put("root", "host", about("detach", "tree/a"));
    bench.put("a", "host", about("detach", "tree/root"));
    bench.send("c", "e", leave);
    return bench;
  }

  function timeout(bench: TreeBench, at: string, name: string): readonly string[] | undefined {
    bench.send(at, "e2", rosterArrive(20, name, { timeoutUs: 1_500_000 }));
    const [told] = bench.pass(2_000_000);
    return told?.effect.kind === "released" ? told.effect.missing : undefined;
  }

  it("B10 is said to be old, at the root and below, until the link is back", () => {
    const bench = cutOff();
    const since = "not known since its link was cut";
    expect(timeout(bench, "root", "r1")).toEqual([
      ...[`a1, at a, ${since}`, `c2 of g, at c, at a, ${since}`, "b1, at b"],
    ]);
    expect(timeout(bench, "a", "a1")).toEqual([
      ...["r1", "a1, at a", "c2 of g, at c, at a", "b1, at b"],
      "as root said before its link was cut; not known since",
    ]);
    // b hears of the cut from the root, as news.
    expect(timeout(bench, "b", "b1")).toContain(`a1, at a, ${since}`);
    bench.put("root", "host", about("attached", "tree/a"));
    bench.put("a", "host", about("attached", "tree/root"));
    bench.mend("root", "a");
    bench.pass(3_000_000);
    expect(timeout(bench, "root", "r1")).toEqual([
      ...["a1, at a", "c1, at c, at a", "c2 of g, at c, at a", "b1, at b"],
    ]);
  });

  it("is what was heard last in logs of version 6", () => {
    const bench = cutOff(new Map(["root", "a", "b", "c"].map((name) => [name, 6])));
    expect(timeout(bench, "root", "r1")).toEqual(["a1, at a", "c2 of g, at c, at a", "b1, at b"]);
  });
});

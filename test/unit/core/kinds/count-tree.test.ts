// SPDX-License-Identifier: MIT
// Goal: what a count over a tree of controllers does beside counting: how much is said, deadlines,
// who is missing, orders from below, controllers that are lost, older builds. Method: cores joined
// by wires in the test's hands. That the counts themselves are right is
// test/property/count-tree-model.test.ts.
import { describe, expect, it } from "vitest";
import type { TreeMessage } from "../../../../src/core/barriers/tree-messages.ts";
import type { Command } from "../../../../src/core/command.ts";
import { resolveLimits } from "../../../../src/core/limits.ts";
import { init, initOnly, wait } from "../../../../src/testing/core-driver.ts";
import { type Told, TreeBench } from "../../../../src/testing/tree-bench.ts";

const pairs = [
  ["root", "a"],
  ["root", "b"],
  ["a", "c"],
] as const;

/** `CONTROLLER CONNECTION OUTCOME REASON` of releases, `CONTROLLER CONNECTION CODE` of refusals. */
function words(told: readonly Told[]): readonly string[] {
  return told.flatMap(({ controller, effect }) => {
    if (effect.kind === "released") {
      const { outcome, reason = "" } = effect;
      return effect.connections.map((one) => `${controller} ${one} ${outcome} ${reason}`.trim());
    }
    if (effect.kind === "refused") return [`${controller} ${effect.connection} ${effect.code}`];
    if (effect.kind === "acknowledged") return [`${controller} ${effect.connection} done`];
    return [];
  });
}

/** Everything is brought, reports that wait for their time included. */
function bring(bench: TreeBench): readonly string[] {
  return words(Array.from({ length: 20 }, () => bench.pass(1_000)).flat());
}

function ask(connection: number, command: Partial<Command> & { readonly kind: string }): Command {
  return { scope: "s", barrier: "b", connection, error: 0, ...command } as Command;
}

describe("how much is said", () => {
  /** Of one crossing with so many parties at each of two controllers, by kind. */
  function play(parties: number, each: number): ReadonlyMap<string, number> {
    const bench = new TreeBench([
      ["root", "a"],
      ["root", "b"],
    ]);
    bench.send("root", "e", initOnly(1, 2 * parties));
    const counts = new Map<string, number>();
    bench.onMessage = ({ kind }: TreeMessage) => counts.set(kind, (counts.get(kind) ?? 0) + 1);
    let released = 0;
    const hear = (told: readonly Told[]): void => {
      for (const { effect } of told) {
        if (effect.kind === "released") released += effect.connections.length;
      }
    };
    for (let first = 0; first < parties; first += each) {
      for (const name of ["a", "b"]) {
        const commands = Array.from({ length: each }, (_, index) => wait(10 + first + index));
        hear(bench.send(name, "e", ...commands));
      }
    }
    for (let turn = 0; turn < 5; turn += 1) hear(bench.pass(1_000));
    expect(released).toBe(2 * parties);
    return counts;
  }

  it.each([10, 1_000])(
    "is one report up and one end down a child, for %i that come at once",
    (parties) => {
      expect([...play(parties, parties)]).toEqual([
        ["report", 2],
        ["count-ended", 2],
      ]);
    },
  );

  it("is one report for all that come within a flush, however many entries they are", () => {
    // The first of each goes at once; the others wait for their time, and go together.
    expect([...play(1_000, 1)]).toEqual([
      ["report", 4],
      ["count-ended", 2],
    ]);
  });

  it("is at most treeReportMax parts in a report; the others go with the next", () => {
    for (const [barriers, reports] of [
      [3, 1],
      [4, 2],
    ] as const) {
      const bench = new TreeBench([["root", "a"]], { treeReportMax: 3 });
      let count = 0;
      bench.onMessage = ({ kind }: TreeMessage) => {
        if (kind === "report") count += 1;
      };
      const names = Array.from({ length: barriers }, (_, index) => `b${index}`);
      bench.send("a", "e", ...names.map((barrier, index) => wait(index + 1, { barrier })));
      bring(bench);
      expect(count).toBe(reports);
      expect(bench.core("root").service.describe("s").barriers).toHaveLength(barriers);
    }
  });

  it("is one report each treeFlushUs", () => {
    const bench = new TreeBench([["root", "a"]], { treeFlushUs: 50_000 });
    bench.pass(1_000_000);
    bench.send("root", "e", initOnly(1, 2));
    bench.send("a", "e", wait(1));
    expect(words(bench.send("a", "e", wait(2)))).toEqual([]);
    expect(words(bench.pass(49_999))).toEqual([]);
    expect(words(bench.pass(1))).toEqual(["a 1 crossed", "a 2 crossed"]);
  });
});

it("news of what is not over come down after treeNewsUs, and when something has changed", () => {
  const bench = new TreeBench([["root", "a"]], { treeNewsUs: 300_000 });
  let news = 0;
  bench.onMessage = ({ kind }: TreeMessage) => {
    if (kind === "news") news += 1;
  };
  bench.send("a", "e", wait(1));
  bench.pass(299_999);
  expect(news).toBe(0);
  bench.pass(1);
  expect(news).toBe(1);
  bench.pass(3_000_000);
  expect(news).toBe(1);
  bench.send("root", "e", initOnly(1, 3));
  bench.pass(300_000);
  expect(news).toBe(2);
});

describe("a deadline", () => {
  it("that an init below has set ends it everywhere, and says who is missing", () => {
    const bench = new TreeBench(pairs);
    const deadline = { since: "first-arrival", us: 5_000_000 } as const;
    bench.send("root", "e", { kind: "open-scope", scope: "s", nodes: ["n1", "n2"] });
    bench.send("c", "e", { ...initOnly(1, 3), deadline });
    bench.pass(9_000_000);
    bench.send("b", "e", wait(2, { who: { address: "x", node: "n1" } }));
    expect(words(bench.pass(4_900_000))).toEqual([]);
    bench.send("root", "e", wait(3));
    const told = bench.pass(200_000);
    expect(words(told)).toEqual(["root 3 timeout", "b 2 timeout"]);
    for (const { effect } of told) {
      expect(effect).toMatchObject({ missing: ["anonymous, from n2"] });
    }
  });

  it("of one wait ends that wait, and tells what the root knows of who is missing", () => {
    const bench = new TreeBench(pairs);
    bench.send("root", "e", { kind: "open-scope", scope: "s", nodes: ["n1", "n2"] });
    bench.send("root", "e", initOnly(1, 4));
    bench.send("b", "e", wait(2, { who: { address: "x", node: "n1" } }));
    bench.send("c", "e", wait(3, { timeoutUs: 500_000 }), wait(4, { timeoutUs: 5_000_000 }));
    const [early] = bench.pass(1_000_000);
    expect(early?.effect).toMatchObject({
      missing: ["not known yet to the controller above, a"],
    });
    const [late] = bench.pass(5_000_000);
    expect(late?.effect).toMatchObject({ missing: ["anonymous, from n2", "1 more, anonymous"] });
    const [left] = bench.core("c").service.describe("s").barriers;
    expect(left).toMatchObject({ expected: 4, arrived: 0, missing: expect.any(Array) });
    const [atRoot] = bench.core("root").service.describe("s").barriers;
    expect(atRoot).toMatchObject({ expected: 4, arrived: 0, arrivedBelow: 1, count: 3 });
  });
});

describe("orders", () => {
  it("are carried out by the root, wherever they are given, and answered there", () => {
    const bench = new TreeBench(pairs);
    bench.send("b", "e", init(1, 5));
    bench.send("root", "e", wait(1));
    bring(bench);
    expect(words(bench.send("c", "x", ask(7, { kind: "count-change", expected: 1 })))).toEqual([
      "c 7 invalid",
    ]);
    expect(words(bench.send("c", "x", ask(8, { kind: "fail", reason: "no" })))).toEqual([
      ...["root 1 failed no", "b 1 failed no", "c 8 done"],
    ]);
    expect(words(bench.send("c", "x", ask(9, { kind: "cancel" })))).toEqual(["c 9 unknown"]);
  });

  it("are refused while the controller above has not answered, and when it is lost", () => {
    const bench = new TreeBench(pairs);
    bench.cut("root", "a");
    bench.put("a", "x", ask(7, { kind: "cancel" }));
    // It has been heard before: the order is kept for it.
    expect(words(bench.takeTold())).toEqual([]);
    expect(words(bench.lose("root", "a"))).toEqual(["a 7 unavailable"]);
    bench.forget("a");
    bench.cut("root", "a");
    bench.forget("a");
    bench.cut("root", "a");
    expect(words(bench.send("a", "x", ask(8, { kind: "cancel" })))).toEqual(["a 8 unavailable"]);
  });

  it("are bounded by treeAsksMax", () => {
    const bench = new TreeBench(pairs, { treeAsksMax: 2 });
    bench.cut("root", "b");
    const orders = [1, 2, 3].map((connection) => ask(connection, { kind: "cancel" }));
    expect(words(bench.send("b", "x", ...orders))).toEqual(["b 3 limit"]);
  });

  it("to cancel all end what is the whole tree's and what is this controller's alone", () => {
    const bench = new TreeBench(pairs);
    bench.send("c", "e", wait(1));
    bench.send("c", "e", { ...wait(2), kind: "state-wait", target: 3 });
    bench.send("b", "e", wait(3));
    bring(bench);
    const told = bench.send("c", "x", { kind: "cancel-all", scope: "s", error: 0 });
    expect([...words(told)].sort()).toEqual(["b 3 cancelled", "c 1 cancelled", "c 2 cancelled"]);
  });
});

describe("a controller that is lost", () => {
  it("fails what it had a part in, on both sides, by its name", () => {
    const bench = new TreeBench(pairs);
    bench.send("root", "e", wait(1), wait(2, { barrier: "other" }));
    bench.send("b", "e", wait(3));
    bench.send("c", "e", wait(4));
    bring(bench);
    expect([...words(bench.lose("a", "c")), ...bring(bench)].sort()).toEqual([
      "b 3 failed the sub-controller c was lost",
      "c 4 failed the controller above, a, was lost",
      "root 1 failed the sub-controller c was lost",
    ]);
    const [open] = bench.core("root").service.describe("s").barriers;
    expect(open?.name).toBe("other");
  });

  it("keeps what the one above was not told of for when it is there again", () => {
    const bench = new TreeBench(pairs);
    bench.cut("root", "b");
    bench.put("root", "e", initOnly(1, 1));
    bench.put("b", "e", wait(1));
    expect(words(bench.takeTold())).toEqual(["root 1 done"]);
    bench.mend("root", "b");
    expect(bring(bench)).toEqual(["b 1 crossed"]);
  });

  it("counts what it says again after a cut once", () => {
    const bench = new TreeBench(pairs);
    bench.put("b", "e", wait(1));
    bench.cut("root", "b");
    bench.mend("root", "b");
    bring(bench);
    bench.put("b", "e", wait(2));
    bench.cut("root", "b");
    bench.mend("root", "b");
    bring(bench);
    expect(bench.core("root").service.describe("s").barriers[0]?.count).toBe(-2);
  });
});

describe("an end", () => {
  // D9: what the root has decided is about whom it knew of; who comes meanwhile is for the next.
  it("is not for those who came while it was on its way", () => {
    const bench = new TreeBench([["root", "a"]]);
    bench.send("root", "e", initOnly(1, 1));
    bench.put("a", "e", wait(1));
    bench.step("root", "a");
    bench.put("a", "e", wait(2));
    expect(bring(bench)).toEqual(["a 1 crossed"]);
    expect(words(bench.send("root", "e", initOnly(2, 1)))).toEqual(["root 2 done", "a 2 crossed"]);
  });

  // B4 ends at the point of no return.
  it("is not taken back by who leaves while it is on its way", () => {
    const bench = new TreeBench(pairs);
    bench.send("root", "e", initOnly(1, 2));
    bench.send("b", "e", wait(1));
    bench.put("c", "e", wait(2));
    bench.step("a", "c");
    bench.step("root", "a");
    // The root has crossed it; nobody has heard of that.
    expect(bench.core("root").service.describe("s").barriers).toEqual([]);
    bench.put("b", "e", { kind: "leave", connection: 1 });
    expect(bring(bench)).toEqual(["c 2 crossed"]);
    expect(bench.core("root").service.describe("s").barriers).toEqual([]);
  });
});

describe("with an older build", () => {
  it.each([
    ["above", new Map([["root", 2]])],
    ["below", new Map([["a", 2]])],
  ])("%s, counts are those of each controller, as they were", (_where, versions) => {
    const bench = new TreeBench([["root", "a"]], {}, versions);
    expect(words(bench.send("a", "e", init(1, 1), wait(2)))).toEqual([
      "a 1 crossed",
      "a 2 crossed",
    ]);
    bench.send("a", "e", wait(3));
    bring(bench);
    expect(bench.core("root").service.describe("s").barriers).toEqual([]);
  });

  it("that is replaced by this one, what is open becomes part of the tree", () => {
    const bench = new TreeBench([["root", "a"]], {}, new Map([["a", 2]]));
    bench.send("a", "e", wait(1));
    bench.send("root", "e", initOnly(1, 1));
    expect(words(bench.send("a", "host", { kind: "version", version: 3 }))).toEqual([
      "a 1 crossed",
    ]);
  });
});

it("too many barriers at the root fail what a controller below reports, and say so", () => {
  const bench = new TreeBench([["root", "a"]], { barriersPerScopeMax: 2 });
  bench.send("root", "e", wait(1, { barrier: "x" }));
  bench.send("a", "e", wait(1, { barrier: "y" }));
  const told = [...words(bench.send("a", "e", wait(2, { barrier: "z" }))), ...bring(bench)];
  expect(told).toEqual([
    expect.stringMatching(
      /^a 2 failed too many barriers are open there: limit barriersPerScopeMax/,
    ),
  ]);
  expect(resolveLimits().barriersPerScopeMax).toBe(10_000);
});

// SPDX-License-Identifier: MIT
// Goal: M7, what a controller says again when its link is back is what holds then: who has left
// meanwhile is not counted above (B4), also through a controller between, and what had been taken
// above already is taken once. Method: cores joined by wires in the test's hands.
import { describe, expect, it } from "vitest";
import type { Command } from "../../../../src/core/command.ts";
import { groupsVersion } from "../../../../src/core/version.ts";
import {
  percent,
  quorumInit,
  quorumWait,
  rosterArrive,
  rosterOpen,
} from "../../../../src/testing/core-driver.ts";
import { type Told, TreeBench } from "../../../../src/testing/tree-bench.ts";

const leave = (connection: number): Command => ({ kind: "leave", connection });
const deep = [
  ["root", "a"],
  ["a", "b"],
] as const;

/** `root e 1 crossed 5`, `root driver crossed`. */
function words(told: readonly Told[]): string[] {
  return told.flatMap(({ controller, edge, effect }) => {
    if (effect.kind === "quorum-status") return [`${controller} driver ${effect.status}`];
    if (effect.kind !== "released") return [];
    const { connections, outcome, error } = effect;
    return [`${controller} ${edge} ${connections.join()} ${outcome} ${error}`];
  });
}

/** A quorum of one at the root and one at the lowest, which is cut off above `b` or above `a`. */
function quorum(versions?: ReadonlyMap<string, number>): TreeBench {
  const bench = new TreeBench(deep, {}, versions);
  for (const name of ["root", "b"]) {
    bench.send(name, "p", { kind: "peers-set", scope: "s", connection: 99, count: 1 });
  }
  bench.send("root", "d", quorumInit(1, percent(100)));
  return bench;
}

/** A roster of one member at the root and one at the lowest, two phases. */
function roster(versions?: ReadonlyMap<string, number>): TreeBench {
  const bench = new TreeBench(deep, {}, versions);
  const members = [{ name: "r" }, { name: "b", at: "a/b" }];
  bench.send("root", "d", { ...rosterOpen(1, [], { phases: 2 }), members });
  return bench;
}

const cuts = [
  ["a", "b"],
  ["root", "a"],
] as const;

const kinds = [
  { kind: "a quorum", make: quorum, at: (n: number) => quorumWait(n), above: quorumWait(50) },
  {
    ...{ kind: "a roster", make: roster, above: rosterArrive(50, "r") },
    at: (n: number) => rosterArrive(n, "b"),
  },
] as const;

describe.each(kinds)("M7 $kind below a link that was cut", ({ make, at, above }) => {
  it.each(cuts)("is not complete by who has left before it was back, %s above %s", (...wire) => {
    const bench = make();
    bench.cut(...wire);
    bench.send("b", "e", at(1));
    bench.send("b", "e", leave(1));
    bench.mend(...wire);
    bench.settle();
    expect(words(bench.send("root", "e", above))).toEqual([]);
    // And it is as soon as somebody has come again.
    const told = words(bench.send("b", "e", at(2)));
    expect(told).toContain("root e 50 crossed 0");
    expect(told).toContain("b e 2 crossed 0");
  });

  it("does not cross in the instant in which the link is back, for who waits at the root", () => {
    const bench = make();
    bench.cut("a", "b");
    bench.send("root", "e", above);
    bench.send("b", "e", at(1));
    bench.send("b", "e", leave(1));
    bench.mend("a", "b");
    bench.settle();
    expect(words(bench.takeTold())).toEqual([]);
  });

  it("is complete by who has come again, with the error of now", () => {
    const bench = make();
    bench.cut("a", "b");
    bench.send("root", "e", above);
    bench.send("b", "e", at(1));
    bench.send("b", "e", leave(1));
    bench.send("b", "e", { ...at(2), error: 5 });
    bench.mend("a", "b");
    bench.settle();
    expect(words(bench.takeTold())).toContain("root e 50 crossed 5");
  });

  it("counts what was on its way and got lost, and what had come and was not known to have", () => {
    for (const isTaken of [false, true]) {
      const bench = make();
      bench.put("b", "e", at(1));
      expect(bench.onItsWay("a", "b")).toBe(1);
      if (isTaken) bench.step("a", "b");
      bench.cut("a", "b");
      bench.send("b", "e", leave(1));
      bench.mend("a", "b");
      bench.settle();
      expect(words(bench.send("root", "e", above))).toEqual([]);
      expect(words(bench.send("b", "e", at(2)))).toContain("root e 50 crossed 0");
    }
  });

  it("is as it was where the log below is of an older version", () => {
    const bench = make(new Map([["b", groupsVersion]]));
    bench.send("root", "e", above);
    bench.cut("a", "b");
    bench.send("b", "e", at(1));
    bench.send("b", "e", leave(1));
    bench.mend("a", "b");
    bench.settle();
    expect(words(bench.takeTold())).toContain("root e 50 crossed 0");
  });
});

describe("M7", () => {
  it("a quorum that has failed below is not crossed above by what was said before", () => {
    const bench = quorum();
    bench.send("root", "e", quorumWait(50));
    bench.cut("a", "b");
    bench.send("b", "e", quorumWait(1));
    const facts = { scope: "s", barrier: "b", barrierKind: "quorum", error: 7 } as const;
    const failed = bench.send("b", "x", { kind: "fail", ...facts, reason: "no disk" });
    expect(words(failed)).toEqual(["b e 1 failed 7"]);
    bench.mend("a", "b");
    bench.settle();
    const told = words(bench.takeTold());
    expect(told).toEqual(["root e 50 failed 7", "root driver failed"]);
  });

  it("a phase of a roster is not complete by what was said of the phase before", () => {
    const bench = roster();
    const release = [rosterArrive(1, "b"), rosterArrive(50, "r")] as const;
    bench.put("b", "e", release[0]);
    bench.settle();
    bench.send("root", "e", release[1]);
    // Of the second: it comes, goes, and the link is cut meanwhile.
    bench.cut("a", "b");
    bench.send("b", "e", rosterArrive(2, "b"));
    bench.send("b", "e", leave(2));
    bench.send("root", "e", rosterArrive(51, "r"));
    bench.mend("a", "b");
    bench.settle();
    expect(words(bench.takeTold())).toEqual([]);
    expect(words(bench.send("b", "e", rosterArrive(3, "b")))).toContain("root e 51 crossed 0");
  });

  it("says it also after a change of the members, of the members of now", () => {
    const bench = roster();
    bench.cut("a", "b");
    bench.send("b", "e", rosterArrive(1, "b"));
    bench.send("root", "e", rosterArrive(50, "r"));
    const change = { kind: "roster-change", scope: "s", barrier: "b", connection: 9 } as const;
    bench.send("root", "d", { ...change, add: [{ name: "b2", at: "a/b" }], remove: [] });
    bench.mend("a", "b");
    bench.settle();
    expect(words(bench.takeTold())).toEqual([]);
    expect(words(bench.send("b", "e", rosterArrive(2, "b2")))).toContain("root e 50 crossed 0");
  });
});

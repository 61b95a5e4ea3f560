// SPDX-License-Identifier: MIT
// Goal: what a state over a tree of controllers does beside counting: how much is said, what
// becomes of it when a controller is lost, older builds. Method: cores joined by wires in the
// test's hands. That the numbers are right is test/property/state-tree-model.test.ts.
import { describe, expect, it } from "vitest";
import type { TreeMessage } from "../../../../src/core/barriers/tree-messages.ts";
import { signal, signalAndWait, waitFor } from "../../../../src/testing/core-driver.ts";
import { type Told, TreeBench } from "../../../../src/testing/tree-bench.ts";

const pairs = [
  ["root", "a"],
  ["root", "b"],
  ["a", "c"],
] as const;

function words(told: readonly Told[]): readonly string[] {
  return told.flatMap(({ controller, effect }) => {
    if (effect.kind === "released") {
      const { outcome, reason = "" } = effect;
      return effect.connections.map((one) => `${controller} ${one} ${outcome} ${reason}`.trim());
    }
    if (effect.kind === "refused") return [`${controller} ${effect.connection} ${effect.code}`];
    if (effect.kind !== "signalled") return [];
    return [`${controller} ${effect.connection} is ${effect.value}`];
  });
}

describe("how much is said", () => {
  it.each([10, 1_000])(
    "is a report, its numbers and one end a child, for %i at once",
    (parties) => {
      const bench = new TreeBench([
        ["root", "a"],
        ["root", "b"],
      ]);
      const counts = new Map<string, number>();
      bench.onMessage = ({ kind }: TreeMessage) => counts.set(kind, (counts.get(kind) ?? 0) + 1);
      const values = new Set<number>();
      let released = 0;
      for (const name of ["a", "b"]) {
        const all = Array.from({ length: parties }, (_, index) => {
          return signalAndWait(index + 1, 2 * parties);
        });
        for (const { effect } of bench.send(name, "e", ...all)) {
          if (effect.kind === "signalled") values.add(effect.value);
          if (effect.kind === "released") released += effect.connections.length;
        }
      }
      expect([released, values.size]).toEqual([2 * parties, 2 * parties]);
      // Numbers for each report, and the end for each child.
      expect([...counts]).toEqual([
        ["report", 2],
        ["state-told", 4],
      ]);
    },
  );
});

describe("a controller that is lost", () => {
  it("cannot say whether signals on their way have counted; what it has not said goes later", () => {
    const bench = new TreeBench([["root", "a"]]);
    bench.put("a", "e", signal(1), waitFor(2, 9));
    bench.step("root", "a");
    bench.put("a", "e", signal(3));
    expect(words(bench.lose("root", "a"))).toEqual([
      "a 2 failed the controller above, root, was lost",
      "a 1 unavailable",
    ]);
    bench.mend("root", "a");
    expect(words(Array.from({ length: 9 }, () => bench.pass(1_000)).flat())).toEqual(["a 3 is 2"]);
  });

  it("leaves what it has signalled, and nobody who waits", () => {
    const bench = new TreeBench(pairs);
    bench.send("c", "e", signal(1), waitFor(2, 3));
    bench.send("b", "e", waitFor(3, 3));
    expect([...words(bench.lose("a", "c")), ...words(bench.pass(5_000))]).toEqual([
      "c 2 failed the controller above, a, was lost",
    ]);
    expect(words(bench.send("root", "e", signal(4), signal(5)))).toEqual([
      ...["root 4 is 2", "root 5 is 3", "b 3 crossed"],
    ]);
    const [open] = bench.core("root").service.describe("s").barriers;
    expect(open).toMatchObject({ state: { value: 3, targets: [] } });
  });
});

describe("a report that comes after its link was lost", () => {
  it("W9 leaves nobody there who waits no more", () => {
    const bench = new TreeBench(pairs);
    bench.send("c", "e", signal(1));
    bench.pass(1_000);
    bench.cut("a", "c");
    bench.put("c", "e", waitFor(2, 9));
    expect(words(bench.lose("a", "c"))).toEqual(["c 2 failed the controller above, a, was lost"]);
    bench.mend("a", "c");
    const wanted: TreeMessage[] = [];
    bench.onMessage = (message) => wanted.push(message);
    for (let turn = 0; turn < 9; turn += 1) bench.pass(1_000);
    expect(JSON.stringify(wanted)).toContain('"wants":[{"target":9,"waiting":1');
    for (const name of ["a", "root"]) {
      const { barriers } = bench.core(name).service.describe("s");
      expect(barriers[0]?.state, name).toEqual({ value: 1, targets: [] });
    }
  });
});

describe("who leaves", () => {
  it("may be told of by a controller below when the target is reached, and its end is not there yet", () => {
    const bench = new TreeBench(pairs);
    bench.send("c", "e", signal(1), waitFor(2, 2));
    bench.pass(1_000);
    const value = (): unknown => bench.core("a").service.describe("s").barriers[0]?.state?.value;
    bench.put("a", "e", signal(3));
    bench.put("c", "e", { kind: "leave", connection: 2 });
    while (value() !== 2) bench.step("root", "a");
    bench.step("a", "c");
    expect(bench.onItsWay("root", "a")).toBeGreaterThan(0);
    bench.settle();
    expect(words(bench.takeTold())).toEqual(["a 3 is 2"]);
    expect(bench.core("a").service.describe("s").barriers[0]?.state?.targets).toEqual([]);
  });
});

describe("who signals and waits below the root", () => {
  /** A tree in which 1 has signalled, which is known at the controller below. */
  function reached(...versions: readonly (readonly [string, number])[]): TreeBench {
    const bench = new TreeBench([["root", "a"]], {}, new Map(versions));
    bench.send("a", "e", signal(1));
    bench.pass(1_000);
    return bench;
  }

  it("B4 is told its number only when it has left before, though its target was reached", () => {
    const bench = reached();
    bench.put("a", "e", signalAndWait(2, 1, { error: 7 }), signalAndWait(3, 1, { error: 5 }));
    bench.put("a", "e", { kind: "leave", connection: 2 });
    expect(bench.core("a").service.waitersOfEdge("e")).toBe(1);
    bench.settle();
    expect(words(bench.takeTold())).toEqual(["a 2 is 2", "a 3 is 3", "a 3 crossed"]);
    expect(bench.core("a").service.waitersOfEdge("e")).toBe(0);
    expect(bench.core("a").service.describe("s").barriers[0]).toMatchObject({
      ...{ arrived: 0, state: { value: 3, targets: [] } },
    });
  });

  it("B9 is out of time where the root cannot be asked, though its target was reached", () => {
    const bench = reached();
    bench.cut("root", "a");
    bench.put("a", "e", signalAndWait(2, 1, { timeoutUs: 3_000_000 }), signalAndWait(3, 1));
    expect(words(bench.pass(4_000_000))).toEqual(["a 2 timeout"]);
    bench.mend("root", "a");
    expect(words(bench.pass(1_000_000))).toEqual(["a 2 is 2", "a 3 is 3", "a 3 crossed"]);
  });

  it("is told its number first, when others of its target go on meanwhile", () => {
    const bench = new TreeBench([["root", "a"]]);
    bench.put("a", "e", waitFor(1, 2, { error: 4 }));
    bench.step("root", "a");
    bench.put("a", "e", signalAndWait(2, 2, { error: 3 }), signalAndWait(3, 2));
    bench.put("a", "e", { kind: "leave", connection: 3 });
    bench.put("root", "e", signal(1), signal(2));
    const told: Told[] = [];
    for (let turn = 0; turn < 9; turn += 1) told.push(...bench.pass(1_000));
    expect(words(told)).toEqual([
      ...["root 1 is 1", "root 2 is 2", "a 1 crossed"],
      ...["a 2 is 3", "a 2 crossed", "a 3 is 4"],
    ]);
    const errors = told.flatMap(({ effect }) => (effect.kind === "released" ? effect.error : []));
    expect(errors).toEqual([4, 4]);
  });

  it("ends with its scope, and is unavailable when what it said is lost on its way", () => {
    const bench = reached();
    bench.put("a", "e", signalAndWait(2, 1));
    bench.put("a", "e", signalAndWait(3, 1));
    expect(words(bench.lose("root", "a"))).toEqual(["a 2 unavailable"]);
    expect(words(bench.send("a", "e", { kind: "close-scope", scope: "s", error: 0 }))).toEqual([
      "a 3 cancelled",
    ]);
    expect(bench.core("a").service.waitersOfEdge("e")).toBe(0);
  });

  it("is not recorded as failed with the link, as the target is reached", () => {
    const bench = reached();
    bench.cut("root", "a");
    bench.put("a", "e", signalAndWait(2, 1), signalAndWait(3, 9));
    const { observed } = bench.core("a").send("tree/root", { kind: "end-edge" });
    const closed = observed.flatMap((one) => (one.kind === "barrier-closed" ? one.part : []));
    expect(closed).toEqual([9]);
  });

  it("is told of both after it has left, in a log of before", () => {
    const bench = reached(["a", 3]);
    bench.put("a", "e", signalAndWait(2, 1), { kind: "leave", connection: 2 });
    expect(words(bench.send("a", "host", { kind: "version", version: 4 }))).toEqual([
      ...["a 2 is 2", "a 2 crossed"],
    ]);
  });
});

describe("an older build", () => {
  it("has a state of its own, which becomes part of the tree's when this one takes its place", () => {
    const bench = new TreeBench([["root", "a"]], {}, new Map([["a", 2]]));
    expect(words(bench.send("a", "e", signal(1), signal(2), waitFor(3, 4)))).toEqual([
      ...["a 1 is 1", "a 2 is 2"],
    ]);
    expect(words(bench.send("root", "e", signal(1)))).toEqual(["root 1 is 1"]);
    bench.send("a", "host", { kind: "version", version: 3 });
    expect(words(bench.send("root", "e", signal(2)))).toEqual(["root 2 is 4", "a 3 crossed"]);
    // A controller that joins anew does not bring them again.
    bench.lose("root", "a");
    bench.mend("root", "a");
    bench.settle();
    expect(words(bench.send("root", "e", signal(3)))).toEqual(["root 3 is 5"]);
  });
});

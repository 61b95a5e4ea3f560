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

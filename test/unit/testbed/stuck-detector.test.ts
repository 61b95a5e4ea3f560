// SPDX-License-Identifier: MIT
// Goal: a run is called stuck when nobody can come any more, and only then.
import { describe, expect, it } from "vitest";
import type { BarrierDescription, ScopeDescription } from "../../../src/core/description.ts";
import { StuckDetector } from "../../../src/testbed/stuck-detector.ts";

function barrier(name: string, nodes: readonly (string | undefined)[]): BarrierDescription {
  return {
    ...{ scope: "s", name, kind: "count", generation: 1, expected: 9, count: 1, error: 0 },
    ...{ arrived: nodes.length, sinceUs: 0, missing: ["1 more to wait"] },
    waiting: nodes.map((node) => ({
      who: { address: "127.0.0.1:1/tcp", ...(node === undefined ? {} : { node }) },
      error: 0,
      arrivedUs: 0,
    })),
  };
}

const scope = (...barriers: readonly BarrierDescription[]): ScopeDescription => ({
  ...{ scope: "s", barriers, pendingEvents: 0 },
});
const on = (...nodes: readonly string[]) =>
  nodes.map((node, index) => ({ name: `p${index}`, node }));

/** Whether the same state is called stuck at 10 s, having been so since 0. */
function isStuck(state: ScopeDescription, active: ReturnType<typeof on>): boolean {
  const detector = new StuckDetector(10_000_000);
  expect(detector.check(0, state, active)).toBeUndefined();
  expect(detector.check(9_999_999, state, active)).toBeUndefined();
  return detector.check(10_000_000, state, active) !== undefined;
}

describe("check()", () => {
  it("says where nobody can come, once it has been so for long enough", () => {
    const detector = new StuckDetector(10_000_000);
    const state = scope(barrier("meet", ["n0", "n1"]), barrier("empty", []));
    detector.check(0, state, on("n0", "n1"));
    expect(detector.check(10_000_000, state, on("n0", "n1"))).toBe(
      "nobody can come any more to barrier 'meet': " +
        "every program that still runs waits, and no event is planned",
    );
  });

  it("names every barrier at which somebody waits", () => {
    const state = scope(barrier("a", ["n0"]), barrier("b", ["n1"]));
    const detector = new StuckDetector(1);
    detector.check(0, state, on("n0", "n1"));
    const said = detector.check(1, state, on("n0", "n1"));
    expect(said).toMatch(/to barriers 'a', 'b': /);
  });

  it.each([
    ["everybody waits, at different barriers", [["n0"], ["n1"]], ["n0", "n1"], true],
    ["two programs of a node wait", [["n0", "n0"]], ["n0", "n0"], true],
    ["a program works beside a waiting one", [["n0"]], ["n0", "n0"], false],
    ["a program works on another node", [["n0"]], ["n0", "n1"], false],
    ["somebody from outside waits, too", [["n0", undefined]], ["n0"], true],
    ["only somebody from outside waits", [[undefined]], ["n0"], false],
    ["nobody runs", [["n0"]], [], false],
    ["nobody waits", [], ["n0"], false],
  ] as const)("when %s", (_title, barriers, active, expected) => {
    const state = scope(...barriers.map((nodes, index) => barrier(`b${index}`, nodes)));
    expect(isStuck(state, on(...active))).toBe(expected);
  });

  it("not while an event is planned", () => {
    expect(isStuck({ ...scope(barrier("a", ["n0"])), pendingEvents: 1 }, on("n0"))).toBe(false);
  });

  it.each([
    ["all programs of the missing node have ended", ["anonymous, from n1"], ["n1"], true],
    ["one of two missing nodes could still come", ["anonymous, from n1", "n2"], ["n1"], false],
    ["any of several could come", ["1 anonymous, from 1 of n1, n2"], ["n1"], false],
    ["none of several could", ["1 anonymous, from 1 of n1, n2"], ["n1", "n2"], true],
    ["nobody knows who is missing", ["1 more, anonymous"], ["n1"], false],
  ])("waits 5 s or the whole time when %s", (_title, missing, done, isProven) => {
    const state = scope({ ...barrier("meet", ["n0"]), missing });
    const detector = new StuckDetector(10_000_000);
    const ask = (nowUs: number): string | undefined =>
      detector.check(nowUs, state, on("n0"), (node) => done.includes(node));
    expect(ask(0)).toBeUndefined();
    expect(ask(4_999_999)).toBeUndefined();
    expect(ask(5_000_000) !== undefined).toBe(isProven);
  });

  it("begins anew when anything changes", () => {
    const detector = new StuckDetector(10);
    detector.check(0, scope(barrier("a", ["n0"])), on("n0"));
    const grown = scope(barrier("a", ["n0", undefined]));
    expect(detector.check(9, grown, on("n0"))).toBeUndefined();
    expect(detector.check(18, grown, on("n0"))).toBeUndefined();
    expect(detector.check(19, grown, on("n0"))).toBeDefined();
  });
});

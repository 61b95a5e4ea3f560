// SPDX-License-Identifier: MIT
// Lists of open barriers come in pages: P1 what is open all the time is in one of them, whatever
// comes and goes between two requests; P2 a page has one barrier at least. Bounds at their value
// and one past it.
import { describe, expect, it } from "vitest";
import type { BarrierPageAsk, BarrierPlace } from "../../../src/core/description.ts";
import type { Limits } from "../../../src/core/limits.ts";
import { CoreDriver, wait } from "../../../src/testing/core-driver.ts";

/** A core with barriers of these names. */
function open(names: readonly string[], limits: Partial<Limits> = {}): CoreDriver {
  const core = new CoreDriver(limits);
  for (const [at, barrier] of names.entries()) core.send("e", wait(at + 1, { barrier }));
  return core;
}

const page = ({ service }: CoreDriver, ask: BarrierPageAsk = {}) => {
  const { barriers, next } = service.describe("s", undefined, ask);
  return { names: barriers.map(({ name }) => name), next };
};
const count = (name: string): BarrierPlace => ({ name, kind: "count" });

describe("describe() of a page", () => {
  it("P1 goes on behind the last name, also when that is gone and others have come", () => {
    const core = open(["d", "b", "a", "c"], { barriersPerPageMax: 2 });
    expect(page(core)).toEqual({ names: ["a", "b"], next: count("b") });
    core.send("e", { kind: "leave", connection: 2 }, wait(9, { barrier: "aa" }));
    core.send("e", wait(10, { barrier: "bb" }));
    expect(page(core, { after: count("b") })).toEqual({ names: ["bb", "c"], next: count("c") });
    expect(page(core, { after: count("c") })).toEqual({ names: ["d"], next: undefined });
    expect(page(core, { after: count("d") })).toEqual({ names: [], next: undefined });
  });

  it("P1 tells kinds of one name apart", () => {
    const core = open(["b", "c"], { barriersPerPageMax: 1 });
    const who = { address: "10.0.0.1:1/tcp" };
    core.send("e", { kind: "state-signal", scope: "s", barrier: "b", connection: 7, who });
    expect(page(core)).toEqual({ names: ["b"], next: count("b") });
    const state = { name: "b", kind: "state" } as const;
    expect(page(core, { after: count("b") })).toEqual({ names: ["b"], next: state });
    expect(page(core, { after: state })).toEqual({ names: ["c"], next: undefined });
  });

  it("barriersPerPageMax: as many are one page, one more begins another; who asks may want less", () => {
    const core = open(["a", "b", "c"], { barriersPerPageMax: 3 });
    expect(page(core)).toEqual({ names: ["a", "b", "c"], next: undefined });
    core.send("e", wait(4, { barrier: "d" }));
    expect(page(core, { max: 5 })).toEqual({ names: ["a", "b", "c"], next: count("c") });
    expect(page(core, { max: 1 })).toEqual({ names: ["a"], next: count("a") });
  });

  it("P2 namesPerPageMax: the barrier that reaches it is the last of its page", () => {
    const limits = { namesPerPageMax: 4 };
    // Each has one who waits, and says that somebody has to open it.
    expect(page(open(["a", "b", "c"], limits)).names).toEqual(["a", "b"]);
    expect(page(open(["a", "b", "c"], { namesPerPageMax: 5 })).names).toEqual(["a", "b", "c"]);
    expect(page(open(["a", "b"], { namesPerPageMax: 1 }))).toEqual({
      names: ["a"],
      next: count("a"),
    });
  });

  it("is not asked for: one barrier, or all of them in their own order", () => {
    const core = open(["d", "b"], { barriersPerPageMax: 1 });
    const names = (barrier?: string, ask?: BarrierPageAsk) =>
      core.service.describe("s", barrier, ask).barriers.map(({ name }) => name);
    expect(names()).toEqual(["d", "b"]);
    expect([names("b"), names("b", { after: count("c") }), names("x")]).toEqual([["b"], ["b"], []]);
  });
});

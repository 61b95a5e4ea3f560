// SPDX-License-Identifier: MIT
// Goal: --set and --repeat name every run of a series once, in an order people expect.
import { describe, expect, it } from "vitest";
import { planSeries } from "../../../src/cli/commands/series.ts";

describe("planSeries()", () => {
  it("is one run without a number when nothing is repeated", () => {
    expect(planSeries([], 1, 5)).toEqual([
      { directory: "1", title: "run 1 of 1", seed: 5, set: [] },
    ]);
    expect(planSeries(["A=1", "B=x=y"], 1, 5)[0]?.set).toEqual(["A=1", "B=x=y"]);
  });

  it("combines every value with every other, and repeats each with the same seeds", () => {
    const series = planSeries(["A=1", "B=x", "A=2", "B=y"], 2, 7);
    expect(series.map(({ set, seed }) => `${set.join(" ")} ${seed}`)).toEqual([
      ...["A=1 B=x 7", "A=1 B=x 8", "A=1 B=y 7", "A=1 B=y 8"],
      ...["A=2 B=x 7", "A=2 B=x 8", "A=2 B=y 7", "A=2 B=y 8"],
    ]);
    expect(series[3]?.title).toBe("run 4 of 8, A=1, B=y");
  });

  it("numbers directories so that they sort", () => {
    const names = planSeries([], 100, 0).map(({ directory }) => directory);
    expect(names.slice(0, 2)).toEqual(["001", "002"]);
    expect(names.toSorted()).toEqual(names);
  });

  it("keeps seeds in their range", () => {
    expect(planSeries([], 2, 2 ** 31 - 1).map(({ seed }) => seed)).toEqual([2 ** 31 - 1, 0]);
  });

  it.each([["novalue"], ["=value"]])("refuses %s", (setting) => {
    expect(() => planSeries([setting], 1, 0)).toThrow(`--set ${setting}: give NAME=VALUE`);
  });

  it("takes 100000 runs and not one more", () => {
    const values = ["A=1", "A=2"];
    expect(planSeries(values, 50_000, 0)).toHaveLength(100_000);
    expect(() => planSeries(values, 50_001, 0)).toThrow("at most 100000");
  });
});

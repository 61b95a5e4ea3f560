// SPDX-License-Identifier: MIT
// Goal: who reads a table of a linktest by the file sees which links somebody has changed since,
// and what they are now. Method: verdicts made up.
import { expect, test } from "vitest";
import { changedLinks, formatVerdicts } from "../../../src/cli/linktest-table.ts";
import { type Level, untestable, type Verdict } from "../../../src/linktest/index.ts";

const shape = { bandwidthBps: 1e7, delayMs: 5, loss: 0, queue: "droptail" as const };
const since = { bandwidthBps: 2e6, delayMs: 5, loss: 0.01, isUp: true };
const plain = { link: "m", from: "a", to: "b", ...shape };
const changed = { link: "l", from: "a", to: "b", ...shape, since };

function verdict(edge: Verdict["edge"], stage: Verdict["stage"], expected: number): Verdict {
  return { ...untestable(stage, edge, "so it is"), expected, measured: expected };
}

test("what was changed since is beside what the file asks, stage by stage", () => {
  const all = [
    verdict(plain, "loss", 0),
    verdict(changed, "bandwidth", 1e7),
    verdict(changed, "latency", 5.04),
    verdict(changed, "loss", 0),
    verdict({ ...changed, from: "b", since: { ...since, isUp: false } }, "loss", 0),
    verdict({ link: "l", from: "a", to: "c" }, "routing", 1),
  ];
  const lines = formatVerdicts(all, { first: 1, last: 4 }).split("\n");
  const cells = lines.slice(1, -1).map((line) => line.split(/ {2,}/).slice(1, 4).join(" "));
  expect(cells.sort()).toEqual([
    "a > b bandwidth 10 Mb/s (now: 2 Mb/s)",
    "a > b latency 5.04 ms",
    "a > b loss 0 %",
    "a > b loss 0 % (now: 1 %)",
    "a > c routing 1",
    "b > b loss 0 % (now: down)",
  ]);
  expect(changedLinks(all)).toEqual(["l"]);
});

test("where routing was to be tested and there is none, a row says so", () => {
  const routing = (first: Level, last: Level): string[] =>
    formatVerdicts([verdict(plain, "latency", 5)], { first, last })
      .split("\n")
      .filter((line) => line.includes("routing"));
  expect(routing(1, 2)).toEqual([expect.stringMatching(/^- +- +routing +- +- +none +no way over/)]);
  expect([...routing(1, 1), ...routing(3, 4)]).toEqual([]);
});

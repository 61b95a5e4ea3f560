// SPDX-License-Identifier: MIT
// Goal: who names no run, or several, is told which there are, and how to name one. Method: runs
// made up.
import { expect, test } from "vitest";
import { besides, noSuchRun, severalRuns } from "../../../src/cli/living-runs.ts";

const run = (experiment: string, runId: string) => ({ experiment, runId, out: `/r/${runId}` });

test("several of one name are listed with their IDs and directories, as a wrong command line", () => {
  const { exitCode, message } = severalRuns("e is several", [run("p/e", "a"), run("p/e", "b")]);
  expect([exitCode, message]).toEqual([
    64,
    "e is several: p/e a in /r/a, p/e b in /r/b; name one by that ID or directory; " +
      "muster run --eid NAME gives it a name of its own",
  ]);
});

test("a name of none is answered with those that are there, each once, and 66", () => {
  const there = [run("p/e", "a"), run("p/e", "b"), run("p/f", "c")];
  const { exitCode, message } = noSuchRun("g", there);
  expect([exitCode, message]).toEqual([
    66,
    "no run of yours is under way for g; start one with muster run or muster up; " +
      "under way: p/e, p/f",
  ]);
  expect(noSuchRun("g", []).message).toMatch(/or muster up$/);
});

test("ten are listed, and that there are more", () => {
  const many = Array.from({ length: 11 }, (_, index) => run(`p/e${index}`, `${index}`));
  expect(besides(many)).toMatch(/p\/e8, p\/e9, \.\.\.$/);
  expect(severalRuns("e", many).message).toMatch(/p\/e9 9 in \/r\/9, \.\.\.; name/);
});

// SPDX-License-Identifier: MIT
// Goal: whoever swaps an experiment out reads what became of its run and why, and where its nodes
// are while it is up. Method: answers of a daemon, made by hand, and the text of them.
import { expect, it } from "vitest";
import type { EndedRun, ExperimentDetails } from "../../../src/boss/index.ts";
import { describeDown } from "../../../src/cli/commands/down.ts";
import { formatDetails } from "../../../src/cli/commands/status.ts";

const run: EndedRun = {
  ...{ number: 1, directory: "/s/runs/1", runId: "r", seed: 7, startedMs: 0, endedMs: 9 },
  ...{ outcome: "failed", endedBy: "terminate", error: null },
};
const reason = (message: string) => ({ code: "PROGRAM", message });

it("says why a run failed, and where the other reasons are", () => {
  const head = "p/e is swapped out; run 1 failed, results in /s/runs/1\n";
  expect(describeDown("p/e", { ...run, reasons: [reason("a\u001b[2J")] })).not.toContain("\u001b");
  expect(describeDown("p/e", { ...run, reasons: [reason("p exited with 1")] })).toBe(
    `${head}  p exited with 1\n`,
  );
  expect(describeDown("p/e", { ...run, reasons: [reason("x"), reason("y")] })).toBe(
    `${head}  x; more: muster logs p/e\n`,
  );
  // From an older daemon.
  expect(describeDown("p/e", run)).toBe(head);
});

it("says which nodes are on which machine, and how many programs are still to start", () => {
  const live = {
    ...{ nodesUp: 3, nodes: 3, programsRunning: 0, programsEnded: 0, programsFailed: 0 },
    ...{ programs: 2, programsNotStarted: 2, barriers: [], barriersDropped: 0 },
    machines: [
      { name: "west", nodes: ["a", "c"] },
      { name: "east", nodes: ["b"] },
    ],
  };
  const details = {
    ...{ experiment: "p/e", state: "active", sinceMs: 0, swapper: "ann", live },
    ...{ file: "e.ns", runs: [], history: [], eventServer: null },
  } as unknown as ExperimentDetails;
  expect(formatDetails(details, 0).split("\n")).toEqual(
    expect.arrayContaining([
      "p/e is active for 0.0 s, swapped in by ann",
      "  on west   a, c",
      "  on east   b",
      "  programs  0 running, 0 ended, 2 not started",
    ]),
  );
  const headAt = (nowMs: number) => formatDetails(details, nowMs).split("\n", 1)[0];
  expect(headAt(1_647)).toBe("p/e is active for 1.6 s, swapped in by ann");
  expect(headAt(125_000)).toBe("p/e is active for 2 min 05 s, swapped in by ann");
});

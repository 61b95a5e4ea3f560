// SPDX-License-Identifier: MIT
// Goal: what `muster status` says of a run while it goes. Method: run events by hand.
import { describe, expect, it } from "vitest";
import { isTimeZero, LiveRun } from "../../../src/boss/live-run.ts";
import type { RunEvent, RunEventBody } from "../../../src/testbed/run-event.ts";
import { runStarted } from "./fake-run.ts";

const at = (body: RunEventBody): RunEvent => ({ ...body, atUs: 0 });
const barrier = (name: string, arrived: number, expected: number, missing: string[] = []) =>
  at({ type: "barrier-changed", name, arrived, expected, waiting: ["a"], missing });
const ended = (exitCode: number): RunEvent =>
  at({
    ...{ type: "program-ended", name: "p", node: "a", command: "c", startedUs: 0, exitCode },
    ...{ expectedExitCode: 0, signal: null, timedOut: false, stopped: false },
    ...{ startError: null, stderrTail: "" },
  });
const started = at({ type: "program-started", name: "p", node: "a", command: "c" });
const closed = (name: string): RunEvent =>
  at({
    ...{ type: "barrier-ended", name, kind: "count", generation: 1, outcome: "crossed", error: 0 },
    ...{ expected: 2, crossedUs: 0, participants: [], missing: [] },
  });
const named = (...names: readonly string[]) => names.map((name) => ({ name }));
const size = { nodes: named("a", "b"), programs: named("p", "q", "r") };

function liveAfter(events: readonly RunEvent[], namesMax = 10): LiveRun {
  const live = new LiveRun(size, namesMax);
  for (const event of events) live.observe(event);
  return live;
}

describe("LiveRun", () => {
  it("counts nodes and programs", () => {
    const live = liveAfter([
      at({ type: "node-up", node: "a" }),
      ...[started, started, ended(0), started, ended(1)],
    ]);
    expect(live.describe()).toMatchObject({
      ...{ nodesUp: 1, nodes: 2, programs: 3 },
      ...{ programsRunning: 1, programsEnded: 2, programsFailed: 1, programsNotStarted: 2 },
    });
  });

  it("says which nodes are on which other machine", () => {
    expect(liveAfter([started]).describe()).not.toHaveProperty("machines");
    const node = (name: string, host: string) => ({ name, host, addresses: [] });
    const nodes = [node("a", "west"), node("b", "east"), node("c", "west")];
    const live = liveAfter([at({ ...runStarted, nodes })]);
    expect(live.describe().machines).toEqual([
      { name: "west", nodes: ["a", "c"] },
      { name: "east", nodes: ["b"] },
    ]);
  });

  it("shows open barriers with who is missing until they end or nobody is there any more", () => {
    const events = [barrier("x", 1, 2, ["b"]), barrier("y", 1, 0), barrier("z", 1, 3)];
    const live = liveAfter([...events, barrier("y", 0, 0), closed("z")]);
    expect(live.describe().barriers).toEqual([
      { name: "x", arrived: 1, expected: 2, waiting: ["a"], missing: ["b"], namesDropped: 0 },
    ]);
  });

  it("shows as many barriers and names as the limit, and counts the rest", () => {
    const two = [barrier("x", 1, 4, ["b", "c"]), barrier("y", 1, 2)];
    expect(liveAfter(two, 2).describe()).toMatchObject({ barriersDropped: 0 });
    const shown = liveAfter([...two, barrier("z", 1, 5, ["b", "c", "d"])], 2).describe();
    expect(shown.barriersDropped).toBe(1);
    expect(shown.barriers).toHaveLength(2);
    const [one] = liveAfter([barrier("z", 1, 5, ["b", "c", "d"])], 2).describe().barriers;
    expect(one).toMatchObject({ missing: ["b", "c"], namesDropped: 1 });
  });

  it("counts what a modification has brought and taken", () => {
    const live = liveAfter([
      ...[at({ type: "node-up", node: "a" }), at({ type: "node-up", node: "b" })],
      at({
        type: "run-modified",
        nodesAdded: [{ name: "c", addresses: [] }],
        ...{ nodesRemoved: ["a"], nodesRestarted: ["b"], nodesLost: [{ name: "b", why: "w" }] },
        programsAdded: [{ name: "s", node: "c" }],
        ...{
          programsRemoved: ["p", "q"],
          programsRestarted: [],
          linksChanged: [],
          linksAdded: [],
          linksRemoved: [],
          links: [],
          ...{ trafficEnded: [], trafficBegun: [], sequencesChanged: [], events: [] },
          ...{ eventsChanged: [], eventsRemoved: [], eventsFired: [] },
        },
      }),
      at({ type: "node-up", node: "c" }),
    ]);
    expect(live.describe()).toMatchObject({ nodesUp: 1, nodes: 1, programs: 2 });
  });

  it("has no nodes when the run has ended", () => {
    const end = at({ type: "run-ended", endedBy: "idle", error: null });
    const live = liveAfter([at({ type: "node-up", node: "a" }), barrier("x", 1, 2), end]);
    expect(live.describe()).toMatchObject({ nodesUp: 0, barriers: [] });
  });
});

describe("isTimeZero()", () => {
  it("is the start of the agenda and nothing else", () => {
    const log = (kind: "agenda-start" | "close-scope"): RunEvent => {
      const command =
        kind === "agenda-start" ? { kind, scope: "s" } : { kind, scope: "s", error: 1 };
      const batch = { edge: "e", incarnation: 1, number: 1, commands: [command] };
      const entry = { format: 1, batches: [batch] } as const;
      return at({ type: "log", entry: { sequence: 1, stampUs: 0, entry } });
    };
    expect(isTimeZero(log("agenda-start"))).toBe(true);
    expect(isTimeZero(log("close-scope"))).toBe(false);
    expect(isTimeZero(started)).toBe(false);
  });
});

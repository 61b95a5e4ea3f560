// SPDX-License-Identifier: MIT
// Goal: result.json says what happened, and the verdict follows its rules. Method: small streams
// told by hand; each rule of the verdict is broken once; any order of events is tolerated
// (property).
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Experiment, Link } from "../../../src/experiment/model.ts";
import { createEventLines } from "../../../src/testbed/record/event-text.ts";
import { renderJunit } from "../../../src/testbed/record/junit.ts";
import { renderReport } from "../../../src/testbed/record/report-html.ts";
import { accomplished, renderSummary } from "../../../src/testbed/record/report-text.ts";
import { createResultBuilder, exitStatus } from "../../../src/testbed/record/result.ts";
import { lanPairsMax, skippedLinks } from "../../../src/testbed/record/result-links.ts";
import { type RunResult, warningsMax } from "../../../src/testbed/record/result-model.ts";
import { barrierSentence, pickReasons } from "../../../src/testbed/record/verdict.ts";
import type { RunEvent } from "../../../src/testbed/run-event.ts";
import { goodStory, largeRun, makeExperiment, planned, Story } from "./synthetic-run.ts";

function resultOf(events: readonly RunEvent[], experiment: Experiment = makeExperiment()) {
  const builder = createResultBuilder({ experiment });
  for (const event of events) builder.add(event);
  return builder.build();
}

describe("a run that was modified", () => {
  const web = { name: "web", node: "node0" };
  const late = { name: "late", node: "node2" };
  const gone = { name: "gone", node: "node1" };
  const row = (id: number) => ({
    ...{ id, object: "late", objectType: "PROGRAM", event: "START", args: "" },
    plannedUs: id * 1_000,
  });
  const story = (): Story =>
    new Story().start(["node0", "node1"], { programs: [web, gone] }).at(5_000, {
      type: "run-modified",
      nodesAdded: [{ name: "node2", addresses: [] }],
      ...{ nodesRemoved: ["node1"], nodesRestarted: [], nodesLost: [] },
      ...{ programsAdded: [late], programsRemoved: ["gone"], programsRestarted: [] },
      ...{ linksChanged: ["l0"], linksAdded: ["l1", "l2"], linksRemoved: ["l3"] },
      ...{ links: [], trafficEnded: [], trafficBegun: ["cbr"], sequencesChanged: ["q"] },
      ...{ eventsChanged: [{ ...row(1), plannedUs: 9_500 }], eventsRemoved: [3] },
      eventsFired: [row(2)],
      events: [8, 9].map(row),
    });

  it("names every node there ever was, and what came and went", () => {
    const { nodes, modifications } = resultOf(story().events);
    expect(nodes.map(({ name }) => name)).toEqual(["node0", "node1", "node2"]);
    expect(modifications).toEqual([
      {
        ...{ atUs: 5_000, nodesAdded: ["node2"], nodesRemoved: ["node1"], nodesRestarted: [] },
        ...{ nodesLost: [], programsAdded: ["late"], programsRemoved: ["gone"] },
        ...{ linksChanged: ["l0"], linksAdded: ["l1", "l2"], linksRemoved: ["l3"] },
        ...{ programsRestarted: [], trafficEnded: [], trafficBegun: ["cbr"] },
        ...{ sequencesChanged: ["q"], eventsAdded: [8, 9], eventsChanged: [1] },
        ...{ eventsRemoved: [3], eventsFired: [2] },
      },
    ]);
  });

  it("misses who was added and never started, and not who was removed", () => {
    const { programsNotStarted } = resultOf(story().program(0, 1_000).events);
    expect(programsNotStarted).toEqual([late]);
  });

  it("lists the events it brought, those that fired and those that did not", () => {
    const fired = {
      type: "event-fired" as const,
      ...{ id: 8, object: "late", objectType: "PROGRAM", event: "START" },
      ...{ args: "", plannedUs: 8_000, firedUs: 8_010, latenessUs: 10, skewUs: 0, outcome: "done" },
    };
    const { events } = resultOf(story().at(8_010, fired).events);
    expect(events.map(({ id, firedUs, outcome }) => [id, firedUs, outcome])).toEqual([
      [8, 8_010, "done"],
      [9, null, "not fired"],
      // What was changed is planned as it is now.
      [1, null, "not fired"],
    ]);
  });

  it("is marked in the timeline, told in words, and said of the command that repeats it", () => {
    const page = renderReport(resultOf(story().end(9_000).events));
    const words =
      "nodes added: node2; nodes removed: node1; programs added: late; programs removed: gone; " +
      "links changed: l0; links added: l1, l2; links removed: l3; traffic begun: cbr; " +
      "sequences and timelines changed: q; events added: 8, 9; events changed: 1; " +
      "events removed: 3; events that had fired: 2";
    expect(page).toContain(`<title>modified: ${words}, +0.005s</title>`);
    expect(page).toContain(`<li>+0.005000s: ${words}</li>`);
    expect(page).toContain("The run as it began, with the same seed; it was modified 1 time later");
    const plain = renderReport(resultOf(new Story().start(["node0"]).end(9).events));
    expect(plain).not.toMatch(/Modified|modified:|class="modified"/);
  });

  it("counts who was stopped apart from who ended as expected", () => {
    const one = new Story().program(0, 9, { name: "p" });
    const two = one.program(0, 10, { name: "q", stopped: true }).end(11);
    expect(accomplished(resultOf(two.events))).toBe("1 program as expected, 1 stopped");
    expect(renderReport(resultOf(two.events))).toContain("1 of 2 as expected, 1 stopped");
  });

  it("says beside the verdict of a run that passed how many events failed", () => {
    const end = { outcome: "failed: it cannot be so" };
    const result = resultOf(new Story().start([]).fired(0, 1, end).fired(0, 1).end(2_000).events);
    const [, verdict = []] = renderSummary(result);
    const text = verdict.map((part) => (typeof part === "string" ? part : part.text)).join("");
    expect(text).toMatch(/^passed, but 1 of 2 events failed {2}demo\/five in 2\.0 ms: /);
    expect(result).toMatchObject({ outcome: "passed", reasons: [] });
    expect(renderReport(result)).toContain("<strong>Passed</strong>, but 1 of 2 events failed <");
  });

  it("says of a barrier that was given up how many came, also where nobody said how many", () => {
    const gone = { name: "x", node: "a", arrivedUs: 1, releasedUs: null };
    const said = (expected: number): string => {
      const parties = { participants: [gone], expected };
      const story = new Story().barrier(9, { ...parties, outcome: "cancelled" });
      const lines = story.events.flatMap((event) => createEventLines().next(event));
      return lines
        .flat()
        .map((part) => (typeof part === "string" ? part : part.text))
        .join("");
    };
    expect(said(2)).toContain("given up: 1 of 2 came");
    expect(said(0)).toContain("given up: 1 came, nobody said how many");
  });

  it("says in the progress what an event has made of a link", () => {
    const modify = { object: "l", objectType: "LINK", event: "MODIFY", args: "DELAY=50ms" };
    const lines = createEventLines();
    const told = new Story().start(["a"], {}).fired(0, 9, modify).events;
    expect(told.flatMap((event) => lines.next(event)).flat()).toContain(
      "event l MODIFY DELAY=50ms fired: done",
    );
  });

  it("says in one line of the progress what happened", () => {
    const lines = createEventLines();
    const said = story().events.flatMap((event) => lines.next(event));
    const text = said.map((line) =>
      line.map((part) => (typeof part === "string" ? part : part.text)),
    );
    expect(text.at(-1)?.join("")).toBe(
      "+0.005s   modified: nodes added: node2; nodes removed: node1; programs added: late; programs removed: gone; " +
        "links changed: l0; links added: l1, l2; links removed: l3; traffic begun: cbr; " +
        "sequences and timelines changed: q; events added: 8, 9; events changed: 1; " +
        "events removed: 3; events that had fired: 2",
    );
  });
});

describe("createResultBuilder()", () => {
  it("says what happened in a run that went well", () => {
    const experiment = makeExperiment({ events: [planned(0, 0, "web")] });
    const result = resultOf(goodStory().events, experiment);
    expect(result).toMatchObject({
      schema: 1,
      experiment: "demo/five",
      runId: "r-1",
      outcome: "passed",
      endedBy: "idle",
      error: null,
      reasons: [],
      syncServer: "node0",
      seed: 7,
      startedAt: "2023-11-14T22:13:20.000Z",
      startedUs: -50_000,
      endedUs: 2_100_500,
      nodes: [
        { name: "node0", upUs: -40_000 },
        { name: "node1", upUs: -30_000 },
      ],
      programsNotStarted: [],
    });
    expect(result.barriers).toEqual([
      {
        name: "ready",
        kind: "count",
        generation: 1,
        outcome: "crossed",
        givenUp: false,
        expected: 2,
        arrived: 2,
        crossedUs: 1_000_100,
        endedUs: 1_000_100,
        error: 0,
        participants: [
          { name: "node0/a", node: "node0", arrivedUs: 999_100, releasedUs: 1_000_100 },
          { name: "node1/a", node: "node1", arrivedUs: 999_100, releasedUs: 1_000_100 },
        ],
        missing: [],
        slow: null,
      },
    ]);
    expect(result.events).toEqual([
      {
        id: 1,
        object: "web",
        type: "PROGRAM",
        event: "START",
        args: "",
        plannedUs: 0,
        firedUs: 90,
        latenessUs: 90,
        skewUs: 0,
        outcome: "done",
      },
    ]);
    expect(
      result.programs.map(({ name, startedUs, endedUs }) => [name, startedUs, endedUs]),
    ).toEqual([
      ["web", 100, 2_000_000],
      ["load", 150, 2_100_000],
    ]);
    expect(exitStatus(result)).toBe(0);
  });

  it("lists a barrier still open at the end with who is missing (R3)", () => {
    const story = new Story()
      .start(["node0", "node1", "node2"])
      .arrivals(100, "ready", ["node0"], 3, ["node1", "node2"])
      .arrivals(300, "ready", ["node0", "node1"], 3, ["node2"])
      .at(350, {
        type: "barrier-slow",
        name: "ready",
        waitedUs: 10_000_000,
        arrived: ["node0", "node1"],
        missing: ["node2"],
      })
      .end(500, { endedBy: "duration" });
    const result = resultOf(story.events);
    expect(result.barriers).toEqual([
      {
        name: "ready",
        kind: "count",
        generation: 1,
        outcome: "cancelled",
        givenUp: false,
        expected: 3,
        arrived: 2,
        crossedUs: null,
        endedUs: 500,
        error: 0,
        participants: [
          { name: "node0", node: null, arrivedUs: 100, releasedUs: null },
          { name: "node1", node: null, arrivedUs: 300, releasedUs: null },
        ],
        missing: ["node2"],
        slow: {
          atUs: 350,
          waitedUs: 10_000_000,
          arrived: ["node0", "node1"],
          missing: ["node2"],
        },
      },
    ]);
    expect(result.reasons).toEqual([
      {
        code: "BARRIER",
        message:
          "barrier ready was cancelled: 2 of 3 arrived (node0, node1); missing: node2 " +
          "(no program of the experiment is on node2)",
      },
    ]);
  });

  it("counts generations of an open barrier on from those that ended", () => {
    const story = goodStory();
    story.events.pop();
    story.arrivals(2_200_000, "ready", ["node0"], 2, ["node1"]).end(2_300_000);
    expect(resultOf(story.events).barriers.map((one) => [one.generation, one.outcome])).toEqual([
      [1, "crossed"],
      [2, "cancelled"],
    ]);
  });

  it("forgets a barrier that everybody left before it was initialised", () => {
    const story = new Story()
      .start(["node0"])
      .arrivals(100, "ready", ["node0"], 0)
      .arrivals(200, "ready", [], 0)
      .end(500);
    expect(resultOf(story.events)).toMatchObject({ barriers: [], outcome: "passed" });
  });

  it("keeps an initialised barrier nobody waits at", () => {
    const story = new Story().start(["node0"]).arrivals(100, "ready", [], 2, ["node0"]).end(500);
    expect(resultOf(story.events)).toMatchObject({
      outcome: "failed",
      barriers: [{ name: "ready", arrived: 0, expected: 2, missing: ["node0"] }],
    });
  });

  it("counts as arrived whoever did not leave again", () => {
    const gone = { name: "x", node: "node0", arrivedUs: 1, releasedUs: null };
    const back = { name: "y", node: "node0", arrivedUs: 2, releasedUs: 9 };
    const story = new Story().barrier(9, { participants: [gone, back], expected: 1 });
    expect(resultOf(story.events).barriers[0]?.arrived).toBe(1);
  });

  it("lists planned events that did not fire, and knows the others by their number", () => {
    const experiment = makeExperiment({
      events: [planned(0, 1_000, "web"), planned(1, 2_000, "web"), planned(2, "swapout", "web")],
    });
    // Moved by a pause; and one that came later, at the instant of one that was planned.
    const story = new Story().fired(7_000, 7_300, { id: 2 }).fired(1_000, 1_001, { id: 4 });
    const rows = resultOf(story.end(9_000).events, experiment).events;
    expect(rows.map((row) => [row.id, row.plannedUs, row.firedUs, row.outcome])).toEqual([
      [2, 7_000, 7_300, "done"],
      [4, 1_000, 1_001, "done"],
      [1, 1_000, null, "not fired"],
      [3, null, null, "not fired"],
    ]);
  });

  it("says of an event that was taken back that it was", () => {
    const experiment = makeExperiment({ events: [planned(0, 1_000, "web")] });
    const facts = { object: "web", objectType: "PROGRAM", event: "START", args: "" };
    const taken = { type: "event-cancelled" as const, ...facts, plannedUs: 1_000 };
    const story = new Story().at(10, { ...taken, id: 1, why: "no need" });
    // Sent while the run went, and left over.
    story.at(20, { ...taken, id: 2, why: "the run ended before", isLeftOver: true }).end(9_500);
    expect(resultOf(story.events, experiment)).toMatchObject({
      outcome: "passed",
      events: [
        { id: 1, plannedUs: 1_000, firedUs: null, outcome: "cancelled", why: "no need" },
        { id: 2, firedUs: null, outcome: "not fired", why: "the run ended before" },
      ],
    });
  });

  it("keeps a bounded number of warnings and counts the rest", () => {
    const story = new Story();
    for (let at = 0; at <= warningsMax; at += 1) {
      story.at(at, { type: "message", level: "warning", node: null, text: `w${at}` });
    }
    story.at(0, { type: "message", level: "info", node: null, text: "not a warning" });
    const result = resultOf(story.events);
    expect(result.warnings).toHaveLength(warningsMax);
    expect(result.warningsDropped).toBe(1);
  });

  it("names programs that were never started without failing the run", () => {
    const story = new Story()
      .start(["node0"], { programs: [{ name: "idle", node: "node0" }] })
      .end(10);
    expect(resultOf(story.events)).toMatchObject({
      outcome: "passed",
      programsNotStarted: [{ name: "idle", node: "node0" }],
    });
  });

  it("takes links from its caller", () => {
    const link = {
      name: "l",
      from: "a",
      to: "b",
      asked: { bandwidthBps: 1, delayUs: 1, loss: 0 },
      measured: { bandwidthBps: 1, rttUs: 2, loss: 0 },
      verdict: "ok" as const,
    };
    const builder = createResultBuilder({ experiment: makeExperiment(), links: [link] });
    expect(builder.build().links).toEqual([link]);
  });
});

describe("the verdict", () => {
  const cases: readonly (readonly [string, (story: Story) => Story, string | null])[] = [
    ["nothing happens", (story) => story, null],
    ["a program ends with another code", (s) => s.program(0, 9, { exitCode: 1 }), "PROGRAM"],
    [
      "a program ends with the other code it should",
      (s) => s.program(0, 9, { exitCode: 3, expectedExitCode: 3 }),
      null,
    ],
    [
      "a program ends with 0 but should not",
      (s) => s.program(0, 9, { expectedExitCode: 3 }),
      "PROGRAM",
    ],
    [
      "a signal ends a program",
      (s) => s.program(0, 9, { exitCode: null, signal: "SIGSEGV" }),
      "PROGRAM",
    ],
    [
      "a stopped program ends by a signal",
      (s) => s.program(0, 9, { exitCode: null, signal: "SIGTERM", stopped: true }),
      null,
    ],
    [
      "a stopped program ends with a code",
      (s) => s.program(0, 9, { exitCode: 9, stopped: true }),
      null,
    ],
    [
      "a program runs out of time",
      (s) => s.program(0, 9, { exitCode: null, signal: "SIGTERM", timedOut: true }),
      "PROGRAM",
    ],
    [
      "a program cannot be started",
      (s) => s.program(0, 9, { exitCode: null, startError: "no such file" }),
      "PROGRAM",
    ],
    [
      "a program was stopped before it could be started",
      (s) => s.program(0, 9, { exitCode: null, startError: "no such file", stopped: true }),
      "PROGRAM",
    ],
    [
      "a program does not end",
      (s) => s.at(5, { type: "program-started", name: "web", node: "node0", command: "x" }),
      "PROGRAM",
    ],
    ["a barrier crosses", (s) => s.barrier(9), null],
    ["a barrier crosses with an error number", (s) => s.barrier(9, { error: 42 }), null],
    ["a barrier fails", (s) => s.barrier(9, { outcome: "failed" }), "BARRIER"],
    ["a barrier times out", (s) => s.barrier(9, { outcome: "timeout" }), "BARRIER"],
    ["a barrier is cancelled", (s) => s.barrier(9, { outcome: "cancelled" }), "BARRIER"],
    ["a barrier stays open", (s) => s.arrivals(5, "b", ["node0"], 2), "BARRIER"],
    ["an event is late", (s) => s.fired(0, 5_000_000), null],
    ["an event fails", (s) => s.fired(0, 0, { outcome: "failed: x" }), null],
    [
      "a warning is given",
      (s) => s.at(1, { type: "message", level: "error", node: null, text: "x" }),
      null,
    ],
  ];
  it.each(cases)("when %s", (_title, tell, code) => {
    const result = resultOf(tell(new Story().start(["node0"])).end(10).events);
    expect(result.reasons.map((reason) => reason.code)).toEqual(code === null ? [] : [code]);
    expect(result.outcome).toBe(code === null ? "passed" : "failed");
    expect(exitStatus(result)).toBe(code === null ? 0 : 1);
  });

  it("fails by an error of the run, an interrupt, a failure without words, a missing end", () => {
    const start = () => new Story().start(["node0"]);
    const error = { code: "SETUP", message: "no port" };
    const codes = (story: Story) => resultOf(story.events).reasons.map((reason) => reason.code);
    expect(codes(start().end(1, { error, endedBy: "failure" }))).toEqual(["SETUP"]);
    expect(codes(start().end(1, { endedBy: "interrupt" }))).toEqual(["INTERRUPTED"]);
    expect(codes(start().end(1, { endedBy: "failure" }))).toEqual(["FAILED"]);
    expect(codes(start())).toEqual(["INCOMPLETE"]);
    expect(codes(start().end(1, { endedBy: "terminate" }))).toEqual([]);
    expect(codes(start().end(1, { endedBy: "duration" }))).toEqual([]);
  });

  it("fails by an error from outside the stream; the first stays", () => {
    const builder = createResultBuilder({ experiment: makeExperiment() });
    for (const event of goodStory().events) builder.add(event);
    expect(builder.build().outcome).toBe("passed");
    builder.fail("OUTPUT", "disk full");
    builder.fail("OTHER", "later");
    expect(builder.build()).toMatchObject({
      outcome: "failed",
      error: { code: "OUTPUT", message: "disk full" },
    });
  });

  it("names who is missing, and says so when nobody told how many to expect", () => {
    const [barrier] = resultOf(
      new Story().arrivals(1, "b", ["node0"], 0, ["anonymous, from node1", "node2"]).end(2).events,
    ).barriers;
    expect(barrier && barrierSentence(barrier)).toBe(
      "barrier b was cancelled: 1 arrived (node0), nobody said how many; missing: node1, node2",
    );
  });

  it("pickReasons() keeps one of each code", () => {
    const program = (n: number) => ({ code: "PROGRAM", message: `${n}` });
    const barrier = { code: "BARRIER", message: "b" };
    const reasons = [program(1), program(2), program(3), program(4), barrier];
    expect(pickReasons(reasons, 3)).toEqual([program(1), program(2), barrier]);
    expect(pickReasons(reasons, 5)).toEqual(reasons);
  });
});

describe("skippedLinks()", () => {
  const shape = (bandwidthBps: number, delayUs: number, loss: number) => ({
    bandwidthBps,
    delayUs,
    loss,
  });
  const none = shape(0, 0, 0);
  const lan = (count: number): Link => ({
    name: "lan0",
    kind: "lan",
    netmask: "255.255.255.0",
    at: { file: "", line: 1, column: 1 },
    members: Array.from({ length: count }, (_, index) => ({
      node: `n${index}`,
      port: 0,
      address: "",
      toLink: none,
      fromLink: none,
    })),
  });

  it("adds up shaping along each direction", () => {
    const [a, b] = lan(2).members;
    if (a === undefined || b === undefined) throw new Error("two members expected");
    const link: Link = {
      ...lan(0),
      members: [
        { ...a, toLink: shape(100, 5, 0.01), fromLink: shape(0, 7, 0.5) },
        { ...b, toLink: shape(80, 1, 0.5), fromLink: none },
      ],
    };
    expect(skippedLinks([link])).toEqual([
      {
        name: "lan0",
        from: "n0",
        to: "n1",
        asked: shape(100, 5, 0.01),
        measured: null,
        verdict: "skipped",
      },
      {
        name: "lan0",
        from: "n1",
        to: "n0",
        asked: shape(80, 8, 0.75),
        measured: null,
        verdict: "skipped",
      },
    ]);
  });

  it("says a loss that two sides make up as the file gives it", () => {
    const half = 1 - Math.sqrt(0.99);
    const [a, b] = lan(2).members.map((one) => {
      return { ...one, toLink: shape(0, 0, half), fromLink: shape(0, 0, half) };
    });
    if (a === undefined || b === undefined) throw new Error("two members expected");
    const losses = skippedLinks([{ ...lan(0), members: [a, b] }]).map(({ asked }) => asked.loss);
    expect(losses).toEqual([0.01, 0.01]);
  });

  it("lists all pairs of a LAN up to the limit, a ring above it", () => {
    expect(skippedLinks([lan(3)])).toHaveLength(6);
    expect(100 * 99).toBeLessThanOrEqual(lanPairsMax);
    expect(skippedLinks([lan(100)])).toHaveLength(9_900);
    expect(skippedLinks([lan(101)])).toHaveLength(101);
    expect(skippedLinks([lan(1)])).toEqual([]);
  });
});

describe("any order of events", () => {
  const pool: readonly RunEvent[] = [
    ...goodStory().events,
    ...largeRun({ nodes: 4, seed: 1, fails: true }).events,
    ...new Story().arrivals(3, "ready", ["a"], 5, ["b"]).program(9, 1, { exitCode: null }).events,
  ];
  it("gives a result that every view can show (R4)", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pool), { maxLength: 40 }), (events) => {
        const result: RunResult = resultOf(events);
        expect(result.outcome === "passed").toBe(result.reasons.length === 0);
        expect(JSON.parse(JSON.stringify(result))).toEqual(result);
        renderSummary(result);
        renderJunit(result);
        renderReport(result);
      }),
      { numRuns: 300 },
    );
  });
});

// SPDX-License-Identifier: MIT
// What the result says of links when the experiment was modified: those that came, changed or went.
import { describe, expect, it } from "vitest";
import type { Experiment, Link } from "../../../src/experiment/model.ts";
import { renderReport } from "../../../src/testbed/record/report-html.ts";
import { renderSummary } from "../../../src/testbed/record/report-text.ts";
import { createResultBuilder } from "../../../src/testbed/record/result.ts";
import type { RunResult } from "../../../src/testbed/record/result-model.ts";
import type { LinksTested, RunEvent, RunModified } from "../../../src/testbed/run-event.ts";
import { makeExperiment, Story } from "./synthetic-run.ts";

function resultOf(events: readonly RunEvent[], experiment: Experiment = makeExperiment()) {
  const builder = createResultBuilder({ experiment });
  for (const event of events) builder.add(event);
  return builder.build();
}

describe("links of a run that was modified", () => {
  const none = { bandwidthBps: 0, delayUs: 0, loss: 0 };
  const member = (node: string, delayUs: number) => ({
    ...{ node, address: "", fromLink: none, toLink: { ...none, delayUs } },
  });
  const link = (name: string, delayUs: number, ...nodes: readonly string[]): Link => ({
    ...{ name, kind: nodes.length === 2 ? "link" : "lan", netmask: "255.255.255.0" },
    at: { file: "", line: 1, column: 1 },
    members: nodes.map((node, port) => ({ ...member(node, delayUs), port })),
  });
  const edge = { bandwidthBps: 0, loss: 0, queue: undefined, delayMs: 0 };
  const tested = (
    name: string,
    [from, to]: readonly [string, string],
    verdict: "ok" | "bad",
    measured = 5,
  ) => ({
    ...{ type: "links-tested" as const, level: 1, isCancelled: false },
    verdicts: [
      {
        ...{ stage: "latency" as const, edge: { ...edge, link: name, from, to } },
        ...{ expected: 5, measured, interval: null, detectable: null, samples: 9 },
        ...{ verdict, why: verdict === "bad" ? `${measured} ms came` : "" },
      },
    ] as unknown as LinksTested["verdicts"],
  });
  const modified = (part: Partial<RunModified>): RunModified => ({
    type: "run-modified",
    ...{ nodesAdded: [], nodesRemoved: [], nodesRestarted: [], nodesLost: [] },
    ...{ programsAdded: [], programsRemoved: [], programsRestarted: [], links: [] },
    ...{ linksChanged: [], linksAdded: [], linksRemoved: [], trafficEnded: [] },
    ...{ trafficBegun: [], sequencesChanged: [], events: [], eventsChanged: [] },
    ...{ eventsRemoved: [], eventsFired: [] },
    ...part,
  });
  const experiment = { ...makeExperiment(), links: [link("l", 1, "a", "b")] };
  const story = (): Story => new Story().start(["a", "b"]);
  const linksOf = (told: Story, of = experiment) =>
    resultOf(told.end(9_000).events, of).links.map((one) => {
      const { name, from, to, asked, measured, verdict, removedUs } = one;
      const how = measured === null ? verdict : `${verdict} ${measured.delayUs}`;
      const gone = removedUs === undefined ? "" : `, gone ${removedUs}`;
      return `${name} ${from}>${to}: ${asked.delayUs}, ${how}${gone}`;
    });

  it("fails for a bad link that a modification has brought, and lists it as it is asked for", () => {
    const links = [link("m", 7, "b", "c")];
    const brought = story().at(1_000, modified({ linksAdded: ["m"], links }));
    const told = brought.at(2_000, tested("m", ["b", "c"], "bad", 30));
    const { outcome, reasons } = resultOf(told.end(9_000).events, experiment);
    expect(outcome).toBe("failed");
    expect(reasons).toEqual([
      {
        code: "LINK",
        message: "the link m from b to c is not as asked for: latency: 30 ms came",
      },
    ]);
    expect(linksOf(told)).toEqual([
      ...["l a>b: 1, skipped", "l b>a: 1, skipped"],
      ...["m b>c: 7, bad 30000", "m c>b: 7, skipped"],
    ]);
  });

  it("has what is asked of a changed link now, and nothing that was measured before", () => {
    const links = [link("l", 20, "a", "b")];
    const change = modified({ linksChanged: ["l"], links });
    const before = story()
      .at(500, tested("l", ["a", "b"], "ok"))
      .at(1_000, change);
    expect(linksOf(before)).toEqual(["l a>b: 20, skipped", "l b>a: 20, skipped"]);
    const after = before.at(2_000, tested("l", ["a", "b"], "ok", 6));
    expect(linksOf(after)).toEqual(["l a>b: 20, ok 6000", "l b>a: 20, skipped"]);
  });

  it("keeps a bad link bad when it is changed, until it is tested again", () => {
    const links = [link("l", 20, "a", "b")];
    const change = modified({ linksChanged: ["l"], links });
    const before = story()
      .at(500, tested("l", ["a", "b"], "bad"))
      .at(1_000, change);
    const { reasons } = resultOf(before.at(1_500, change).end(9_000).events, experiment);
    expect(reasons.map(({ message }) => message)).toEqual([
      "the link l from a to b is not as asked for: latency: before it was changed, 5 ms came",
    ]);
    const after = before.at(2_000, tested("l", ["a", "b"], "ok", 6));
    expect(resultOf(after.end(9_000).events, experiment).outcome).toBe("passed");
  });

  it("gives of a bad link no reason that is none, and has what it was tested for", () => {
    const { verdicts } = tested("l", ["a", "b"], "bad", 30);
    const [first] = verdicts;
    if (first === undefined) throw new Error("there is none");
    const changed = { ...edge, link: "l", from: "a", to: "b", delayMs: 20, isChanged: true };
    const both = [first, { ...first, stage: "loss", verdict: "untestable", why: "too few" }].map(
      (one) => ({ ...one, edge: changed }),
    ) as unknown as LinksTested["verdicts"];
    const told = story().at(500, { ...tested("l", ["a", "b"], "bad"), verdicts: both });
    const { reasons, links } = resultOf(told.end(9_000).events, experiment);
    expect(reasons.map(({ message }) => message)).toEqual([
      "the link l from a to b is not as asked for: latency: 30 ms came",
    ]);
    expect(links[0]).toMatchObject({ asked: { delayUs: 20_000 }, why: ["latency: 30 ms came"] });
    expect(links[1]).toMatchObject({ asked: { delayUs: 1 }, verdict: "skipped" });
  });

  it("is repeated by no command, nor is a run on machines that have joined a server", () => {
    const modifiedRun = story().at(1_000, modified({})).program(2_000, 9, { exitCode: 1 });
    const says = (told: Story, backend: Partial<RunResult["backend"]> = {}): string => {
      const result = resultOf(told.end(9_000).events, experiment);
      const text = { ...result, backend: { ...result.backend, ...backend } };
      return renderSummary(text) + renderReport(text);
    };
    expect(says(modifiedRun)).not.toContain("run it again");
    const plain = story().program(2_000, 9, { exitCode: 1 });
    expect(says(plain)).toContain("run it again");
    expect(says(plain, { nodes: "remote" })).not.toMatch(/run it again|muster run|<h2>Again/);
  });

  it("shows in the report what was measured, and that events and modifications changed links", () => {
    const fired = {
      ...{ type: "event-fired" as const, id: 8, object: "l", objectType: "LINK" },
      ...{ event: "MODIFY", args: "DELAY=9", plannedUs: 1, firedUs: 1, latenessUs: 0, skewUs: 0 },
      outcome: "done",
    };
    const page = (told: Story): string =>
      renderReport(resultOf(told.end(9_000).events, experiment));
    expect(page(story())).toContain("<small>as the file asks, each direction</small>");
    const measured = page(story().at(500, tested("l", ["a", "b"], "ok", 6)));
    expect(measured).toContain("as the file asks, and as the last linktest measured them, each");
    expect(measured).toContain('<br><span class="soft">6.0 ms</span>');
    expect(page(story().at(500, fired))).toContain("as the file asks; events changed some, see");
    const gone = page(story().at(1_000, modified({ linksRemoved: ["l"] })));
    expect(gone).toContain("as the file asked last, each");
    expect(gone).toContain("removed +0.001000s");
  });

  it("keeps a link that was removed, and ways of a member that left, as they were last", () => {
    const lan = { ...experiment, links: [...experiment.links, link("lan", 3, "a", "b", "c")] };
    const change = modified({
      ...{ linksRemoved: ["l"], linksChanged: ["lan"] },
      links: [{ ...link("lan", 4, "a", "b"), kind: "lan" }],
    });
    const told = story()
      .at(500, tested("l", ["a", "b"], "bad"))
      .at(1_000, change);
    expect(linksOf(told.at(2_000, modified({ linksRemoved: ["x"] })), lan)).toEqual([
      ...["l a>b: 1, bad 5000, gone 1000", "l b>a: 1, skipped, gone 1000"],
      ...["lan a>b: 4, skipped", "lan a>c: 3, skipped, gone 1000", "lan b>a: 4, skipped"],
      ...["lan b>c: 3, skipped, gone 1000", "lan c>a: 3, skipped, gone 1000"],
      "lan c>b: 3, skipped, gone 1000",
    ]);
    expect(resultOf(told.end(9_000).events, lan).outcome).toBe("failed");
    const back = told.at(3_000, modified({ linksAdded: ["l"], links: experiment.links }));
    expect(linksOf(back, lan).slice(0, 2)).toEqual(["l a>b: 1, bad null", "l b>a: 1, skipped"]);
  });
});

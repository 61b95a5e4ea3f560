// SPDX-License-Identifier: MIT
// Goal: report.html tells the run without help from outside, and no name can break out of its
// place. Method: Python's own HTML parser lists tags and attributes of pages made from hostile
// runs.
import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { html, joined } from "../../../src/testbed/record/html.ts";
import { elsewhere, planTimeline, waitsDrawnMax } from "../../../src/testbed/record/lanes.ts";
import { firingRowsMax } from "../../../src/testbed/record/report-firing.ts";
import { renderReport } from "../../../src/testbed/record/report-html.ts";
import { rowsMax } from "../../../src/testbed/record/report-tables.ts";
import { lanesDrawnMax, ticks } from "../../../src/testbed/record/report-timeline.ts";
import { createResultBuilder } from "../../../src/testbed/record/result.ts";
import type { RunEvent } from "../../../src/testbed/run-event.ts";
import { goodStory, largeRun, makeExperiment, planned, Story } from "./synthetic-run.ts";

function resultOf(events: readonly RunEvent[], experiment = makeExperiment()) {
  const builder = createResultBuilder({ experiment });
  for (const event of events) builder.add(event);
  return builder.build();
}

const reader = `
import json, sys
from html.parser import HTMLParser
void = {"meta", "br", "hr", "img", "input", "link"}
class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.open, self.bad, self.text = set(), [], [], [], ""
    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes += [[tag, name, value or ""] for name, value in attributes]
        if tag not in void: self.open.append(tag)
    def handle_startendtag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes += [[tag, name, value or ""] for name, value in attributes]
    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag: self.bad.append(tag)
    def handle_data(self, data):
        if "style" not in self.open: self.text += data
r = Reader()
r.feed(sys.stdin.buffer.read().decode("utf-8"))
r.close()
json.dump({"tags": sorted(r.tags), "attributes": r.attributes, "bad": r.bad + r.open,
           "text": r.text}, sys.stdout)
`;

interface ReadPage {
  readonly tags: readonly string[];
  readonly attributes: readonly (readonly [tag: string, name: string, value: string])[];
  readonly bad: readonly string[];
  readonly text: string;
}

function readPage(page: string): ReadPage {
  const options = { input: Buffer.from(page), maxBuffer: 64 * 1024 * 1024 };
  return JSON.parse(execFileSync("python3", ["-c", reader], options).toString());
}

const controls = "\u{202e}\u{0}\u{d800}";
const hostile = `"><script>alert(1)</script><img src=x onerror=alert(1)>'&amp;${controls}`;

function hostileStory(): Story {
  return new Story()
    .start([hostile, "node1"], {
      experiment: hostile,
      file: hostile,
      out: hostile,
      runId: hostile,
      syncServer: hostile,
      lost: [hostile],
      programs: [{ name: hostile, node: hostile }],
      nodes: [
        { name: hostile, addresses: [{ link: hostile, experiment: hostile, loopback: hostile }] },
      ],
    })
    .fired(0, 900_000, { object: hostile, event: hostile, args: hostile, outcome: hostile })
    .program(0, 9, {
      name: `${hostile}2`,
      node: hostile,
      command: hostile,
      exitCode: 1,
      signal: hostile,
      stderrTail: hostile,
    })
    .barrier(1_000_000, {
      name: hostile,
      outcome: "failed",
      missing: [hostile],
      participants: [{ name: hostile, node: hostile, arrivedUs: 0, releasedUs: null }],
    })
    .at(5, { type: "message", level: "warning", node: hostile, text: hostile })
    .end(2_000_000, {
      error: { code: hostile, message: hostile },
      endedBy: "failure",
    });
}

describe("renderReport()", () => {
  it("lets no name out of its place", () => {
    const page = readPage(renderReport(resultOf(hostileStory().events)));
    expect(page.bad).toEqual([]);
    expect(page.tags).not.toContain("script");
    expect(page.tags).not.toContain("img");
    expect(page.attributes.filter(([, name]) => name.startsWith("on"))).toEqual([]);
    expect(page.text).toContain("<script>alert(1)</script>");
    expect(page.text).not.toContain("\u{202e}");
  });

  it.each([
    ["hostile", hostileStory().events],
    ["good", goodStory().events],
    ["failed", largeRun({ nodes: 100, seed: 3, fails: true }).events],
    ["empty", []],
  ])("asks nothing of the network (%s run)", (_name, events) => {
    const text = renderReport(resultOf(events));
    const page = readPage(text);
    expect(page.bad).toEqual([]);
    expect(page.attributes).toContainEqual([
      "meta",
      "content",
      "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
    ]);
    const loading = ["script", "link", "img", "iframe", "object", "embed", "base", "form", "video"];
    expect(page.tags.filter((tag) => loading.includes(tag))).toEqual([]);
    expect(page.attributes.filter(([, name]) => name === "src")).toEqual([]);
    const links = page.attributes.filter(([, name]) => name.endsWith("href"));
    for (const [, , value] of links)
      expect(value).toMatch(/^(nodes\/|result\.json|record\.ndjson)/);
    expect(text).not.toMatch(/url\(|@import/);
  });

  it("says the verdict and its reasons in words", () => {
    const story = new Story()
      .start(["node0", "node1"])
      .program(0, 900, { exitCode: 2, stderrTail: "OSError: disk full" })
      .barrier(1_000, {
        outcome: "timeout",
        missing: ["anonymous, from node1"],
        participants: [{ name: "x", node: "node0", arrivedUs: 5, releasedUs: 1_000 }],
      })
      .end(2_000);
    const { text } = readPage(renderReport(resultOf(story.events)));
    expect(text).toContain("Failed demo/five");
    expect(text).toContain("program web on node0 exited with 2, expected 0");
    expect(text).toContain("barrier ready timed out: 1 of 2 arrived (node0); missing: node1");
    expect(text).toContain("OSError: disk full");
    expect(text).toContain("muster run demo.ns --seed 7");
    expect(readPage(renderReport(resultOf(goodStory().events))).text).toContain("Passed demo/five");
  });

  it("shows planned beside fired, and what did not fire", () => {
    const experiment = makeExperiment({ events: [planned(0, 0, "web"), planned(1, 9_000, "db")] });
    const story = new Story().start(["node0"]).fired(0, 250_000).end(300_000);
    const { text } = readPage(renderReport(resultOf(story.events, experiment)));
    expect(text).toContain("1 of 2 events fired");
    expect(text).toContain("250 ms");
    expect(text).toContain("not fired");
  });

  it("counts what was ignored and what failed among the events", () => {
    const story = new Story()
      .start(["node0"])
      .fired(0, 1, { outcome: "ignored: nobody serves it" })
      .fired(0, 1, { outcome: "ignored: nobody serves it" })
      .fired(0, 1, { outcome: "failed: it is still running" })
      .fired(0, 1)
      .end(300_000);
    const said = "4 events fired, 2 of them ignored and 1 failed";
    expect(readPage(renderReport(resultOf(story.events))).text).toContain(said);
  });

  it("tells a short run to the microsecond, and not what came long before it", () => {
    const say = {
      type: "message" as const,
      level: "warning" as const,
      node: null,
      text: "so it is",
    };
    const story = new Story().start(["node0"], {}, -80_000_000).at(-75_608_099, say);
    const page = renderReport(resultOf(story.at(1_234, say).end(9_000).events));
    expect(page).toContain("-75.608s: so it is");
    expect(page).toContain("+0.001234s: so it is");
  });

  it("links what was printed, and says where nothing was", () => {
    const story = new Story()
      .start(["node0"])
      .program(1, 9, { name: "a b", stdoutBytes: 5, stderrBytes: 0 })
      .program(1, 9, { name: "both" })
      .program(1, 9, { name: "mute", stdoutBytes: 0, stderrBytes: 0 })
      .end(10);
    const page = renderReport(resultOf(story.events));
    const links = page.match(/nodes\/node0\/local\/logs\/[^"]+/g);
    const folder = "nodes/node0/local/logs";
    expect(links).toEqual([`${folder}/a%20b.out`, `${folder}/both.out`, `${folder}/both.err`]);
    expect(page.match(/\(printed nothing\)/g)).toHaveLength(1);
  });

  it("keeps out of the picture what was planned for after the end", () => {
    const experiment = makeExperiment({
      events: [planned(0, 900, "in"), planned(1, 90_000, "out")],
    });
    const result = resultOf(new Story().start(["node0"]).end(10_000).events, experiment);
    const [timeline = ""] = renderReport(result).split("<h2>Planned and fired");
    const places = timeline.match(/<line class="planned late" x1="([\d.]+)%"/g);
    expect(places).toHaveLength(1);
  });

  it("stays of a bearable size, whatever failed", () => {
    const { experiment, events } = largeRun({ nodes: 3_000, seed: 1, fails: true });
    const failing = events.map((event) =>
      event.type === "program-ended"
        ? { ...event, stopped: false, exitCode: 1, stderrTail: "x".repeat(4_096) }
        : event,
    );
    const page = renderReport(resultOf(failing, experiment));
    expect(page.length).toBeLessThan(8 * 1024 * 1024);
    expect(page).toContain(`${lanesDrawnMax} of 3000 lanes are drawn`);
    expect(page).toContain(`${3_000 - 40 - rowsMax} rows more are in result.json`);
  });
});

describe("planTimeline()", () => {
  it("puts programs, waits and absences on the lanes of their nodes", () => {
    const story = new Story()
      .start(["node0", "node1", "node2"])
      .barrier(1_000, {
        outcome: "timeout",
        missing: ["node1", "2 more to wait (nobody came yet from node2, nodeX)", "nobody"],
        participants: [
          { name: "a", node: "node0", arrivedUs: 100, releasedUs: 1_000 },
          { name: "10.0.0.1:99/tcp", node: null, arrivedUs: 200, releasedUs: null },
        ],
      })
      .program(-20, 1_500, { exitCode: 1 })
      .end(2_000);
    const model = planTimeline(resultOf(story.events));
    expect(model.lanes.map((lane) => lane.name)).toEqual(["node0", "node1", "node2", elsewhere]);
    expect(model.lanes.map((lane) => lane.waits.length)).toEqual([1, 0, 0, 1]);
    expect(model.lanes.map((lane) => lane.absences.length)).toEqual([0, 1, 1, 0]);
    expect(model.lanes.map((lane) => lane.hasTrouble)).toEqual([true, true, true, false]);
    expect(model.lanes[1]?.absences[0]).toMatchObject({ fromUs: 100, toUs: 1_000 });
    expect(model.meetings[0]).toMatchObject({ atUs: 1_000, isCrossed: false });
    expect([model.fromUs, model.toUs]).toEqual([-20, 2_000]);
  });

  it("marks nobody as missing at a barrier that was crossed", () => {
    const story = new Story().start(["node0", "node1"]).barrier(1_000, { missing: ["node1"] });
    expect(planTimeline(resultOf(story.events)).lanes[1]?.absences).toEqual([]);
  });

  it("draws a crossing across those who met, not those who had left", () => {
    const story = new Story().start(["node0", "node1"]).barrier(1_000, {
      participants: [
        { name: "a", node: "node0", arrivedUs: 100, releasedUs: 1_000 },
        { name: "b", node: "node1", arrivedUs: 200, releasedUs: null },
      ],
    });
    const [meeting] = planTimeline(resultOf(story.events)).meetings;
    expect([...(meeting?.lanes ?? [])]).toEqual(["node0"]);
  });

  it("gives overlapping programs rows of their own", () => {
    const story = new Story()
      .start(["node0"])
      .program(0, 10)
      .program(5, 15, { name: "b" })
      .program(10, 20, { name: "c" });
    const [lane] = planTimeline(resultOf(story.events)).lanes;
    expect(lane?.programs.map((span) => [span.label, span.row])).toEqual([
      ["web", 0],
      ["b", 1],
      ["c", 0],
    ]);
  });

  it("draws a bounded number of waits and counts the rest", () => {
    const participants = Array.from({ length: waitsDrawnMax + 5 }, (_, at) => ({
      name: `p${at}`,
      node: "node0",
      arrivedUs: at,
      releasedUs: 100_000,
    }));
    const story = new Story().start(["node0"]).barrier(100_000, { participants });
    const model = planTimeline(resultOf(story.events));
    expect(model.lanes[0]?.waits).toHaveLength(waitsDrawnMax);
    expect(model.waitsLeftOut).toBe(5);
  });
});

describe("ticks()", () => {
  it("gives five to ten round instants for any length of run", () => {
    for (let power = 1; power < 13; power += 1) {
      for (const factor of [1, 1.7, 2.4, 3.3, 5.1, 7.9]) {
        const toUs = Math.round(factor * 10 ** power);
        const found = ticks({ fromUs: 0, toUs });
        expect(found[0]).toBe(0);
        expect(found.length).toBeGreaterThanOrEqual(3);
        expect(found.length).toBeLessThanOrEqual(11);
      }
    }
    expect(ticks({ fromUs: -800_000, toUs: 1_200_000 })).toContain(0);
  });
});

describe("html", () => {
  it("escapes text and numbers, passes on markup, leaves out nothings", () => {
    const inner = html`<b>${"<&>"}</b>`;
    expect(html`${inner}${null}${false}${undefined}${1}${["'", '"', "`"]}`.markup).toBe(
      "<b>&lt;&amp;&gt;</b>1&#39;&quot;&#96;",
    );
    expect(joined(["a", inner], ", ").markup).toBe("a, <b>&lt;&amp;&gt;</b>");
  });
});

describe("planned and fired", () => {
  const story = (count: number, latenessUs: (at: number) => number): Story => {
    const told = new Story().start(["node0"]);
    for (let at = 0; at < count; at += 1) {
      const us = at * 1_000;
      told.fired(us, us + latenessUs(at), { object: `p${at}`, latenessUs: latenessUs(at) });
    }
    return told.end(1_000_000);
  };
  const page = (told: Story, experiment = makeExperiment()): string =>
    renderReport(resultOf(told.events, experiment));

  it("is left out when nothing was planned", () => {
    expect(page(new Story().start(["node0"]).end(1_000_000))).not.toContain("Planned and fired");
  });

  it("gives few events a row each, and says how late they were", () => {
    const five = page(story(5, (at) => (at + 1) * 100));
    expect(five).toContain("half of them late by 300 us or less, the latest by 500 us: p4");
    expect(five.match(/<circle class="shot" cx="[^"]*" cy/g)).toHaveLength(5 + 1);
    expect(five).toContain('<div class=""><span title="200 us">200 us</span></div>');
  });

  it("gives as many rows as the limit, and one event more makes points of them", () => {
    expect(page(story(firingRowsMax, () => 50))).toContain('class="firing rows"');
    expect(page(story(firingRowsMax + 1, () => 50))).toContain('class="firing points"');
  });

  it("draws ten times later one line higher, and what is late in red", () => {
    const many = page(story(100, (at) => (at === 7 ? 200_000 : at === 8 ? 1_000 : 100)));
    const heightOf = (at: number): number => {
      const mark = new RegExp(
        `<circle class="shot many([^"]*)"[^>]* cy="([^"]*)"[^>]*><title>p${at} `,
      );
      const [, tone, y] = mark.exec(many) ?? [];
      expect(tone).toBe(at === 7 ? " late" : "");
      return Number(y);
    };
    expect(heightOf(9) - heightOf(8)).toBeCloseTo(26, 0);
    expect(heightOf(7)).toBeLessThan(heightOf(8) - 52);
  });

  it("shows what did not fire, and leaves out what would have come after the end", () => {
    const events = [planned(1, 500_000, "never"), planned(2, 9_000_000, "after")];
    const told = new Story().start(["node0"]).end(1_000_000);
    const text = page(told, makeExperiment({ events }));
    const picture = text.slice(text.indexOf("Planned and fired"), text.indexOf("<h2>Events"));
    expect(picture).toContain("never START: planned +0.500s, not fired");
    expect(picture).not.toContain("after START");
    expect(picture).toContain("1 event more in the table");
  });
});

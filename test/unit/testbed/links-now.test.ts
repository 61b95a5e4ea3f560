// SPDX-License-Identifier: MIT
// Goal: a linktest asks for what was asked last of each way of each link: by the file, or by who
// has changed it since; a link that was set down is not probed. One that goes by the file says what
// was changed since.
// Method: files read as text, and the table of a run with LINK events put into it; no network.
import { describe, expect, it } from "vitest";
import { overlayLinks } from "../../../src/boss/link-overlay.ts";
import { readYamlExperiment } from "../../../src/boss/read-yaml.ts";
import type { Experiment } from "../../../src/experiment/index.ts";
import { untestable, type Verdict } from "../../../src/linktest/index.ts";
import { findLinkObject, readLinkEvent } from "../../../src/network/link-args.ts";
import { LinkTable } from "../../../src/network/link-table.ts";
import { shapeLink } from "../../../src/network/model.ts";
import {
  changesSince,
  edgesSince,
  explainSince,
  linksAskedNow,
  probedEdges,
} from "../../../src/testbed/linktest/links-now.ts";
import { NodeNetwork } from "../../../src/testbed/node-network.ts";

const text = `nodes: [a, b, c]
links:
  l: { between: [a, b], bandwidth: 10Mbps, delay: 5ms, loss: 1%, backward: { delay: 7ms } }
  lan: { lan: [a, b, c], bandwidth: 10Mbps, delay: 4ms }
`;
const capacity = { backend: "a test", bandwidthBpsMax: 1e9, inFlightBytesMax: 1e9 };

function begin() {
  const { experiment } = readYamlExperiment(text, { file: "a.yaml", defaultEid: "e" });
  if (experiment === undefined) throw new Error("there is none");
  const shaped = experiment.links.map((link) => shapeLink(link));
  const table = new LinkTable(capacity);
  expect(table.add(shaped)).toEqual([]);
  const mapOf = (of: Experiment) =>
    new NodeNetwork({ experiment: of, tables: {}, standIn: (address) => address }).linktest();
  return {
    event(object: string, event: string, args = ""): void {
      const found = findLinkObject(shaped, object);
      const changes = found === undefined ? "none" : readLinkEvent(found, event, args);
      if (typeof changes === "string") throw new Error(changes);
      const planned = table.plan(changes);
      if ("problem" in planned) throw new Error(planned.problem);
      table.commit(planned);
    },
    probed() {
      return probedEdges(mapOf(linksAskedNow(experiment, table)), mapOf(experiment), table);
    },
    asked(link: string): string[] {
      return this.probed()
        .map.edges.filter((edge) => edge.link === link)
        .map(({ from, to, bandwidthBps, delayMs, loss, isChanged }) => {
          const shape = `${bandwidthBps / 1e6} Mb/s ${delayMs} ms ${loss}`;
          return `${from}>${to} ${shape}${isChanged === true ? " *" : ""}`;
        });
    },
    /** Of a test by the file, or by what was set for good: `A>B MB/S MS LOSS`, what it is since. */
    since(link: string, by: Experiment = experiment): string[] {
      const now = mapOf(linksAskedNow(by, table));
      return edgesSince(mapOf(by), now, { links: by.links, table })
        .edges.filter((edge) => edge.link === link)
        .map(({ from, to, since }) => {
          if (since === undefined) return `${from}>${to}`;
          const { bandwidthBps, delayMs, loss, isUp } = since;
          const shape = `${bandwidthBps / 1e6} ${delayMs} ${loss}`;
          return `${from}>${to} ${isUp ? shape : "down"}`;
        });
    },
    experiment,
    isChanged: () => changesSince(table),
    isFile: () =>
      linksAskedNow(experiment, table).links.every((it, at) => it === experiment.links[at]),
  };
}

const file = ["a>b 10 Mb/s 5 ms 0.01", "b>a 10 Mb/s 7 ms 0.01"];

describe("what a linktest asks of links", () => {
  it("is what the file asks, of links that nobody has changed or that were reset", () => {
    const run = begin();
    expect([run.asked("l"), run.isFile()]).toEqual([file, true]);
    run.event("l", "MODIFY", "DELAY=30");
    run.event("l", "RESET");
    expect([run.asked("l"), run.isFile()]).toEqual([file, true]);
  });

  it("is what was set last, of the ways that were changed", () => {
    const run = begin();
    run.event("l", "MODIFY", "DELAY=30 BANDWIDTH=2000");
    expect(run.asked("l")).toEqual(["a>b 2 Mb/s 30 ms 0.01 *", "b>a 2 Mb/s 30 ms 0.01 *"]);
    run.event("l", "RESET");
    run.event("l-b", "MODIFY", "DELAY=40 PLR=0.1 LIMIT=9");
    expect(run.asked("l")).toEqual([file[0], "b>a 10 Mb/s 40 ms 0.1 *"]);
    const [, back] = run.probed().map.edges;
    expect(back?.queueLimit).toEqual({ limit: 9, unit: "packets" });
    run.event("l", "CLEAR");
    expect(run.asked("l")).toEqual(["a>b 100 Mb/s 0 ms 0 *", "b>a 100 Mb/s 0 ms 0 *"]);
  });

  it("says how far delays jitter, and how many overtake or come twice, where any do", () => {
    const run = begin();
    const extras = (link: string) =>
      run.probed().map.edges.flatMap(({ link: of, jitterMs, reorder, duplicate }) => {
        return of === link ? [[jitterMs, reorder, duplicate]] : [];
      });
    const none = [undefined, undefined, undefined];
    expect(extras("l")).toEqual([none, none]);
    run.event("l-a", "MODIFY", "JITTER=2.5 REORDER=0.1 DUPLICATE=0.05");
    expect(extras("l")).toEqual([[2.5, 0.1, 0.05], none]);
    run.event("lan", "MODIFY", "PIPE=path JITTER=2");
    expect(extras("lan")).toEqual(Array.from({ length: 6 }, () => [2, undefined, undefined]));
  });

  it("is of a LAN what a packet meets at both members", () => {
    const run = begin();
    run.event("lan-c", "MODIFY", "DELAY=20");
    const told = run.asked("lan");
    expect(told).toContain("a>b 10 Mb/s 4 ms 0");
    expect(told).toContain("a>c 10 Mb/s 22 ms 0 *");
    expect(told).toContain("c>b 10 Mb/s 22 ms 0 *");
    run.event("lan", "MODIFY", "PIPE=path DELAY=20");
    expect(new Set(run.asked("lan").map((edge) => edge.slice(4)))).toEqual(
      new Set(["10 Mb/s 20 ms 0 *"]),
    );
  });

  it("is nothing while it is set down, and untestable with what to do", () => {
    const run = begin();
    run.event("l-a", "DOWN");
    run.event("lan-c", "DOWN");
    expect(run.asked("l")).toEqual([]);
    expect(run.asked("lan")).toEqual(["a>b 10 Mb/s 4 ms 0", "b>a 10 Mb/s 4 ms 0"]);
    const { down } = run.probed();
    expect(down).toHaveLength(6);
    for (const { verdict, why } of down) {
      expect([verdict, why]).toEqual(["untestable", expect.stringContaining("muster link up")]);
    }
    run.event("l", "UP");
    expect(run.asked("l")).toEqual(file);
  });
});

describe("a linktest by the file", () => {
  it("knows what was made of each way since, and nothing of what is as the file asks", () => {
    const run = begin();
    expect(run.since("l")).toEqual(["a>b", "b>a"]);
    run.event("l-b", "MODIFY", "DELAY=40 PLR=0.1");
    expect(run.since("l")).toEqual(["a>b", "b>a 10 40 0.1"]);
    run.event("l", "DOWN");
    expect(run.since("l")).toEqual(["a>b down", "b>a down"]);
    run.event("l", "RESET");
    run.event("lan-c", "MODIFY", "JITTER=1");
    expect(run.since("l")).toEqual(["a>b", "b>a"]);
    expect(run.since("lan").sort()).toEqual([
      ...["a>b", "a>c 10 4 0", "b>a", "b>c 10 4 0", "c>a 10 4 0", "c>b 10 4 0"],
    ]);
  });

  it("goes by what old tools have set for good, however its halves are added up", () => {
    const run = begin();
    run.event("l", "MODIFY", "DELAY=33.3 PLR=0.07");
    const settings = [
      { link: "l", node: "", key: "DELAY", value: "33.3" },
      { link: "l", node: "", key: "PLR", value: "0.07" },
    ];
    const by = overlayLinks({ experiment: run.experiment, rows: {} }, settings).experiment;
    expect(run.since("l", by)).toEqual(["a>b", "b>a"]);
    expect(run.since("l")).toEqual(["a>b 10 33.3 0.07", "b>a 10 33.3 0.07"]);
  });

  it("says of what is bad that somebody has made it so, also on the way back of a ping", () => {
    const shape = { bandwidthBps: 1e7, delayMs: 5, loss: 0, queue: "droptail" as const };
    const since = { bandwidthBps: 2e6, delayMs: 30, loss: 0.01, isUp: true };
    const there = { link: "l", from: "a", to: "b", ...shape };
    const back = { link: "l", from: "b", to: "a", ...shape, since };
    const bad = (edge: Verdict["edge"], stage: Verdict["stage"]): Verdict => {
      return { ...untestable(stage, edge, "it is not"), verdict: "bad" };
    };
    const of = (...verdicts: readonly Verdict[]) => explainSince(verdicts).map(({ why }) => why);
    const said = "it was changed since, to 2 Mbps, 30ms, 1% loss: muster link reset makes it";
    const [first, second] = of(bad(there, "latency"), bad(back, "latency"));
    expect(first).toContain(`it is not; of the way back: ${said}`);
    expect(second).toContain(`it is not; ${said}`);
    expect(of(bad(there, "loss"), bad(back, "loss"))[0]).toBe("it is not");
    const ok: Verdict = { ...bad(back, "loss"), verdict: "ok", why: "" };
    expect(of(ok)).toEqual([""]);
    const down = { ...back, since: { ...since, isUp: false } };
    expect(of(bad(down, "loss"))[0]).toContain("set down since: muster link up lets");
  });
});

describe("a change of links since a linktest began", () => {
  it("is known of each link, also when it was taken back", () => {
    const run = begin();
    run.event("l", "MODIFY", "DELAY=30");
    const isChanged = run.isChanged();
    expect([isChanged(), isChanged("l")]).toEqual([false, false]);
    run.event("lan-c", "DOWN");
    run.event("lan-c", "UP");
    expect([isChanged(), isChanged("lan"), isChanged("l")]).toEqual([true, true, false]);
    expect(changesSince(undefined)("l")).toBe(false);
  });
});

// SPDX-License-Identifier: MIT
// Goal: the ends that a file wants traced are traced from time 0, each way into a file of its own,
// and LINKTRACE events do what they say to those they name, in order (E1, E2). Method: links as
// a file asks for them, the shipped agent, and a tracer that notes what it is told.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { AgendaEvent } from "../../../src/core/agenda/commands.ts";
import type { Link, TraceWish } from "../../../src/experiment/model.ts";
import type { LinkTracer, TraceCounts, TraceOrder } from "../../../src/network/link-tracer.ts";
import type { FilterInstruction } from "../../../src/network/packet-filter.ts";
import { wholePacketBytes } from "../../../src/network/pcap-writer.ts";
import { LinkTraceAgent } from "../../../src/testbed/agents/link-trace-agent.ts";
import { headerBytes, readTracedEnds } from "../../../src/testbed/agents/traced-ends.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";

const filter: readonly FilterInstruction[] = [[6, 0, 0, 1]];
const shape = { bandwidthBps: 0, delayUs: 0, loss: 0 };
const at = { file: "", line: 1, column: 1 };
const one = (name: string, node: string, trace?: TraceWish): Link => {
  const member = { node, port: 0, address: "", toLink: shape, fromLink: shape };
  const members = [trace === undefined ? member : { ...member, trace }];
  return { name, kind: "lan", netmask: "", members, at };
};

describe("readTracedEnds()", () => {
  it("takes headers unless told otherwise, and nothing of what is not traced", () => {
    const links = [
      one("l0", "a", { kind: "headers" }),
      one("l0", "b", { kind: "headers", bytes: 68 }),
      one("l1", "a", { kind: "packets" }),
      one("l2", "a", { kind: "counts", expression: "tcp" }),
      one("l3", "a"),
    ];
    expect(readTracedEnds(links)).toEqual({
      problems: [],
      ends: [
        { link: "l0", node: "a", kind: "packets", snapBytes: headerBytes, expression: "" },
        { link: "l0", node: "b", kind: "packets", snapBytes: 68, expression: "" },
        { link: "l1", node: "a", kind: "packets", snapBytes: wholePacketBytes, expression: "" },
        { link: "l2", node: "a", kind: "counts", snapBytes: headerBytes, expression: "tcp" },
      ],
    });
  });

  it("says what is not done", () => {
    const trace = { kind: "headers", inDatabase: true } as const;
    expect(readTracedEnds([one("l0", "a", trace), one("l0", "b", trace)])).toMatchObject({
      problems: ["l0 is traced into files, not into a database"],
    });
    expect(readTracedEnds([])).toEqual({ ends: [], problems: [] });
  });
});

/** Ends begin beside each other. */
const sorted = (orders: readonly TraceOrder[]): readonly TraceOrder[] =>
  orders.toSorted((one, other) => (one.path < other.path ? -1 : 1));

describe("LinkTraceAgent", () => {
  let directory = "";
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "muster-test-traces-"));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  function make(refused = "", expression = "", more: readonly Link[] = []) {
    const told: string[] = [];
    const warnings: string[] = [];
    const orders: TraceOrder[] = [];
    const counts: TraceCounts = { packets: 1, bytes: 2, dropped: 3, isFull: true };
    const tracer: LinkTracer = {
      async begin(order) {
        const name = basename(order.path);
        if (order.link === refused) throw new Error("it has no room");
        orders.push(order);
        const { promise: ended, resolve } = Promise.withResolvers<TraceCounts>();
        return {
          ended,
          pause: async (isPaused) => void told.push(`${name} ${isPaused ? "pause" : "go on"}`),
          roll: async (to) => void told.push(`${name} > ${basename(to)}`),
          async end() {
            told.push(`${name} end`);
            resolve(counts);
            return counts;
          },
        };
      },
    };
    const { ends } = readTracedEnds([
      one("l0", "a", { kind: "headers", expression: expression && "icmp" }),
      one("l0", "b", { kind: "headers", expression }),
      one("lan", "b", { kind: "counts" }),
      ...more,
    ]);
    const agent = new LinkTraceAgent({
      ...{ ends, tracer, directory, clock: new VirtualClock() },
      compile: async (link, text) => (text === "icmp" ? filter : `${link} has ${text}`),
      membersOf: (link) => [...(link === "l0" ? ["a", "b"] : ["a", "b", "c"]), "y", "x-y"],
      onWarning: (text) => warnings.push(text.replaceAll(directory, "")),
    });
    const fire = async (object: string, event: string, args = ""): Promise<string> => {
      const order: AgendaEvent = { id: 0, object, type: "LINKTRACE", event, args };
      const { outcome, done } = await agent.perform(order);
      const said = await done;
      const error = typeof said === "number" ? said : said.error;
      return `${outcome} ${error}`;
    };
    return { agent, told, warnings, orders, fire };
  }

  it("traces each way of an end into a file of its own, and counts in one", async () => {
    const { agent, orders } = make();
    await agent.begin();
    const seen = sorted(orders).map(({ path, link, member, ways, kind }) => {
      return `${basename(path)}: ${link} ${member} ${ways.join("+")} ${kind}`;
    });
    expect(seen).toEqual([
      "l0-a.received.pcap: l0 0 received packets",
      "l0-a.sent.pcap: l0 0 sent packets",
      "l0-b.received.pcap: l0 1 received packets",
      "l0-b.sent.pcap: l0 1 sent packets",
      "lan-b.counts.csv: lan 1 sent+received counts",
    ]);
  });

  it("traces no two ends into one file, and says where the second is (E3)", async () => {
    const more = [one("l0-x", "y", { kind: "headers" }), one("l0", "x-y", { kind: "headers" })];
    const { agent, orders, warnings } = make("", "", more);
    await agent.begin();
    const seen = sorted(orders).map(({ path, link }) => `${basename(path)}: ${link}`);
    expect(seen.filter((text) => text.startsWith("l0-x-y"))).toEqual([
      ...["l0-x-y.2.received.pcap: l0", "l0-x-y.2.sent.pcap: l0"],
      ...["l0-x-y.received.pcap: l0-x", "l0-x-y.sent.pcap: l0-x"],
    ]);
    expect(warnings).toEqual([
      "l0 is traced at x-y into l0-x-y.2: another end has the name before it",
    ]);
  });

  it("traces what an expression lets pass, or all where it cannot be read, and says so", async () => {
    const { agent, orders, warnings } = make("", "nonsense");
    await agent.begin();
    expect(sorted(orders).map((order) => order.filter)).toEqual([
      ...[filter, filter],
      ...[undefined, undefined, undefined],
    ]);
    expect(warnings).toEqual([
      "all packets of l0 are traced, and not only nonsense: l0 has nonsense",
    ]);
  });

  it("has all of them there before time 0, and lets them go on then, all at once", async () => {
    const { agent, told, orders } = make();
    await agent.prepare();
    expect(orders.map(({ isPaused }) => isPaused)).toEqual(Array(5).fill(true));
    expect(told).toEqual([]);
    await agent.begin();
    expect(orders).toHaveLength(5);
    expect(told.sort()).toEqual(sorted(orders).map(({ path }) => `${basename(path)} go on`));
  });

  it("obeys START, STOP, SNAPSHOT, RELOAD and KILL for those that are named", async () => {
    const { agent, told, fire } = make();
    await agent.begin();
    told.length = 0;
    expect(await fire("l0-b-tracemon", "STOP")).toBe("done 0");
    expect(told.splice(0)).toEqual(["l0-b.sent.pcap pause", "l0-b.received.pcap pause"]);
    expect(await fire("lan-tracemon", "SNAPSHOT", "TAG=../early")).toBe("done 0");
    expect(await fire("lan-b-tracemon", "RELOAD")).toBe("done 0");
    expect(told.splice(0)).toEqual([
      "lan-b.counts.csv > lan-b.counts.1-.._early.csv",
      "lan-b.counts.csv > lan-b.counts.2.csv",
    ]);
    expect(await fire("__all_tracemon", "START")).toBe("done 0");
    expect(told.splice(0)).toHaveLength(5);
    expect(await fire("l0-a-tracemon", "KILL")).toBe("done 0");
    expect(told.splice(0)).toEqual(["l0-a.sent.pcap end", "l0-a.received.pcap end"]);
    expect(await fire("l0-a-tracemon", "START")).toMatch(
      /^failed: the trace .* was ended by KILL.* -1$/,
    );
    expect(await fire("l0-a-tracemon", "SNAPSHOT")).toBe("done 1");
  });

  it("refuses what it does not know, and ignores what is not traced", async () => {
    const { agent, fire } = make();
    await agent.begin();
    expect(await fire("l9-tracemon", "START")).toBe("ignored: nothing is traced as l9-tracemon 0");
    expect(await fire("l0", "START")).toBe("ignored: nothing is traced as l0 0");
    expect(await fire("l0-tracemon", "UP")).toMatch(/^failed: traces take START, .*, not UP -1$/);
    expect(await fire("l0-tracemon", "SNAPSHOT", `TAG=${"x".repeat(256)}`)).toBe("done 0");
    const long = await fire("l0-tracemon", "SNAPSHOT", `TAG=${"x".repeat(257)}`);
    expect(long).toBe("failed: TAG has 257 characters, and may have 256 -1");
  });

  it("goes on without what cannot be traced, and says what a trace lacks", async () => {
    const { agent, warnings } = make("lan");
    await agent.begin();
    expect(warnings.splice(0)).toEqual(["lan is not traced at b: it has no room"]);
    await agent.close();
    expect(warnings).toHaveLength(8);
    expect(warnings.slice(0, 2)).toEqual([
      "/l0-a.sent.pcap ends early: it has as many bytes as it may (captureBytesMax)",
      "/l0-a.sent.pcap lacks 3 packets: the machine or its disk was too slow (tracePendingBytesMax)",
    ]);
  });
});

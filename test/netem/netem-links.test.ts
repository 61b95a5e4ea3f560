// SPDX-License-Identifier: MIT
// Goal: what the kernel's netem is told is what packets meet: rate, queue, delay, loss, each way;
// LANs; a link that is down lets nothing through; who knows of a change is ready for it; a trace
// has what a node sends before anything is done to it, and what it gets. Method:
// `npm run test:netem` runs this in an emulated machine whose kernel has netem; namespaces of our
// own, senders and receivers that are processes of their own and stamp packets themselves. Bounds
// are wide: no processor is lent to that machine, and programs in it are late, never early.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sleep, systemClock } from "../../src/host/clock.ts";
import type { LinkEnds } from "../../src/network/link-backend.ts";
import type { TraceOrder } from "../../src/network/link-tracer.ts";
import {
  type DirectionShape,
  type ShapedLink,
  unshaped,
  usualQueue,
} from "../../src/network/model.ts";
import { NetemBackend } from "../../src/network/netem/netem-backend.ts";
import type { FilterInstruction } from "../../src/network/packet-filter.ts";
import { makeNamespaces, type TestNamespaces } from "../e2e/network-support/namespaces.ts";
import {
  delaysUs,
  type ProbeOptions,
  type ProbeResult,
  probe,
  rateOf,
} from "../e2e/network-support/probe.ts";

const link = (name: string, ...up: readonly Partial<DirectionShape>[]): ShapedLink => ({
  name,
  kind: "link",
  members: ["a", "b"].map((node, index) => ({ node, up: { ...unshaped, ...up[index] } })),
});

const countTc = "ls -d /proc/[0-9]*/exe | xargs readlink | grep -c '/tc$'; true";
const longQueue = { ...usualQueue, limit: 2_000 };

const plans: readonly ShapedLink[] = [
  // All of a flow fits into the queue: a sender that is held up does not let it run empty.
  link("rate", { bandwidthBps: 2_000_000, delayUs: 20_000, queue: longQueue }, {}),
  link("queue", { bandwidthBps: 100_000, queue: { ...usualQueue, limit: 10 } }, {}),
  link("loss", { loss: 0.1 }, {}),
  // Nothing else of the tests lets so many be on their way, and lost.
  link("traced", { delayUs: 300_000, loss: 0.3 }, {}),
  link("change", { delayUs: 30_000, bandwidthBps: 10_000_000, queue: longQueue }, {}),
  {
    name: "lan",
    kind: "lan",
    members: [10_000, 20_000, 40_000].map((delayUs, index) => ({
      node: ["a", "b", "c"][index] ?? "",
      up: { ...unshaped, delayUs },
      down: { ...unshaped, delayUs: delayUs / 10 },
    })),
  },
];

interface Record {
  readonly atUs: number;
  readonly bytes: number;
  /** Of the probe: the number that begins what UDP carries. */
  readonly id: number;
}

/** UDP in IPv4: the machine looks for routers and neighbours by itself. */
const onlyUdp: readonly FilterInstruction[] = [
  [0x28, 0, 0, 12],
  [0x15, 0, 3, 0x0800],
  [0x30, 0, 0, 23],
  [0x15, 0, 1, 17],
  [0x06, 0, 0, 262_144],
  [0x06, 0, 0, 0],
];

/** By the format's own description, not by what wrote it. */
function readPcap(path: string): readonly Record[] {
  const file = readFileSync(path);
  const records: Record[] = [];
  for (let at = 24; at < file.length; ) {
    const [seconds = 0, us = 0, kept = 0, bytes = 0] = [0, 4, 8, 12].map((field) =>
      file.readUInt32LE(at + field),
    );
    records.push({ atUs: seconds * 1e6 + us, bytes, id: file.readUInt32LE(at + 16 + 42) });
    at += 16 + kept;
  }
  return records;
}

describe("a link of netem", () => {
  let world: TestNamespaces;
  let backend: NetemBackend;
  const linkEnds = new Map<string, LinkEnds>();

  beforeAll(async () => {
    world = await makeNamespaces(["a", "b", "c"]);
    backend = new NetemBackend({ commands: world.commands, clock: systemClock });
    for (const { name, kind, members } of plans) {
      const nodes = members.map(({ node }) => node);
      linkEnds.set(name, world.link(name, kind, nodes));
    }
    await backend.attach([...linkEnds.values()], new Map(plans.map((plan) => [plan.name, plan])));
    for (const [index, made] of [...linkEnds.values()].entries()) {
      await world.configure(made, index + 1);
    }
  }, 600_000);

  afterAll(async () => {
    await backend.stop();
    await world.stop();
  });

  /** From one member of a link to another. */
  function send(
    name: string,
    [from, to]: readonly [number, number],
    how: Pick<ProbeOptions, "packets" | "bytes" | "gapUs" | "until" | "prefix">,
  ): Promise<ProbeResult> {
    const ends = linkEnds.get(name)?.ends ?? [];
    const net = [...linkEnds.keys()].indexOf(name) + 1;
    const [source, target] = [ends[from], ends[to]];
    if (source === undefined || target === undefined) throw new Error(`${name} has no such end`);
    const { namespace } = source;
    const address = `10.${net}.0.${to + 1}`;
    const { commands } = world;
    return probe({ ...how, commands, from: namespace, to: target.namespace, address });
  }

  it("lets through the rate that is asked, in bytes of layer 2, each way its own", async () => {
    const there = await send("rate", [0, 1], { packets: 500, bytes: 1_000, gapUs: 0 });
    expect(there.arrivals).toHaveLength(500);
    // tbf has a burst of two frames, and a receiver is late by chance, never for half of a flow.
    const rate = rateOf(there, 1_000);
    expect(rate).toBeGreaterThan(1_900_000);
    expect(rate).toBeLessThan(2_060_000);
    expect(Math.min(...delaysUs(there))).toBeGreaterThanOrEqual(20_000);
    const back = await send("rate", [1, 0], { packets: 100, bytes: 1_000, gapUs: 1_000 });
    expect(back.arrivals).toHaveLength(100);
    expect(Math.min(...delaysUs(back))).toBeLessThan(20_000);
  });

  it("keeps so many packets in its queue, and drops the rest", async () => {
    const { arrivals, sent } = await send("queue", [0, 1], {
      packets: 100,
      bytes: 1_000,
      gapUs: 0,
    });
    expect(sent).toBe(100);
    // Two frames of a burst are away at once; each that leaves while they come makes room for one.
    expect(arrivals.length).toBeGreaterThanOrEqual(10);
    expect(arrivals.length).toBeLessThan(60);
    const [counted] = await backend.counts("queue");
    expect(counted?.counts.queueDrops).toBe(100 - arrivals.length);
    expect(counted?.counts.lost).toBe(0);
  });

  it("loses as many as it is told, and counts them", async () => {
    const packets = 2_000;
    const before = (await backend.counts("loss"))[0]?.counts.lost ?? 0;
    const { arrivals } = await send("loss", [0, 1], { packets, bytes: 100, gapUs: 300 });
    const lost = packets - arrivals.length;
    expect((await backend.counts("loss"))[0]?.counts.lost).toBe(before + lost);
    // 200 of 2,000; beyond five standard deviations in one of a million tests.
    expect(Math.abs(lost - 200)).toBeLessThan(5 * Math.sqrt(packets * 0.1 * 0.9));
    const back = await send("loss", [1, 0], { packets: 200, bytes: 100, gapUs: 300 });
    expect(back.arrivals).toHaveLength(200);
  });

  it("gives each member of a LAN its own delay, up and down", async () => {
    const how = { packets: 30, bytes: 100, gapUs: 5_000 };
    const flows = [
      { between: [0, 1], leastUs: 12_000 },
      { between: [1, 0], leastUs: 21_000 },
      { between: [2, 1], leastUs: 42_000 },
    ] as const;
    for (const { between, leastUs } of flows) {
      const result = await send("lan", between, how);
      expect(result.arrivals).toHaveLength(30);
      const least = Math.min(...delaysUs(result));
      expect(least).toBeGreaterThanOrEqual(leastUs - 20);
      // Of thirty packets not one is in time there. That each is where it should be shows below.
      expect(least).toBeLessThan(leastUs + 100_000);
    }
  });

  it("loses what is sent while it is down, and is what it was told meanwhile when up", async () => {
    const how = { packets: 20, bytes: 100, gapUs: 1_000 };
    await backend.set([{ link: "change", what: { kind: "down" } }]);
    const shape = { delayUs: 70_000 };
    await backend.set([{ link: "change", what: { kind: "modify", shape } }]);
    expect((await send("change", [0, 1], how)).arrivals).toEqual([]);
    await backend.set([{ link: "change", what: { kind: "up" } }]);
    const result = await send("change", [0, 1], how);
    expect(result.arrivals).toHaveLength(20);
    expect(Math.min(...delaysUs(result))).toBeGreaterThanOrEqual(70_000);
    // The interface of the node is up all the time: else its routes would be gone.
    expect(await world.run("a", ["ip", "-br", "link"])).not.toMatch(/eth\d\S*\s+DOWN/);
  });

  it("keeps the order of packets when its delay becomes shorter", async () => {
    const told = Promise.withResolvers<void>();
    // The kernel keeps no order between processors, whoever tells netem what: of what one sends, it
    // does. So much `tc` and `ping` alone show, with changes and without.
    const prefix = ["taskset", "-c", "0"];
    const flow = send("change", [0, 1], {
      ...{ packets: 100_000, bytes: 100, gapUs: 2_000, until: told.promise, prefix },
    });
    const passed = async (): Promise<number> =>
      (await backend.counts("change"))[0]?.counts.delivered ?? 0;
    for (const delayUs of [70_000, 20_000, 60_000, 10_000]) {
      await backend.set([{ link: "change", what: { kind: "modify", shape: { delayUs } } }]);
      const before = await passed();
      while ((await passed()) < before + 30) await sleep(systemClock, 5);
    }
    told.resolve();
    const result = await flow;
    // A sender that was held up sends in bursts, for which the receiver has no room here: what is
    // missing says nothing of the link.
    const ids = result.arrivals.map(({ id }) => id);
    expect(ids.length).toBeGreaterThan(120);
    expect(ids).toEqual([...ids].sort((a, b) => a - b));
    expect(Math.min(...delaysUs(result))).toBeLessThan(70_000);
  });

  it("traces what a node sends, before anything is done to it, and what it gets", async () => {
    const directory = mkdtempSync(join(tmpdir(), "muster-test-"));
    const order = (member: number, more: Partial<TraceOrder>): TraceOrder => ({
      ...{ link: "traced", member, kind: "packets", snapBytes: 64, filter: onlyUdp, countMax: 0 },
      ...{ ways: ["sent"], path: join(directory, String(member)) },
      ...more,
    });
    const devices = (): Promise<string> => world.run("a", ["sh", "-c", "ip -br link; tc qdisc"]);
    const how = { packets: 200, bytes: 100, gapUs: 1_000 };
    const sent = await backend.tracer.begin(order(0, {}));
    const received = await backend.tracer.begin(order(1, { ways: ["received"] }));
    const path = join(directory, "counts");
    const counts = await backend.tracer.begin(
      order(0, { ways: ["sent", "received"], kind: "counts", path }),
    );
    const { arrivals } = await send("traced", [0, 1], how);
    await Promise.all([sent.roll(join(directory, "all")), received.pause(true)]);
    await send("traced", [0, 1], { ...how, packets: 10 });
    await received.pause(false);
    await send("traced", [1, 0], { ...how, packets: 7 });
    expect(await received.end()).toMatchObject({ packets: arrivals.length, dropped: 0 });
    expect(await sent.end()).toMatchObject({ packets: 210, dropped: 0 });
    expect(await devices()).toMatch(/trace\d.*clsact/s);
    await counts.end();
    expect(await devices()).not.toMatch(/trace\d|clsact/);
    const all = readPcap(join(directory, "all"));
    expect(all.map(({ id, bytes }) => [id, bytes])).toEqual(
      Array.from({ length: 200 }, (_, id) => [id, 142]),
    );
    const got = readPcap(join(directory, "1"));
    expect(got.map(({ id }) => id)).toEqual(arrivals.map(({ id }) => id));
    expect(got.length).toBeLessThan(200);
    const late = got.map(({ id, atUs }) => atUs - (all[id]?.atUs ?? Infinity));
    // Stamps are whole microseconds.
    expect(Math.min(...late)).toBeGreaterThanOrEqual(300_000 - 1);
    expect(readPcap(join(directory, "0"))).toHaveLength(10);
    const rows = readFileSync(path, "utf8").trim().split("\n").slice(1);
    const sum = (column: number): number =>
      rows.reduce((sums, row) => sums + Number(row.split(",")[column]), 0);
    expect([1, 2, 3, 4].map(sum)).toEqual([210, 210 * 142, 7, 7 * 142]);
    // A link that goes ends the traces of it.
    const last = await backend.tracer.begin(order(0, {}));
    const gone = linkEnds.get("traced");
    await backend.detach(gone === undefined ? [] : [gone]);
    expect(await last.ended).toMatchObject({ packets: 0, dropped: 0 });
    expect(await devices()).not.toMatch(/trace\d/);
    rmSync(directory, { recursive: true, force: true });
  });

  it("is ready when a change is due that it was told of, and ends what it does not need", async () => {
    const programs = async (): Promise<number> =>
      Number(await world.run("a", ["sh", "-c", countTc]));
    const changes = [{ link: "rate", what: { kind: "down" as const } }];
    expect(await programs()).toBe(0);
    backend.prepare(changes);
    backend.prepare(changes);
    while ((await programs()) < 2) await sleep(systemClock, 5);
    await backend.set(changes);
    expect(await programs()).toBe(0);
    expect((await send("rate", [0, 1], { packets: 5, bytes: 100, gapUs: 0 })).arrivals).toEqual([]);
    backend.prepare(changes);
    await backend.stop();
    expect(await programs()).toBe(0);
  });
});

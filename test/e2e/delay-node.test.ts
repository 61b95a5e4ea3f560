// SPDX-License-Identifier: MIT
// Goal: links between network namespaces really are what is asked of the delay node: rate, delay,
// loss, each way; LANs; changes at an instant, several as one, without a packet lost or let by; and
// a delay node that is killed says so and lets nothing through. Method: namespaces of our own, and
// senders and receivers that are processes of their own and stamp packets themselves. Bounds are
// wide where the machine is shared; bench/network has the figures.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sleep, systemClock } from "../../src/host/clock.ts";
import { DelayNodeBackend } from "../../src/network/delay-node/delay-node-backend.ts";
import type { ShaperReport } from "../../src/network/delay-node/shaper-messages.ts";
import type { LinkEnds } from "../../src/network/link-backend.ts";
import {
  type DirectionShape,
  type ShapedLink,
  unshaped,
  usualQueue,
} from "../../src/network/model.ts";
import { makeNamespaces, type TestNamespaces } from "./network-support/namespaces.ts";
import {
  type Arrival,
  delaysUs,
  type ProbeOptions,
  type ProbeResult,
  probe,
  rateOf,
} from "./network-support/probe.ts";

const isRoot = process.getuid?.() === 0;

const link = (
  name: string,
  up: readonly Partial<DirectionShape>[],
  nodes: readonly string[] = ["a", "b"],
): ShapedLink => ({
  name,
  kind: "link",
  members: nodes.map((node, index) => ({ node, up: { ...unshaped, ...up[index] } })),
});

/** The probe goes before what else the machine does, where it may: else it would be the measure. */
const first = [
  ...["sh", "-c", 'chrt -r 10 true 2>/dev/null && exec chrt -r 10 "$@"; exec "$@"', "sh"],
];

const longQueue = { ...usualQueue, limit: 2_000 };

const plans: readonly ShapedLink[] = [
  // All of a flow fits into the queue: a sender that is held up does not let it run empty.
  link("rate", [{ bandwidthBps: 10_000_000, delayUs: 20_000, queue: longQueue }, {}]),
  link("loss", [{ loss: 0.1 }, {}]),
  link("held", [{ bandwidthBps: 2_000_000, delayUs: 5_000 }, {}]),
  {
    name: "held-lan",
    kind: "lan",
    members: ["a", "b", "c"].map((node) => ({
      node,
      up: { ...unshaped, bandwidthBps: 5_000_000, delayUs: 1_000 },
      down: { ...unshaped, bandwidthBps: 5_000_000, delayUs: 1_000 },
    })),
  },
  link("change", [{ delayUs: 5_000 }, { delayUs: 5_000 }]),
  link("other", [{ delayUs: 5_000 }, { delayUs: 5_000 }], ["c", "a"]),
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

let world: TestNamespaces;
const backends: DelayNodeBackend[] = [];
const linkEnds = new Map<string, LinkEnds>();

/** Links of their own for each number of threads: with all processors taken, none goes first. */
async function shape(
  threads: number,
  names: readonly string[],
  onReport: (report: ShaperReport) => void = () => undefined,
): Promise<DelayNodeBackend> {
  world = await makeNamespaces(["a", "b", "c"]);
  const { commands } = world;
  const backend = new DelayNodeBackend({
    commands,
    clock: systemClock,
    seed: 1,
    threads,
    onReport,
  });
  backends.push(backend);
  linkEnds.clear();
  const chosen = plans.filter(({ name }) => names.includes(name));
  for (const { name, kind, members } of chosen) {
    const nodes = members.map(({ node }) => node);
    linkEnds.set(name, world.link(name, kind, nodes));
  }
  await backend.attach([...linkEnds.values()], new Map(plans.map((plan) => [plan.name, plan])));
  for (const [index, made] of [...linkEnds.values()].entries()) {
    await world.configure(made, index + 1);
  }
  return backend;
}

async function stop(): Promise<void> {
  await Promise.all(backends.splice(0).map((backend) => backend.stop()));
  await world?.stop();
}

/** From one member of a link to another. */
function send(
  name: string,
  [from, to]: readonly [number, number],
  how: Pick<ProbeOptions, "packets" | "bytes" | "gapUs" | "until">,
): Promise<ProbeResult> {
  const ends = linkEnds.get(name)?.ends ?? [];
  const net = [...linkEnds.keys()].indexOf(name) + 1;
  const [source, target] = [ends[from], ends[to]];
  if (source === undefined || target === undefined) throw new Error(`${name} has no such end`);
  return probe({
    ...how,
    prefix: first,
    commands: world.commands,
    from: source.namespace,
    to: target.namespace,
    address: `10.${net}.0.${to + 1}`,
  });
}

/** For how long in all the sender of what should come every `gapUs` did not send, in ms. */
function stallsMsOf(arrivals: readonly Arrival[], gapUs: number): number {
  const lateUs = arrivals.map(({ id, sentUs }) => sentUs - id * gapUs);
  const steps = lateUs.slice(1).map((us, index) => us - (lateUs[index] ?? us));
  return steps.filter((us) => us > 5_000).reduce((total, us) => total + us, 0) / 1_000;
}

/** Until so many more packets have come; besides the probe's the kernel sends a few of its own. */
async function untilUnderWay(backend: DelayNodeBackend, name: string, more = 50): Promise<void> {
  const arrived = async (): Promise<number> => (await backend.counts(name))[0]?.counts.arrived ?? 0;
  const before = await arrived();
  while ((await arrived()) <= before + more) await sleep(systemClock, 5);
}

describe.skipIf(!isRoot)("a link of the delay node", () => {
  let backend: DelayNodeBackend;

  beforeAll(async () => {
    backend = await shape(1, ["rate", "loss", "held", "held-lan", "lan"]);
  });

  afterAll(stop);

  it("says of a change for now that it took effect after it was asked, also of one of nothing", async () => {
    const slower = { link: "held", what: { kind: "modify", shape: { delayUs: 5_000 } } } as const;
    for (const changes of [[slower], []]) {
      const askedUs = systemClock.nowUs();
      const firedUs = await backend.setAt(changes, 0);
      expect(firedUs).toBeGreaterThanOrEqual(askedUs);
      expect(firedUs).toBeLessThanOrEqual(systemClock.nowUs());
    }
  });

  it("lets through the rate that is asked, in bytes of layer 2, each way its own", async () => {
    const result = await send("rate", [0, 1], { packets: 1_200, bytes: 958, gapUs: 200 });
    expect(result.arrivals).toHaveLength(1_200);
    expect(rateOf(result, 958)).toBeGreaterThan(9_900_000);
    expect(rateOf(result, 958)).toBeLessThan(10_100_000);
    expect(Math.min(...delaysUs(result))).toBeGreaterThan(20_000);
    const back = await send("rate", [1, 0], { packets: 200, bytes: 958, gapUs: 200 });
    expect(back.arrivals).toHaveLength(200);
    expect(Math.min(...delaysUs(back))).toBeLessThan(5_000);
  });

  it("loses as many as its generator says, and counts them", async () => {
    const { arrivals } = await send("loss", [0, 1], { packets: 2_000, bytes: 100, gapUs: 100 });
    const [ours] = await backend.counts("loss");
    expect(ours?.counts.arrived).toBeGreaterThanOrEqual(2_000);
    // Besides the probe's the kernel sends a few packets of its own (IPv6).
    const missing = 2_000 - arrivals.length;
    expect(missing).toBeGreaterThan(150);
    expect(missing).toBeLessThan(260);
    expect((ours?.counts.lost ?? 0) - missing).toBeGreaterThanOrEqual(0);
    expect((ours?.counts.lost ?? 0) - missing).toBeLessThan(10);
  });

  /** Stops the delay node for 200 ms in a flow. @returns what it counted as late for how many */
  async function halt(name: string, how: Pick<ProbeOptions, "packets" | "gapUs">) {
    const { packets: packetsBefore = 0, late: lateBefore = 0 } = backend.health ?? {};
    const flow = send(name, [0, 1], { bytes: 20, ...how });
    await untilUnderWay(backend, name, how.packets / 20);
    const stoppedUs = systemClock.nowUs();
    process.kill(backend.pid ?? 0, "SIGSTOP");
    await sleep(systemClock, 200);
    const goesOnUs = systemClock.nowUs();
    process.kill(backend.pid ?? 0, "SIGCONT");
    const { arrivals } = await flow;
    while ((backend.health?.packets ?? 0) - packetsBefore < arrivals.length) {
      await sleep(systemClock, 5);
    }
    const held = arrivals.filter(({ sentUs }) => {
      return sentUs > stoppedUs + 5_000 && sentUs < goesOnUs - 5_000;
    });
    return { arrivals, late: (backend.health?.late ?? 0) - lateBefore, held: held.length };
  }

  it.each(["held", "held-lan"])(
    "loses nothing in a queue of %s for not having run",
    async (name) => {
      // What comes meanwhile did not come at once.
      const { arrivals, late, held } = await halt(name, { packets: 1_200, gapUs: 1_000 });
      // A burst of 200 would lose 150 in the queue of 50. A sender that is late makes bursts
      // itself.
      const sentLateMs = stallsMsOf(arrivals, 1_000);
      expect(arrivals.length).toBeGreaterThan(1_200 - 75 - sentLateMs);
      expect(sentLateMs).toBeLessThan(1_000);
      const ids = arrivals.map(({ id }) => id);
      expect(ids).toEqual([...ids].sort((a, b) => a - b));
      expect(backend.health?.lagMaxUs).toBeGreaterThan(100_000);
      // What waited in its socket was late, as much as what waited in the link.
      expect(late).toBeGreaterThanOrEqual(held);
    },
  );

  it("counts as late what came while it slept and then was kept from waking", async () => {
    // Nothing is on its way when the next one comes.
    const { late, held } = await halt("held", { packets: 60, gapUs: 20_000 });
    expect(late).toBeGreaterThanOrEqual(held);
  });

  it("tells at once what the machine has lost on the way to it", async () => {
    const before = await backend.lostByMachine();
    process.kill(backend.pid ?? 0, "SIGSTOP");
    // More than any buffer holds that it could have been given.
    await send("held", [0, 1], { packets: 60_000, bytes: 100, gapUs: 0 });
    process.kill(backend.pid ?? 0, "SIGCONT");
    expect((await backend.lostByMachine()) - before).toBeGreaterThan(1_000);
  });

  it("gives each member of a LAN its own delay, up and down", async () => {
    const how = { packets: 40, bytes: 100, gapUs: 2_000 };
    for (const [from, to, expectedUs] of [
      [0, 1, 12_000],
      [2, 0, 41_000],
      [1, 2, 24_000],
    ] as const) {
      const delays = delaysUs(await send("lan", [from, to], how));
      expect(delays).toHaveLength(40);
      expect(Math.min(...delays)).toBeGreaterThan(expectedUs - 100);
      expect(Math.min(...delays)).toBeLessThan(expectedUs + 5_000);
    }
  });
});

describe.skipIf(!isRoot)("a change of links of the delay node", () => {
  let backend: DelayNodeBackend;
  const reports: ShaperReport[] = [];

  beforeAll(async () => {
    backend = await shape(2, ["change", "other"], (report) => reports.push(report));
  });

  afterAll(stop);

  /** For how long a thread did not look at its packets, at the worst from then on until now. */
  async function unseenUsSince(fromUs: number): Promise<number> {
    const nowUs = systemClock.nowUs();
    const isThere = (thread: number): boolean =>
      reports.some((report) => report.thread === thread && report.atUs > nowUs);
    while (!isThere(0) || !isThere(1)) await sleep(systemClock, 5);
    const since = reports.filter(({ atUs }) => atUs > fromUs);
    return Math.max(...since.map(({ unseenMaxUs }) => unseenMaxUs));
  }

  /** So long that there are packets in it whose instants are certain. */
  async function period(): Promise<void> {
    const startedUs = systemClock.nowUs();
    const names = [...linkEnds.keys()];
    await Promise.all(names.map((name) => untilUnderWay(backend, name, 200)));
    while (systemClock.nowUs() - startedUs < 4 * (await unseenUsSince(startedUs)) + 100_000) {}
  }

  it("changes links of two threads at one instant, and no packet is lost or let by", async () => {
    const names = ["change", "other"];
    const told = Promise.withResolvers<void>();
    const how = { packets: 100_000, bytes: 100, gapUs: 1_000, until: told.promise };
    const flows = Promise.all(names.map((name) => send(name, [0, 1], how)));
    await Promise.all(names.map((name) => untilUnderWay(backend, name)));
    const startedUs = systemClock.nowUs();
    const periodsUs = [5_000, 25_000, 5_000, 15_000];
    const marks: number[] = [];
    // On a busy machine a change may be told too late for its instant: then it says when it was.
    const done: number[] = [];
    for (const delayUs of periodsUs.slice(1)) {
      await period();
      // Told ahead.
      const atUs = systemClock.nowUs() + 30_000;
      const doneUs = await backend.setAt(
        names.map((name) => ({ link: name, what: { kind: "modify", shape: { delayUs } } })),
        atUs,
      );
      expect(doneUs).toBeGreaterThanOrEqual(atUs);
      marks.push(atUs);
      done.push(doneUs);
    }
    await period();
    const endedUs = systemClock.nowUs();
    told.resolve();
    const results = await flows;
    const unseenUs = await unseenUsSince(startedUs);
    const periodAt = (instants: readonly number[], us: number): number =>
      instants.filter((atUs) => atUs <= us).length;
    for (const { arrivals, sent } of results) {
      expect(arrivals).toHaveLength(sent);
      expect(arrivals.map(({ id }) => id)).toEqual(arrivals.map((_, index) => index));
      const leastUs = periodsUs.map(() => Infinity);
      for (const { sentUs, receivedUs } of arrivals) {
        // What is sent just before a change may come to the delay node after it: so long after that
        // the change makes up for it. What came while a thread did not look, it takes to have come
        // at some time of that.
        const instants = [sentUs - unseenUs, sentUs, sentUs + 20_000];
        const periods = instants.flatMap((us) => [periodAt(marks, us), periodAt(done, us)]);
        const delayUs = Math.min(...periods.map((period) => periodsUs[period] ?? 0));
        expect(receivedUs - sentUs).toBeGreaterThan(delayUs - 100);
        const [period = 0, ...others] = new Set(periods);
        if (others.length > 0) continue;
        leastUs[period] = Math.min(leastUs[period] ?? 0, receivedUs - sentUs);
      }
      // Of each period some are certain; when it is shorter again, some have less than the longest.
      const mostUs = periodsUs.map((delayUs) => (delayUs < 25_000 ? 25_000 : Infinity));
      for (const [index, us] of leastUs.entries()) {
        // One that was over before a thread looked again, which was not known yet, has none.
        const lastedUs = (marks[index] ?? endedUs) - (done[index - 1] ?? startedUs);
        if (us === Infinity && lastedUs < unseenUs + 100_000) continue;
        expect(us, `not seen for ${unseenUs} us`).toBeLessThan(mostUs[index] ?? 0);
      }
    }
  });

  it("has a link in each of its two threads, which pass what is sent at a time whole and in order", async () => {
    const startedUs = systemClock.nowUs();
    const how = { packets: 1_000, bytes: 200, gapUs: 2_000 };
    // Both links, both ways: four flows at a time.
    const flows = await Promise.all([
      ...[send("change", [0, 1], how), send("change", [1, 0], how)],
      ...[send("other", [0, 1], how), send("other", [1, 0], how)],
    ]);
    for (const { arrivals, sent } of flows) {
      expect(sent).toBe(how.packets);
      expect(arrivals.map(({ id }) => id)).toEqual(Array.from({ length: sent }, (_, id) => id));
    }
    const counts = await Promise.all([backend.counts("change"), backend.counts("other")]);
    for (const { counts: one } of counts.flat()) {
      expect([one.lost, one.queueDrops, one.overflow]).toEqual([0, 0, 0]);
    }
    await unseenUsSince(startedUs);
    // Each thread has sent what its link carried.
    for (const thread of [0, 1]) {
      const own = reports.filter((one) => one.thread === thread && one.atUs > startedUs);
      const carried = own.reduce((sum, { packets }) => sum + packets, 0);
      expect(carried, `thread ${thread}`).toBeGreaterThanOrEqual(2 * how.packets);
      expect(own.every(({ strange, unsent }) => strange + unsent === 0)).toBe(true);
    }
  });

  it("loses what is sent while a link is down, and is what it was told meanwhile when up", async () => {
    const how = { packets: 20, bytes: 100, gapUs: 1_000 };
    await backend.set([{ link: "change", what: { kind: "down" } }]);
    await backend.set([{ link: "change", what: { kind: "modify", shape: { delayUs: 30_000 } } }]);
    expect((await send("change", [0, 1], how)).arrivals).toEqual([]);
    await backend.set([{ link: "change", what: { kind: "up" } }]);
    const { arrivals } = await send("change", [0, 1], how);
    expect(arrivals).toHaveLength(20);
    expect(Math.min(...arrivals.map((it) => it.receivedUs - it.sentUs))).toBeGreaterThan(29_900);
    // The interface of the node is up all the time: else its routes would be gone.
    expect(await world.run("a", ["ip", "-br", "link"])).not.toMatch(/eth\d\S*\s+DOWN/);
  });

  it("refuses a change that it cannot do, and goes on", async () => {
    const shape = { bandwidthBps: 2_000_000_000 };
    await expect(
      backend.set([{ link: "change", what: { kind: "modify", shape } }]),
    ).rejects.toThrow("more than the delay node carries here");
  });

  it("says so when it is killed, and nothing goes over its links", async () => {
    process.kill(backend.pid ?? 0, "SIGKILL");
    expect(await backend.failed).toBe(
      "the delay node has ended (SIGKILL); its links carry nothing any more",
    );
    const how = { packets: 20, bytes: 100, gapUs: 1_000 };
    expect((await send("change", [0, 1], how)).arrivals).toEqual([]);
    await expect(backend.set([{ link: "change", what: { kind: "up" } }])).rejects.toThrow(
      "has ended",
    );
  });
});

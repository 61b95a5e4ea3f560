// SPDX-License-Identifier: MIT
// Goal: links between network namespaces really are what is asked of the delay node: rate, delay,
// loss, each way; LANs; changes at an instant, several as one, without a packet lost or let by; and
// a delay node that is killed says so and lets nothing through. Method: namespaces of our own, and
// senders and receivers that are processes of their own and stamp packets themselves. Bounds are
// wide where the machine is shared; bench/network has the figures.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sleep, systemClock } from "../../src/host/clock.ts";
import { DelayNodeBackend } from "../../src/network/delay-node/delay-node-backend.ts";
import type { LinkEnds } from "../../src/network/link-backend.ts";
import {
  type DirectionShape,
  type ShapedLink,
  unshaped,
  usualQueue,
} from "../../src/network/model.ts";
import { makeNamespaces, type TestNamespaces } from "./network-support/namespaces.ts";
import { delaysUs, type ProbeResult, probe, rateOf } from "./network-support/probe.ts";

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
async function shape(threads: number, names: readonly string[]): Promise<DelayNodeBackend> {
  world = await makeNamespaces(["a", "b", "c"]);
  const { commands } = world;
  const backend = new DelayNodeBackend({ commands, clock: systemClock, seed: 1, threads });
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
  how: { readonly packets: number; readonly bytes: number; readonly gapUs: number },
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

/** Besides the probe's the kernel sends a few packets of its own. */
async function untilUnderWay(backend: DelayNodeBackend, name: string): Promise<void> {
  for (;;) {
    const [ours] = await backend.counts(name);
    if ((ours?.counts.arrived ?? 0) > 50) return;
    await sleep(systemClock, 5);
  }
}

describe.skipIf(!isRoot)("a link of the delay node", () => {
  let backend: DelayNodeBackend;

  beforeAll(async () => {
    backend = await shape(1, ["rate", "loss", "held", "lan"]);
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

  it("loses nothing in a queue for not having run: what comes meanwhile did not come at once", async () => {
    const flow = send("held", [0, 1], { packets: 1_200, bytes: 20, gapUs: 1_000 });
    await untilUnderWay(backend, "held");
    process.kill(backend.pid ?? 0, "SIGSTOP");
    await sleep(systemClock, 200);
    process.kill(backend.pid ?? 0, "SIGCONT");
    const { arrivals } = await flow;
    // A burst of 200 would lose 150 in the queue of 50; a sender that is late itself loses some.
    expect(arrivals.length).toBeGreaterThan(1_200 - 75);
    const ids = arrivals.map(({ id }) => id);
    expect(ids).toEqual([...ids].sort((a, b) => a - b));
    expect(backend.health?.lagMaxUs).toBeGreaterThan(100_000);
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

  beforeAll(async () => {
    backend = await shape(2, ["change", "other"]);
  });

  afterAll(stop);

  it("changes links of two threads at one instant, and no packet is lost or let by", async () => {
    const how = { packets: 2_000, bytes: 100, gapUs: 400 };
    const flows = Promise.all([send("change", [0, 1], how), send("other", [0, 1], how)]);
    for (const name of ["change", "other"]) await untilUnderWay(backend, name);
    // In the middle of the flows, told ahead.
    const settled = systemClock.nowUs() + 30_000;
    const marks = [0, 100_000, 200_000].map((offsetUs) => settled + offsetUs);
    // On a busy machine a change may be told too late for its instant: then it says when it was.
    const done: number[] = [];
    for (const [index, atUs] of marks.entries()) {
      const shape = { delayUs: [25_000, 5_000, 15_000][index] ?? 0 };
      const doneUs = await backend.setAt(
        ["change", "other"].map((name) => ({ link: name, what: { kind: "modify", shape } })),
        atUs,
      );
      expect(doneUs).toBeGreaterThanOrEqual(atUs);
      done.push(doneUs);
    }
    const delayAt = (instants: readonly number[], sentUs: number): number =>
      [5_000, 25_000, 5_000, 15_000][instants.filter((atUs) => atUs <= sentUs).length] ?? 0;
    for (const { arrivals } of await flows) {
      expect(arrivals).toHaveLength(2_000);
      expect(arrivals.map(({ id }) => id)).toEqual(arrivals.map((_, index) => index));
      for (const { sentUs, receivedUs } of arrivals) {
        // What is sent just before a change may come to the delay node after it.
        const instants = [sentUs, sentUs + 20_000];
        const delays = instants.flatMap((us) => [delayAt(marks, us), delayAt(done, us)]);
        const delayUs = Math.min(...delays);
        expect(receivedUs - sentUs).toBeGreaterThan(delayUs - 100);
      }
      // The changes were in the middle of the flow.
      const [first = Infinity, last = 0] = [arrivals[0]?.sentUs, arrivals.at(-1)?.sentUs];
      expect(first).toBeLessThan(settled);
      expect(last).toBeGreaterThan(settled);
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

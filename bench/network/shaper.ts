// SPDX-License-Identifier: MIT
// How near the delay node comes to what is asked of it, and how many packets it carries. Between
// two namespaces, by processes that share nothing with it: rate by the stamps of the receiver, loss
// by counting, round trips by ping. Needs root; the figures are those of the machine at that time.
import { loadavg } from "node:os";
import { systemClock } from "../../src/host/clock.ts";
import { DelayNodeBackend } from "../../src/network/delay-node/delay-node-backend.ts";
import type { Pace } from "../../src/network/delay-node/shaper-messages.ts";
import { type DirectionShape, unshaped } from "../../src/network/model.ts";
import { makeNamespaces } from "../../test/e2e/network-support/namespaces.ts";
import { probe, rateOf } from "../../test/e2e/network-support/probe.ts";

const red = { ...unshaped.queue, kind: "red" as const };

/** One link type each; delay and loss one way, the same both ways. */
const types: readonly (readonly [name: string, shape: Partial<DirectionShape>])[] = [
  ["64 kb/s, 50 ms", { bandwidthBps: 64_000, delayUs: 50_000 }],
  ["1 Mb/s, 50 ms", { bandwidthBps: 1_000_000, delayUs: 50_000 }],
  ["5 Mb/s, 1 ms, 5 %", { bandwidthBps: 5_000_000, delayUs: 1_000, loss: 0.05 }],
  ["10 Mb/s, 0 ms", { bandwidthBps: 10_000_000 }],
  ["10 Mb/s, 100 ms, 20 %", { bandwidthBps: 10_000_000, delayUs: 100_000, loss: 0.2 }],
  ["54 Mb/s, 1.5 ms, 1 %", { bandwidthBps: 54_000_000, delayUs: 1_500, loss: 0.01 }],
  ["100 Mb/s, 0.5 ms", { bandwidthBps: 100_000_000, delayUs: 500 }],
  ["100 Mb/s, 10 ms, 1 %", { bandwidthBps: 100_000_000, delayUs: 10_000, loss: 0.01 }],
  ["100 Mb/s, 10 ms, RED", { bandwidthBps: 100_000_000, delayUs: 10_000, queue: red }],
  [
    "100 Mb/s, 10 ms, jitter 2 ms, reorder 5 %",
    { bandwidthBps: 100_000_000, delayUs: 10_000, jitterUs: 2_000, reorder: 0.05 },
  ],
  ["300 Mb/s, 2 ms", { bandwidthBps: 300_000_000, delayUs: 2_000 }],
];

const frameBytes = 1_492;
const payloadBytes = frameBytes - 42;
const pingBytes = 98;
const secondsOfRate = 2;
/** What measures goes before what else the machine does, but not before what is measured. */
const prefix = ["chrt", "-r", "10"];
/** Time between packets, as a part of what the link needs for one. */
const overdrive = 0.6;
/** A sender that is held up must not let the queue run empty: the rate would be the sender's. */
const longQueue = { ...unshaped.queue, limit: 100_000 };

interface Row {
  readonly name: string;
  readonly rateError: string;
  readonly rttError: string;
  readonly loss: string;
  readonly lag: string;
}

export async function run(args: ReadonlyMap<string, string>): Promise<void> {
  const pace = (args.get("pace") ?? "nap") as Pace;
  const only = args.get("only");
  const chosen = types.filter(([name]) => only === undefined || name.startsWith(only));
  const print = (text: string): boolean => process.stdout.write(`${text}\n`);
  print(
    `delay node, ${pace}; load ${loadavg()
      .map((load) => load.toFixed(1))
      .join(" ")}`,
  );
  print("| link, each way | rate error | mean RTT error, ms (mdev) | loss seen | lag mean / max |");
  print("|---|---|---|---|---|");
  for (const [name, shape] of chosen) {
    const row = await measure(name, { ...unshaped, queue: longQueue, ...shape }, pace);
    print(`| ${row.name} | ${row.rateError} | ${row.rttError} | ${row.loss} | ${row.lag} |`);
  }
  if (only !== undefined && only !== "packets") return;
  for (const threads of [1, 2]) print(await measurePackets(threads, pace));
  print(
    `load ${loadavg()
      .map((load) => load.toFixed(1))
      .join(" ")}`,
  );
}

async function measure(name: string, shape: DirectionShape, pace: Pace): Promise<Row> {
  const world = await makeNamespaces(["a", "b"]);
  const lags: number[] = [];
  const backend = new DelayNodeBackend({
    ...{ commands: world.commands, clock: systemClock, seed: 1, pace },
    onReport: ({ lagMeanUs, packets }) => lags.push(...(packets > 0 ? [lagMeanUs] : [])),
  });
  try {
    const ends = world.link("l0", "link", ["a", "b"]);
    const plan = { name: "l0", kind: "link" as const, members: membersOf(shape) };
    await backend.attach([ends], new Map([["l0", plan]]));
    await world.configure(ends, 1);
    // The first packets pay for code that is not compiled yet.
    await ping(world, 50, 0.02);
    const sentUs = (pingBytes * 8e6) / shape.bandwidthBps;
    // Far enough apart that none waits for the one before.
    const rtt = await ping(world, 200, Math.max(0.01, (2 * sentUs) / 1e6));
    const askedMs = (2 * (shape.delayUs * (1 - shape.reorder) + sentUs)) / 1_000;
    const [from, to] = ends.ends.map(({ namespace }) => namespace);
    if (from === undefined || to === undefined) throw new Error("a link has two ends");
    const perSecond = shape.bandwidthBps / 8 / frameBytes;
    const packets = Math.max(60, Math.round(perSecond * secondsOfRate));
    const how = {
      ...{ commands: world.commands, from, to, prefix, address: "10.1.0.2" },
      bytes: payloadBytes,
    };
    // RED keeps dropping for a while after too much: little more than it carries is enough.
    const drive = shape.queue.kind === "red" ? 0.95 : overdrive;
    const gapUs = (drive * (1 - shape.loss) * 1e6) / perSecond;
    const result = await probe({ ...how, packets, gapUs });
    const rate = rateOf(result, payloadBytes) / shape.bandwidthBps - 1;
    const [ours] = await backend.counts("l0");
    const { arrived = 0, lost = 0 } = ours?.counts ?? {};
    const { lagMaxUs = 0, dropped = 0 } = backend.health ?? {};
    const lag = lags.reduce((sum, one) => sum + one, 0) / Math.max(1, lags.length);
    return {
      name,
      rateError: `${(rate * 100).toFixed(2)} %`,
      rttError: `${(rtt.meanMs - askedMs).toFixed(2)} (${rtt.mdevMs})`,
      loss: `${((lost / arrived) * 100).toFixed(2)} % of ${arrived}; ${dropped} dropped`,
      lag: `${lag.toFixed(0)} / ${lagMaxUs} us`,
    };
  } finally {
    await backend.stop();
    await world.stop();
  }
}

/** As many as go: links without any shape, each in a thread of its own, small packets. */
async function measurePackets(threads: number, pace: Pace): Promise<string> {
  const world = await makeNamespaces(["a", "b"]);
  const perReport: number[] = [];
  const backend = new DelayNodeBackend({
    ...{ commands: world.commands, clock: systemClock, seed: 1, pace, threads },
    onReport: ({ packets, thread }) => {
      if (thread === 0) perReport.push(0);
      perReport[perReport.length - 1] = (perReport.at(-1) ?? 0) + packets;
    },
  });
  try {
    const names = Array.from({ length: threads }, (_, index) => `l${index}`);
    const links = names.map((name) => world.link(name, "link", ["a", "b"]));
    const shape = { ...unshaped, delayUs: 1_000, bandwidthBps: 1_000_000_000, queue: longQueue };
    const plans = names.map((name) => ({ name, kind: "link" as const, members: membersOf(shape) }));
    await backend.attach(links, new Map(plans.map((plan) => [plan.name, plan])));
    for (const [index, link] of links.entries()) await world.configure(link, index + 1);
    const before = await cpuSecondsOf(backend.pid);
    await Promise.all(
      links.map(async ({ ends }, index) => {
        const [from, to] = ends.map(({ namespace }) => namespace);
        if (from === undefined || to === undefined) return;
        const address = `10.${index + 1}.0.2`;
        const how = { commands: world.commands, from, to, prefix, address, bytes: 100 };
        await probe({ ...how, packets: 300_000, gapUs: 0 });
      }),
    );
    const counts = await Promise.all(names.map((name) => backend.counts(name)));
    const carried = counts.flat().reduce((sum, one) => sum + one.counts.delivered, 0);
    const cpu = (await cpuSecondsOf(backend.pid)) - before;
    const best = Math.max(...perReport) * 2;
    const { lagMaxUs = 0, dropped = 0 } = backend.health ?? {};
    return [
      `${threads} thread(s): ${Math.round(carried / cpu)} packets a second of CPU`,
      `(${carried} packets, ${cpu.toFixed(2)} s); best half second ${best} a second`,
      `lag max ${lagMaxUs} us; ${dropped} dropped`,
    ].join("; ");
  } finally {
    await backend.stop();
    await world.stop();
  }
}

const membersOf = (up: DirectionShape) => ["a", "b"].map((node) => ({ node, up }));

async function ping(
  world: Awaited<ReturnType<typeof makeNamespaces>>,
  count: number,
  intervalSeconds: number,
): Promise<{ readonly meanMs: number; readonly mdevMs: string }> {
  const words = ["ping", "-q", "-c", count, "-i", intervalSeconds, "10.1.0.2"].map(String);
  const text = await world.run("a", words);
  const [, mean = "NaN", mdev = "NaN"] = /= [\d.]+\/([\d.]+)\/[\d.]+\/([\d.]+) ms/.exec(text) ?? [];
  return { meanMs: Number(mean), mdevMs: mdev };
}

async function cpuSecondsOf(pid: number | undefined): Promise<number> {
  const { readFile } = await import("node:fs/promises");
  const fields = (await readFile(`/proc/${pid}/stat`, "utf8")).split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

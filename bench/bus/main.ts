// SPDX-License-Identifier: MIT
// Benchmark of the bus on NATS: from `publish` at one server to the subscriber at another, beside
// the bare client of NATS that does as much without a stream, and beside what the stream alone
// takes to acknowledge; in turn A B C A B C, at one broker and at three that keep three copies.
// Prints a table and JSON.
//
// Blind spots: one machine, one process for both servers, one notification on its way at a time.
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { resolveBusLimits } from "../../src/engine/bus-limits.ts";
import { NatsBus } from "../../src/engine/nats-bus.ts";
import { parseNatsPlace } from "../../src/engine/nats-place.ts";
import { systemClock } from "../../src/host/clock.ts";
import { newRunId } from "../../src/host/ids.ts";
import { NatsServer } from "../../src/testing/nats-server.ts";
import { numbered } from "../../src/testing/suites/bus-suite.ts";
import { formatMachine, median, percentile } from "../statistics.ts";

const nowUs = (): number => Number(process.hrtime.bigint()) / 1_000;
/** Of each contender in a round. */
const perRound = 500;

interface Contender {
  readonly name: string;
  /** Microseconds from the call until it is heard, or acknowledged. */
  once(): Promise<number>;
  close(): Promise<void>;
}

async function ours(brokers: readonly NatsServer[]): Promise<Contender> {
  const replicas = brokers.length;
  const open = (broker: NatsServer): Promise<NatsBus> =>
    NatsBus.open({
      place: parseNatsPlace(`nats://${broker.address}/bench${replicas}?replicas=${replicas}`),
      ...{ bus: "ops", clock: systemClock, limits: resolveBusLimits(), newEpoch: newRunId },
    });
  const [first, last] = [brokers.at(0), brokers.at(-1)] as [NatsServer, NatsServer];
  const [a, b] = [await open(first), await open(last)];
  let heard: () => void = () => undefined;
  await b.subscribe(
    { address: { objname: "o", scheduler: 0 }, slow: "end" },
    { onNotifications: () => heard(), onGap: () => undefined, onEnd: () => undefined },
  );
  const notification = numbered(1);
  return {
    name: "ours, publish to subscriber",
    async once() {
      const whenHeard = new Promise<void>((resolve) => {
        heard = resolve;
      });
      const begun = nowUs();
      const published = a.publish(notification);
      await whenHeard;
      const tookUs = nowUs() - begun;
      await published;
      return tookUs;
    },
    close: async () => {
      await Promise.all([a.close(), b.close()]);
    },
  };
}

const text = "x".repeat(JSON.stringify(numbered(1)).length);

async function bare(brokers: readonly NatsServer[]): Promise<Contender> {
  const connections = await connectBoth(brokers);
  const [a, b] = connections;
  let heard: () => void = () => undefined;
  b.subscribe("bare", { callback: () => heard() });
  await b.flush();
  // The other broker must know of it.
  await a.flush();
  return {
    name: "bare client, publish to subscriber, nothing stored",
    async once() {
      const whenHeard = new Promise<void>((resolve) => {
        heard = resolve;
      });
      const begun = nowUs();
      a.publish("bare", text);
      await whenHeard;
      return nowUs() - begun;
    },
    close: () => closeBoth(connections),
  };
}

async function stored(brokers: readonly NatsServer[]): Promise<Contender> {
  const connections = await connectBoth(brokers);
  const [a] = connections;
  const manager = await jetstreamManager(a);
  await manager.streams.add({
    ...{ name: "bare", subjects: ["stored"], num_replicas: brokers.length, max_msgs: 65_536 },
  });
  const client = jetstream(a);
  return {
    name: "bare client, stored and acknowledged",
    async once() {
      const begun = nowUs();
      await client.publish("stored", text);
      return nowUs() - begun;
    },
    close: () => closeBoth(connections),
  };
}

type Both = readonly [NatsConnection, NatsConnection];

async function connectBoth(brokers: readonly NatsServer[]): Promise<Both> {
  const [first, last] = [brokers.at(0)?.address ?? "", brokers.at(-1)?.address ?? ""];
  return [await connect({ servers: first }), await connect({ servers: last })];
}

async function closeBoth(connections: Both): Promise<void> {
  for (const connection of connections) await connection.close();
}

interface Row {
  readonly brokers: number;
  readonly what: string;
  readonly p50Us: number;
  readonly p99Us: number;
  /** Ours by this one: the median over the rounds of the ratios of their medians. */
  readonly ratio: number;
}

async function compare(brokers: readonly NatsServer[], rounds: number): Promise<readonly Row[]> {
  const contenders = [await ours(brokers), await bare(brokers), await stored(brokers)];
  const times = contenders.map((): number[][] => []);
  for (let round = 0; round <= rounds; round += 1) {
    for (const [index, contender] of contenders.entries()) {
      const some: number[] = [];
      for (let count = 0; count < perRound; count += 1) some.push(await contender.once());
      // The first round warms.
      if (round > 0) times[index]?.push(some);
    }
  }
  for (const contender of contenders) await contender.close();
  const own = times[0] ?? [];
  return contenders.map(({ name: what }, index) => {
    const all = (times[index] ?? []).flat();
    const ratios = own.map((some, round) => median(some) / median(times[index]?.[round] ?? []));
    return {
      ...{ brokers: brokers.length, what },
      p50Us: Math.round(median(all)),
      p99Us: Math.round(percentile(all, 99)),
      ratio: Math.round(median(ratios) * 100) / 100,
    };
  });
}

export async function run(args: ReadonlyMap<string, string>): Promise<void> {
  const rounds = Number(args.get("rounds") ?? 20);
  const rows: Row[] = [];
  for (const start of [async () => [await NatsServer.start()], () => NatsServer.startThree()]) {
    const brokers = await start();
    try {
      rows.push(...(await compare(brokers, rounds)));
    } finally {
      for (const broker of brokers) await broker.dispose();
    }
  }
  const write = (line: string): void => void process.stdout.write(`${line}\n`);
  write("brokers  p50 us  p99 us  ours by it  what");
  for (const { brokers, what, p50Us, p99Us, ratio } of rows) {
    const cells = [brokers, p50Us, p99Us, ratio].map(String);
    const widths = [7, 6, 6, 10];
    write([...cells.map((cell, at) => cell.padStart(widths[at] ?? 0)), what].join("  "));
  }
  write(JSON.stringify({ bench: "bus", rounds, perRound, rows, machine: formatMachine() }));
}

// SPDX-License-Identifier: MIT
// Benchmark of the native door: how long it takes for many participants over few connections to
// arrive and be released, beside the barest loop that the same client takes for a server; and how
// far apart parties go who go together. Prints a table and JSON. Blind spots: ../README.md.

import { formatMachine, median } from "../statistics.ts";
import { processCpuUs } from "../syncd/kernel.ts";
import { Remote } from "../syncd/rpc.ts";
import { measureSkew, type Skew } from "./skew.ts";

interface Meeting {
  readonly wallMs: number;
  /** Processor time of the server, microseconds for each participant. */
  readonly serverUs: number;
  readonly generatorUs: number;
}

interface Pair {
  readonly server: Remote;
  readonly generator: Remote;
}

async function startPair(file: string, connections: number): Promise<Pair> {
  const server = new Remote(import.meta.resolve(file));
  const generator = new Remote(import.meta.resolve("./generator.ts"));
  await generator.call("port", await server.call<number>("port"));
  await generator.call("connect", connections);
  return { server, generator };
}

async function meet({ server, generator }: Pair, parties: number): Promise<Meeting> {
  const before = [processCpuUs(server.pid), processCpuUs(generator.pid)] as const;
  const wallUs = await generator.call<number>("meet", parties);
  return {
    wallMs: wallUs / 1_000,
    serverUs: (processCpuUs(server.pid) - before[0]) / parties,
    generatorUs: (processCpuUs(generator.pid) - before[1]) / parties,
  };
}

function row(name: string, meetings: readonly Meeting[]) {
  const of = (pick: (meeting: Meeting) => number): number => median(meetings.map(pick));
  const serverUs = of((meeting) => meeting.serverUs);
  const generatorUs = of((meeting) => meeting.generatorUs);
  return {
    name,
    wallMs: of((meeting) => meeting.wallMs),
    wallMsMax: Math.max(...meetings.map(({ wallMs }) => wallMs)),
    serverUs,
    generatorUs,
    generatorCpuShare: generatorUs / (serverUs + generatorUs),
  };
}

async function multiplex(rounds: number, parties: number, connections: number) {
  const ours = await startPair("./serve-ours.ts", connections);
  const floor = await startPair("./serve-floor.ts", connections);
  const meetings: { readonly ours: Meeting; readonly floor: Meeting }[] = [];
  // The first two are for the compiler.
  for (let round = -2; round < rounds; round += 1) {
    const both = { ours: await meet(ours, parties), floor: await meet(floor, parties) };
    if (round >= 0) meetings.push(both);
  }
  for (const { server, generator } of [ours, floor]) {
    generator.end();
    server.end();
  }
  return [
    row(
      "ours",
      meetings.map((both) => both.ours),
    ),
    row(
      "bare loop",
      meetings.map((both) => both.floor),
    ),
  ];
}

/** @param args `rounds`, `parties`, `connections`, `skew`: rounds of those who go together. */
export async function run(args: ReadonlyMap<string, string>): Promise<void> {
  const number = (name: string, usual: number): number => Number(args.get(name) ?? usual);
  const parties = number("parties", 100_000);
  const connections = number("connections", 100);
  const rows = await multiplex(number("rounds", 7), parties, connections);
  process.stdout.write(`${parties} participants over ${connections} connections\n`);
  for (const { name, wallMs, wallMsMax, serverUs, generatorUs, generatorCpuShare } of rows) {
    const cpu = `CPU each: server ${serverUs.toFixed(2)} us, clients ${generatorUs.toFixed(2)} us`;
    const share = `(${(generatorCpuShare * 100).toFixed(0)} %)`;
    const wall = `${wallMs.toFixed(0)} ms, at most ${wallMsMax.toFixed(0)} ms`;
    process.stdout.write(`  ${name.padEnd(12)} ${wall}; ${cpu} ${share}\n`);
  }
  const skews: readonly Skew[] = await measureSkew(number("skew", 100));
  process.stdout.write("5 processes, how far apart they go: microseconds\n");
  for (const { name, p50Us, p99Us } of skews) {
    process.stdout.write(`  ${name.padEnd(42)} p50 ${p50Us.toFixed(0)}, p99 ${p99Us.toFixed(0)}\n`);
  }
  const machine = formatMachine();
  process.stdout.write(`${JSON.stringify({ parties, connections, rows, skews, machine })}\n`);
}

// SPDX-License-Identifier: MIT
// Benchmark of traffic generators: how near the rate comes to what was asked for, and what is lost
// in the generator and on the way, each apart. Prints a table and JSON.
//
// Blind spots: both ends on one machine; how evenly packets are spaced is not measured.
import type { TrafficFlow } from "../../src/experiment/model.ts";
import { systemClock } from "../../src/host/clock.ts";
import { TrafficAgent } from "../../src/testbed/agents/trafgen/traffic-agent.ts";
import { formatMachine, median } from "../statistics.ts";

interface Case {
  readonly protocol: "udp" | "tcp";
  readonly packetBytes: number;
  readonly packetsPerSecond: number;
}

const cases: readonly Case[] = [
  { protocol: "udp", packetBytes: 1_000, packetsPerSecond: 1_250 },
  { protocol: "udp", packetBytes: 1_000, packetsPerSecond: 25_000 },
  { protocol: "udp", packetBytes: 100, packetsPerSecond: 40_000 },
  { protocol: "tcp", packetBytes: 1_000, packetsPerSecond: 25_000 },
  { protocol: "tcp", packetBytes: 100, packetsPerSecond: 40_000 },
];

interface Played {
  /** Per cent that the rate sent is above what was asked for. */
  readonly errorPercent: number;
  readonly generatorLostPercent: number;
  readonly wayLostPercent: number;
}

const end = { name: "", node: "", port: 0, address: "" };
let port = 21_000;

async function play({ protocol, packetBytes, packetsPerSecond }: Case, ms: number) {
  port += 2;
  const flow: TrafficFlow = {
    ...{ name: "f", kind: "cbr", protocol, source: end, sink: end, packetBytes, tos: undefined },
    ...{ rateBps: undefined, intervalSeconds: 1 / packetsPerSecond },
    at: { file: "", line: 1, column: 1 },
  };
  const source = { address: "127.0.0.1", port };
  const sink = { address: "127.0.0.1", port: port + 1 };
  const locate = () => ({ protocol, source, sink });
  const agent = new TrafficAgent({ flows: [flow], locate, clock: systemClock });
  await agent.startTime();
  const dueUs = systemClock.nowUs() + 200_000;
  await agent.start("f", "", { dueUs });
  await new Promise((resolve) => setTimeout(resolve, 200 + ms));
  await agent.stop("f");
  const { firedMonotonicUs } = await agent.stop("f");
  // What is on its way arrives.
  await new Promise((resolve) => setTimeout(resolve, 300));
  const [counts] = await agent.counts();
  await agent.close();
  if (counts === undefined) throw new Error("the flow was not set up");
  const { sentPackets, receivedPackets, generatorLostPackets } = counts;
  const asked = ((firedMonotonicUs - dueUs) * packetsPerSecond) / 1_000_000;
  const played: Played = {
    errorPercent: (sentPackets / asked - 1) * 100,
    generatorLostPercent: (generatorLostPackets / asked) * 100,
    wayLostPercent: (1 - receivedPackets / sentPackets) * 100,
  };
  return played;
}

function rowOf(one: Case, played: readonly Played[]) {
  const middle = (pick: (one: Played) => number): number =>
    Math.round(median(played.map(pick)) * 100) / 100;
  return {
    ...one,
    megabits: (one.packetBytes * 8 * one.packetsPerSecond) / 1e6,
    errorPercent: middle(({ errorPercent }) => errorPercent),
    worstErrorPercent:
      Math.round(Math.max(...played.map(({ errorPercent }) => Math.abs(errorPercent))) * 100) / 100,
    generatorLostPercent: middle(({ generatorLostPercent }) => generatorLostPercent),
    wayLostPercent: middle(({ wayLostPercent }) => wayLostPercent),
  };
}

/** `--rounds N` and `--ms N`, how long each flow sends, of the command line. */
export async function run(args: ReadonlyMap<string, string>): Promise<void> {
  const rounds = Number(args.get("rounds") ?? 5);
  const ms = Number(args.get("ms") ?? 2_000);
  const rows = [];
  for (const one of cases) {
    const played: Played[] = [];
    for (let round = 0; round < rounds; round += 1) played.push(await play(one, ms));
    rows.push(rowOf(one, played));
  }
  const head =
    "       bytes  packets/s    Mb/s  error %  worst %  lost by generator %  on the way %";
  const lines = rows.map((row) =>
    [
      row.protocol.padEnd(4),
      String(row.packetBytes).padStart(8),
      String(row.packetsPerSecond).padStart(11),
      row.megabits.toFixed(0).padStart(8),
      row.errorPercent.toFixed(2).padStart(9),
      row.worstErrorPercent.toFixed(2).padStart(9),
      row.generatorLostPercent.toFixed(2).padStart(21),
      row.wayLostPercent.toFixed(2).padStart(14),
    ].join(""),
  );
  const result = { benchmark: "traffic", machine: formatMachine(), rounds, rows };
  process.stdout.write(`${[head, ...lines].join("\n")}\n${JSON.stringify(result)}\n`);
}

// SPDX-License-Identifier: MIT
// Benchmark of the Testground door: rounds of signal-and-wait at several sizes, and the time from a
// publication to its subscriber, each beside the bare loop of the same WebSockets, in turn A B A B.
// Prints a table and JSON.
//
// Blind spots: everything is on one machine, and the generator costs most of a round: look at the
// processor time of the server. More: ../README.md.
import { formatMachine, median } from "../statistics.ts";
import { processCpuUs } from "../syncd/kernel.ts";
import { Remote } from "../syncd/rpc.ts";

const kinds = ["ours", "floor"] as const;
type Kind = (typeof kinds)[number];

interface Pair {
  readonly server: Remote;
  readonly generator: Remote;
}

interface Played {
  /** Microseconds of a whole round. */
  readonly wallUs: number;
  /** Processor time of the server for one party of one round. */
  readonly cpuUs: number;
  readonly generatorShare: number;
}

async function startPair(kind: Kind): Promise<Pair> {
  const file = kind === "ours" ? "serve-ours.ts" : "serve-floor.ts";
  const server = new Remote(`../testground/${file}`);
  const generator = new Remote("../testground/generator.ts");
  await generator.call("port", await server.call<number>("port"));
  return { server, generator };
}

/** Some rounds in a row: one alone is too short to be measured. */
async function play({ server, generator }: Pair, parties: number): Promise<Played> {
  const rounds = Math.max(3, Math.ceil(2_000 / parties));
  const [serverBefore, generatorBefore] = [server, generator].map(({ pid }) => processCpuUs(pid));
  const walls: number[] = [];
  for (let round = 0; round < rounds; round += 1) walls.push(await generator.call<number>("play"));
  const serverUs = processCpuUs(server.pid) - (serverBefore ?? 0);
  const generatorUs = processCpuUs(generator.pid) - (generatorBefore ?? 0);
  return {
    wallUs: median(walls),
    cpuUs: serverUs / (rounds * parties),
    generatorShare: generatorUs / (generatorUs + serverUs),
  };
}

interface Row {
  readonly what: string;
  readonly ours: number;
  readonly floor: number;
  /** Median of the ratios of the rounds, each taken at one time. */
  readonly ratio: number;
}

function rowOf(what: string, ours: readonly number[], floor: readonly number[]): Row {
  const ratios = ours.map((value, index) => value / (floor[index] ?? Number.NaN));
  return { what, ours: median(ours), floor: median(floor), ratio: median(ratios) };
}

const percentile = (values: readonly number[], part: number): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length * part)] ?? Number.NaN;

async function benchRounds(pairs: Record<Kind, Pair>, parties: number, rounds: number) {
  const played: Record<Kind, Played[]> = { ours: [], floor: [] };
  for (const kind of kinds) {
    await pairs[kind].generator.call("connect", parties);
    await play(pairs[kind], parties);
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const kind of kinds) played[kind].push(await play(pairs[kind], parties));
  }
  const of = (kind: Kind, pick: (one: Played) => number) => played[kind].map(pick);
  const rows = [
    rowOf(
      `round of ${parties}, wall`,
      of("ours", ({ wallUs }) => wallUs),
      of("floor", ({ wallUs }) => wallUs),
    ),
    rowOf(
      `round of ${parties}, server CPU a party`,
      of("ours", ({ cpuUs }) => cpuUs),
      of("floor", ({ cpuUs }) => cpuUs),
    ),
  ];
  return { rows, shares: of("ours", ({ generatorShare }) => generatorShare) };
}

/** What the old service was measured at: this many connections, each of which plays 8 rounds. */
const [crowd, crowdRounds] = [6_100, 8];

/** The whole life of a crowd, its connects included, at servers that have done nothing before. */
async function benchCrowd(): Promise<Row> {
  const usedUs: Record<Kind, number[]> = { ours: [], floor: [] };
  for (const kind of kinds) {
    const { server, generator } = await startPair(kind);
    const before = processCpuUs(server.pid);
    await generator.call("connect", crowd);
    for (let round = 0; round < crowdRounds; round += 1) await generator.call("play");
    usedUs[kind].push(processCpuUs(server.pid) - before);
    generator.end();
    server.end();
  }
  const what = `${crowd} connects, ${crowd * crowdRounds} rounds, server CPU`;
  return rowOf(what, usedUs.ours, usedUs.floor);
}

/** Publications of each, and of ours beside a subscriber who has stopped reading, in turn. */
async function benchPublications(pairs: Record<Kind, Pair>, rounds: number): Promise<Row[]> {
  const beside = await startPair("ours");
  await beside.generator.call("stop");
  const players = { ...pairs, beside };
  const took = { ours: [] as number[][], floor: [] as number[][], beside: [] as number[][] };
  for (let round = -2; round < rounds; round += 1) {
    for (const kind of ["ours", "floor", "beside"] as const) {
      const values = await players[kind].generator.call<number[]>("publish", 300);
      if (round >= 0) took[kind].push(values);
    }
  }
  beside.generator.end();
  beside.server.end();
  return [0.5, 0.99].flatMap((part) => {
    const [ours, floor, stopped] = [took.ours, took.floor, took.beside].map((all) =>
      all.map((values) => percentile(values, part)),
    );
    const name = `p${part * 100}`;
    return [
      rowOf(`publish to subscriber, ${name}`, ours ?? [], floor ?? []),
      rowOf(`beside one who stopped, over alone, ${name}`, stopped ?? [], ours ?? []),
    ];
  });
}

/** `--rounds N` and `--sizes A,B,...` of the command line; `--crowd 0` leaves the crowd out. */
export async function run(args: ReadonlyMap<string, string>): Promise<void> {
  const rounds = Number(args.get("rounds") ?? 20);
  const sizes = (args.get("sizes") ?? "10,100,1000").split(",").map(Number);
  const pairs = { ours: await startPair("ours"), floor: await startPair("floor") };
  const rows: Row[] = [];
  const shares: number[] = [];
  for (const parties of sizes) {
    const found = await benchRounds(pairs, parties, rounds);
    rows.push(...found.rows);
    shares.push(...found.shares);
  }
  rows.push(...(await benchPublications(pairs, rounds)));
  if (args.get("crowd") !== "0") rows.push(await benchCrowd());
  const result = {
    benchmark: "testground",
    machine: formatMachine(),
    rounds,
    rows,
    generatorCpuShare: median(shares),
    serverRssBytes: await pairs.ours.server.call<number>("memory"),
  };
  for (const kind of kinds) {
    pairs[kind].server.end();
    pairs[kind].generator.end();
  }
  const lines = rows.map(({ what, ours, floor, ratio }) => {
    const figures = [ours.toFixed(1), floor.toFixed(1), ratio.toFixed(2)];
    return `${what.padEnd(48)}${figures.map((text) => text.padStart(11)).join("")}`;
  });
  const head = `${"microseconds".padEnd(48)}       ours  bare loop      ratio`;
  process.stdout.write(`${[head, ...lines].join("\n")}\n${JSON.stringify(result)}\n`);
}

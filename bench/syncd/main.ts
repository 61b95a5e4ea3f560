// SPDX-License-Identifier: MIT
// Benchmark of the sync server: connect, arrive and release per client at several sizes, a storm of
// connects, each beside the bare loop, in turn A B A B. Prints a table and JSON.
//
// Processor time of a server is read from outside, and the server is asked how far it is only after
// the reading: answering costs more than releasing a hundred clients.
//
// Blind spots: everything is on one machine, so clients and server share its processors (the share
// of the generator is printed); loopback has no losses and no distance. More: ../README.md.
import { formatMachine, median } from "../statistics.ts";
import { listenOverflows, processCpuUs, quietCpuUs } from "./kernel.ts";
import { Remote } from "./rpc.ts";

export interface SyncdBenchOptions {
  readonly rounds: number;
  readonly sizes: readonly number[];
  readonly stormConnects: number;
}

/** One phase of one round: per client, microseconds. */
interface Phase {
  readonly cpuUs: number;
  readonly wallUs: number;
}

interface Round {
  readonly connect: Phase;
  readonly arrive: Phase;
  readonly release: Phase;
  /** The loop that answers, without what the kernel and the close do afterwards. */
  readonly loopUs: number;
  /** Processor time of the generator over that of generator and server. */
  readonly generatorShare: number;
}

const kinds = ["ours", "floor"] as const;
type Kind = (typeof kinds)[number];

interface Pair {
  readonly server: Remote;
  readonly generators: readonly Remote[];
}

async function startPair(kind: Kind): Promise<Pair> {
  const server = new Remote(kind === "ours" ? "./serve-ours.ts" : "./serve-floor.ts");
  const port = await server.call<number>("port");
  const generators = [new Remote("./generator.ts"), new Remote("./generator.ts")];
  for (const generator of generators) await generator.call("port", port);
  return { server, generators };
}

/** What the server is to have come to at the end of a phase. */
interface Goal {
  readonly method: "open" | "arrived";
  readonly value: number;
}

async function measure(
  { server }: Pair,
  count: number,
  act: () => Promise<unknown>,
  { method, value }: Goal,
): Promise<Phase> {
  const cpuBefore = await quietCpuUs(server.pid);
  const before = process.hrtime.bigint();
  await act();
  const wallUs = Number(process.hrtime.bigint() - before) / 1000;
  let cpuUs = (await quietCpuUs(server.pid)) - cpuBefore;
  // One that had to wait for a processor looked finished. Then the questions are in the figure.
  while ((await server.call<number>(method)) !== value) {
    cpuUs = (await quietCpuUs(server.pid)) - cpuBefore;
  }
  return { cpuUs: cpuUs / count, wallUs: wallUs / count };
}

async function playRound(pair: Pair, count: number): Promise<Round> {
  const { server } = pair;
  const [generator] = pair.generators;
  if (generator === undefined) throw new Error("no generator");
  const generatorBefore = processCpuUs(generator.pid);
  const serverBefore = processCpuUs(server.pid);
  const connect = await measure(pair, count, () => generator.call("connect", count), {
    method: "open",
    value: count,
  });
  const arrive = await measure(pair, count, () => generator.call("send"), {
    method: "arrived",
    value: count,
  });
  const loopBefore = await server.call<number>("releaseUs");
  let released = { wallUs: 0, answered: 0, failed: 0 };
  const act = async (): Promise<void> => {
    released = await generator.call("release", count);
  };
  const release = await measure(pair, count, act, { method: "open", value: 0 });
  if (released.failed > 0) throw new Error(`${released.failed} clients without an answer`);
  const loopUs = ((await server.call<number>("releaseUs")) - loopBefore) / count;
  await generator.call("reset");
  const generatorUs = processCpuUs(generator.pid) - generatorBefore;
  const serverUs = processCpuUs(server.pid) - serverBefore;
  return {
    connect,
    arrive,
    release: { cpuUs: release.cpuUs, wallUs: released.wallUs / count },
    loopUs,
    generatorShare: generatorUs / (generatorUs + serverUs),
  };
}

/** Connects all at once, the request right behind; then everybody is released. */
async function playStorm(pair: Pair, count: number): Promise<Phase & { overflows: number }> {
  const overflowsBefore = listenOverflows();
  const each = count / pair.generators.length;
  const act = (): Promise<unknown> =>
    Promise.all(pair.generators.map((generator) => generator.call("storm", each)));
  const phase = await measure(pair, count, act, { method: "arrived", value: count });
  const overflows = listenOverflows() - overflowsBefore;
  const [first, ...others] = pair.generators;
  // The first generator hears that all its own clients are answered; the others are asked.
  const { failed = 0 } = (await first?.call<{ failed: number }>("release", count)) ?? {};
  for (const other of others) await other.until("answered", each);
  if (failed > 0) throw new Error(`${failed} clients of the storm without an answer`);
  await pair.server.until("open", 0);
  for (const generator of pair.generators) await generator.call("reset");
  return { ...phase, overflows };
}

interface Row {
  readonly what: string;
  readonly clients: number;
  readonly oursUs: number;
  readonly floorUs: number;
  /** Median of the ratios of the rounds, each taken at one time. */
  readonly ratio: number;
}

function rowOf(
  what: string,
  clients: number,
  ours: readonly number[],
  floor: readonly number[],
): Row {
  return {
    what,
    clients,
    oursUs: median(ours),
    floorUs: median(floor),
    ratio: median(ours.map((value, index) => value / (floor[index] ?? Number.NaN))),
  };
}

function roundRow(row: Row): Row {
  const round = (value: number): number => Math.round(value * 100) / 100;
  const { oursUs, floorUs, ratio } = row;
  return { ...row, oursUs: round(oursUs), floorUs: round(floorUs), ratio: round(ratio) };
}

const measures: readonly (readonly [string, (round: Round) => number])[] = [
  ["connect, server CPU", ({ connect }) => connect.cpuUs],
  ["arrive, server CPU", ({ arrive }) => arrive.cpuUs],
  ["release, server CPU", ({ release }) => release.cpuUs],
  ["release, wall to last client", ({ release }) => release.wallUs],
  ["release, answering loop", ({ loopUs }) => loopUs],
];

export async function benchSyncd(options: SyncdBenchOptions): Promise<void> {
  const pairs = { ours: await startPair("ours"), floor: await startPair("floor") };
  const rows: Row[] = [];
  const shares: number[] = [];
  // A server in operation is compiled; 500 clients leave much of either program interpreted.
  for (let turn = 0; turn < 5; turn += 1) {
    for (const kind of kinds) await playRound(pairs[kind], 1_000);
  }
  for (const count of options.sizes) {
    const rounds: Record<Kind, Round[]> = { ours: [], floor: [] };
    for (let round = 0; round < options.rounds; round += 1) {
      for (const kind of kinds) rounds[kind].push(await playRound(pairs[kind], count));
    }
    shares.push(...rounds.ours.map(({ generatorShare }) => generatorShare));
    for (const [what, pick] of measures) {
      rows.push(rowOf(what, count, rounds.ours.map(pick), rounds.floor.map(pick)));
    }
  }
  const storms: Record<Kind, (Phase & { overflows: number })[]> = { ours: [], floor: [] };
  for (let round = 0; round < options.rounds; round += 1) {
    for (const kind of kinds)
      storms[kind].push(await playStorm(pairs[kind], options.stormConnects));
  }
  const cpus = kinds.map((kind) => storms[kind].map(({ cpuUs }) => cpuUs));
  const walls = kinds.map((kind) => storms[kind].map(({ wallUs }) => wallUs));
  rows.push(rowOf("storm, server CPU", options.stormConnects, cpus[0] ?? [], cpus[1] ?? []));
  rows.push(rowOf("storm, wall", options.stormConnects, walls[0] ?? [], walls[1] ?? []));
  const result = {
    benchmark: "syncd",
    machine: formatMachine(),
    rounds: options.rounds,
    rows: rows.map(roundRow),
    stormListenOverflows: storms.ours.reduce((sum, { overflows }) => sum + overflows, 0),
    generatorCpuShare: median(shares),
    release15000To1000: {
      ours: ratioOfSizes(rows, ({ oursUs }) => oursUs),
      floor: ratioOfSizes(rows, ({ floorUs }) => floorUs),
    },
    serverRssBytes: await pairs.ours.server.call<number>("memory"),
  };
  for (const kind of kinds) {
    for (const remote of [pairs[kind].server, ...pairs[kind].generators]) remote.end();
  }
  process.stdout.write(`${formatTable(result.rows)}\n${JSON.stringify(result)}\n`);
}

/** Release per client at 15,000 over that at 1000; undefined when one was not measured. */
function ratioOfSizes(rows: readonly Row[], pick: (row: Row) => number): number | undefined {
  const at = (clients: number): number | undefined => {
    const row = rows.find((other) => {
      return other.what === "release, server CPU" && other.clients === clients;
    });
    return row && pick(row);
  };
  const [top, bottom] = [at(15_000), at(1_000)];
  return top === undefined || bottom === undefined ? undefined : top / bottom;
}

function formatTable(rows: readonly Row[]): string {
  const lines = rows.map(({ what, clients, oursUs, floorUs, ratio }) =>
    [
      what.padEnd(30),
      String(clients).padStart(8),
      oursUs.toFixed(1).padStart(10),
      floorUs.toFixed(1).padStart(10),
      ratio.toFixed(2).padStart(7),
    ].join(""),
  );
  const title = "per client, microseconds".padEnd(30);
  const head = `${title} clients${"ours".padStart(10)} bare loop  ratio`;
  return [head, ...lines].join("\n");
}

/** `--rounds N`, `--sizes A,B,...` and `--storm N` of the command line. */
export async function run(args: ReadonlyMap<string, string>): Promise<void> {
  await benchSyncd({
    rounds: Number(args.get("rounds") ?? 20),
    sizes: (args.get("sizes") ?? "100,1000,5000,15000").split(",").map(Number),
    stormConnects: Number(args.get("storm") ?? 10_000),
  });
}

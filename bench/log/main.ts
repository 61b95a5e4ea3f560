// SPDX-License-Identifier: MIT
// Benchmark of the logs: what an append takes one after the other, how many go in a second when
// eight are on their way, and the durable barrier: many arrivals over few connections, from the
// first that is sent to the last that goes on. In turn on memory, SQLite, one broker of NATS and
// three, with appends alone to etcd and ZooKeeper where they are installed; with --shards N one log
// on NATS beside N. Prints a table and JSON. Blind spots: ../README.md.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Entry } from "../../src/core/command.ts";
import type { Log } from "../../src/engine/log.ts";
import { openLog } from "../../src/engine/open-log.ts";
import { systemClock } from "../../src/host/clock.ts";
import { NatsServer } from "../../src/testing/nats-server.ts";
import { formatMachine, median, percentile } from "../statistics.ts";
import { processCpuUs } from "../syncd/kernel.ts";
import { Remote } from "../syncd/rpc.ts";
import { type PeerLog, startPeerLogs } from "./peer-appends.ts";
import { runShards } from "./shards.ts";
import { measureStart, type StartRow } from "./start.ts";

/** As a host has them on their way (`appendsInFlightMax`). */
const inFlightMax = 8;

interface Contender {
  readonly name: string;
  /** The log of a purpose, as `--log` takes it. */
  readonly logFor: (purpose: string) => string;
}

interface Figures {
  readonly serialUs: number[];
  readonly pipelined: number[];
  readonly barrierMs: number[];
  readonly serverUs: number[];
}

/** An arrival at a barrier, as most entries are. */
const entryOf = (number: number): Entry => ({
  format: 1,
  batches: [
    {
      ...{ edge: "session/bench/0123456789abcdef", incarnation: 1, number },
      commands: [
        {
          ...{ kind: "count-wait", scope: "default", barrier: "start", connection: number },
          ...{ who: { address: "127.0.0.1" }, error: 0 },
        },
      ],
    },
  ],
});

const nowUs = (): number => Number(process.hrtime.bigint()) / 1_000;

/** What takes appends: a log, or another service. */
interface Appends {
  append(entry: Entry): Promise<unknown>;
}

/** Microseconds of each. */
async function appendSerially(log: Appends, count: number): Promise<readonly number[]> {
  const times: number[] = [];
  for (let number = 1; number <= count; number += 1) {
    const begun = nowUs();
    await log.append(entryOf(number));
    times.push(nowUs() - begun);
  }
  return times;
}

/** @returns appends a second */
async function appendPipelined(log: Appends, count: number): Promise<number> {
  const begun = nowUs();
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      next += 1;
      await log.append(entryOf(next));
    }
  };
  await Promise.all(Array.from({ length: inFlightMax }, worker));
  return (count * 1e6) / (nowUs() - begun);
}

interface Barrier {
  readonly server: Remote;
  readonly generator: Remote;
}

async function openBarrier(log: string, connections: number): Promise<Barrier> {
  const server = new Remote(import.meta.resolve("./serve-log.ts"), [log]);
  const generator = new Remote(import.meta.resolve("../barrier/generator.ts"));
  await generator.call("port", await server.call<number>("port"));
  await generator.call("connect", connections);
  return { server, generator };
}

async function startContenders(folder: string): Promise<{
  readonly contenders: readonly Contender[];
  readonly dispose: () => Promise<void>;
}> {
  const one = await NatsServer.start();
  const three = await NatsServer.startThree();
  const addresses = three.map(({ address }) => address).join(",");
  return {
    contenders: [
      { name: "memory", logFor: () => "memory" },
      { name: "SQLite", logFor: (purpose) => `sqlite:${join(folder, purpose)}` },
      { name: "NATS, 1 server", logFor: (purpose) => `nats://${one.address}/${purpose}` },
      {
        name: "NATS, 3 servers",
        logFor: (purpose) => `nats://${addresses}/${purpose}?replicas=3`,
      },
    ],
    async dispose() {
      await Promise.all([one, ...three].map((server) => server.dispose()));
    },
  };
}

/** Starts with and without snapshots, after so many entries each. */
async function runStarts(counts: readonly number[]): Promise<void> {
  const rows: StartRow[] = [];
  for (const entries of counts) {
    for (const withSnapshots of [false, true])
      rows.push(await measureStart(entries, withSnapshots));
  }
  process.stdout.write(`${formatMachine()}\n`);
  for (const { entries, withSnapshots, startMs, megabytes } of rows) {
    const how = withSnapshots ? "with snapshots" : "without";
    const figures = `start ${startMs.toFixed(0)} ms, ${megabytes.toFixed(1)} MB on disk`;
    process.stdout.write(`${entries} entries, ${how}: ${figures}\n`);
  }
  process.stdout.write(`${JSON.stringify(rows)}\n`);
}

export async function run(args: ReadonlyMap<string, string>): Promise<void> {
  const starts = args.get("starts");
  if (starts !== undefined) {
    await runStarts(starts.split(",").map(Number));
    return;
  }
  const rounds = Number(args.get("rounds") ?? 20);
  const appends = Number(args.get("appends") ?? 1_000);
  const parties = Number(args.get("parties") ?? 10_000);
  const connections = Number(args.get("connections") ?? 100);
  const shards = args.get("shards");
  if (shards !== undefined) {
    const asked = { shards: Number(shards), rounds, appends, parties, connections };
    await runShards({ ...asked, append: appendPipelined });
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), "muster-bench-log-"));
  const { contenders, dispose } = await startContenders(folder);
  const machine = formatMachine();
  const rows: Row[] = [];
  for (const { name, logFor } of contenders) {
    const log = await openLog(logFor("appends"), systemClock);
    const barrier = await openBarrier(logFor("barrier"), connections);
    rows.push({ name, log, barrier, ...noFigures() });
  }
  for (const log of await startPeerLogs(folder)) rows.push({ name: log.name, log, ...noFigures() });
  // The first two rounds are for the compiler.
  for (let round = -2; round < rounds; round += 1) {
    for (const row of rows) await playRound(row, { appends, parties, isCounted: round >= 0 });
  }
  const memory = rows[0]?.barrierMs ?? [];
  const results = rows.map((row) => summary(row, memory));
  for (const { log, barrier } of rows) {
    barrier?.generator.end();
    barrier?.server.end();
    await log.close();
  }
  await dispose();
  rmSync(folder, { recursive: true, force: true });
  print({ machine, rounds, parties, connections, results });
}

interface Row extends Figures {
  readonly name: string;
  readonly log: Log | PeerLog;
  /** Absent where appends alone are measured. */
  readonly barrier?: Barrier;
}

const noFigures = (): Figures => ({ serialUs: [], pipelined: [], barrierMs: [], serverUs: [] });

async function playRound(
  row: Row,
  { appends, parties, isCounted }: { appends: number; parties: number; isCounted: boolean },
): Promise<void> {
  const serial = await appendSerially(row.log, appends);
  const pipelined = await appendPipelined(row.log, appends);
  if (isCounted) {
    row.serialUs.push(...serial);
    row.pipelined.push(pipelined);
  }
  if (row.barrier === undefined) return;
  const { server, generator } = row.barrier;
  const before = processCpuUs(server.pid);
  const barrierMs = (await generator.call<number>("meet", parties)) / 1_000;
  if (!isCounted) return;
  row.barrierMs.push(barrierMs);
  row.serverUs.push((processCpuUs(server.pid) - before) / parties);
}

/** @param memory milliseconds of the barrier on memory, by round */
function summary(row: Row, memory: readonly number[]): Report["results"][number] {
  const { name, serialUs, pipelined, barrierMs, serverUs, log } = row;
  const appends = {
    ...{ name, durability: log.durability },
    serialP50Us: median(serialUs),
    serialP99Us: percentile(serialUs, 99),
    appendsPerSecond: median(pipelined),
  };
  if (row.barrier === undefined) return { ...appends, barrier: null };
  const ratios = barrierMs.map((ms, index) => ms / (memory[index] ?? Number.NaN));
  const barrier = {
    barrierMs: median(barrierMs),
    ratioToMemory: median(ratios),
    serverUsPerArrival: median(serverUs),
  };
  return { ...appends, barrier };
}

interface Report {
  readonly machine: string;
  readonly rounds: number;
  readonly parties: number;
  readonly connections: number;
  readonly results: readonly {
    readonly name: string;
    readonly durability: string;
    readonly serialP50Us: number;
    readonly serialP99Us: number;
    readonly appendsPerSecond: number;
    /** Null where appends alone are measured. */
    readonly barrier: {
      readonly barrierMs: number;
      readonly ratioToMemory: number;
      readonly serverUsPerArrival: number;
    } | null;
  }[];
}

function print(report: Report): void {
  const { machine, rounds, parties, connections, results } = report;
  const write = (line: string): void => void process.stdout.write(`${line}\n`);
  write(machine);
  write(`${rounds} rounds; barrier of ${parties} over ${connections} connections`);
  write("log               append p50     p99  8 in flight   barrier  to memory  server CPU");
  for (const row of results) {
    write(
      [
        row.name.padEnd(16),
        `${row.serialP50Us.toFixed(0)} us`.padStart(11),
        `${row.serialP99Us.toFixed(0)} us`.padStart(8),
        `${row.appendsPerSecond.toFixed(0)}/s`.padStart(11),
        ...(row.barrier === null ? [] : barrierCells(row.barrier)),
      ].join(" "),
    );
  }
  for (const { name, durability } of results) write(`${name}: ${durability}`);
  write(JSON.stringify(report));
}

function barrierCells({
  barrierMs,
  ratioToMemory,
  serverUsPerArrival,
}: NonNullable<Report["results"][number]["barrier"]>): readonly string[] {
  return [
    `${barrierMs.toFixed(0)} ms`.padStart(9),
    `${ratioToMemory.toFixed(2)} x`.padStart(10),
    `${serverUsPerArrival.toFixed(1)} us`.padStart(11),
  ];
}

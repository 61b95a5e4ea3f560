// SPDX-License-Identifier: MIT
// Benchmark of the GNUnet doors: a crowd that meets at a barrier, at our controller and at
// Debian's, in turn. Prints a table and JSON.
//
// Blind spots: driver and waiters are one process, the same for both controllers; everything is on
// one machine. More: ../README.md.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { deflateSync } from "node:zlib";
import { formatMachine, median } from "../statistics.ts";
import { processCpuUs } from "../syncd/kernel.ts";
import { Remote } from "../syncd/rpc.ts";
import { Driver, type RoundTimes, type Sockets } from "./crowd.ts";
import { startReal } from "./real.ts";

interface Server {
  readonly name: "ours" | "gnunet";
  readonly pid: number;
  readonly sockets: Sockets;
  readonly driver: Driver;
  readonly config: { readonly data: Uint8Array; readonly bytes: number };
  /** Resolves when it has taken up so many connections. */
  taken(connections: number): Promise<void>;
  end(): void;
}

interface Round extends RoundTimes {
  /** Processor time of the server in the round, its connections included. */
  readonly cpuUs: number;
}

const warmUps = 3;

async function startOurs(folder: string): Promise<Server> {
  const remote = new Remote(new URL("./serve-ours.ts", import.meta.url).href, [folder]);
  await remote.until("connections", 0);
  const sockets = { testbed: join(folder, "ours.sock"), barrier: join(folder, "ours-b.sock") };
  const driver = await Driver.open(sockets.testbed);
  const config = { data: deflateSync("[PATHS]\n"), bytes: 8 };
  return {
    ...{ name: "ours", pid: remote.pid, sockets, driver, config },
    taken: (connections) => remote.until("connections", connections),
    end: () => remote.end(),
  };
}

async function startDebians(folder: string): Promise<Server | undefined> {
  const real = await startReal(folder);
  if (real === undefined) return undefined;
  const driver = await Driver.open(real.sockets.testbed);
  const config = { data: deflateSync(real.config), bytes: Buffer.byteLength(real.config) };
  const end = (): void => {
    real.child.kill();
  };
  // Its accept queue is short: who is connected has been taken up, but for the last few.
  const taken = (): Promise<void> => sleep(20);
  const { child, sockets } = real;
  return { ...{ name: "gnunet", pid: child.pid ?? 0, sockets, driver, config }, taken, end };
}

async function playRound({ pid, driver, sockets, taken }: Server, size: number): Promise<Round> {
  const before = processCpuUs(pid);
  const times = await driver.play(sockets.barrier, size, taken);
  // It still has to hear that everybody is gone.
  let [last, still] = [processCpuUs(pid), 0];
  while (still < 4) {
    await sleep(2);
    const now = processCpuUs(pid);
    still = now === last ? still + 1 : 0;
    last = now;
  }
  return { ...times, cpuUs: last - before };
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

const columns = [
  ["reach", "first WAIT to CROSSED at the driver", (round: Round) => round.reachUs],
  ["release", "echo to the last waiter", (round: Round) => round.releaseUs],
  ["cpu", "server CPU of the round, connects included", (round: Round) => round.cpuUs],
] as const;

type Figures = Record<string, number | string>;

/** Plays all rounds of one size, the servers in turn. */
async function playSize(
  servers: readonly Server[],
  size: number,
  rounds: number,
): Promise<readonly Figures[]> {
  const played = new Map(servers.map((server) => [server.name, [] as Round[]]));
  for (const { driver, config } of servers) await driver.register(size, config);
  for (let round = -warmUps; round < rounds; round += 1) {
    for (const server of servers) {
      const result = await playRound(server, size);
      if (round >= 0) played.get(server.name)?.push(result);
    }
  }
  return columns.map(([key, what, of]) => {
    const ours = (played.get("ours") ?? []).map(of);
    const theirs = (played.get("gnunet") ?? []).map(of);
    const row: Figures = { row: key, what, waiters: size, oursUs: median(ours) };
    if (theirs.length === 0) return row;
    const ratios = ours.map((value, index) => value / (theirs[index] ?? Number.NaN));
    return { ...row, gnunetUs: median(theirs), ratio: median(ratios) };
  });
}

function printRow(row: Figures): void {
  const cell = (key: string): string => {
    const value = row[key];
    return typeof value === "number" ? value.toFixed(key === "ratio" ? 2 : 0) : "-";
  };
  const what = String(row["what"]).padEnd(44);
  const size = String(row["waiters"]).padStart(8);
  const [ours, theirs] = [cell("oursUs").padStart(10), cell("gnunetUs").padStart(10)];
  print(`${what}${size}${ours}${theirs}${cell("ratio").padStart(7)}`);
}

export async function run(args: ReadonlyMap<string, string>): Promise<void> {
  const rounds = Number(args.get("rounds") ?? 20);
  const sizes = (args.get("sizes") ?? "1,10,100,1000").split(",").map(Number);
  const folder = mkdtempSync(join(tmpdir(), "muster-bench-"));
  const servers: Server[] = [];
  try {
    servers.push(await startOurs(folder));
    const real = await startDebians(folder);
    if (real === undefined) print("Debian's controller (package gnunet) is not installed");
    else servers.push(real);
    print(`${"microseconds".padEnd(44)} waiters      ours    gnunet  ratio`);
    const rows: Figures[] = [];
    const generatorBefore = process.cpuUsage();
    const serversBefore = servers.map(({ pid }) => processCpuUs(pid));
    for (const size of sizes) {
      const figures = await playSize(servers, size, rounds);
      for (const row of figures) printRow(row);
      rows.push(...figures);
    }
    const { user, system } = process.cpuUsage(generatorBefore);
    const used = servers.map(({ pid }, index) => processCpuUs(pid) - (serversBefore[index] ?? 0));
    const all = used.reduce((sum, value) => sum + value, user + system);
    const generatorCpuShare = (user + system) / all;
    print(JSON.stringify({ machine: formatMachine(), rounds, generatorCpuShare, rows }));
  } finally {
    for (const { driver, end } of servers) {
      driver.close();
      end();
    }
    await sleep(200);
    rmSync(folder, { recursive: true, force: true });
  }
}

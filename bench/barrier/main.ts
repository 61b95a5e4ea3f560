// SPDX-License-Identifier: MIT
// Benchmark of barriers: a round at every door of ours, beside the barest loop that serves the same
// clients, and beside Redis, etcd and ZooKeeper; many participants over few connections; how far
// apart parties go who go together. Prints tables and JSON. Blind spots: ../README.md.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatMachine } from "../statistics.ts";
import { doorNames, missingPeers, startContenders } from "./contenders.ts";
import { measureMemory, multiplex } from "./multiplex.ts";
import { formatRow, playSize, type RoundRow, roundHead } from "./rounds.ts";
import { measureSkew } from "./skew.ts";

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Progress, where somebody watches. */
function note(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

async function benchDoors(
  wanted: ReadonlySet<string>,
  sizes: readonly number[],
  rounds: number,
): Promise<readonly RoundRow[]> {
  if (wanted.size === 0) return [];
  const folder = mkdtempSync(join(tmpdir(), "muster-bench-"));
  const removeFolder = (): void => {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  // Also when it is killed: main.ts exits then.
  process.once("exit", removeFolder);
  const rows: RoundRow[] = [];
  const missing = missingPeers(wanted);
  if (missing !== "") print(missing);
  const contenders = await startContenders(wanted, folder);
  try {
    // What is compiled while it runs has to be warm, the others' too; a crowd is that at once.
    const [least = 10] = sizes;
    if (least < 1_000) await playSize(contenders, least, Math.min(10, 2 * rounds), note);
    print(`a barrier, everybody arrives until everybody goes on; server CPU in us for each party`);
    print(roundHead);
    for (const size of sizes) {
      const found = await playSize(contenders, size, roundsOf(size, rounds), note);
      note("");
      for (const row of found) print(formatRow(row));
      rows.push(...found);
    }
    return rows;
  } finally {
    for (const contender of contenders) contender.end();
    await new Promise((resolve) => setTimeout(resolve, 500));
    removeFolder();
    process.off("exit", removeFolder);
  }
}

/** A large crowd is its own repetition. */
function roundsOf(size: number, rounds: number): number {
  return size >= 10_000 ? Math.max(1, Math.ceil(rounds / 3)) : rounds;
}

async function benchMany(rounds: number, parties: number, connections: number) {
  if (parties === 0) return {};
  const { rows, serverRatio } = await multiplex(rounds, parties, connections);
  print(`${parties} participants over ${connections} connections`);
  for (const { name, wallMs, wallMsMax, serverUs, generatorUs, generatorCpuShare } of rows) {
    const cpu = `CPU each: server ${serverUs.toFixed(2)} us, clients ${generatorUs.toFixed(2)} us`;
    const share = `(${(generatorCpuShare * 100).toFixed(0)} %)`;
    const wall = `${wallMs.toFixed(0)} ms, at most ${wallMsMax.toFixed(0)} ms`;
    print(`  ${name.padEnd(12)} ${wall}; ${cpu} ${share}`);
  }
  print(`  server CPU, ours over bare loop: ${serverRatio.toFixed(2)}`);
  const memory = await measureMemory(parties, connections, 10_000);
  const [native, tcp] = [memory.nativeBytes, memory.tcpBytes].map((bytes) => bytes.toFixed(0));
  print(`memory of one who waits: ${native} bytes over native connections, ${tcp} by TCP (syncd)`);
  return { many: { parties, connections, rows, serverRatio }, memory };
}

async function benchSkew(rounds: number) {
  if (rounds === 0) return {};
  const skews = await measureSkew(rounds);
  print("5 processes, how far apart they go: microseconds");
  for (const { name, p50Us, p99Us } of skews) {
    print(`  ${name.padEnd(42)} p50 ${p50Us.toFixed(0)}, p99 ${p99Us.toFixed(0)}`);
  }
  return { skews };
}

/**
 * @param args `rounds`; `parties`: sizes of the rounds; `at`: doors, `sqlite`, `peers` or one of
 *   them; `many` participants over `connections`; `skew`: rounds of those who go together. 0 leaves
 *   one out.
 */
export async function run(args: ReadonlyMap<string, string>): Promise<void> {
  const number = (name: string, usual: number): number => Number(args.get(name) ?? usual);
  const rounds = number("rounds", 9);
  const parties = (args.get("parties") ?? "10,100,1000,10000").split(",").map(Number);
  // A crowd only grows: peers of a GNUnet controller are registered for good.
  const sizes = parties.toSorted((left, right) => left - right);
  const all = [...doorNames, "sqlite", "peers"].join(",");
  const at = new Set((args.get("at") ?? all).split(",").filter((name) => name !== "0"));
  const before = formatMachine();
  const rows = await benchDoors(at, sizes, rounds);
  const many = await benchMany(rounds, number("many", 100_000), number("connections", 100));
  const skew = await benchSkew(number("skew", 100));
  const machine = formatMachine();
  print(JSON.stringify({ benchmark: "barrier", before, machine, rounds, rows, ...many, ...skew }));
}

// SPDX-License-Identifier: MIT
// Benchmark of starting: the sync client runs once per arrival, so what it takes to start is part
// of every barrier. Bare Node with an empty program beside the commands as installed, in turn, each
// a process of its own. Prints a table and JSON.
//
// Blind spots: everything is in the page cache; `-V` asks no server, so the sockets are not loaded.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatMachine, median } from "../statistics.ts";

const root = join(import.meta.dirname, "../..");

interface Program {
  readonly what: string;
  readonly command: string;
  readonly args: readonly string[];
}

function startMs({ command, args }: Program): number {
  const before = process.hrtime.bigint();
  const { status, error, stderr } = spawnSync(command, args, { cwd: root });
  const ms = Number(process.hrtime.bigint() - before) / 1e6;
  if (status !== 0) throw new Error(`${command}: ${error?.message ?? stderr.toString()}`);
  return ms;
}

/** `--rounds N` of the command line. */
export async function run(args: ReadonlyMap<string, string>): Promise<void> {
  if (!existsSync(join(root, "dist/cli"))) {
    process.stderr.write("bench: nothing is built yet; run 'npm run build' first\n");
    process.exitCode = 1;
    return;
  }
  const rounds = Number(args.get("rounds") ?? 40);
  const folder = mkdtempSync(join(tmpdir(), "muster-bench-"));
  const empty = join(folder, "empty.js");
  writeFileSync(empty, "");
  const programs: readonly Program[] = [
    { what: "node empty.js", command: process.execPath, args: [empty] },
    { what: "bin/node empty.js", command: join(root, "bin/node"), args: [empty] },
    { what: "bin/emulab-sync -V", command: join(root, "bin/emulab-sync"), args: ["-V"] },
    { what: "bin/muster --version", command: join(root, "bin/muster"), args: ["--version"] },
  ];
  try {
    for (const program of programs) startMs(program);
    const times = programs.map((): number[] => []);
    for (let round = 0; round < rounds; round += 1) {
      for (const [index, program] of programs.entries()) times[index]?.push(startMs(program));
    }
    print(rounds, programs, times);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function print(
  rounds: number,
  programs: readonly Program[],
  times: readonly (readonly number[])[],
): void {
  const bare = times[0] ?? [];
  const rows = programs.map(({ what }, index) => {
    const own = times[index] ?? [];
    const ratio = median(own.map((value, round) => value / (bare[round] ?? Number.NaN)));
    return { what, ms: round2(median(own)), ratio: round2(ratio) };
  });
  const lines = rows.map(
    ({ what, ms, ratio }) =>
      `${what.padEnd(24)}${ms.toFixed(1).padStart(8)}${ratio.toFixed(2).padStart(8)}`,
  );
  const head = `${"start to end, wall".padEnd(24)}      ms   ratio`;
  const result = { benchmark: "startup", machine: formatMachine(), rounds, rows };
  process.stdout.write(`${[head, ...lines].join("\n")}\n${JSON.stringify(result)}\n`);
}

function round2(value: number): number {
  return Math.round(value * 100) / 100;
}

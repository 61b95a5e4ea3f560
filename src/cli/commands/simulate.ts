// SPDX-License-Identifier: MIT
// `muster simulate`: runs seeds through the simulator and prints what it found, with the command
// that repeats a seed. Prints; the simulator itself is testing/simulator.ts.
import type { SimulationResult } from "../../testing/simulator.ts";
import { simulate } from "../../testing/simulator.ts";
import { exitCodes } from "../exit-codes.ts";

export interface SimulateArguments {
  readonly seed: number;
  readonly seeds: number;
  readonly ops: number;
  readonly verbose: boolean;
  readonly json: boolean;
}

export interface SimulateIo {
  stdout(text: string): void;
  stderr(text: string): void;
}

const legend = `# SECONDS WHO WHAT   virtual seconds; who is
#   cN           a client: what it asks and where, how it ends
#   NODE/syncd   a sync server in a process of its own
#   direct       an edge without a wire in a process of its own, whose waits have deadlines
#   core         the server with the log
#   log          the machine of the log
#   link         the connection of an edge and the core
#   run          the run itself
`;

/** @returns 0 when every seed held, 1 when one did not. */
export async function runSimulate(argv: SimulateArguments, io: SimulateIo): Promise<number> {
  if (argv.verbose) io.stdout(legend);
  const coverage = new Map<string, number>();
  const totals = { seeds: 0, clients: 0, answered: 0, crossings: 0, virtualSeconds: 0 };
  const failed: SimulationResult[] = [];
  for (let seed = argv.seed; seed < argv.seed + argv.seeds; seed += 1) {
    const onLine = argv.verbose ? (line: string) => io.stdout(`${line}\n`) : undefined;
    const result = await simulate({
      seed,
      operations: argv.ops,
      ...(onLine === undefined ? {} : { onLine }),
    });
    totals.seeds += 1;
    totals.clients += result.clients;
    totals.answered += result.answered;
    totals.crossings += result.crossings;
    totals.virtualSeconds += result.virtualSeconds;
    for (const [key, count] of result.coverage) {
      coverage.set(key, (coverage.get(key) ?? 0) + count);
    }
    if (result.problems.length === 0) continue;
    failed.push(result);
    io.stderr(formatFailure(result, argv.ops));
  }
  if (argv.json) {
    io.stdout(`${JSON.stringify({ ...totals, failed, coverage: Object.fromEntries(coverage) })}\n`);
  } else {
    const { seeds, clients, answered, crossings, virtualSeconds } = totals;
    io.stdout(`${seeds} seeds, ${clients} clients, ${answered} answered, ${crossings} crossings, `);
    io.stdout(`${virtualSeconds} virtual seconds, ${failed.length} seeds failed\n`);
    for (const key of [...coverage.keys()].sort()) io.stdout(`  ${key} ${coverage.get(key)}\n`);
  }
  return failed.length === 0 ? exitCodes.ok : exitCodes.failed;
}

function formatFailure({ seed, problems, faults }: SimulationResult, ops: number): string {
  const lines = problems.map((problem) => `  ${problem}\n`).join("");
  const head = `seed ${seed} failed (faults: ${faults.join(" ") || "none"})\n`;
  const repeat = `repeat it with: muster simulate --seed ${seed} --ops ${ops} --verbose\n`;
  return head + lines + repeat;
}

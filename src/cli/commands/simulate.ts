// SPDX-License-Identifier: MIT
// `muster simulate`: of whole clusters (simulate-cluster.ts), or with `--core` of one core with its
// edges in processes of their own: runs seeds and prints what was found, with the command that
// repeats a seed. Prints; that simulator itself is testing/simulator.ts.
import { plural } from "../../testbed/record/words.ts";
import { countsLines, type FileCoverage, measureLines } from "../../testing/line-coverage.ts";
import type { SimulationResult } from "../../testing/simulator.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError } from "../io.ts";
import type { SimulateArguments, SimulateIo } from "./simulate-arguments.ts";

const legend = `# SECONDS WHO WHAT   virtual seconds; who is
#   cN           a client: what it asks and where, how it ends
#   NODE/syncd   a sync server in a process of its own
#   direct       an edge without a wire in a process of its own, whose waits have deadlines
#   core         the server with the log
#   log          the machine of the log
#   link         the connection of an edge and the core
#   run          the run itself
`;

/** Folders of the layers whose lines are counted: what is simulated, not the simulator. */
const shipped = ["core", "engine", "host", "edges/syncd", "wire/emulab-sync"] as const;
const shippedOfCluster = ["core", "engine", "host", "edges", "client", "events", "wire"] as const;

interface Totals {
  readonly failed: SimulationResult[];
  readonly coverage: Map<string, number>;
  clients: number;
  answered: number;
  crossings: number;
  virtualSeconds: number;
}

/** @returns 0 when every seed held, 1 when one did not. */
export async function runSimulate(argv: SimulateArguments, io: SimulateIo): Promise<number> {
  if (!argv.core) return argv.lines ? runWithLines(argv, io) : runCluster(argv, io);
  if (argv.verbose) io.stdout(legend);
  const counts = { clients: 0, answered: 0, crossings: 0, virtualSeconds: 0 };
  const totals: Totals = { failed: [], coverage: new Map(), ...counts };
  const files = await measureLines(shipped, () => runSeeds(argv, io, totals));
  const { failed, coverage, clients, answered, crossings, virtualSeconds } = totals;
  const { seeds } = argv;
  if (argv.json) {
    const figures = { seeds, clients, answered, crossings, virtualSeconds, failed };
    const more = { coverage: Object.fromEntries(coverage), files };
    io.stdout(`${JSON.stringify({ ...figures, ...more })}\n`);
  } else {
    io.stdout(
      `${plural(seeds, "seed")}, ${clients} clients, ${answered} answered, ${crossings} crossings, `,
    );
    io.stdout(`${virtualSeconds} virtual seconds, ${plural(failed.length, "seed")} failed\n`);
    io.stdout("faults, by the state they struck in:\n");
    for (const key of [...coverage.keys()].sort()) io.stdout(`  ${key} ${coverage.get(key)}\n`);
    if (countsLines) io.stdout(describeLines(files));
  }
  return failed.length === 0 ? exitCodes.ok : exitCodes.failed;
}

/** Loaded when it is run: of what was loaded before lines are counted there is nothing to count. */
async function runCluster(argv: SimulateArguments, io: SimulateIo): Promise<number> {
  const { runSimulateCluster } = await import("./simulate-cluster.ts");
  return await runSimulateCluster(argv, io);
}

/** In this thread: the engine counts the lines of one. */
async function runWithLines(argv: SimulateArguments, io: SimulateIo): Promise<number> {
  if (!countsLines) {
    const what = "--lines counts in files, and this program is put together of many";
    const message = `${what}; in the repository: node dist/cli/main.js simulate ... --lines`;
    throw new CommandError(exitCodes.usage, message);
  }
  let code: number = exitCodes.failed;
  const files = await measureLines(shippedOfCluster, async () => {
    code = await runCluster({ ...argv, workers: 1 }, io);
  });
  io.stdout(argv.json ? `${JSON.stringify({ files })}\n` : describeLines(files));
  return code;
}

function describeLines(files: readonly FileCoverage[]): string {
  const sum = (of: "lines" | "covered"): number => files.reduce((all, file) => all + file[of], 0);
  const rows = files.map(({ file, lines, covered }) => `  ${file} ${covered}/${lines}\n`);
  const all = `${sum("covered")}/${sum("lines")} in ${plural(files.length, "file")}`;
  return `lines of the shipped files gone through: ${all}\n${rows.join("")}`;
}

async function runSeeds(argv: SimulateArguments, io: SimulateIo, totals: Totals): Promise<void> {
  // Loaded now: what was loaded before the count began has functions that it does not see.
  const { simulate } = await import("../../testing/simulator.ts");
  const onLine = argv.verbose ? (line: string) => io.stdout(`${line}\n`) : undefined;
  for (let seed = argv.seed; seed < argv.seed + argv.seeds; seed += 1) {
    const options = { seed, operations: argv.ops };
    const result = await simulate(onLine === undefined ? options : { ...options, onLine });
    totals.clients += result.clients;
    totals.answered += result.answered;
    totals.crossings += result.crossings;
    totals.virtualSeconds += result.virtualSeconds;
    for (const [key, count] of result.coverage) {
      totals.coverage.set(key, (totals.coverage.get(key) ?? 0) + count);
    }
    if (result.problems.length === 0) continue;
    totals.failed.push(result);
    io.stderr(formatFailure(result, argv.ops));
  }
}

function formatFailure({ seed, problems, faults }: SimulationResult, ops: number): string {
  const lines = problems.map((problem) => `  ${problem}\n`).join("");
  const head = `seed ${seed} failed (faults: ${faults.join(" ") || "none"})\n`;
  const repeat = `repeat it with: muster simulate --core --seed ${seed} --ops ${ops} --verbose\n`;
  return head + lines + repeat;
}

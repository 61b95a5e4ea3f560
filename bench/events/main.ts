// SPDX-License-Identifier: MIT
// Benchmark of events: how late planned actions and programs are, beside the best primitive of the
// machine and beside plain spawn, in turn A B A B. Prints a table and JSON.
//
// Blind spots: one machine, its clock is everybody's; the log and the agenda are not in it.
import { formatMachine, median, percentile } from "../statistics.ts";
import { latenessOfFloor, latenessOfOurs, latenessOfTimers } from "./lateness.ts";
import { ProgramBench, plainSpawn } from "./programs.ts";

interface Row {
  readonly what: string;
  readonly oursUs: number;
  readonly floorUs: number | undefined;
  /** Median of the ratios of the rounds, each taken at one time. */
  readonly ratio: number | undefined;
}

/** Collects the figures of each round by what they measure. */
class Figures {
  readonly #ours = new Map<string, number[]>();
  readonly #floor = new Map<string, number[]>();

  add(what: string, oursUs: number, floorUs?: number): void {
    push(this.#ours, what, oursUs);
    if (floorUs !== undefined) push(this.#floor, what, floorUs);
  }

  rows(): readonly Row[] {
    return [...this.#ours].map(([what, ours]) => {
      const floor = this.#floor.get(what);
      const ratios = ours.map((value, index) => value / (floor?.[index] ?? Number.NaN));
      return {
        what,
        oursUs: Math.round(median(ours)),
        floorUs: floor && Math.round(median(floor)),
        ratio: floor && Math.round(median(ratios) * 100) / 100,
      };
    });
  }
}

function push(lists: Map<string, number[]>, what: string, value: number): void {
  const list = lists.get(what) ?? [];
  list.push(value);
  lists.set(what, list);
}

async function playRound(figures: Figures, bench: ProgramBench, count: number): Promise<void> {
  const rate = { count, stepUs: 1_000 };
  const ours = await latenessOfOurs(rate);
  const floor = await latenessOfFloor(rate);
  const timers = await latenessOfTimers(rate);
  figures.add("1000 a second: lateness p50", ours.p50Us, floor.p50Us);
  figures.add("1000 a second: lateness p99", ours.p99Us, floor.p99Us);
  figures.add("the same with timers: p50", timers.p50Us, floor.p50Us);
  figures.add("the same with timers: p99", timers.p99Us, floor.p99Us);
  const five = await bench.planned(5);
  figures.add("5 programs at an instant: skew", skew(five.firedUs));
  figures.add("5 programs: skew of first instruction", skew(five.firstInstructionUs));
  const twenty = await bench.planned(20);
  const spawned = await plainSpawn(20);
  figures.add("20 programs: last let go", max(twenty.firedUs), max(spawned.firedUs));
  const first = [max(twenty.firstInstructionUs), max(spawned.firstInstructionUs)] as const;
  figures.add("20 programs: last first instruction", ...first);
  const loaded = await bench.now(true);
  figures.add("event received, loaded program let go", max(loaded.firedUs));
  const unloaded = await bench.now(false);
  figures.add("event received, other program let go", max(unloaded.firedUs));
}

function max(values: readonly number[]): number {
  return percentile(values, 100);
}

function skew(values: readonly number[]): number {
  return Math.max(...values) - Math.min(...values);
}

function formatTable(rows: readonly Row[]): string {
  const cell = (value: number | undefined): string => String(value ?? "").padStart(9);
  const lines = rows.map(
    ({ what, oursUs, floorUs, ratio }) =>
      `${what.padEnd(40)}${cell(oursUs)}${cell(floorUs)}${cell(ratio)}`,
  );
  const head = `${"microseconds".padEnd(40)}${"ours".padStart(9)}${"floor".padStart(9)}    ratio`;
  return [head, ...lines].join("\n");
}

/** `--rounds N`, `--count N` (actions in a round) of the command line. */
export async function run(args: ReadonlyMap<string, string>): Promise<void> {
  const rounds = Number(args.get("rounds") ?? 20);
  const count = Number(args.get("count") ?? 1_000);
  const figures = new Figures();
  const bench = await ProgramBench.create(20);
  for (let round = 0; round < rounds; round += 1) await playRound(figures, bench, count);
  await bench.end();
  const result = { benchmark: "events", machine: formatMachine(), rounds, rows: figures.rows() };
  process.stdout.write(`${formatTable(result.rows)}\n${JSON.stringify(result)}\n`);
}

// SPDX-License-Identifier: MIT
// Benchmark of events: how late what is planned comes to agents and programs through agenda, log
// and bus, beside the best primitive of the machine, in turn A B A B. Prints a table and JSON.
//
// Blind spots: one machine, its clock is everybody's; a log in memory; no links.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatMachine, median, percentile } from "../statistics.ts";
import { AgentProcesses } from "./agent-processes.ts";
import { EventRun } from "./event-run.ts";
import { writeFirstInstruction } from "./first-instruction.ts";
import {
  type LatenessFigures,
  latenessOfFloor,
  latenessOfTimers,
  namesElsewhere,
  processesCount,
  receivedElsewhere,
  receivedInRun,
  skewOfFloor,
  skewOfOurs,
} from "./lateness.ts";
import { latenessOfLinkChanges } from "./link-changes.ts";
import { plainSpawn, plannedPrograms, programName } from "./programs.ts";

interface Row {
  readonly what: string;
  readonly ours: number;
  readonly floor: number | undefined;
  /** Median of the ratios of the rounds, each taken at one time. */
  readonly ratio: number | undefined;
}

/** Collects the figures of each round by what they measure. */
class Figures {
  readonly #ours = new Map<string, number[]>();
  readonly #floor = new Map<string, number[]>();

  add(what: string, ours: number, floor?: number): void {
    push(this.#ours, what, ours);
    if (floor !== undefined) push(this.#floor, what, floor);
  }

  addLateness(what: string, ours: LatenessFigures, floor: LatenessFigures): void {
    this.add(`${what}: p50`, ours.p50Us, floor.p50Us);
    this.add(`${what}: p99`, ours.p99Us, floor.p99Us);
  }

  rows(): readonly Row[] {
    return [...this.#ours].map(([what, ours]) => {
      const floor = this.#floor.get(what);
      const ratios = ours.map((value, index) => value / (floor?.[index] ?? Number.NaN));
      return {
        what,
        ours: Math.round(median(ours)),
        floor: floor && Math.round(median(floor)),
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

interface Parts {
  readonly run: EventRun;
  readonly processes: AgentProcesses;
  /** Executable that prints the time of its first instruction. */
  readonly program: string;
  readonly count: number;
}

/** At one instant; a round has so many of them. */
const simultaneous = { count: 40, stepUs: 25_000 };

async function playRound(figures: Figures, parts: Parts): Promise<void> {
  const { run, processes, program, count } = parts;
  const rate = { count, stepUs: 1_000 };
  const inRun = await receivedInRun(run, rate);
  const floor = await latenessOfFloor(rate);
  const met = await receivedElsewhere(run, processes, { ...rate, how: "met" });
  const told = await receivedElsewhere(run, processes, { ...rate, how: "told" });
  figures.addLateness("received, 1000/s, threads of 5 agents", met, floor);
  figures.addLateness("received, 1000/s, loops of 5 agents", told, floor);
  figures.addLateness("received, 1000/s, loop of the run", inRun, floor);
  figures.addLateness("timers of a loop, 1000/s", await latenessOfTimers(rate), floor);
  figures.add("CPU a second: run, agent within", inRun.runCpuUs ?? 0);
  figures.add("CPU a second: run, agents without", met.runCpuUs ?? 0);
  figures.add("CPU a second: those agents", met.agentsCpuUs ?? 0);
  const floorSkew = await skewOfFloor(processes, simultaneous);
  for (const how of ["met", "told"] as const) {
    const skew = await skewOfOurs(run, processes, { ...simultaneous, how });
    for (const percent of [50, 99]) {
      const both = [skew, floorSkew].map((all) => percentile(all, percent));
      const who = how === "met" ? "threads" : "loops";
      const what = `skew of an event, ${who} of ${processesCount} agents: p${percent}`;
      figures.add(what, both[0] ?? 0, both[1]);
    }
  }
  await playLinkChanges(figures);
  const twenty = await plannedPrograms(run, 20);
  const spawned = await plainSpawn(program, 20);
  const { letGoUs, firstInstructionUs } = twenty;
  figures.add("20 programs: last let go", max(letGoUs), max(spawned.letGoUs));
  const first = [firstInstructionUs, spawned.firstInstructionUs].map(max);
  figures.add("20 programs: last program started", first[0] ?? 0, first[1]);
  const middle = [firstInstructionUs, spawned.firstInstructionUs].map((us) => percentile(us, 50));
  figures.add("20 programs: program started, p50", middle[0] ?? 0, middle[1]);
  const one = await plannedPrograms(run, 1);
  const oneSpawned = await plainSpawn(program, 1);
  const single = [one, oneSpawned].map((starts) => max(starts.firstInstructionUs));
  figures.add("1 program: program started", single[0] ?? 0, single[1]);
}

/** There are no links without root. */
async function playLinkChanges(figures: Figures): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const rate = { count: 200, stepUs: 5_000 };
  const late = await latenessOfLinkChanges(rate);
  const floor = await latenessOfFloor(rate);
  for (const [percent, floorUs] of [
    [50, floor.p50Us],
    [99, floor.p99Us],
  ] as const) {
    figures.add(
      `link changed, 200/s, packets pass: p${percent}`,
      percentile(late, percent),
      floorUs,
    );
  }
}

/** Not within a second, so not each round: how long it takes is the figure. */
async function playMany(figures: Figures, { run, processes }: Parts): Promise<void> {
  const many = { count: 10_000, stepUs: 0 };
  const what = "10,000 events in a microsecond,";
  const floor = await latenessOfFloor(many);
  const inRun = await receivedInRun(run, many);
  const met = await receivedElsewhere(run, processes, { ...many, how: "met" });
  for (const [who, { p50Us, maxUs }] of [
    ["loop of the run", inRun] as const,
    ["threads of agents", met] as const,
  ]) {
    figures.add(`${what} ${who}: p50`, p50Us, floor.p50Us);
    figures.add(`${what} ${who}: last`, maxUs, floor.maxUs);
  }
}

function max(values: readonly number[]): number {
  return percentile(values, 100);
}

function formatTable(rows: readonly Row[]): string {
  const cell = (value: number | undefined): string => String(value ?? "").padStart(9);
  const lines = rows.map(
    ({ what, ours, floor, ratio }) => `${what.padEnd(60)}${cell(ours)}${cell(floor)}${cell(ratio)}`,
  );
  const head = `${"microseconds".padEnd(60)}${"ours".padStart(9)}${"floor".padStart(9)}    ratio`;
  return [head, ...lines].join("\n");
}

/** `--rounds N`, `--count N` (events in a round), `--many N` (rounds of 10,000 at once). */
export async function run(args: ReadonlyMap<string, string>): Promise<void> {
  const rounds = Number(args.get("rounds") ?? 20);
  const count = Number(args.get("count") ?? 1_000);
  const many = Number(args.get("many") ?? 3);
  const directory = mkdtempSync(join(tmpdir(), "muster-bench-program-"));
  const program = join(directory, programName);
  writeFirstInstruction(program);
  const figures = new Figures();
  const names = Array.from({ length: 20 }, (_none, index) => `p${index}`);
  const events = await EventRun.open({
    ...{ tools: { [programName]: program }, programs: names, command: `exec ${programName}` },
  });
  const processes = new AgentProcesses(processesCount);
  const own = namesElsewhere("met");
  const [url, { key }] = [`ws://${events.address}/v1/bus`, events];
  await processes.tell((index) => ({ kind: "attach", name: own[index] ?? "", url, key }));
  const parts = { run: events, processes, program, count };
  // Code that is not compiled yet says nothing about the rest of a run.
  await playRound(new Figures(), parts);
  for (let round = 0; round < rounds; round += 1) await playRound(figures, parts);
  for (let round = 0; round < many; round += 1) await playMany(figures, parts);
  events.beginEnd();
  await processes.end();
  await events.close();
  rmSync(directory, { recursive: true, force: true });
  const result = { benchmark: "events", machine: formatMachine(), rounds, rows: figures.rows() };
  process.stdout.write(`${formatTable(result.rows)}\n${JSON.stringify(result)}\n`);
}

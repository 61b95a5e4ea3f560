// SPDX-License-Identifier: MIT
// Benchmark of reading experiment files: a topology of loops, read into the model, beside tclsh
// running the same loops with commands that do nothing but count and name; in turn A B A B. Prints
// a table and JSON.
//
// Blind spots: tclsh makes no model, checks nothing and starts a process (its start alone is
// printed and taken off); our figure is a warm process, as a test or a server has it, and the first
// reading of a cold one is printed beside it.
import { spawnSync } from "node:child_process";
import { parseNsFile } from "../../src/experiment/index.ts";

export interface ParseBenchOptions {
  readonly rounds: number;
  readonly nodes: number;
  readonly links: number;
  /** Write the table rows, too. */
  readonly rows: boolean;
}

/** Nodes in a loop, links between neighbours and to random others, a few programs and events. */
function topology({ nodes, links }: ParseBenchOptions): string {
  return `set ns [new Simulator]
set seed 1
proc random {n} {
  global seed
  set seed [expr {($seed * 1103515245 + 12345) % 2147483648}]
  return [expr {($seed >> 8) % $n}]
}
for {set i 0} {$i < ${nodes}} {incr i} {
  set n($i) [$ns node]
  tb-set-node-os $n($i) FBSD-STD
}
for {set i 0} {$i < ${links}} {incr i} {
  set from [expr {$i % ${nodes}}]
  set to [expr {($from + 1 + [random [expr {${nodes} - 1}]]) % ${nodes}}]
  set l($i) [$ns duplex-link $n($from) $n($to) 10Mb 10ms DropTail]
}
for {set i 0} {$i < 1000} {incr i} {
  $ns at [expr {$i / 10.0}] "$l($i) down"
}
$ns run
`;
}

/** The commands of the file for tclsh: objects are names, everything else is nothing. */
const stubs = `proc new {class args} {return sim}
set made 0
proc sim {method args} {
  global made
  switch -- $method {
    node {return "n[incr made]"}
    duplex-link {return "l[incr made]"}
    default {return ""}
  }
}
proc tb-set-node-os {args} {}
`;

interface Round {
  readonly oursMs: number;
  readonly tclMs: number;
}

function milliseconds(act: () => void): number {
  const before = process.hrtime.bigint();
  act();
  return Number(process.hrtime.bigint() - before) / 1e6;
}

function runOurs(text: string, options: ParseBenchOptions): void {
  const { experiment, diagnostics } = parseNsFile(text, {
    file: "bench.ns",
    pid: "p",
    eid: "e",
    omitRows: !options.rows,
  });
  if (experiment?.nodes.length === options.nodes && experiment.links.length === options.links) {
    return;
  }
  throw new Error(`the file was refused: ${JSON.stringify(diagnostics.slice(0, 3))}`);
}

function runTcl(script: string): void {
  const { status, error, stderr } = spawnSync("tclsh", { input: script });
  if (status !== 0) throw new Error(`tclsh: ${error?.message ?? stderr.toString()}`);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

export async function benchParse(options: ParseBenchOptions): Promise<void> {
  const text = topology(options);
  const script = stubs + text;
  const hasTcl = spawnSync("tclsh", { input: "" }).status === 0;
  const coldMs = milliseconds(() => runOurs(text, options));
  const emptyMs = hasTcl ? median([1, 2, 3, 4, 5].map(() => milliseconds(() => runTcl("")))) : 0;
  const rounds: Round[] = [];
  for (let round = 0; round < options.rounds; round += 1) {
    const oursMs = milliseconds(() => runOurs(text, options));
    const tclMs = hasTcl ? milliseconds(() => runTcl(script)) - emptyMs : Number.NaN;
    rounds.push({ oursMs, tclMs });
  }
  const result = {
    benchmark: "parse",
    rounds: options.rounds,
    nodes: options.nodes,
    links: options.links,
    rows: `${options.rows}`,
    bytes: text.length,
    coldMs,
    oursMs: median(rounds.map(({ oursMs }) => oursMs)),
    tclshMs: median(rounds.map(({ tclMs }) => tclMs)),
    tclshStartMs: emptyMs,
    /** Median of the ratios of the rounds, each taken at one time. */
    ratio: median(rounds.map(({ oursMs, tclMs }) => oursMs / tclMs)),
    rssBytes: process.memoryUsage.rss(),
  };
  process.stdout.write(`${formatTable(result)}\n${JSON.stringify(result)}\n`);
}

function formatTable(result: Readonly<Record<string, number | string>>): string {
  const row = (what: string, key: string, unit: string): string => {
    const value = result[key];
    const shown = typeof value === "number" ? value.toFixed(unit === "" ? 2 : 1) : "";
    return `${what.padEnd(40)}${shown.padStart(10)} ${unit}`.trimEnd();
  };
  return [
    `${result["nodes"]} nodes, ${result["links"]} links`,
    row("text to model, warm", "oursMs", "ms"),
    row("the same, first time in the process", "coldMs", "ms"),
    row("tclsh running the loops alone", "tclshMs", "ms"),
    row("ratio", "ratio", ""),
  ].join("\n");
}

/** `--rounds N`, `--nodes N`, `--links N` and `--rows 1` of the command line. */
export async function run(args: ReadonlyMap<string, string>): Promise<void> {
  await benchParse({
    rounds: Number(args.get("rounds") ?? 20),
    nodes: Number(args.get("nodes") ?? 10_000),
    links: Number(args.get("links") ?? 20_000),
    rows: args.get("rows") === "1",
  });
}

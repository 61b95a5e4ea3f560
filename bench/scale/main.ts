// SPDX-License-Identifier: MIT
// Benchmark of size: the core played in one process, without network and log, at `--parties`
// (1,000,000), beside what docs/concepts/scale.md predicts. What a party costs is measured at a
// hundredth of them and carried over. Prints tables and JSON.
//
// Blind spots: hosts, doors, sockets and the log are not in it; their figures are in
// bench/README.md.
import { formatMachine } from "../statistics.ts";
import { entryCommandsMax, treeReportMax } from "./controller.ts";
import { playEvents } from "./events.ts";
import {
  entriesFor,
  messagesAt,
  missedBy,
  openingsAt,
  reportsMaxAt,
  rosterMessages,
  type TreeShape,
} from "./figures.ts";
import { playFlat } from "./flat.ts";
import { playTree } from "./tree.ts";

function row(what: string, predicted: number, measured: number): string {
  const [left, right] = [predicted, measured].map((value) =>
    String(Math.round(value)).padStart(14),
  );
  const off = (100 * missedBy(predicted, measured)).toFixed(1).padStart(8);
  return `${what.padEnd(44)}${left}${right}${off} %\n`;
}

/** One end a link; of reports as many as there are flushes, and no more. */
function playCount(shape: TreeShape) {
  const { depth, fanOut, parties } = shape;
  const found = playTree(shape, "count");
  const head = `count over ${fanOut}^${depth}`;
  process.stdout.write(row(`${head}: parties that go on`, parties, found.released));
  for (let level = 1; level <= depth; level += 1) {
    const links = messagesAt(shape, level);
    const most = reportsMaxAt(shape, level);
    const [reports = 0, ends = 0] = ["report", "count-ended"].map((kind) =>
      found.messages.get(`${kind}@${level}`),
    );
    process.stdout.write(row(`${head}: report, level ${level} (at most)`, most, reports));
    process.stdout.write(row(`${head}: count-ended, level ${level}`, links, ends));
  }
  return { kind: "count", ...shape, ...found, messages: Object.fromEntries(found.messages) };
}

function playRoster(shape: TreeShape) {
  const { depth, fanOut, parties } = shape;
  const found = playTree(shape, "roster");
  const head = `roster over ${fanOut}^${depth}`;
  process.stdout.write(row(`${head}: parties that go on`, parties, found.released));
  for (let level = 1; level <= depth; level += 1) {
    const tell = (kind: string, predicted: number): void => {
      const measured = found.messages.get(`${kind}@${level}`) ?? 0;
      process.stdout.write(row(`${head}: ${kind}, level ${level}`, predicted, measured));
    };
    // Further down a part that came in pieces is passed on in pieces (roster-change).
    if (level === 1) tell("roster-open", openingsAt(shape, level, treeReportMax));
    for (const kind of rosterMessages) tell(kind, messagesAt(shape, level));
  }
  return { kind: "roster", ...shape, ...found, messages: Object.fromEntries(found.messages) };
}

/** `--parties N` of the command line. */
export async function run(args: ReadonlyMap<string, string>): Promise<void> {
  const parties = Number(args.get("parties") ?? 1_000_000);
  const small = Math.round(parties / 100);
  playFlat(small);
  const few = playFlat(small);
  const many = playFlat(parties);
  const scaled = (value: number): number => (value * parties) / small;
  const machine = formatMachine();
  process.stdout.write(`${machine}\n${"".padEnd(44)}     predicted      measured  off by\n`);
  const entries = 2 + entriesFor(parties - 1, entryCommandsMax);
  process.stdout.write(row("flat: log entries", entries, many.entries));
  process.stdout.write(row("flat: bytes of the log", scaled(few.bytes), many.bytes));
  process.stdout.write(row("flat: answers", parties, many.answers));
  process.stdout.write(row("flat: bytes in use while all wait", scaled(few.heap), many.heap));
  process.stdout.write(row("flat: processor time, us", scaled(few.cpuUs), many.cpuUs));
  const shapes: readonly TreeShape[] = [
    { depth: 1, fanOut: 100, parties },
    { depth: 2, fanOut: 10, parties },
    { depth: 3, fanOut: 10, parties },
  ];
  const trees = shapes.map((shape) => {
    const found = playTree(shape);
    const { depth, fanOut } = shape;
    process.stdout.write(
      row(`tree ${fanOut}^${depth}: parties that go on`, parties, found.released),
    );
    for (let level = 1; level <= depth; level += 1) {
      for (const kind of ["init", "initialised", "reached", "released", "tree-received"]) {
        const each = kind === "tree-received" ? 4 : 1;
        const predicted = each * messagesAt(shape, level);
        const measured = found.messages.get(`${kind}@${level}`) ?? 0;
        process.stdout.write(
          row(`tree ${fanOut}^${depth}: ${kind}, level ${level}`, predicted, measured),
        );
      }
    }
    const { entriesTop, entriesLowest } = found;
    process.stdout.write(`  entries of the top ${entriesTop}, of a lowest ${entriesLowest}\n`);
    return { ...shape, ...found, messages: Object.fromEntries(found.messages) };
  });
  const others = shapes.flatMap((shape) => [playCount(shape), playRoster(shape)]);
  playEvents(10_000);
  const fewEvents = playEvents(10_000);
  const manyEvents = playEvents(100_000);
  for (const key of ["planBytes", "reportBytes", "fires", "heap", "cpuUs"] as const) {
    process.stdout.write(row(`100,000 events: ${key}`, 10 * fewEvents[key], manyEvents[key]));
  }
  const figures = { parties, few, many, trees, others, fewEvents, manyEvents };
  const json = { benchmark: "scale", machine, ...figures };
  process.stdout.write(`${JSON.stringify(json)}\n`);
}

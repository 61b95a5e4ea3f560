// SPDX-License-Identifier: MIT
// Benchmark of networks of nodes: a ring of N nodes and N links up, a program on each, down. Ours,
// beside Mininet 2.3 of Debian where it is installed (unshaped, because it needs netem to shape),
// and beside the barest batch of `ip` that makes the same interfaces and nothing else, in turn,
// each a process of its own. Prints a table and JSON.
//
// Blind spots: Mininet's nodes share the machine's files, processes and names, and the batch's are
// no nodes at all: neither can run a program of an experiment as ours can.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { formatMachine, median } from "../statistics.ts";

interface Measured {
  readonly upMs: number;
  readonly programsMs: number;
  readonly downMs: number;
  readonly rssBytes?: number;
}

interface Contender {
  readonly name: string;
  measure(count: number): Measured;
}

const python = "/usr/bin/python3";

/** `--rounds N`, `--nodes 10,50,200` of the command line. */
export async function run(args: ReadonlyMap<string, string>): Promise<void> {
  const rounds = Number(args.get("rounds") ?? 5);
  const sizes = (args.get("nodes") ?? "10,50,200").split(",").map(Number);
  const contenders = [ours, bareIp, ...(hasMininet() ? [mininet] : [])];
  if (!hasMininet()) {
    process.stdout.write("Mininet is not installed (apt-get install mininet): left out\n");
  }
  const results = sizes.flatMap((count) => {
    const measured = contenders.map((): Measured[] => []);
    for (let round = 0; round < rounds; round += 1) {
      for (const [index, { measure }] of contenders.entries()) {
        measured[index]?.push(measure(count));
      }
    }
    return contenders.map(({ name }, index) => ({
      nodes: count,
      name,
      ...summarize(measured[index] ?? []),
    }));
  });
  process.stdout.write(`${formatMachine()}, ${rounds} rounds, medians\n\n`);
  process.stdout.write("nodes  what           up ms  programs ms  down ms  memory MB\n");
  for (const { nodes, name, upMs, programsMs, downMs, rssMb } of results) {
    const figures = [upMs.toFixed(0).padStart(5), programsMs.toFixed(0).padStart(11)];
    const rest = [downMs.toFixed(0).padStart(7), rssMb === null ? "" : rssMb.toFixed(0)];
    const row = [String(nodes).padStart(5), name.padEnd(13), ...figures, ...rest];
    process.stdout.write(`${row.join("  ").trimEnd()}\n`);
  }
  process.stdout.write(`\n${JSON.stringify({ rounds, results })}\n`);
}

function summarize(measured: readonly Measured[]) {
  const of = (key: "upMs" | "programsMs" | "downMs"): number =>
    median(measured.map((one) => one[key]));
  const rss = measured.flatMap(({ rssBytes }) => (rssBytes === undefined ? [] : [rssBytes]));
  return {
    ...{ upMs: of("upMs"), programsMs: of("programsMs"), downMs: of("downMs") },
    rssMb: rss.length === 0 ? null : median(rss) / 1e6,
  };
}

const ours: Contender = {
  name: "muster",
  measure: (count) =>
    measureBy(process.execPath, [join(import.meta.dirname, "topology-ours.ts"), String(count)]),
};

const mininet: Contender = {
  name: "mininet",
  measure: (count) =>
    measureBy(python, [join(import.meta.dirname, "topology-mininet.py"), String(count)]),
};

function measureBy(file: string, argv: readonly string[]): Measured {
  const { status, stdout, stderr } = spawnSync(file, argv, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${file}: ${stderr}`);
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Measured;
}

function hasMininet(): boolean {
  return existsSync(python) && spawnSync(python, ["-c", "import mininet.net"]).status === 0;
}

/**
 * Names of its name spaces; they are gone when the measurement is over, or it says which are not.
 */
const prefix = `mb${process.pid}n`;

const bareIp: Contender = {
  name: "ip -batch",
  measure(count) {
    const names = Array.from({ length: count }, (_, index) => `${prefix}${index}`);
    const next = (index: number): string | undefined => names[(index + 1) % count];
    const begin = process.hrtime.bigint();
    ip(
      ["-batch", "-"],
      [
        ...names.map((name) => `netns add ${name}`),
        ...names.map((name, index) => {
          return `link add eth1 netns ${name} type veth peer name eth2 netns ${next(index)}`;
        }),
      ],
    );
    for (const [index, name] of names.entries()) {
      const before = (index + count - 1) % count;
      ip(
        ["-n", name, "-batch", "-"],
        [
          "link set lo up",
          `addr add 10.1.${index % 250}.2/24 dev eth1`,
          `addr add 10.1.${before % 250}.3/24 dev eth2`,
          "link set eth1 up",
          "link set eth2 up",
        ],
      );
    }
    const upMs = elapsed(begin);
    const programs = process.hrtime.bigint();
    for (const name of names) ip(["netns", "exec", name, "true"], []);
    const programsMs = elapsed(programs);
    const down = process.hrtime.bigint();
    ip(
      ["-batch", "-"],
      names.map((name) => `netns del ${name}`),
    );
    return { upMs, programsMs, downMs: elapsed(down) };
  },
};

function elapsed(since: bigint): number {
  return Number(process.hrtime.bigint() - since) / 1e6;
}

function ip(argv: readonly string[], lines: readonly string[]): void {
  const input = lines.map((line) => `${line}\n`).join("");
  const { status, stderr } = spawnSync("ip", argv, { input, encoding: "utf8" });
  if (status !== 0)
    throw new Error(`ip ${argv.join(" ")}: ${stderr}; see ip netns | grep ${prefix}`);
}

// SPDX-License-Identifier: MIT
// `muster simulate` of whole clusters: runs seeds or a script, prints what was found, shrinks the
// first failure and says how to repeat it. What is run is testing/cluster.
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { systemClock } from "../../host/clock.ts";
import { plural } from "../../testbed/record/words.ts";
import {
  type CampaignTotals,
  formatCoverage,
  runCampaign,
  scriptOf,
} from "../../testing/cluster/campaign.ts";
import { runScript } from "../../testing/cluster/cluster-run.ts";
import { usualRates } from "../../testing/cluster/generate.ts";
import {
  type FaultName,
  type FaultRates,
  faultNames,
  type Script,
} from "../../testing/cluster/script.ts";
import { describeScript, ruleOf, shrink } from "../../testing/cluster/shrink.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError } from "../io.ts";
import { reasonOf } from "../source-file.ts";
import type { SimulateArguments, SimulateIo } from "./simulate-arguments.ts";

const legend = `# SECONDS WHO WHAT   virtual seconds; who is (docs/internals/simulator.md)
#   run          the run itself: its faults, the calm at the end
#   nN           a server: starts, dies, is stopped, goes on, is cut off, says a warning
#   top, east    a controller of a tree (also west, leaf): has joined, its link is cut
#   log          the log that the servers share: is gone, is back, its clock is set
#   pN           a program with a session: opens it, loses its server, is in again
#   cN           a request, of step N (from 500001 and 700001 on: beside the steps, from 1000001
#                on: in the calm at the end): where it asks and what, how it ends
#   sched, xN    the scheduler of events, an agent of theirs: starts, dies, is cut off, performs
#   eN           the event of step N (and 1000000 more: its second, ...): is asked for, is completed
`;

/** Of a script; a step has some 200 bytes. */
const scriptBytesMax = 64 * 1024 * 1024;

/** Of all that failed; the others are counted. */
const failuresShownMax = 10;

/** @returns 0 when every run held, 1 when one did not. */
export async function runSimulateCluster(argv: SimulateArguments, io: SimulateIo): Promise<number> {
  if (argv.verbose) io.stdout(legend);
  const onLine = argv.verbose ? (line: string) => io.stdout(`${line}\n`) : undefined;
  if (argv.script !== undefined) return runOneScript(readScript(argv.script), onLine, io);
  const { seed, seeds, servers } = argv;
  const faults = parseFaults(argv.fault);
  const startedUs = systemClock.nowUs();
  let told = 0;
  const totals = await runCampaign({
    ...{ seed, seeds, servers, faults, operations: argv.ops },
    workers: argv.verbose ? 1 : argv.workers,
    ...(onLine === undefined ? {} : { onLine }),
    // At once: whoever has asked for thousands need not wait for the last to look at the first.
    onSeed: (sofar) => {
      const news = sofar.failed.slice(told, failuresShownMax);
      told += news.length;
      for (const one of news)
        io.stderr(`${argv.progress ? "\n" : ""}${describeFailure(one, argv)}`);
      if (argv.progress) io.stderr(progressOf(sofar, seeds, startedUs));
    },
  });
  if (argv.progress) io.stderr("\n");
  const [failed] = totals.failed;
  const script = failed && scriptOf({ seed: failed.seed, servers, faults, operations: argv.ops });
  if (argv.json) io.stdout(`${JSON.stringify(totals)}\n`);
  else io.stdout(describeTotals(totals, argv.verbose ? "named" : "counted"));
  if (failed !== undefined && script !== undefined && argv.shrink)
    await shrinkFailure(script, failed.problems, io);
  return totals.failed.length === 0 ? exitCodes.ok : exitCodes.failed;
}

async function runOneScript(
  script: Script,
  onLine: ((line: string) => void) | undefined,
  io: SimulateIo,
): Promise<number> {
  const { problems } = await runScript(onLine === undefined ? { script } : { script, onLine });
  for (const problem of problems) io.stderr(`  ${problem}\n`);
  io.stdout(`${plural(script.steps.length, "step")}, ${plural(problems.length, "violation")}\n`);
  return problems.length === 0 ? exitCodes.ok : exitCodes.failed;
}

/** @throws CommandError */
export function readScript(file: string): Script {
  const text = readScriptText(file);
  try {
    const script = JSON.parse(text) as Partial<Script> | null;
    if (Array.isArray(script?.steps) && script.faults !== undefined) return script as Script;
  } catch {
    // Said below: what is no JSON is no script.
  }
  const message = `${file} is no script of a simulation; one is written when a seed fails`;
  throw new CommandError(exitCodes.usage, message);
}

function readScriptText(file: string): string {
  let why: string;
  try {
    // What is asked for first: a device has no end, and a pipe may never begin.
    const status = statSync(file);
    if (status.isFile() && status.size <= scriptBytesMax) return readFileSync(file, "utf8");
    why = status.isFile() ? `it has more than ${scriptBytesMax} bytes` : "it is no regular file";
  } catch (error) {
    why = reasonOf(error);
  }
  throw new CommandError(exitCodes.noInput, `cannot read ${file}: ${why}`);
}

/** Without what makes another thing of the cluster: a tree is asked for by its name. */
const { trees: _, ...allThatBreaks } = usualRates;

/** @throws CommandError that names the faults there are */
export function parseFaults(given: readonly string[]): FaultRates | "draw" {
  if (given.length === 1 && given[0] === "draw") return "draw";
  if (given.includes("draw")) {
    const message = "--fault draw has each seed draw its faults: say it alone, or name yours alone";
    throw new CommandError(exitCodes.usage, message);
  }
  const rates: Partial<Record<FaultName, number>> = {};
  for (const text of given) {
    const [name = "", rate] = text.split("=");
    if (name === "all") Object.assign(rates, allThatBreaks);
    else if (isFault(name)) rates[name] = rate === undefined ? usualRates[name] : Number(rate);
    else {
      const known = ["all", "draw", ...faultNames].join(", ");
      throw new CommandError(exitCodes.usage, `there is no fault '${name}'; there are ${known}`);
    }
    const value = rate === undefined ? 0 : Number(rate);
    if (!(value >= 0 && value <= 1)) {
      throw new CommandError(exitCodes.usage, `--fault ${text}: a rate is from 0 to 1`);
    }
  }
  if (!given.includes("all")) refuseIdle(rates);
  return rates;
}

/** Faults that strike only where another one is asked for. */
const onlyWith: Partial<Record<FaultName, readonly FaultName[]>> = {
  trees: ["cut-tree", "part-tree", "cut-uplink"],
  snapshots: ["slow-snapshots", "lose-snapshots", "crash-snapshot", "damage-snapshot"],
};

/** @throws CommandError */
function refuseIdle(rates: FaultRates): void {
  for (const [needed, faults] of Object.entries(onlyWith)) {
    const idle = faults.find((name) => rates[name] !== undefined);
    if (idle === undefined || rates[needed as FaultName] !== undefined) continue;
    const message = `--fault ${idle} does nothing by itself; add --fault ${needed}`;
    throw new CommandError(exitCodes.usage, message);
  }
}

function isFault(name: string): name is FaultName {
  return (faultNames as readonly string[]).includes(name);
}

function progressOf({ seeds, failed }: CampaignTotals, all: number, startedUs: number): string {
  const seconds = (systemClock.nowUs() - startedUs) / 1e6;
  const left = Math.round((seconds / seeds) * (all - seeds));
  return `\r${seeds}/${all} seeds, ${failed.length} failed, ${left} s left   `;
}

function describeTotals(totals: CampaignTotals, never: "counted" | "named"): string {
  const { seeds, requests, answered, crossings, entries, virtualSeconds, failed } = totals;
  const struck = Object.entries(totals.struck).map(([name, count]) => `${name} ${count}`);
  return [
    `${plural(seeds, "seed")}, ${requests} requests, ${answered} answered, ${crossings} counts crossed, `,
    `${entries} entries, ${virtualSeconds} virtual seconds, ${plural(failed.length, "seed")} failed\n`,
    `faults that struck: ${struck.sort().join(", ") || "none; --fault draw has seeds draw some"}\n`,
    ...(struck.length === 0 ? [] : [formatCoverage(totals.coverage, { never })]),
  ].join("");
}

function describeFailure(
  { seed, problems }: CampaignTotals["failed"][number],
  { ops, servers, fault }: SimulateArguments,
): string {
  const lines = problems.slice(0, 3).map((problem) => `  ${problem}\n`);
  const faults = fault.map((text) => ` --fault ${text}`).join("");
  const command = `muster simulate --seed ${seed} --ops ${ops} --servers ${servers}${faults}`;
  return `seed ${seed} failed\n${lines.join("")}repeat it with: ${command} --verbose\n`;
}

async function shrinkFailure(
  script: Script,
  problems: readonly string[],
  io: SimulateIo,
): Promise<void> {
  const rule = ruleOf(problems[0] ?? "");
  io.stderr(`making seed ${script.seed} smaller, as long as ${rule} is broken ...\n`);
  const small = await shrink(script, rule);
  const file = `muster-simulate-${script.seed}.json`;
  writeFileSync(file, `${JSON.stringify(small, undefined, 1)}\n`);
  io.stderr(`${describeScript(small)}\n`);
  io.stderr(`repeat it with: muster simulate --script ${file} --verbose\n`);
}

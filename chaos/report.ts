// SPDX-License-Identifier: MIT
// What a run has shown, as Markdown.
import { execFileSync } from "node:child_process";
import { availableParallelism, loadavg, release, totalmem } from "node:os";
import type { HttpVerdict } from "./checker/check.ts";
import type { EventsVerdict } from "./checker/events.ts";
import type { MortalVerdict } from "./checker/mortal.ts";
import { faultNames, faultTexts, type Injected, standardFaults } from "./faults.ts";
import type { ChaosOptions } from "./options.ts";
import type { RunResult } from "./run.ts";

const violationsShownMax = 50;
const faultsPerLine = 4;

export function describeReport(result: RunResult): string {
  const { options, verdict, faults, loadSeconds, entries } = result;
  const { violations } = verdict;
  const date = new Date(result.startedMs).toISOString().slice(0, 10);
  return [
    "# Report of a run under faults\n",
    `Made on ${date}, with ${options.servers} Muster servers and three of NATS ${natsVersion()} on`,
    `${machineText()}; what is done and how it is judged is in`,
    "[chaos/README.md](../README.md).\n",
    `    ${commandOf(options)}\n`,
    "| | |",
    "|---|---|",
    `| violations | **${violations.length}** |`,
    `| operations that were answered | ${verdict.operations} |`,
    `| faults injected | ${faults.length} |`,
    `| under load and faults | ${Math.round(loadSeconds)} s |`,
    `| barriers, phases and counters | ${verdict.barriers} |`,
    `| messages read from topics | ${verdict.messages} |`,
    ...eventRows(verdict.events),
    `| servers that found an entry replaced in the brokers, and were started again | ${result.replacements.length} |`,
    `| longest time until the brokers were whole after a fault | ${round(result.recoveredSeconds)} s |`,
    `| starts of brokers that were not whole in a minute, until they were | ${result.restarted.length} |`,
    `| entries of the log | ${entries} |`,
    `| waits told that the log was away, and resumed | ${verdict.aways} |`,
    ...httpRows(verdict.http),
    ...mortalRows(verdict.mortal),
    `| waits of old doors that ended without an answer | ${verdict.cutOff} |`,
    `| load of the machine at the end | ${loadavg()[1]?.toFixed(1)} |`,
    "",
    "## Faults\n",
    ...faultTable(faults),
    "",
    "## Latencies, through all faults\n",
    "Milliseconds from asking to the answer. A wait takes as long as the last of its parties.\n",
    "| operation | count | p50 | p99 | p99.9 | largest |",
    "|---|--:|--:|--:|--:|--:|",
    ...result.latencies.map(
      ({ what, count, p50, p99, p999, max }) =>
        `| ${what} | ${count} | ${[p50, p99, p999, max].map(round).join(" | ")} |`,
    ),
    "",
    "## Lives\n",
    "How often each process was started: " +
      `${result.lives.map(([name, lives]) => `${name} ${lives}`).join(", ")}.`,
    "",
    ...describeReplacements(result),
    "## Violations\n",
    ...describeViolations(result),
    "",
  ].join("\n");
}

function httpRows({ answered, agains, forgotten, unanswered }: HttpVerdict): readonly string[] {
  return [
    `| operations of the HTTP door that were answered | ${answered} |`,
    `| times that requests with an id were asked again, at the next server | ${agains} |`,
    `| operations asked again later than an id is known | ${forgotten} |`,
    `| publications at the HTTP door that were not answered | ${unanswered} |`,
  ];
}

function mortalRows({ crossed, timedOut, failed, dead }: MortalVerdict): readonly string[] {
  return [
    `| waits of clients that may be killed, and crossed | ${crossed} |`,
    `| such waits that timed out | ${timedOut} |`,
    `| such waits that failed, because somebody was gone | ${failed} |`,
    `| requests of clients that were killed before they heard | ${dead} |`,
  ];
}

function eventRows(events: EventsVerdict): readonly string[] {
  const { planned, fired, failed, unknown, refused, equals, apart } = events;
  return [
    `| events planned, by senders who wait for their end | ${planned} |`,
    `| events that fired | ${fired} |`,
    `| events whose end was told as a failure: their agent was away | ${failed} |`,
    `| events refused | ${refused} |`,
    `| events of which their sender was told that nothing is known | ${unknown} |`,
    `| pairs of events of one object and instant, whose order was compared | ${equals} |`,
    `| such pairs that the death of a scheduler has moved apart | ${apart} |`,
  ];
}

/** What repeats it. */
export function commandOf({ seconds, seed, lanes, rate, faults }: ChaosOptions): string {
  const minutes = Math.round(seconds / 6) / 10;
  const all = faults.length === faultNames.length ? ["all"] : faults;
  const some: string[] = faults.length === 0 ? [" --faults none"] : [];
  for (let first = 0; first < all.length; first += faultsPerLine) {
    some.push(` --faults ${all.slice(first, first + faultsPerLine).join(",")}`);
  }
  const isStandard = faults.length === standardFaults.length;
  return [
    `npm run chaos -- --minutes ${minutes} --seed ${seed} --lanes ${lanes} --rate ${rate}`,
    ...(isStandard ? [] : some),
  ].join(" \\\n       ");
}

export function machineText(): string {
  const [cores, gib] = [availableParallelism(), Math.round(totalmem() / 2 ** 30)];
  return `one machine (${cores} cores, ${gib} GiB, Linux ${release()}, Node ${process.version})`;
}

function natsVersion(): string {
  return (
    /v(\d\S*)/.exec(execFileSync("nats-server", ["--version"], { encoding: "utf8" }))?.[1] ?? ""
  );
}

export function faultTable(faults: readonly Injected[]): readonly string[] {
  const rows = Object.entries(faultTexts).flatMap(([name, text]) => {
    const own = faults.filter((fault) => fault.name === name);
    if (own.length === 0) return [];
    const seconds = own.reduce((sum, { lastedMs }) => sum + lastedMs, 0) / 1000;
    return [`| ${name} | ${text} | ${own.length} | ${round(seconds)} |`];
  });
  return ["| fault | what it is | times | seconds in all |", "|---|---|--:|--:|", ...rows];
}

function describeReplacements({ replacements }: RunResult): readonly string[] {
  if (replacements.length === 0) return [];
  return ["## Replaced by the brokers\n", ...replacements.map((text) => `- ${text}`), ""];
}

function describeViolations({ verdict, notes }: RunResult): readonly string[] {
  const { violations } = verdict;
  if (violations.length === 0) return ["None."];
  const shown = violations
    .slice(0, violationsShownMax)
    .flatMap((found) => [
      `- **${found.kind}** at \`${found.where}\`: ${found.text}`,
      ...found.evidence.map((line) => `    - \`${line}\``),
    ]);
  const rest = violations.length - violationsShownMax;
  return [
    ...shown,
    ...(rest > 0 ? [`- and ${rest} more`] : []),
    ...notes.map((note) => `- ${note}`),
  ];
}

const round = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toFixed(1));

// SPDX-License-Identifier: MIT
// What a run without Muster has shown, as Markdown.
import { commandOf, faultTable, machineText } from "../report.ts";
import type { BareResult } from "./bare-run.ts";
import type { Finding } from "./judge.ts";

export function describeBare(result: BareResult): string {
  const { options, version, findings, notes, faults } = result;
  const date = new Date(result.startedMs).toISOString().slice(0, 10);
  const broken = findings.reduce((sum, { count }) => sum + count, 0);
  return [
    "# Report of brokers under faults, without Muster\n",
    `Made on ${date}, with three servers of NATS ${version} on`,
    `${machineText()}; writers and readers are NATS' own client.\n`,
    `    ${commandOf(options)} --bare\n`,
    "| | |",
    "|---|---|",
    `| messages acknowledged | ${result.acknowledged} |`,
    `| messages refused, or not answered in 5 s | ${result.refused} |`,
    `| messages delivered to three readers | ${result.delivered} |`,
    `| messages in the stream at the end | ${result.stored} |`,
    `| faults injected | ${faults.length} |`,
    `| under load and faults | ${Math.round(result.seconds)} s |`,
    ...findings.map(({ what, count }) => `| ${what} | **${count}** |`),
    "",
    "## Faults\n",
    ...faultTable(faults),
    "",
    "## Evidence\n",
    ...(broken === 0 ? ["The stream holds what it said."] : []),
    ...findings.filter(({ count }) => count > 0).flatMap(describeFinding),
    ...notes.map((note) => `- ${note}`),
    "",
  ].join("\n");
}

function describeFinding({ what, byFault, evidence }: Finding): readonly string[] {
  const faults = Object.entries(byFault).map(([fault, count]) => `${fault} ${count}`);
  const lines = evidence.map((line) => `    - ${line}`);
  return [`- ${what}, by the last fault that had begun: ${faults.join(", ")}. Such as`, ...lines];
}

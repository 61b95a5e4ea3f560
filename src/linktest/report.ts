// SPDX-License-Identifier: MIT
// Verdicts as people and old scripts read them: the records of the error files, and a table.
// [LINKTEST 7]
import type { LinktestEdge, Route } from "./edges.ts";
import type { Verdict } from "./judge.ts";
import type { LinktestPlan } from "./plan.ts";

const stageNames = {
  latency: "Latency",
  routing: "Routing",
  loss: "Loss",
  bandwidth: "Bandwidth",
} as const;

/** One record of `NODE.error`, with the empty line that ends it. */
export function formatErrorRecord(verdict: Verdict): string {
  return `${stageNames[verdict.stage]} error: ${formatEdge(verdict.edge)} : ${detail(verdict)}\n\n`;
}

/** `SRC-LINK to DST-LINK (X Mbps, Yms, Z% loss, qtype)`. */
export function formatEdge(edge: LinktestEdge | Route): string {
  const { from, to, link } = edge;
  if (!("bandwidthBps" in edge)) return `${from} to ${to}-${link}`;
  const { bandwidthBps, delayMs, loss, queue } = edge;
  const shape = `${bandwidthBps / 1e6} Mbps, ${delayMs}ms, ${round(100 * loss)}% loss, ${queue}`;
  return `${from}-${link} to ${to}-${link} (${shape})`;
}

/** The same in one line. */
export function formatVerdict({ stage, edge, why }: Verdict): string {
  return `${stage} of ${formatEdge(edge)}: ${why}`;
}

function detail({ stage, expected, measured, why }: Verdict): string {
  if (stage === "routing") return why;
  const unit = stage === "bandwidth" ? " b/s" : stage === "latency" ? " ms" : "";
  const shown = measured === null ? "nothing" : `${round(measured)}${unit}`;
  return `expected ${round(expected)}${unit}, measured ${shown}: ${why}`;
}

/** What a run of the plan takes and can find, for whoever is about to wait for it. */
export function describePlan(plan: LinktestPlan): readonly string[] {
  const lines = [`linktest level ${plan.level} takes about ${Math.ceil(plan.seconds)} s`];
  const stage = (name: string, one: { readonly seconds: number } | undefined): void => {
    if (one !== undefined) lines.push(`  ${name}: ${Math.ceil(one.seconds)} s`);
  };
  stage("latency", plan.latency);
  stage("loss", plan.loss);
  stage("bandwidth", plan.rate);
  for (const { probes } of plan.loss?.passes.flat() ?? []) {
    for (const { edge, packets, packetsPerSecond, detectable } of probes) {
      const finds = `finds a loss from ${round(100 * detectable)} % on`;
      lines.push(`  ${formatEdge(edge)}: ${packets} packets at ${packetsPerSecond}/s: ${finds}`);
    }
  }
  for (const { edge, why } of [
    ...(plan.loss?.untestable ?? []),
    ...(plan.rate?.untestable ?? []),
  ]) {
    lines.push(`  untestable: ${formatEdge(edge)}: ${why}`);
  }
  for (const edge of plan.oneWay) lines.push(`  not tested, no way back: ${formatEdge(edge)}`);
  return lines;
}

/** Asked against measured, a line for each direction and stage. */
export function formatVerdicts(verdicts: readonly Verdict[]): string {
  const head = ["stage", "from", "to", "link", "asked", "measured", "99 % interval", "verdict"];
  const rows = verdicts.map((verdict) => [
    ...[verdict.stage, verdict.edge.from, verdict.edge.to, verdict.edge.link],
    ...[amount(verdict, verdict.expected), amount(verdict, verdict.measured)],
    verdict.interval?.map((value) => amount(verdict, value)).join(" to ") ?? "",
    verdict.verdict === "ok" ? "ok" : `${verdict.verdict}: ${verdict.why}`,
  ]);
  const widths = head.map((title, at) =>
    Math.max(title.length, ...rows.map((row) => (row[at] ?? "").length)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join("  ")
      .trimEnd();
  return `${[head, ...rows].map(line).join("\n")}\n`;
}

function amount({ stage }: Verdict, value: number | null): string {
  if (value === null) return "nothing";
  if (stage === "routing") return value === 1 ? "reached" : "not reached";
  if (stage === "loss") return `${round(100 * value)} %`;
  return stage === "bandwidth" ? `${round(value / 1e6)} Mb/s` : `${round(value)} ms`;
}

/** Four digits are more than a probe can tell. */
const round = (value: number): number => Number(value.toPrecision(4));

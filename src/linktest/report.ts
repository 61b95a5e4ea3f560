// SPDX-License-Identifier: MIT
// Plans and verdicts as people and old scripts read them, and the records of the error files.
// [LINKTEST 7]
import type { EdgeSince, LinktestEdge, Route } from "./edges.ts";
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

/** Of a direction that was tested by what the file asks. */
export function describeSince({ bandwidthBps, delayMs, loss, isUp }: EdgeSince): string {
  if (!isUp) return "it was set down since: muster link up lets packets through again";
  const shape = `${bandwidthBps / 1e6} Mbps, ${round(delayMs)}ms, ${round(100 * loss)}% loss`;
  return `it was changed since, to ${shape}: muster link reset makes it what the file asks`;
}

function detail({ stage, expected, measured, why }: Verdict): string {
  if (stage === "routing") return why;
  const unit = stage === "bandwidth" ? " b/s" : stage === "latency" ? " ms" : "";
  const shown = measured === null ? "nothing" : `${round(measured)}${unit}`;
  return `expected ${round(expected)}${unit}, measured ${shown}: ${why}`;
}

/** Rounded down: nothing is over before it. */
export function describeLeast({ seconds }: { readonly seconds: number }): string {
  return `at least ${Math.max(1, Math.floor(seconds))} s`;
}

/** What is said of routing where `planLinktest` finds none to test. */
export const nothingRouted =
  "no way over several links that the file asks routes for (routing: static)";

/** What a run of the plan takes and can find, for whoever is about to wait for it. */
export function describePlan(plan: LinktestPlan): readonly string[] {
  const lines = [`linktest level ${plan.level} takes ${describeLeast(plan)}`];
  const stage = (name: string, one: { readonly seconds: number } | undefined): void => {
    if (one !== undefined) lines.push(`  ${name}: ${describeLeast(one)}`);
  };
  stage("latency", plan.latency);
  const { routes = [], routeSeconds: seconds } = plan;
  if (routes.length > 0) stage("routing", { seconds });
  else if (plan.first <= 2 && plan.level >= 2) lines.push(`  routing: ${nothingRouted}`);
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

/** Four digits are more than a probe can tell. */
const round = (value: number): number => Number(value.toPrecision(4));

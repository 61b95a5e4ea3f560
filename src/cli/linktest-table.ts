// SPDX-License-Identifier: MIT
// Verdicts of a linktest as a table: asked for against measured, direction by direction. Pure.
import { type Level, nothingRouted, type Verdict } from "../linktest/index.ts";
import { formatTable } from "./output.ts";

/**
 * One line for each verdict, by link and direction, and why where it is not ok; one that says so
 * where routing was to be tested and there is none.
 *
 * @param played the stages that were, from the first to the last
 */
export function formatVerdicts(
  verdicts: readonly Verdict[],
  played: { readonly first: Level; readonly last: Level },
): string {
  const rows = verdicts.map((one) => {
    const { edge, stage, verdict, why } = one;
    const { from, to, link } = edge;
    const [asked = "", measured = ""] = [one.expected, one.measured].map((value) =>
      inUnits(stage, value),
    );
    return [link, `${from} > ${to}`, stage, asked + sinceOf(one), measured, verdict, why];
  });
  const sorted = rows.toSorted(([a = "", b = ""], [c = "", d = ""]) => order(a, c) || order(b, d));
  const hasRouting = verdicts.some(({ stage }) => stage === "routing");
  const isWithout = !hasRouting && played.first <= 2 && 2 <= played.last;
  const without = isWithout ? [["-", "-", "routing", "-", "-", "none", nothingRouted]] : [];
  const head = ["LINK", "DIRECTION", "STAGE", "ASKED", "MEASURED", "VERDICT", "WHY"];
  return `${formatTable([head, ...sorted, ...without]).join("\n")}\n`;
}

/** What is asked now where the test went by the file and that is something else. */
function sinceOf({ edge, stage }: Verdict): string {
  if (!("since" in edge) || edge.since === undefined) return "";
  const { bandwidthBps, delayMs, loss, isUp } = edge.since;
  if (!isUp) return " (now: down)";
  const [is, was] = {
    latency: [delayMs, edge.delayMs],
    loss: [loss, edge.loss],
    bandwidth: [bandwidthBps, edge.bandwidthBps],
    routing: [0, 0],
  }[stage];
  return is === was ? "" : ` (now: ${inUnits(stage, is ?? null)})`;
}

/** Links that were tested by the file, and are something else since. */
export function changedLinks(verdicts: readonly Verdict[]): readonly string[] {
  const changed = verdicts.filter(({ edge }) => "since" in edge);
  return [...new Set(changed.map(({ edge }) => edge.link))].sort(order);
}

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function inUnits(stage: Verdict["stage"], value: number | null): string {
  if (value === null) return "-";
  const digits = (number: number): string => String(Number(number.toPrecision(4)));
  switch (stage) {
    case "latency":
      return `${digits(value)} ms`;
    case "loss":
      return `${digits(100 * value)} %`;
    case "bandwidth":
      return `${digits(value / 1e6)} Mb/s`;
    case "routing":
      return `${digits(value)}`;
  }
}

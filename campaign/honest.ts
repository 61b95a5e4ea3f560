// SPDX-License-Identifier: MIT
// One small file whose links are what it asks for, tested again and again with other seeds, and
// how often each direction was said to be what, as Markdown. [proofs.md 8] Pure.
import type { Played, PlayedLink } from "./play.ts";
import { type Circumstances, formatCircumstances } from "./report.ts";

export interface HonestRun {
  readonly seed: number;
  readonly played: Played;
}

/** A run is as bad as its worst direction. */
export function verdictOf({ links, status }: Played): "ok" | "bad" | "untestable" | "failed" {
  const verdicts = links.map(({ verdict }) => verdict);
  if (verdicts.includes("bad")) return "bad";
  if (status !== 0 || verdicts.length === 0 || verdicts.includes("untested")) return "failed";
  return verdicts.includes("untestable") ? "untestable" : "ok";
}

export function formatHonest(
  runs: readonly HonestRun[],
  wanted: number,
  circumstances: Circumstances,
): string {
  const of = (verdict: string): number =>
    runs.filter(({ played }) => verdictOf(played) === verdict).length;
  const backends = [...new Set(runs.map(({ played }) => played.backend.links))];
  const seconds = runs.map(({ played }) => played.seconds);
  return [
    "# An honest network",
    "",
    `One link of two nodes (campaign/experiments/honest.yaml) is what its file asks for, and`,
    "`npm run campaign -- --honest N` has it tested by a linktest of level 4 in N runs with seeds of",
    "their own. A `bad` is a false alarm here; the plan of a linktest lets one run in two thousand",
    "have one. `untestable` accuses nobody: the machine was too busy for the probe, and the reason",
    "is below.",
    "",
    ...formatCircumstances(circumstances),
    "",
    `${runs.length} of ${wanted} runs, links shaped by ${backends.join(", ")}, ` +
      `${range(seconds, 1, 0)} s each: ${of("ok")} ok, ${of("bad")} bad, ` +
      `${of("untestable")} untestable, ${of("failed")} failed otherwise.`,
    "",
    // A run in which something could not be judged says less than one that was judged whole.
    `${ofBad(of("bad"), of("bad") + of("ok"))}`,
    "",
    "| direction | asked for | ok | bad | untestable | Mb/s | one way, ms | loss, % |",
    "|---|---|---|---|---|---|---|---|",
    ...directionsOf(runs).map(formatDirection),
    "",
    "Figures are the least, the middle and the greatest of all runs.",
    "",
    ...formatReasons(runs),
  ].join("\n");
}

/** With what certainty so many alarms say how many there are: Clopper and Pearson, 95 %. */
function ofBad(bad: number, runs: number): string {
  if (runs === 0) return "";
  if (bad === 0) {
    const most = 100 * (1 - 0.05 ** (1 / runs));
    return `None of ${runs} judged whole is bad: with a certainty of 95 % fewer than ${most.toFixed(1)} % are.`;
  }
  return `${bad} of ${runs} judged whole are bad; what they said is below.`;
}

function directionsOf(runs: readonly HonestRun[]): readonly (readonly PlayedLink[])[] {
  const links = runs.flatMap(({ played }) => played.links);
  return [...Map.groupBy(links, ({ name, from, to }) => `${name} ${from} ${to}`).values()];
}

function formatDirection(links: readonly PlayedLink[]): string {
  const [first] = links;
  if (first === undefined) return "";
  const { name, from, to, asked } = first;
  const of = (verdict: string): number => links.filter((link) => link.verdict === verdict).length;
  const figures = (pick: (link: PlayedLink) => number | null | undefined): readonly number[] =>
    links.map(pick).filter((value): value is number => typeof value === "number");
  const [bps, us, loss] = [asked.bandwidthBps ?? 0, asked.delayUs ?? 0, asked.loss ?? 0];
  const wanted = `${bps / 1e6} Mb/s, ${us / 1_000} ms, ${Number((100 * loss).toFixed(2))} %`;
  const cells = [
    ...[`${name}, ${from} to ${to}`, wanted, of("ok"), of("bad"), of("untestable")],
    range(
      figures(({ measured }) => measured?.bandwidthBps),
      1e6,
      2,
    ),
    range(
      figures(({ measured }) => measured?.delayUs),
      1e3,
      2,
    ),
    range(
      figures(({ measured }) => measured?.loss),
      0.01,
      2,
    ),
  ];
  return `| ${cells.join(" | ")} |`;
}

/** `least, middle, greatest`. */
function range(values: readonly number[], unit: number, digits: number): string {
  const sorted = [...values].sort((a, b) => a - b);
  const at = [0, sorted.length >> 1, sorted.length - 1];
  if (sorted.length === 0) return "-";
  return at.map((index) => ((sorted[index] ?? 0) / unit).toFixed(digits)).join(", ");
}

/** Every verdict that is not ok: what is bad with its seed, what is untestable counted. */
function formatReasons(runs: readonly HonestRun[]): readonly string[] {
  const told = runs.flatMap(({ seed, played }) =>
    played.links.flatMap(({ name, from, to, verdict, why = [] }) =>
      why.map((reason) => ({ seed, verdict, reason: `${name}, ${from} to ${to}: ${reason}` })),
    ),
  );
  const bad = told.filter(({ verdict }) => verdict === "bad");
  const failed = runs.filter(({ played }) => verdictOf(played) === "failed");
  const kinds = Map.groupBy(
    told.filter(({ verdict }) => verdict === "untestable"),
    ({ reason }) => reason.replace(/\d+/g, "N"),
  );
  const heading = (title: string, lines: readonly string[]): readonly string[] =>
    lines.length === 0 ? [] : [`## ${title}`, "", ...lines, ""];
  return [
    ...heading(
      "Bad",
      bad.map(({ seed, reason }) => `- seed ${seed}: ${reason}`),
    ),
    ...heading(
      "Failed otherwise",
      failed.map(({ seed, played: { outcome, status, error } }) => {
        const why = error === null ? "" : `: ${error.code}: ${error.message}`;
        return `- seed ${seed}: ${outcome} (${status})${why}`;
      }),
    ),
    ...heading(
      "Untestable",
      [...kinds].map(([reason, of]) => `- ${of.length} times: ${reason}`),
    ),
  ];
}

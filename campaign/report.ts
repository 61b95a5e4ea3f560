// SPDX-License-Identifier: MIT
// What a campaign found, as Markdown. Pure.
import type { Measured, Played, PlayedLink } from "./play.ts";

export interface FilePlayed {
  readonly name: string;
  readonly played: Played;
}

/** When and where, and by which program. */
export interface Circumstances {
  readonly date: string;
  readonly commit: string;
  /** Processors, kernel, and how much else they had to do. */
  readonly machine: string;
}

export function formatCampaign(files: readonly FilePlayed[], circumstances: Circumstances): string {
  const links = files.flatMap(({ played }) => played.links);
  const of = (verdict: string): number => links.filter((link) => link.verdict === verdict).length;
  return [
    "# The last campaign",
    "",
    "Files from end to end by `npm run campaign`: nodes with name spaces, links shaped, each tested",
    "by a linktest of level 4 (connectivity, latency, loss, bandwidth) before time 0.",
    "",
    ...formatCircumstances(circumstances),
    "",
    `${files.length} files, ${links.length} directions: ${of("ok")} ok, ${of("bad")} bad, ` +
      `${of("untestable")} untestable, ${of("untested")} not tested.`,
    "",
    "| file | run | seconds | links by | ok | bad | untestable |",
    "|---|---|---|---|---|---|---|",
    ...files.map(formatFile),
    "",
    ...files.flatMap(formatDoubts),
  ].join("\n");
}

export function formatCircumstances({ date, commit, machine }: Circumstances): readonly string[] {
  return [`${date}, commit ${commit}, ${machine}.`];
}

function formatFile({ name, played }: FilePlayed): string {
  const of = (verdict: string): number =>
    played.links.filter((link) => link.verdict === verdict).length;
  const { outcome, status, seconds, backend } = played;
  const end = status === 0 ? outcome : `${outcome} (${status})`;
  const counts = [of("ok"), of("bad"), of("untestable")].join(" | ");
  return `| ${name} | ${end} | ${seconds.toFixed(0)} | ${backend.links} | ${counts} |`;
}

/** Every verdict that is not ok, with its reasons. */
function formatDoubts({ name, played }: FilePlayed): readonly string[] {
  const doubtful = played.links.filter(({ verdict }) => verdict !== "ok");
  if (doubtful.length === 0) return [];
  return [
    `## ${name}`,
    "",
    ...doubtful.flatMap(({ name: link, from, to, verdict, why }) =>
      (why ?? ["no reason is given"]).map((reason) => {
        const where = `${link}, ${from} to ${to}`;
        return `- ${verdict}: ${where}: ${reason}`;
      }),
    ),
    "",
  ];
}

export interface TypePlayed {
  readonly name: string;
  readonly links: readonly PlayedLink[];
}

/** Asked against measured, a row for each direction. */
export function formatAccuracy(types: readonly TypePlayed[], circumstances: Circumstances): string {
  return [
    "# How exact links are",
    "",
    "Ten kinds of link, each a run of its own with two nodes, measured by the linktest of level 4",
    "and written by `npm run campaign -- --accuracy`. What a link asks for in one direction, what a",
    "packet met there, and by how much that differs.",
    "",
    ...formatCircumstances(circumstances),
    "",
    "| link | way | bandwidth | measured | | delay | measured | | loss | measured | verdict |",
    "|---|---|---|---|---|---|---|---|---|---|---|",
    ...types.flatMap(({ name, links }) => links.map((link) => formatWay(name, link))),
    "",
    "A delay contains what the link takes to send the packet (8 ms at 64 kb/s), and what the kernel",
    "and the two nodes take. The share that was lost is of as many packets as the test needs to tell",
    "a loss that is twice what was asked for; with few packets lost it is far from exact by chance",
    "alone. `-`: not measured. `untestable`: the sender did not keep up, so nobody is accused.",
    "",
  ].join("\n");
}

function formatWay(name: string, { from, to, asked, measured, verdict }: PlayedLink): string {
  const got: Partial<Measured> = measured ?? {};
  const cells = [
    ...[name, `${from} to ${to}`],
    ...[formatRate(asked.bandwidthBps), formatRate(got.bandwidthBps)],
    differs(got.bandwidthBps, asked.bandwidthBps, (part) => `${signed(part * 100, 1)} %`),
    ...[formatDelay(asked.delayUs), formatDelay(got.delayUs)],
    late(got.delayUs, asked.delayUs),
    ...[formatLoss(asked.loss), formatLoss(got.loss)],
    verdict,
  ];
  return `| ${cells.join(" | ")} |`;
}

type Figure = number | null | undefined;

function differs(got: Figure, asked: Figure, words: (part: number) => string): string {
  if (got === null || got === undefined || !asked) return "";
  return words(got / asked - 1);
}

function late(got: Figure, asked: Figure): string {
  if (got === null || got === undefined || asked === null || asked === undefined) return "";
  return `${signed((got - asked) / 1_000, 2)} ms`;
}

function signed(value: number, digits: number): string {
  return `${value < 0 ? "" : "+"}${value.toFixed(digits)}`;
}

function formatRate(bps: Figure): string {
  if (bps === null || bps === undefined) return "-";
  if (bps === 0) return "any";
  return bps < 1_000_000 ? `${(bps / 1_000).toFixed(1)} kb/s` : `${(bps / 1e6).toFixed(2)} Mb/s`;
}

function formatDelay(us: Figure): string {
  return us === null || us === undefined ? "-" : `${(us / 1_000).toFixed(2)} ms`;
}

function formatLoss(loss: Figure): string {
  return loss === null || loss === undefined ? "-" : `${(loss * 100).toFixed(2)} %`;
}

// SPDX-License-Identifier: MIT
// `muster link show ID [LINK]`: what links are asked for, what they are now, and what became of
// their packets.
import { BossError } from "../../boss/index.ts";
import type { LinkReport, LinksReport, WayReport } from "../../network/link-report.ts";
import { type DirectionShape, describeBps } from "../../network/model.ts";
import type { LivingRun } from "../../testbed/nodes/index.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError, type CommandIo } from "../io.ts";
import { findKeptRuns } from "../kept-runs.ts";
import { noSuchRun, runsNamed, runsUnderWay, severalRuns } from "../living-runs.ts";
import { formatTable, harmless } from "../output.ts";
import { askLinkDoor } from "./link-door-client.ts";
import { askDaemon, serveExitCodes, stateOf } from "./serve-client.ts";

export interface LinkShowArguments {
  readonly id: string;
  /** null for all. */
  readonly link: string | null;
  readonly state?: string;
  readonly json: boolean;
}

/** @returns the exit status. @throws CommandError */
export async function linkShowCommand(argv: LinkShowArguments, io: CommandIo): Promise<number> {
  const report = await askForLinks(argv);
  if (argv.json) io.stdout(`${JSON.stringify(report, null, 2)}\n`);
  else
    io.stdout(
      formatLinks(report, interfacesOf(runsNamed(argv.id)))
        .map((line) => `${line}\n`)
        .join(""),
    );
  return exitCodes.ok;
}

/**
 * A run of this user is asked itself, whoever runs it; what is not under way here, or of somebody
 * else, the daemon. @throws CommandError
 */
async function askForLinks({ id, link, state }: LinkShowArguments): Promise<LinksReport> {
  const runs = state === undefined ? runsNamed(id) : [];
  const [run] = runs;
  if (run !== undefined && runs.length === 1) {
    const asked = askLinkDoor(run.linkDoor, { kind: "links", link });
    const answer = await asked.next();
    asked.close();
    if (answer?.kind === "links") return answer.report;
    if (answer?.kind === "refused") {
      throw new CommandError(exitCodes.failed, `${run.experiment}: ${answer.why}`);
    }
  }
  const request = { kind: "links", id, link } as const;
  try {
    return (await askDaemon({ state: stateOf(state), request })) as LinksReport;
  } catch (error) {
    if (!isUnknown(error)) throw error;
    if (runs.length > 1) throw severalRuns(`${id} is several runs that are under way`, runs);
    if (run === undefined) throw isKnown(error, id, state) ? error : noSuchRun(id, runsUnderWay());
    // The run, or the server that it joined, is on another machine; or it has just ended.
    const why =
      run.elsewhere === undefined
        ? "no link of it is told of on this machine; ask where it was started"
        : "its nodes are on other machines, and no link of it is there or told of here";
    throw new CommandError(exitCodes.failed, `${run.experiment}: ${why}`);
  }
}

/** No daemon is there, or it has not heard of it. */
function isUnknown(error: unknown): boolean {
  if (!(error instanceof CommandError)) return false;
  const { cause, exitCode } = error;
  if (cause instanceof BossError) return cause.code === "NO_SUCH_EXPERIMENT";
  return exitCode === serveExitCodes.unavailable;
}

/** Whether the daemon has said it, or is away and would have been asked for a reason. */
function isKnown(error: unknown, id: string, state: string | undefined): boolean {
  const isAway = error instanceof CommandError && error.exitCode === serveExitCodes.unavailable;
  return !isAway || state !== undefined || findKeptRuns(stateOf(state), id).length > 0;
}

/**
 * `NODE: INTERFACE` by link, where its nodes are on this machine: for names too long for tcpdump.
 */
export type Interfaces = ReadonlyMap<string, readonly string[]>;

/** None where it is not clear which run is meant. Pure. */
export function interfacesOf(runs: readonly Pick<LivingRun, "nodes">[]): Interfaces {
  const ends = runs.length === 1 ? (runs[0]?.nodes ?? []) : [];
  const said = ends.flatMap(({ name: node, interfaces = [] }) =>
    interfaces.map(({ link, name }) => ({ link, text: `${node}: ${name}` })),
  );
  const byLink = Map.groupBy(said, ({ link }) => link);
  return new Map([...byLink].map(([link, all]) => [link, all.map(({ text }) => text)]));
}

/** The lines of `muster link show`. Pure. */
export function formatLinks(
  { experiment, backend, shaper, links }: LinksReport,
  interfaces: Interfaces = new Map(),
): string[] {
  const shaped = `links of ${experiment}, shaped by ${backend}`;
  if (links.length === 0) return [`${experiment} has no links`];
  const health =
    shaper === null
      ? []
      : [
          `${shaper.packets} packets sent, the latest ${shaper.lagMaxUs / 1_000} ms late, ` +
            `recently ${shaper.lagRecentUs / 1_000} ms; ` +
            `${shaper.late} more than 1 ms late, ${shaper.dropped} lost by this machine; ` +
            `${shaper.priority} priority`,
        ];
  return [harmless(shaped), ...health, ...links.flatMap((link) => formatLink(link, interfaces))];
}

/** Interfaces of one link that are shown. */
const interfacesMax = 10;

function formatLink({ name, kind, ways }: LinkReport, interfaces: Interfaces): string[] {
  const all = interfaces.get(name) ?? [];
  const shown = all.slice(0, interfacesMax).join(", ");
  const at = all.length === 0 ? "" : ` (${shown}${all.length > interfacesMax ? ", ..." : ""})`;
  const shapes = ways.map((way) => [
    describeWay(way),
    way.isUp ? "up" : "down",
    ...describeShape(way),
  ]);
  const counts = ways.map((way) => [describeWay(way), ...describeCounts(way)]);
  const head = ["WAY", "STATE", "BANDWIDTH", "DELAY", "LOSS", "QUEUE", "ELSE"];
  const countsHead = ["PACKETS", "IN", "OUT", "LOST", "QUEUE", "DOWN", "TWICE", "INSIDE"];
  return [
    "",
    harmless(`${kind === "lan" ? "LAN" : "link"} ${name}${at}`),
    ...formatTable([head, ...shapes]).map(indented),
    ...formatTable([countsHead, ...counts]).map(indented),
  ];
}

const indented = (line: string): string => `  ${line}`;

const describeWay = ({ from, to }: WayReport): string => `${from ?? "LAN"} > ${to ?? "LAN"}`;

/** What is in force, and what the file asks where that is something else. */
function describeShape({ asked, now }: WayReport): string[] {
  const both = (describe: (shape: DirectionShape) => string): string => {
    const [is, was] = [describe(now), describe(asked)];
    return is === was ? is : `${is} (file: ${was})`;
  };
  return [
    both(({ bandwidthBps }) => describeBps(bandwidthBps)),
    both(({ delayUs }) => `${delayUs / 1_000} ms`),
    both(({ loss }) => percent(loss)),
    both(describeQueue),
    both(describeElse),
  ];
}

function describeQueue({ queue: { kind, limit, limitUnit } }: DirectionShape): string {
  return `${limit} ${limitUnit}${kind === "drop-tail" ? "" : `, ${kind}`}`;
}

function describeElse({ jitterUs, duplicate, reorder }: DirectionShape): string {
  const parts = [
    ...(jitterUs === 0 ? [] : [`jitter ${jitterUs / 1_000} ms`]),
    ...(duplicate === 0 ? [] : [`duplicate ${percent(duplicate)}`]),
    ...(reorder === 0 ? [] : [`reorder ${percent(reorder)}`]),
  ];
  return parts.join(", ") || "-";
}

function describeCounts({ counts, inside }: WayReport): string[] {
  if (counts === null) return Array.from({ length: 7 }, () => "?");
  const { arrived, arrivedBytes, delivered, deliveredBytes } = counts;
  const amount = (packets: number | null, bytes: number | null): string =>
    packets === null || bytes === null ? "?" : `${packets} (${bytes} B)`;
  const known = (count: number | null): string => (count === null ? "?" : `${count}`);
  const { lost, queueDrops, overflow, down, duplicated } = counts;
  return [
    amount(arrived, arrivedBytes),
    amount(delivered, deliveredBytes),
    known(lost),
    known(queueDrops + (overflow ?? 0)),
    known(down),
    known(duplicated),
    known(inside),
  ];
}

/** Without the noise of binary fractions. */
const percent = (share: number): string => `${Number((share * 100).toPrecision(6))} %`;

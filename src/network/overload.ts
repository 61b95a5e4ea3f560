// SPDX-License-Identifier: MIT
// Which links ask for more than who shapes them carries: told before any packet is late for it.
// Pure. Never an error: on a link that is never that full, everything else is as asked.
//
//   O1. Links that nobody fills all at a time are passed over: what counts is whether the few
//       fastest ways of them could be full together. So no number of links of 100 Mb/s is told of.
import type { LinkTable } from "./link-table.ts";
import { describeBps, type LinkChange } from "./model.ts";

/** What a process that shapes links carries; the figure is in docs/reference/links.md. */
export interface Carried {
  /** Of one thread, whatever their size. A link is in one thread. */
  readonly packetsPerSecond: number;
  readonly threads: number;
  /** Which one a link is in, where that is known. */
  readonly threadOf?: (link: string) => number | undefined;
}

/** Layer 2 of a full packet, without check sequence. */
const fullFrameBytes = 1_514;
/** O1. Two links both ways, or a flow that goes over four. */
const waysAtOnce = 4;
const namesMax = 10;

interface Way {
  readonly link: string;
  readonly bandwidthBps: number;
}

/** As many bits a second of full packets as a thread carries. */
export const fullPacketsBps = (packetsPerSecond: number): number =>
  packetsPerSecond * fullFrameBytes * 8;

/** @returns a sentence for the user, or none */
export function describeOverload(
  table: Pick<LinkTable, "names" | "states">,
  { packetsPerSecond, threads, threadOf }: Carried,
): readonly string[] {
  const oneBps = fullPacketsBps(packetsPerSecond);
  const ways = fastestFirst(table);
  const alone = ways.filter(({ bandwidthBps }) => bandwidthBps > oneBps);
  if (alone.length > 0) {
    const asked = byLink(alone).map(({ link, bandwidthBps }) => {
      return `${link} (${describeBps(bandwidthBps)})`;
    });
    return [
      `${ask(asked)} for more than the delay node carries of one link, ` +
        `${carries(oneBps, packetsPerSecond)}; ${advice}`,
    ];
  }
  const together = ways.slice(0, waysAtOnce);
  const allBps = oneBps * threads;
  const tooMuch = (some: readonly Way[], bps: number, where: string, by: number): string[] => {
    const names = byLink(some).map(({ link }) => link);
    const asked = `${ask(names)} for ${describeBps(sumOf(some))} when ${some.length} ways are full`;
    return [
      `${asked} at a time, and ${where} carries ${carries(bps, packetsPerSecond * by)}; ${advice}`,
    ];
  };
  if (sumOf(together) > allBps) return tooMuch(together, allBps, "the delay node", threads);
  // Where nobody says in which thread links are, those of one link are in one.
  const byThread = Map.groupBy(together, ({ link }) => threadOf?.(link) ?? link);
  const crowded = [...byThread.values()].find((some) => sumOf(some) > oneBps);
  const where = "the thread of the delay node that they are in";
  return crowded === undefined ? [] : tooMuch(crowded, oneBps, where, 1);
}

function sumOf(ways: readonly Way[]): number {
  return ways.reduce((sum, { bandwidthBps }) => sum + bandwidthBps, 0);
}

/** Whether these can make links faster. */
export function mayOverload(changes: readonly LinkChange[]): boolean {
  return changes.some(({ what }) =>
    what.kind === "modify"
      ? what.shape.bandwidthBps !== undefined
      : ["reset", "create", "ask"].includes(what.kind),
  );
}

/** What one way carries into a link or LAN; what comes out of it is the same packet. */
function fastestFirst(table: Pick<LinkTable, "names" | "states">): readonly Way[] {
  const ways = table.names.flatMap((link) =>
    table.states(link).flatMap(({ way, state }): readonly Way[] => {
      return way === "up" ? [{ link, bandwidthBps: state.shape.bandwidthBps }] : [];
    }),
  );
  return ways.sort((a, b) => b.bandwidthBps - a.bandwidthBps);
}

/** The fastest way of each. */
function byLink(ways: readonly Way[]): readonly Way[] {
  return ways.filter(({ link }, at) => ways.findIndex((one) => one.link === link) === at);
}

function ask(names: readonly string[]): string {
  const told = names.slice(0, namesMax).join(", ");
  const more = names.length > namesMax ? ` and ${names.length - namesMax} more` : "";
  return names.length === 1 ? `link ${told} asks` : `links ${told}${more} ask`;
}

/** For people. */
export function carries(bps: number, packetsPerSecond: number): string {
  const rounded = describeBps(Math.round(bps / 1_000_000) * 1_000_000);
  return `some ${rounded} of packets of ${fullFrameBytes} bytes (${packetsPerSecond} packets a second, of any size)`;
}

const advice =
  "what comes beyond that is late or lost by the machine: ask for less, send less, " +
  "or use a kernel that has netem";

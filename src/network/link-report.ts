// SPDX-License-Identifier: MIT
// What there is to tell of a link while a run goes on: what its file asks of each direction, what
// is in force now, and what became of its packets. Pure; back ends give the counts.
import type { LinkTable } from "./link-table.ts";
import type { DirectionShape } from "./model.ts";

/**
 * Packets of one direction since the run began; null: who shapes does not count it. Each packet
 * that came, and each copy, was delivered, lost in one of the ways, or is inside.
 */
export interface WayCounts {
  readonly arrived: number | null;
  /** Of layer 2. */
  readonly arrivedBytes: number | null;
  readonly delivered: number;
  readonly deliveredBytes: number;
  /** Extra copies. */
  readonly duplicated: number | null;
  /** Dropped while the link was down, by loss, by the queue. */
  readonly down: number | null;
  readonly lost: number;
  readonly queueDrops: number;
  /** Dropped because more was on its way than `inFlightBytesMax`. */
  readonly overflow: number | null;
}

export interface CountedWay {
  /** Its place among the members of the link. */
  readonly member: number;
  readonly way: "up" | "down";
  readonly counts: WayCounts;
  /** Packets inside: waiting or on their way. */
  readonly size: number;
}

/** How the process is that shapes, since it began. */
export interface ShaperHealth {
  readonly packets: number;
  /**
   * The latest packet: how late at most, as one may have come before it was found, and when it was
   * due then, on the monotonic clock.
   */
  readonly lagMaxUs: number;
  readonly lagMaxAtUs: number;
  /** The latest packet of the last half second (`reportMs`). */
  readonly lagRecentUs: number;
  /** Packets that may have been sent more than `lagWarnUs` after their time. */
  readonly late: number;
  /** Packets that the machine lost on the way to the delay node or from it. */
  readonly dropped: number;
  /** Whether its threads go before what else the machine does. */
  readonly priority: "real-time" | "usual";
}

/** One direction. Of a link `to` is the other node; of a LAN null stands for the LAN itself. */
export interface WayReport {
  readonly from: string | null;
  readonly to: string | null;
  readonly isUp: boolean;
  /** As the file asks for it. */
  readonly asked: DirectionShape;
  /** What it is now, or is again when it is up. */
  readonly now: DirectionShape;
  /** null: who connects this link counts nothing. */
  readonly counts: WayCounts | null;
  readonly inside: number | null;
}

export interface LinkReport {
  readonly name: string;
  readonly kind: "link" | "lan";
  readonly ways: readonly WayReport[];
}

/** What `muster link show --json` prints. */
export interface LinksReport {
  /** `pid/eid` */
  readonly experiment: string;
  readonly backend: "none" | "netem" | "delay-node";
  /** null: nobody can tell. */
  readonly shaper: ShaperHealth | null;
  readonly links: readonly LinkReport[];
}

/** @param counts none where nobody counts */
export function reportLink(
  table: LinkTable,
  name: string,
  counts: readonly CountedWay[],
): LinkReport | undefined {
  const link = table.link(name);
  if (link === undefined) return undefined;
  const ways = table.states(name).map(({ member, way, state }): WayReport => {
    const node = link.members[member]?.node ?? "";
    const peer = link.kind === "link" ? (link.members[1 - member]?.node ?? null) : null;
    const counted = counts.find((one) => one.member === member && one.way === way);
    return {
      ...(way === "up" ? { from: node, to: peer } : { from: peer, to: node }),
      isUp: state.isUp,
      asked: rounded(askedOf(link.members[member], way, state.shape)),
      now: rounded(state.shape),
      counts: counted?.counts ?? null,
      inside: counted?.size ?? null,
    };
  });
  return { name, kind: link.kind, ways };
}

/** Shares as results have them: without the noise of having been split into two. */
function rounded(shape: DirectionShape): DirectionShape {
  const digits = (share: number): number => Number(share.toPrecision(12));
  const { loss, duplicate, reorder } = shape;
  const exact = { loss: digits(loss), duplicate: digits(duplicate), reorder: digits(reorder) };
  return { ...shape, ...exact };
}

function askedOf(
  member: { readonly up: DirectionShape; readonly down?: DirectionShape } | undefined,
  way: "up" | "down",
  otherwise: DirectionShape,
): DirectionShape {
  return (way === "down" ? member?.down : member?.up) ?? otherwise;
}

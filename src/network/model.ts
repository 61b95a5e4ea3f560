// SPDX-License-Identifier: MIT
// What one direction of a link does to packets, how that changes, and what of it is refused. Pure,
// and the same for all back ends: they get shapes that have been checked here.
//
//   M1. A change keeps what it does not name.
//   M2. What changes while a direction is down counts from when it is up again, and is seen then.
//
// Rates count layer-2 bytes: the Ethernet header, without preamble and check sequence.
// Units are in the names. [EMULAB-EVENTS 5.1]
import { joinShapes, presetQueue } from "../experiment/link-shape.ts";
import type { Link, LinkMember, LinkShape, QueueShape } from "../experiment/model.ts";
import { networkLimits } from "./network-limits.ts";

export type { QueueShape } from "../experiment/model.ts";

/** What one direction does. */
export interface DirectionShape {
  /** Bits per second; 0 is without limit: whatever the machine carries. */
  readonly bandwidthBps: number;
  readonly delayUs: number;
  /** The delay of each packet is up to so much more or less; order is kept. */
  readonly jitterUs: number;
  /** Probabilities, 0 to 1. A lost packet takes no bandwidth: it is lost before the queue. */
  readonly loss: number;
  /** Of a packet that comes twice. */
  readonly duplicate: number;
  /** Of a packet that is not delayed, and so overtakes those that are. */
  readonly reorder: number;
  readonly queue: QueueShape;
}

/** Everything of a shape that may be named by itself. */
export interface DirectionChange extends Partial<Omit<DirectionShape, "queue">> {
  readonly queue?: Partial<QueueShape>;
}

/** A shape, whether or not it is in force. */
export interface DirectionState {
  readonly shape: DirectionShape;
  readonly isUp: boolean;
}

/** Emulab's queue, that of files: what `muster parse` shows and tmcd tells is what there is. */
export const usualQueue: QueueShape = presetQueue;

export const unshaped: DirectionShape = {
  bandwidthBps: 0,
  delayUs: 0,
  jitterUs: 0,
  loss: 0,
  duplicate: 0,
  reorder: 0,
  queue: usualQueue,
};

/** M1. */
export function changeShape(shape: DirectionShape, change: DirectionChange): DirectionShape {
  const { queue, ...rest } = change;
  return {
    ...shape,
    ...rest,
    queue: queue === undefined ? shape.queue : { ...shape.queue, ...queue },
  };
}

/** What the machine can do to a link; each back end has its own. */
export interface Capacity {
  /** Who carries it, for messages. */
  readonly backend: string;
  readonly bandwidthBpsMax: number;
  /** Bytes of one direction that may be on their way. */
  readonly inFlightBytesMax: number;
}

/** @returns what is wrong, each a sentence for a person with what to write instead; or nothing. */
export function checkShape(shape: DirectionShape, capacity: Capacity): readonly string[] {
  return [
    ...bandwidthProblems(shape.bandwidthBps, capacity),
    ...delayProblems(shape, capacity),
    ...(["loss", "duplicate", "reorder"] as const).flatMap((name) =>
      isWithin(shape[name], 0, 1)
        ? []
        : [
            `${name} ${shape[name]} is not a probability from 0 to 1; write 0.01 for one in a hundred`,
          ],
    ),
    ...(shape.reorder > 0 && shape.delayUs === 0
      ? ["reorder without a delay changes nothing: packets overtake by not being delayed"]
      : []),
    ...queueProblems(shape.queue),
  ];
}

function bandwidthProblems(bandwidthBps: number, capacity: Capacity): readonly string[] {
  const { bandwidthBpsMin } = networkLimits;
  if (bandwidthBps === 0) return [];
  if (!(bandwidthBps >= bandwidthBpsMin)) {
    return [
      `bandwidth ${bandwidthBps} b/s is below ${bandwidthBpsMin} (bandwidthBpsMin); a link that carries nothing is one that is down`,
    ];
  }
  if (bandwidthBps > capacity.bandwidthBpsMax) {
    return [
      `bandwidth ${describeBps(bandwidthBps)} is more than ${capacity.backend} carries here, ` +
        `${describeBps(capacity.bandwidthBpsMax)}; ask for less, or for no limit`,
    ];
  }
  return [];
}

function delayProblems(shape: DirectionShape, capacity: Capacity): readonly string[] {
  const { delayUs, jitterUs, bandwidthBps } = shape;
  const { delayUsMax } = networkLimits;
  for (const [name, valueUs] of [
    ["delay", delayUs],
    ["jitter", jitterUs],
  ] as const) {
    if (!isWithin(valueUs, 0, delayUsMax)) {
      return [`${name} ${valueUs / 1000} ms is not from 0 to ${delayUsMax / 1000} ms (delayUsMax)`];
    }
  }
  if (jitterUs > delayUs) {
    return [`jitter ${jitterUs / 1000} ms is more than the delay, ${delayUs / 1000} ms`];
  }
  const inFlightBytes = (bandwidthBps / 8) * ((delayUs + jitterUs) / 1_000_000);
  if (inFlightBytes > capacity.inFlightBytesMax) {
    return [
      `${describeBps(bandwidthBps)} for ${(delayUs + jitterUs) / 1000} ms are ` +
        `${Math.ceil(inFlightBytes)} bytes on their way, more than ${capacity.inFlightBytesMax} ` +
        "(inFlightBytesMax); take a smaller bandwidth or delay",
    ];
  }
  return [];
}

function queueProblems(queue: QueueShape): readonly string[] {
  const { queuePacketsMax, queueBytesMax } = networkLimits;
  const isBytes = queue.limitUnit === "bytes";
  const max = isBytes ? queueBytesMax : queuePacketsMax;
  const limitName = isBytes ? "queueBytesMax" : "queuePacketsMax";
  const problems: string[] = [];
  if (!Number.isInteger(queue.limit) || !isWithin(queue.limit, 1, max)) {
    problems.push(
      `a queue of ${queue.limit} ${queue.limitUnit} is not from 1 to ${max} (${limitName})`,
    );
  }
  if (queue.kind === "drop-tail") return problems;
  const { minThreshold, maxThreshold, averageWeight, dropOneIn } = queue;
  if (!(minThreshold >= 0 && maxThreshold > minThreshold)) {
    problems.push(
      `RED thresholds ${minThreshold} and ${maxThreshold}: the second must be the larger one`,
    );
  }
  if (!(averageWeight > 0 && averageWeight <= 1)) {
    problems.push(`RED weight ${averageWeight} is not above 0 and up to 1`);
  }
  if (!(dropOneIn >= 1)) problems.push(`RED drops one in ${dropOneIn}, which is not 1 or more`);
  return problems;
}

const isWithin = (value: number, min: number, max: number): boolean => value >= min && value <= max;

export function describeBps(bps: number): string {
  if (bps === 0) return "unlimited";
  if (bps >= 1_000_000) return `${bps / 1_000_000} Mb/s`;
  return bps >= 1_000 ? `${bps / 1_000} kb/s` : `${bps} b/s`;
}

/** One member of a link as it is shaped. */
export interface MemberShape {
  readonly node: string;
  /** Of a link: all the way to the other end. Of a LAN: up to the LAN. */
  readonly up: DirectionShape;
  /** From the LAN to the member; a link has none. */
  readonly down?: DirectionShape;
}

export interface ShapedLink {
  readonly name: string;
  readonly kind: "link" | "lan";
  readonly members: readonly MemberShape[];
}

/**
 * The directions of a link as the file asks for them. A link of two has one shape for each way,
 * put together of what its two ends ask for; each member of a LAN has one up and one down.
 * [EMULAB-EVENTS 5.1, LINKTEST 3.1]
 */
export function shapeLink(link: Link): ShapedLink {
  const { name, members } = link;
  const [first, second] = members;
  if (link.kind === "link" && first !== undefined && second !== undefined && members.length === 2) {
    return { name, kind: "link", members: [wholeWay(first, second), wholeWay(second, first)] };
  }
  return {
    name,
    kind: "lan",
    members: members.map((member) => ({
      node: member.node,
      up: shapeOf(member.toLink, member.queue),
      down: shapeOf(member.fromLink, member.queue),
    })),
  };
}

function shapeOf(asked: LinkShape, queue: QueueShape | undefined): DirectionShape {
  return { ...unshaped, ...asked, queue: queue ?? usualQueue };
}

function wholeWay(from: LinkMember, to: LinkMember): MemberShape {
  return { node: from.node, up: shapeOf(joinShapes(from.toLink, to.fromLink), from.queue) };
}

/** A change of one link, as one event or one command asks for it. */
export interface LinkChange {
  readonly link: string;
  /** Left out: all members. Of a link: the way from this node; of a LAN: both ways of it. */
  readonly node?: string;
  /** Left out: all ways that `node` names. Of a LAN member: up is towards the LAN. */
  readonly way?: "up" | "down";
  readonly what: LinkChangeKind;
}

export type LinkChangeKind =
  /** `clear`: not shaped at all; `create`: as asked for again; `reset`: that, and up. */
  | { readonly kind: "up" | "down" | "reset" | "create" | "clear" }
  | { readonly kind: "modify"; readonly shape: DirectionChange }
  /** Its file asks for something else from now on; whether it is up stays. */
  | { readonly kind: "ask"; readonly members: readonly MemberShape[] };

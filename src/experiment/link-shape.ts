// SPDX-License-Identifier: MIT
// What directions of links ask for: what two of them make up one after the other, whether they are
// the same, and the queue of whoever says nothing. Pure.
import type { LinkShape, QueueShape } from "./model.ts";

/** The queue of a file that says nothing of it; of RED, what NS files start from. [EMULAB-NS 7] */
export const presetQueue: QueueShape = {
  kind: "drop-tail",
  limit: 50,
  limitUnit: "packets",
  minThreshold: 5,
  maxThreshold: 15,
  averageWeight: 0.002,
  dropOneIn: 10,
  meanPacketBytes: 500,
};

/**
 * Two in a row: the narrower bandwidth, delays and jitters of both, what either does to a packet.
 */
export function joinShapes(first: LinkShape, second: LinkShape): LinkShape {
  const bandwidths = [first.bandwidthBps, second.bandwidthBps].filter((bps) => bps > 0);
  return {
    bandwidthBps: bandwidths.length === 0 ? 0 : Math.min(...bandwidths),
    delayUs: first.delayUs + second.delayUs,
    loss: either(first.loss, second.loss),
    ...someExtras({
      jitterUs: (first.jitterUs ?? 0) + (second.jitterUs ?? 0),
      duplicate: either(first.duplicate, second.duplicate),
      reorder: either(first.reorder, second.reorder),
    }),
  };
}

/** Written so that a probability on one side only stays the number the file gives. */
function either(first = 0, second = 0): number {
  return first + second - first * second;
}

type Extras = Pick<LinkShape, "jitterUs" | "duplicate" | "reorder">;
type Said = { readonly [Key in keyof Extras]: Extras[Key] | undefined };

/** Those that are not 0: a shape says nothing of the others. */
export function someExtras({ jitterUs = 0, duplicate = 0, reorder = 0 }: Said): Extras {
  return {
    ...(jitterUs === 0 ? {} : { jitterUs }),
    ...(duplicate === 0 ? {} : { duplicate }),
    ...(reorder === 0 ? {} : { reorder }),
  };
}

export function isSameShape(a: LinkShape, b: LinkShape): boolean {
  return (
    a.bandwidthBps === b.bandwidthBps &&
    a.delayUs === b.delayUs &&
    a.loss === b.loss &&
    (a.jitterUs ?? 0) === (b.jitterUs ?? 0) &&
    (a.duplicate ?? 0) === (b.duplicate ?? 0) &&
    (a.reorder ?? 0) === (b.reorder ?? 0)
  );
}

export function isSameQueue(a: QueueShape, b: QueueShape): boolean {
  return queueKeys.every((key) => a[key] === b[key]);
}

const queueKeys = Object.keys(presetQueue) as readonly (keyof QueueShape)[];

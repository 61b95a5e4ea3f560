// SPDX-License-Identifier: MIT
// What directions of links ask for: what two of them make up one after the other, whether they are
// the same, and the queue of whoever says nothing. Pure.
import type { LinkShape, QueueShape } from "./model.ts";
import { applyFunction } from "./tcl/functions.ts";
import { Double } from "./tcl/number.ts";

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

/** What is said of a path from node to node may say some of this only. */
export type PathChange = { readonly [Key in keyof LinkShape]?: LinkShape[Key] | undefined };

/** The share of the first of two ends that a packet passes: the larger one of an odd delay. */
export function firstOfTwo<Change extends PathChange>(change: Change): Change {
  return shareOf(change, Math.ceil);
}

/** The share of the second of two ends that a packet passes. */
export function secondOfTwo<Change extends PathChange>(change: Change): Change {
  return shareOf(change, Math.floor);
}

/** @param round whole microseconds, whose half need not be one */
export function shareOf<Change extends PathChange>(
  change: Change,
  round: (value: number) => number,
): Change {
  const { delayUs, jitterUs, loss, duplicate, reorder } = change;
  return {
    ...change,
    ...(delayUs === undefined ? {} : { delayUs: round(delayUs / 2) }),
    ...(jitterUs === undefined ? {} : { jitterUs: round(jitterUs / 2) }),
    ...(loss === undefined ? {} : { loss: halfOf(loss) }),
    ...(duplicate === undefined ? {} : { duplicate: halfOf(duplicate) }),
    ...(reorder === undefined ? {} : { reorder: halfOf(reorder) }),
  };
}

/**
 * Two independent probabilities q make up one of p: 1 - p = (1 - q)(1 - q). The root is the one of
 * NS files, so that the same loss is the same number in either language.
 */
export function halfOf(whole = 0): number {
  return whole === 0 ? 0 : 1 - squareRoot(1 - whole);
}

function squareRoot(value: number): number {
  const root = applyFunction("sqrt", [new Double(value)]);
  return root instanceof Double ? root.value : Number(root);
}

/**
 * The shortest probability over both halves that gives exactly this half; else one that does not.
 */
export function wholeOf(half = 0): number {
  const exact = half + half - half * half;
  for (let digits = 1; digits <= 17; digits += 1) {
    const candidate = Number(exact.toPrecision(digits));
    if (candidate <= 1 && halfOf(candidate) === half) return candidate;
  }
  return exact;
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

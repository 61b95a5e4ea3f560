// SPDX-License-Identifier: MIT
// A LAN whose members are on several hosts: how much of its members' delays the paths between those
// hosts take, and how long frames wait where they end, so that a frame takes as long as its sender
// and its receiver ask for, wherever both are. Pure.
//
//   L1. What is taken off a way up and off a way down is never less than the path between them;
//       the rest is waited for.
//   L2. It is refused only where two members ask for less than the path between them takes.
import type { DirectionShape } from "../../network/model.ts";
import type { LanHolds } from "../../network/shaper/segment.ts";

export interface LanEnd {
  readonly node: string;
  readonly host: string;
  readonly up: DirectionShape;
  readonly down: DirectionShape;
}

/** Taken off the delays of a LAN's members, in their order. */
export interface LanShares {
  readonly upUs: readonly number[];
  readonly downUs: readonly number[];
}

/** Two members between which the path takes longer than they ask for. */
export interface TooNear {
  readonly from: number;
  readonly to: number;
}

/** @param pathUs what a path takes from one host to another one */
export function shareLan(
  ends: readonly LanEnd[],
  pathUs: (from: string, to: string) => number,
): LanShares | TooNear {
  // From both ends alike where that can be: so most of later changes can be, too.
  const upUs = ends.map(({ host, up }) => {
    const others = ends.filter((one) => one.host !== host);
    const longestUs = Math.max(0, ...others.map((one) => pathUs(host, one.host)));
    const neededUs = longestUs - Math.min(longestUs, ...others.map(({ down }) => spareUs(down)));
    return Math.min(spareUs(up), Math.max(Math.ceil(longestUs / 2), neededUs));
  });
  const downUs: number[] = [];
  for (const [to, { host, down }] of ends.entries()) {
    const lacks = ends.map((one, from) =>
      one.host === host ? 0 : pathUs(one.host, host) - (upUs[from] ?? 0),
    );
    const mostUs = Math.max(0, ...lacks);
    if (mostUs > spareUs(down)) return { from: lacks.indexOf(mostUs), to };
    downUs.push(mostUs);
  }
  return { upUs, downUs };
}

/** L1. As the delay node of a host waits. */
export function holdsOn(
  host: string,
  { ends, shares }: { readonly ends: readonly Pick<LanEnd, "host">[]; readonly shares: LanShares },
  pathUs: (from: string, to: string) => number,
): LanHolds {
  return {
    fromUs: ends.map((end, member) => {
      const shareUs = shares.upUs[member] ?? 0;
      return end.host === host ? shareUs : shareUs - pathUs(end.host, host);
    }),
    toUs: shares.downUs,
  };
}

/** What of a delay every packet has. */
export const spareUs = ({ delayUs, jitterUs }: DirectionShape): number =>
  Math.max(0, delayUs - jitterUs);

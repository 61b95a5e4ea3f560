// SPDX-License-Identifier: MIT
// The table of links in a result: what the experiment asks of each direction between two nodes,
// beside what was measured. Pure.
import type { Link, LinkMember } from "../../experiment/model.ts";
import type { ResultLink } from "./result-model.ts";

/** A LAN with more pairs of members than this is listed as a ring: each member to the next. */
export const lanPairsMax = 10_000;

/** The links of an experiment when none of them was shaped or measured. */
export function skippedLinks(links: readonly Link[]): ResultLink[] {
  return links.flatMap((link) =>
    memberPairs(link.members).map(([from, to]) => ({
      name: link.name,
      from: from.node,
      to: to.node,
      asked: asked(from, to),
      measured: null,
      verdict: "skipped" as const,
    })),
  );
}

function memberPairs(members: readonly LinkMember[]): (readonly [LinkMember, LinkMember])[] {
  if (members.length * (members.length - 1) > lanPairsMax) {
    return members.flatMap((member, at) => {
      const next = members[(at + 1) % members.length];
      return next === undefined ? [] : [[member, next] as const];
    });
  }
  return members.flatMap((from) =>
    members.filter((to) => to !== from).map((to) => [from, to] as const),
  );
}

/** Shaping adds up along the way: out of one member, into the other. */
function asked(from: LinkMember, to: LinkMember): ResultLink["asked"] {
  const [out, into] = [from.toLink, to.fromLink];
  const bandwidths = [out.bandwidthBps, into.bandwidthBps].filter((bps) => bps > 0);
  return {
    bandwidthBps: bandwidths.length === 0 ? 0 : Math.min(...bandwidths),
    delayUs: out.delayUs + into.delayUs,
    // Written so that a loss on one side only stays the number the file gives.
    loss: out.loss + into.loss - out.loss * into.loss,
  };
}

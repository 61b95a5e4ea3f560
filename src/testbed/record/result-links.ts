// SPDX-License-Identifier: MIT
// The table of links in a result: what the experiment asks of each direction between two nodes,
// beside what was measured. Pure.
import type { Link, LinkMember } from "../../experiment/model.ts";
import type { Stage, Verdict } from "../../linktest/index.ts";
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

/** The same links with what was measured; of two tests the later one counts. */
export function testedLinks(
  links: readonly ResultLink[],
  verdicts: readonly Verdict[],
): readonly ResultLink[] {
  const byName = new Map<string, Map<Stage, Verdict>>();
  for (const verdict of verdicts) {
    if (verdict.stage === "routing") continue;
    const name = nameOf(verdict.edge.link, verdict.edge.from, verdict.edge.to);
    const stages = byName.get(name) ?? new Map<Stage, Verdict>();
    byName.set(name, stages.set(verdict.stage, verdict));
  }
  return links.map((link) => {
    const stages = byName.get(nameOf(link.name, link.from, link.to));
    if (stages === undefined) return link;
    const back = byName.get(nameOf(link.name, link.to, link.from));
    return { ...link, ...judged([...stages.values()]), measured: measured(stages, back) };
  });
}

const nameOf = (link: string, from: string, to: string): string => `${link} ${from} ${to}`;

type Stages = ReadonlyMap<Stage, Verdict>;

function measured(stages: Stages, back: Stages | undefined): ResultLink["measured"] {
  const value = (of: Stages | undefined, stage: Stage): number | null =>
    of?.get(stage)?.measured ?? null;
  const [there, other] = [value(stages, "latency"), value(back, "latency")];
  return {
    bandwidthBps: rounded(value(stages, "bandwidth"), 1),
    rttUs: there === null || other === null ? null : rounded(there + other, 1_000),
    delayUs: rounded(there, 1_000),
    loss: value(stages, "loss"),
  };
}

function rounded(value: number | null, scale: number): number | null {
  return value === null ? null : Math.round(value * scale);
}

function judged(verdicts: readonly Verdict[]): Pick<ResultLink, "verdict" | "why"> {
  const why = verdicts.flatMap((one) => (one.why === "" ? [] : [`${one.stage}: ${one.why}`]));
  const has = (wanted: Verdict["verdict"]): boolean =>
    verdicts.some(({ verdict }) => verdict === wanted);
  const verdict = has("bad") ? "bad" : has("untestable") ? "untestable" : "ok";
  return { verdict, ...(why.length === 0 ? {} : { why }) };
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

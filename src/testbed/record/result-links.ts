// SPDX-License-Identifier: MIT
// The table of links in a result: what the experiment asks of each direction between two nodes,
// beside what was measured. Pure.
import { joinShapes } from "../../experiment/link-shape.ts";
import type { Stage, Verdict } from "../../linktest/index.ts";
import type { RunModified } from "../run-event.ts";
import type { ResultLink } from "./result-model.ts";

/** A LAN with more pairs of members than this is listed as a ring: each member to the next. */
export const lanPairsMax = 10_000;

/** Of a link, what a result needs: what is asked of each way. */
type AskedLink = RunModified["links"][number];
type AskedMember = AskedLink["members"][number];

/** The links of an experiment when none of them was shaped or measured. */
export function skippedLinks(links: readonly AskedLink[]): ResultLink[] {
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

/** The links that there were, each way as it is asked for now, with what was measured of that. */
export interface ResultLinks {
  modify(event: RunModified & { readonly atUs: number }): void;
  /** Of two tests the later one counts, stage by stage. */
  test(verdicts: readonly Verdict[]): void;
  /** In the order in which they came, also those that have gone. */
  rows(): readonly ResultLink[];
}

/**
 * What was found before a link was changed or taken away is not of what it is now, but what was
 * bad stays bad until it is tested again: the run had that link.
 *
 * @param links those that the run begins with, none measured
 */
export function createResultLinks(links: readonly ResultLink[]): ResultLinks {
  const rows = new Map(links.map((link) => [nameOf(link.name, link.from, link.to), link]));
  const found = new Map<string, Map<Stage, Verdict>>();
  const outdate = (key: string): void => {
    const stages = found.get(key);
    for (const [stage, verdict] of stages ?? []) {
      if (verdict.verdict !== "bad") stages?.delete(stage);
      else stages?.set(stage, outdated(verdict));
    }
    if (stages?.size === 0) found.delete(key);
  };
  return {
    modify({ atUs, links: now, linksRemoved }) {
      const gone = new Set([...linksRemoved, ...now.map(({ name }) => name)]);
      // Of a LAN also the ways of a member that has left.
      for (const [key, row] of rows) {
        if (!gone.has(row.name) || row.removedUs !== undefined) continue;
        rows.set(key, { ...row, removedUs: atUs });
      }
      for (const link of skippedLinks(now)) {
        const key = nameOf(link.name, link.from, link.to);
        outdate(key);
        rows.set(key, link);
      }
    },
    test(verdicts) {
      for (const verdict of verdicts) {
        if (verdict.stage === "routing") continue;
        const key = nameOf(verdict.edge.link, verdict.edge.from, verdict.edge.to);
        const stages = found.get(key) ?? new Map<Stage, Verdict>();
        found.set(key, stages.set(verdict.stage, verdict));
      }
    },
    rows() {
      return [...rows.values()].map((link) => {
        const stages = found.get(nameOf(link.name, link.from, link.to));
        if (stages === undefined) return link;
        const back = found.get(nameOf(link.name, link.to, link.from));
        const verdicts = [...stages.values()];
        const now = { ...judged(verdicts), measured: measured(stages, back) };
        return { ...link, ...lastAsked(verdicts), ...now };
      });
    },
  };
}

/** What events and users made of a link is what it was tested for. */
function lastAsked(verdicts: readonly Verdict[]): Partial<Pick<ResultLink, "asked">> {
  const edge = verdicts.at(-1)?.edge;
  if (edge === undefined || !("isChanged" in edge)) return {};
  const { bandwidthBps, delayMs, loss } = edge;
  return { asked: { bandwidthBps, delayUs: Math.round(delayMs * 1_000), loss } };
}

const beforeChange = "before it was changed, ";

function outdated(verdict: Verdict): Verdict {
  if (verdict.why.startsWith(beforeChange)) return verdict;
  return { ...verdict, measured: null, why: beforeChange + verdict.why };
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

/** Why it is that: what could not be told of a bad one makes it no worse. */
function judged(verdicts: readonly Verdict[]): Pick<ResultLink, "verdict" | "why"> {
  const has = (wanted: Verdict["verdict"]): boolean =>
    verdicts.some(({ verdict }) => verdict === wanted);
  const verdict = has("bad") ? "bad" : has("untestable") ? "untestable" : "ok";
  const telling = verdicts.filter((one) => one.verdict === verdict && one.why !== "");
  const why = telling.map((one) => `${one.stage}: ${one.why}`);
  return { verdict, ...(why.length === 0 ? {} : { why }) };
}

function memberPairs(members: readonly AskedMember[]): (readonly [AskedMember, AskedMember])[] {
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
function asked(from: AskedMember, to: AskedMember): ResultLink["asked"] {
  const { bandwidthBps, delayUs, loss } = joinShapes(from.toLink, to.fromLink);
  // To the digits that are no error of the sum of two losses.
  return { bandwidthBps, delayUs, loss: Number(loss.toPrecision(12)) };
}

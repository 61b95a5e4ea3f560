// SPDX-License-Identifier: MIT
// The open barriers of a scope for those who ask: one by its name, all, or a page. A scope may hold
// 10,000 barriers with a hundred names each, 30 MB of text, so that whoever asks from outside gets
// pages.
//
//   P1. Pages are in the order of names, then kinds: what is open all the time is in exactly one of
//       them, whatever comes and goes between two requests.
//   P2. A page has one barrier at least, when there is one.

import { describeBarrier } from "./barriers/report.ts";
import type {
  BarrierDescription,
  BarrierPageAsk,
  BarrierPlace,
  ScopeDescription,
} from "./description.ts";
import type { Limits } from "./limits.ts";
import type { Barrier, Scope } from "./scope.ts";

type Barriers = Pick<ScopeDescription, "barriers" | "next">;

/** @param name of one barrier, or of several of different kinds; all when absent. */
export function describeBarriers(scope: Scope, limits: Limits, name?: string): Barriers {
  const { namesInReportMax: max } = limits;
  const barriers: BarrierDescription[] = [];
  for (const barrier of name === undefined ? scope.open() : scope.named(name)) {
    barriers.push(describeBarrier(scope, barrier, max));
  }
  return { barriers };
}

/** P1, P2. */
export function describePage(scope: Scope, limits: Limits, ask: BarrierPageAsk): Barriers {
  const { namesInReportMax, barriersPerPageMax, namesPerPageMax } = limits;
  const { after, max = barriersPerPageMax } = ask;
  const behind: Barrier[] = [];
  for (const barrier of scope.open()) {
    if (after === undefined || compare(barrier, after) > 0) behind.push(barrier);
  }
  behind.sort(compare);
  const countMax = Math.min(max, barriersPerPageMax);
  const barriers: BarrierDescription[] = [];
  let names = 0;
  for (const barrier of behind) {
    const { name, kind } = barriers.at(-1) ?? {};
    if (name !== undefined && kind !== undefined) {
      if (barriers.length >= countMax || names >= namesPerPageMax) {
        return { barriers, next: { name, kind } };
      }
    }
    const described = describeBarrier(scope, barrier, namesInReportMax);
    barriers.push(described);
    names += namesIn(described);
  }
  return { barriers };
}

function compare(a: BarrierPlace, b: BarrierPlace): number {
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  if (a.kind === b.kind) return 0;
  return a.kind < b.kind ? -1 : 1;
}

/** Entries of its lists, each of which costs as much as a barrier that nobody waits at. */
function namesIn({ waiting, missing, roster, quorum, state }: BarrierDescription): number {
  const lists = [waiting, missing, roster?.arrived, roster?.missing, roster?.dead];
  const all = [...lists, quorum?.controllers, state?.targets];
  return all.reduce((sum, list) => sum + (list?.length ?? 0), 0);
}

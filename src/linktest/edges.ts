// SPDX-License-Identifier: MIT
// The directions that are tested, their pairs, and in which passes: the same from the same map on
// whatever node it is computed. [LINKTEST 4]
//
//   P1. In a pass no node is in two pairs, so that no probe disturbs another one at its ends.
//   P2. Every pair of directions is in exactly one pass. Directions without a way back are told
//       apart, never left out in silence. [LINKTEST 11]
import type { LinktestEdge } from "../wire/tmcd/maps.ts";

export type { EdgeSince, LinktestEdge, LinktestMap } from "../wire/tmcd/maps.ts";

/** Both directions between two nodes over one link; `there` starts at the lesser name. */
export interface Pair {
  readonly there: LinktestEdge;
  readonly back: LinktestEdge;
}

export interface Pairs {
  readonly pairs: readonly Pair[];
  readonly oneWay: readonly LinktestEdge[];
}

const before = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** By names of the nodes, then of the link: the old order let parallel links keep any. */
export function pairEdges(edges: readonly LinktestEdge[]): Pairs {
  const byName = new Map(edges.map((edge) => [nameOf(edge.from, edge.to, edge.link), edge]));
  const pairs: Pair[] = [];
  const oneWay: LinktestEdge[] = [];
  for (const edge of byName.values()) {
    const back = byName.get(nameOf(edge.to, edge.from, edge.link));
    if (back === undefined) oneWay.push(edge);
    else if (before(edge.from, edge.to) < 0) pairs.push({ there: edge, back });
  }
  return { pairs: pairs.sort((a, b) => comparePairs(a, b)), oneWay };
}

function nameOf(from: string, to: string, link: string): string {
  return `${from} ${to} ${link}`;
}

function comparePairs({ there: a }: Pair, { there: b }: Pair): number {
  return before(a.from, b.from) || before(a.to, b.to) || before(a.link, b.link);
}

/** P1, P2. @param atOnceMax pairs of a pass, for a machine that cannot probe more at once */
export function schedulePasses(
  pairs: readonly Pair[],
  atOnceMax: number = Infinity,
): readonly (readonly Pair[])[] {
  let left = pairs;
  const passes: (readonly Pair[])[] = [];
  while (left.length > 0) {
    const busy = new Set<string>();
    const taken: Pair[] = [];
    const later: Pair[] = [];
    for (const pair of left) {
      const { from, to } = pair.there;
      if (taken.length >= atOnceMax || busy.has(from) || busy.has(to)) later.push(pair);
      else {
        busy.add(from).add(to);
        taken.push(pair);
      }
    }
    passes.push(taken);
    left = later;
  }
  return passes;
}

/**
 * Where all members of a LAN are shaped alike, disjoint pairs are enough for what loads a link:
 * each member sends and receives once. An odd one is paired with the first. [LINKTEST 4]
 */
export function oncePerMember(pairs: readonly Pair[]): readonly Pair[] {
  const byLink = new Map<string, Pair[]>();
  for (const pair of pairs) {
    const list = byLink.get(pair.there.link) ?? [];
    list.push(pair);
    byLink.set(pair.there.link, list);
  }
  return [...byLink.values()].flatMap((lan) => (isSymmetric(lan) ? partners(lan) : lan));
}

function isSymmetric(lan: readonly Pair[]): boolean {
  const [first] = lan;
  if (first === undefined) return true;
  return lan.every(({ there, back }) => isAlike(there, first.there) && isAlike(back, first.there));
}

function isAlike(a: LinktestEdge, b: LinktestEdge): boolean {
  const same = a.bandwidthBps === b.bandwidthBps && a.delayMs === b.delayMs;
  const extras = a.jitterMs === b.jitterMs && a.reorder === b.reorder;
  return same && extras && a.duplicate === b.duplicate && a.loss === b.loss && a.queue === b.queue;
}

function partners(lan: readonly Pair[]): readonly Pair[] {
  const members = [...new Set(lan.flatMap(({ there }) => [there.from, there.to]))].sort(before);
  if (members.length % 2 === 1 && members[0] !== undefined) members.push(members[0]);
  const wanted = new Set<string>();
  for (let at = 0; at + 1 < members.length; at += 2) {
    const [a = "", b = ""] = [members[at], members[at + 1]].sort();
    wanted.add(`${a} ${b}`);
  }
  return lan.filter(({ there }) => wanted.has(`${there.from} ${there.to}`));
}

/** A node that another one reaches over at least one more, and the name to call it by. */
export interface Route {
  readonly from: string;
  readonly to: string;
  /** Link of the last hop: `to` is called by its address there. */
  readonly link: string;
}

/** Each node's ways to all nodes that are not its neighbours, by shortest paths. */
export function farRoutes(nodes: readonly string[], edges: readonly LinktestEdge[]): Route[] {
  const out = new Map<string, LinktestEdge[]>();
  for (const edge of [...edges].sort((a, b) => before(a.to, b.to) || before(a.link, b.link))) {
    const list = out.get(edge.from) ?? [];
    list.push(edge);
    out.set(edge.from, list);
  }
  return [...nodes].sort(before).flatMap((from) => routesFrom(from, out));
}

function routesFrom(from: string, out: ReadonlyMap<string, readonly LinktestEdge[]>): Route[] {
  const seen = new Set([from]);
  const routes: Route[] = [];
  let ring: readonly string[] = [from];
  for (let hops = 1; ring.length > 0; hops += 1) {
    const next: string[] = [];
    for (const { to, link } of ring.flatMap((node) => out.get(node) ?? [])) {
      if (seen.has(to)) continue;
      seen.add(to);
      next.push(to);
      if (hops > 1) routes.push({ from, to, link });
    }
    ring = next;
  }
  return routes;
}

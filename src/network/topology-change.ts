// SPDX-License-Identifier: MIT
// What it takes to make the network of a run that is under way another one. Pure.
//
//   X1. An end that is in both, at the same place with the same name, address and MAC, keeps its
//       interface; a link of which one end does not is made anew, whole. A LAN whose ends are kept
//       and that others join, behind them, grows: what is in it stays there.
//   X2. Numbers of ends are given once in a run: what is on its way to an end that has gone comes
//       to nobody.
import type { Route } from "./routes.ts";
import type { PlannedInterface, PlannedNode, Topology } from "./topology.ts";

export interface TopologyChange {
  /** As it is to be, with the numbers of the ends that stay. */
  readonly topology: Topology;
  /** Links that go, of the topology that is, and links that are made, of the one that is to be. */
  readonly gone: readonly string[];
  readonly made: readonly string[];
  /** LANs that are in both and get more ends: so many are kept, which come first. */
  readonly grown: readonly GrownLan[];
  /** Of nodes that are in both, and for which something is to be done besides their interfaces. */
  readonly nodes: readonly NodeRouteChange[];
}

export interface GrownLan {
  readonly link: string;
  readonly kept: number;
}

export interface NodeRouteChange {
  readonly name: string;
  readonly routesGone: readonly Route[];
  readonly routesNew: readonly Route[];
  /** Left out: as before. */
  readonly forwards?: boolean;
}

export interface ChangeOptions {
  /** Numbers below it have been given in this run. */
  readonly slotsUsed: number;
  /** Whether it is a LAN in both, and can get more ends; left out: none can. */
  readonly mayGrow?: (link: string) => boolean;
}

export function changeTopology(
  before: Topology,
  after: Topology,
  { slotsUsed, mayGrow = () => false }: ChangeOptions,
): TopologyChange {
  const [was, is] = [endsByLink(before), endsByLink(after)];
  const grown = [...is].flatMap(([link, ends]): readonly GrownLan[] => {
    const kept = was.get(link)?.size ?? 0;
    const grows = kept > 0 && kept < ends.size && mayGrow(link) && beginAlike(was.get(link), ends);
    return grows ? [{ link, kept }] : [];
  });
  const grownNames = grown.map(({ link }) => link);
  const kept = new Set([
    ...[...is].flatMap(([link, ends]) => (sayTheSame(was.get(link), ends) ? [link] : [])),
    ...grownNames,
  ]);
  const slots = new Map<number, number>();
  let next = slotsUsed;
  for (const [link, ends] of is) {
    for (const [key, end] of ends) {
      const old = kept.has(link) ? was.get(link)?.get(key) : undefined;
      slots.set(end.slot, old?.slot ?? next);
      if (old === undefined) next += 1;
    }
  }
  const nodes = new Map(
    [...after.nodes].map(([name, node]) => [name, withSlots(node, slots)] as const),
  );
  return {
    topology: { ...after, nodes },
    gone: [...was.keys()].filter((link) => !kept.has(link)),
    made: [...is.keys()].filter((link) => !kept.has(link)),
    grown,
    nodes: [...nodes.values()].flatMap((node) => routeChange(before.nodes.get(node.name), node)),
  };
}

/** One more than the highest number of an end. */
export function slotsOf({ nodes }: Topology): number {
  const slots = [...nodes.values()].flatMap(({ interfaces }) => interfaces.map(({ slot }) => slot));
  return slots.reduce((most, slot) => Math.max(most, slot + 1), 0);
}

type Ends = ReadonlyMap<string, PlannedInterface>;

/** Ends by node and port, links in the order of their numbers. */
function endsByLink({ nodes }: Topology): ReadonlyMap<string, Ends> {
  const all = [...nodes.values()].flatMap(({ name, interfaces }) =>
    interfaces.map((end) => ({ key: `${name} ${end.port}`, end })),
  );
  const links = new Map<string, Map<string, PlannedInterface>>();
  for (const { key, end } of all.sort((a, b) => a.end.slot - b.end.slot)) {
    const ends = links.get(end.link) ?? new Map<string, PlannedInterface>();
    links.set(end.link, ends.set(key, end));
  }
  return links;
}

/** X1. */
function sayTheSame(was: Ends | undefined, is: Ends): boolean {
  return was?.size === is.size && beginAlike(was, is);
}

/** All ends that were there are the first ones of those that are to be. */
function beginAlike(was: Ends | undefined, is: Ends): boolean {
  if (was === undefined) return false;
  const [left, right] = [[...was], [...is]];
  return left.every(([key, a], at) => {
    const [otherKey, b] = right[at] ?? ["", undefined];
    if (key !== otherKey || b === undefined) return false;
    return identityOf(a) === identityOf(b);
  });
}

function identityOf({ name, mac, address, prefix }: PlannedInterface): string {
  return [name, mac, address, prefix].join(" ");
}

function withSlots(node: PlannedNode, slots: ReadonlyMap<number, number>): PlannedNode {
  const interfaces = node.interfaces.map((end) => ({
    ...end,
    slot: slots.get(end.slot) ?? end.slot,
  }));
  return { ...node, interfaces };
}

function routeChange(was: PlannedNode | undefined, is: PlannedNode): readonly NodeRouteChange[] {
  const [old, now] = [was?.routes ?? [], is.routes];
  const isIn = (all: readonly Route[]) => (one: Route) =>
    all.some(({ destination, via }) => destination === one.destination && via === one.via);
  const to = new Set(now.map(({ destination }) => destination));
  // One to the same place is replaced by it.
  const routesGone = old.filter((one) => !to.has(one.destination));
  const routesNew = now.filter((one) => !isIn(old)(one));
  const isOther = (was?.forwards ?? false) !== is.forwards;
  if (routesGone.length === 0 && routesNew.length === 0 && !isOther) return [];
  const forwards = isOther ? { forwards: is.forwards } : {};
  return [{ name: is.name, routesGone, routesNew, ...forwards }];
}

// SPDX-License-Identifier: MIT
// Which node is on which host. Nodes that a link joins stay together where that can be, and always
// where the link may not go between hosts; a node that the file fixes is where it says; a type goes
// to hosts that have it; the rest is spread by what hosts have room for. Of links that may go
// between hosts those do that the path between can most likely carry: it is known only later, and a
// link that is shorter or faster than it is refused. Pure.
//
//   P1. The same nodes and hosts give the same placement.
//   P2. No host has more nodes than its capacity, and all nodes are placed or none.
//   P3. Nodes are kept together by the shortest links first, by the faster of equal ones, as far as
//       they fit a host; where that leaves no room for others, by fewer of them.
import { assert } from "../../core/assert.ts";
import type { Link } from "../../experiment/model.ts";
import { type DirectionShape, shapeLink } from "../../network/model.ts";
import { spareUs } from "./crossing-lan.ts";

export interface PlacedHost {
  readonly name: string;
  /** Nodes it has room for, at least 1. */
  readonly capacity: number;
  /** Types of nodes it is for; none: any. */
  readonly types: readonly string[];
}

export interface PlacedNode {
  readonly name: string;
  readonly type: string;
  /** Host that the file names; `""` for none. */
  readonly fixed: string;
}

export interface JoiningLink {
  readonly name: string;
  readonly nodes: readonly string[];
  /** Its nodes may be on two hosts, where they do not fit one. */
  readonly mayCross?: boolean;
  /** From one of its nodes to another, where that is shortest; left out, 0. */
  readonly delayUs?: number;
  /** Where it is fastest, bits per second; left out, without limit. */
  readonly rateBps?: number;
}

/** Node -> host, in the order of the nodes. */
export type Placement = ReadonlyMap<string, string>;

/** @returns the placement, or why there is none and what to do, as a sentence. */
export function placeNodes(
  nodes: readonly PlacedNode[],
  links: readonly JoiningLink[],
  hosts: readonly PlacedHost[],
): Placement | string {
  const unknown = nodes.find(({ fixed }) => fixed !== "" && !hosts.some(isNamed(fixed)));
  if (unknown !== undefined) {
    const names = hosts.map(({ name }) => name).join(", ");
    return `${unknown.name} is fixed to ${unknown.fixed}, which is not among ${names}; add it to --on, or do not fix it`;
  }
  const together = placeTogether(nodes, links, { hosts, near: [] });
  const near = links.filter(({ mayCross }) => mayCross === true).sort(byNeedOfHost);
  if (typeof together !== "string" || near.length === 0) return together;
  const bound = links.filter(({ mayCross }) => mayCross !== true);
  // P3. As many as fit, then among half as many, until none is kept for its own sake.
  for (let kept = near.length; kept > 0; kept = Math.trunc(kept / 2)) {
    const joined = keepTogether(nodes, bound, { hosts, near: near.slice(0, kept) });
    const placement = placeTogether(nodes, joined, { hosts, near });
    if (typeof placement !== "string") return placement;
  }
  return placeTogether(nodes, bound, { hosts, near });
}

/** The shortest first, and the faster of those that are equally long. */
function byNeedOfHost(a: JoiningLink, b: JoiningLink): number {
  const [delayA, delayB] = [a.delayUs ?? 0, b.delayUs ?? 0];
  if (delayA !== delayB) return delayA - delayB;
  const [rateA, rateB] = [a.rateBps ?? Infinity, b.rateBps ?? Infinity];
  return rateA === rateB ? 0 : rateA > rateB ? -1 : 1;
}

/** Also each link whose nodes, with those that they are kept with, fit a host. */
function keepTogether(
  nodes: readonly PlacedNode[],
  bound: readonly JoiningLink[],
  { hosts, near }: Places,
): readonly JoiningLink[] {
  const groupOf = new Map<string, Group>();
  const join = (group: Group): void => {
    for (const { name } of group) groupOf.set(name, group);
  };
  for (const group of groupNodes(nodes, bound)) join(group);
  const kept = near.filter((link) => {
    const group = [...new Set(link.nodes.map((name) => groupOf.get(name) ?? []))].flat();
    const fits = hostsFor(group, hosts).some(({ capacity }) => group.length <= capacity);
    if (isTorn(group) || !fits) return false;
    join(group);
    return true;
  });
  return [...bound, ...kept];
}

const isTorn = (group: Group): boolean =>
  new Set(group.map(({ fixed }) => fixed).filter((host) => host !== "")).size > 1;

interface Places {
  readonly hosts: readonly PlacedHost[];
  /** Links whose nodes had better be together. */
  readonly near: readonly JoiningLink[];
}

function placeTogether(
  nodes: readonly PlacedNode[],
  links: readonly JoiningLink[],
  { hosts, near }: Places,
): Placement | string {
  const torn = tornLink(nodes, links);
  if (torn !== undefined) return torn;
  const used = new Map(hosts.map(({ name }) => [name, 0]));
  const placed = new Map<string, string>();
  // Fixed ones first, then the largest: what is small fits in between.
  const groups = groupNodes(nodes, links);
  const order = [...groups.filter(isFixed), ...groups.filter((one) => !isFixed(one)).sort(bySize)];
  const left: Group[] = [];
  for (const group of order) {
    const beside = (host: string): number =>
      countBeside(group, near, (name) => placed.get(name) === host);
    const host = chooseHost(group, hosts, { used, beside });
    if (typeof host === "string") return host;
    if (host === undefined) {
      left.push(group);
      continue;
    }
    used.set(host.name, (used.get(host.name) ?? 0) + group.length);
    for (const { name } of group) placed.set(name, host.name);
  }
  if (left.length > 0) return noRoom(left, hosts, used);
  return new Map(nodes.map(({ name }) => [name, hostOf(placed, name)]));
}

function hostOf(placed: ReadonlyMap<string, string>, name: string): string {
  const host = placed.get(name);
  assert(host !== undefined, "P2: every node is in a group, and every group is placed");
  return host;
}

type Group = readonly PlacedNode[];

const isNamed =
  (wanted: string) =>
  ({ name }: PlacedHost): boolean =>
    name === wanted;
const isFixed = (group: Group): boolean => group.some(({ fixed }) => fixed !== "");
const bySize = (a: Group, b: Group): number => b.length - a.length;

/** A link whose nodes, or the nodes joined to them, are fixed to two hosts. */
function tornLink(nodes: readonly PlacedNode[], links: readonly JoiningLink[]): string | undefined {
  const joining: JoiningLink[] = [];
  for (const link of links) {
    joining.push(link);
    const group = groupNodes(nodes, joining).find(isTorn);
    const [a, b] = group === undefined ? [] : twoHosts(group);
    if (a === undefined || b === undefined) continue;
    return (
      `${link.name} would join ${a.name} on ${a.fixed} with ${b.name} on ${b.fixed}: ` +
      `${whatCrosses}; fix both to one host, or take the link away`
    );
  }
  return undefined;
}

const whatCrosses = "links go between hosts with --nodes netns only";

/** Links of a group to nodes that are somewhere. */
function countBeside(
  group: Group,
  near: readonly JoiningLink[],
  isThere: (name: string) => boolean,
): number {
  const own = new Set(group.map(({ name }) => name));
  return near.filter(
    ({ nodes }) =>
      nodes.some((name) => own.has(name)) && nodes.some((name) => !own.has(name) && isThere(name)),
  ).length;
}

function twoHosts(group: Group): readonly [PlacedNode | undefined, PlacedNode | undefined] {
  const first = group.find(({ fixed }) => fixed !== "");
  return [first, group.find(({ fixed }) => fixed !== "" && fixed !== first?.fixed)];
}

/** Nodes that links join, directly or by others, in the order of the first of each. */
function groupNodes(nodes: readonly PlacedNode[], links: readonly JoiningLink[]): Group[] {
  const groupOf = new Map(nodes.map((node) => [node.name, [node]]));
  for (const link of links) {
    const [first, ...others] = link.nodes;
    const group = groupOf.get(first ?? "");
    for (const other of others) {
      const joined = groupOf.get(other);
      if (group === undefined || joined === undefined || joined === group) continue;
      group.push(...joined);
      for (const { name } of joined) groupOf.set(name, group);
    }
  }
  return [...new Set(groupOf.values())];
}

/** The one to which the file fixes the group, or all. */
function allowedFor(group: Group, hosts: readonly PlacedHost[]): readonly PlacedHost[] {
  const fixed = group.find((node) => node.fixed !== "")?.fixed;
  return hosts.filter((host) => fixed === undefined || host.name === fixed);
}

/** Hosts on which the group may be, whatever room they have. */
function hostsFor(group: Group, hosts: readonly PlacedHost[]): readonly PlacedHost[] {
  return allowedFor(group, hosts).filter((host) => group.every((node) => takes(host, node)));
}

/** @returns why no host takes it, or undefined when none of those has the room */
function chooseHost(
  group: Group,
  hosts: readonly PlacedHost[],
  so: {
    readonly used: ReadonlyMap<string, number>;
    /** Links to nodes that are on a host already. */
    readonly beside: (host: string) => number;
  },
): PlacedHost | string | undefined {
  const { used, beside } = so;
  const fitting = hostsFor(group, hosts);
  if (fitting.length === 0) return noType(group, allowedFor(group, hosts));
  const load = ({ name }: PlacedHost): number => (used.get(name) ?? 0) + group.length;
  const [first, ...others] = fitting.filter((host) => load(host) <= host.capacity);
  if (first === undefined) return undefined;
  // By fractions of the capacity, without dividing; the first of equals.
  return others.reduce((best, host) => {
    const more = beside(host.name) - beside(best.name);
    if (more !== 0) return more > 0 ? host : best;
    return load(host) * best.capacity < load(best) * host.capacity ? host : best;
  }, first);
}

/** A node whose type is nothing particular fits everywhere. */
function takes({ types }: PlacedHost, { type }: PlacedNode): boolean {
  return types.length === 0 || type === anyType || types.includes(type);
}

/** The type of nodes for which the file asks for none. */
const anyType = "pc";

function noType(group: Group, hosts: readonly PlacedHost[]): string {
  const node = group.find((one) => !hosts.some((host) => takes(host, one))) ?? group[0];
  const has = hosts.map(({ name, types }) => `${name} has ${types.join(" and ")}`).join(", ");
  const what = group.length === 1 ? node?.name : `${namesOf(group)}, which links join,`;
  return `no host takes ${what}: ${node?.name} is of type ${node?.type}, and ${has}; say --on HOST:N=${node?.type}`;
}

/** @param groups all that are left over when what fits is placed */
function noRoom(
  groups: readonly Group[],
  hosts: readonly PlacedHost[],
  used: ReadonlyMap<string, number>,
): string {
  const fitting = groups.map((group) => hostsFor(group, hosts));
  const left = hosts
    .filter((host) => fitting.some((some) => some.includes(host)))
    .map(({ name, capacity }) => `${name} has ${capacity - (used.get(name) ?? 0)} of ${capacity}`)
    .join(", ");
  const names = groups.slice(0, shownMax).map((group) => {
    return group.length === 1 ? namesOf(group) : `${namesOf(group)}, which links join`;
  });
  const rest = groups.slice(shownMax).flat().length;
  const all = [...names, ...(rest > 0 ? [`${rest} more`] : [])];
  const listed = all.length < 2 ? all.join("") : `${all.slice(0, -1).join(", ")} and ${all.at(-1)}`;
  const together = groups.some((group) => group.length > 1) ? `: ${whatCrosses}` : "";
  return `there is no room for ${listed}${together}; ${left} left; name more hosts, or more room (--on HOST:N)`;
}

const shownMax = 8;

function namesOf(group: Group): string {
  const names = group.slice(0, shownMax).map(({ name }) => name);
  const rest = group.length - names.length;
  return rest > 0 ? `${names.join(", ")} and ${rest} more` : names.join(", ");
}

/** @param mayCross its nodes may be on two hosts */
export function joiningLink(link: Link, mayCross: boolean): JoiningLink {
  const { name, members } = shapeLink(link);
  const nodes = members.map(({ node }) => node);
  const ups = members.map(({ up }) => up);
  const downs = members.flatMap(({ down }) => (down === undefined ? [] : [down]));
  const rates = [ups, downs].filter((ways) => ways.length > 0).map(fastestOf);
  const delayUs = shortestOf(ups) + shortestOf(downs);
  return { name, nodes, mayCross, delayUs, rateBps: Math.min(...rates) };
}

/** Without what jitter may take off; 0 of none. */
function shortestOf(ways: readonly DirectionShape[]): number {
  return ways.reduce((least, way) => Math.min(least, spareUs(way)), ways.length > 0 ? Infinity : 0);
}

function fastestOf(ways: readonly DirectionShape[]): number {
  return ways.reduce((most, { bandwidthBps }) => Math.max(most, bandwidthBps || Infinity), 0);
}

/** Host after host with its nodes, for people. */
export function describePlacement(placement: Placement): string {
  const byHost = new Map<string, string[]>();
  for (const [node, host] of placement) byHost.set(host, [...(byHost.get(host) ?? []), node]);
  return [...byHost]
    .map(([host, nodes]) => {
      const rest = nodes.length - shownMax;
      const more = rest > 0 ? ` and ${rest} more` : "";
      return `${host}: ${nodes.slice(0, shownMax).join(", ")}${more}`;
    })
    .join("; ");
}

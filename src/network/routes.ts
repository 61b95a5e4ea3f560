// SPDX-License-Identifier: MIT
// Routes of an experiment: computed shortest paths, or what the file gives. Pure.
//
//   R1. The same network gives the same routes: of paths of equal cost the one that is found first
//       wins, in the order of the file.
//   R2. A node has no route to what it is attached to; no route leads through a node that does not
//       forward.
import { formatSubnet, type Subnet, subnetOf } from "./ipv4.ts";

export interface RoutedLink {
  readonly name: string;
  readonly netmask: string;
  /** What passing it costs; at least 1. */
  readonly cost: number;
  /** Ends that have an address. */
  readonly members: readonly { readonly node: string; readonly address: string }[];
}

export interface Route {
  /** `10.1.2.0/24`, or an address alone. */
  readonly destination: string;
  readonly via: string;
}

interface Reached {
  readonly cost: number;
  /** Address of the neighbour that the way begins with; undefined for the node itself. */
  readonly via: string | undefined;
}

/**
 * Routes of each node to every subnet that it is not attached to, by least cost.
 * @param forwards nodes that pass on what is not theirs
 */
export function computeRoutes(
  nodes: readonly string[],
  links: readonly RoutedLink[],
  forwards: (node: string) => boolean,
): ReadonlyMap<string, readonly Route[]> {
  const attached = new Map<string, RoutedLink[]>(nodes.map((node) => [node, []]));
  for (const link of links) for (const { node } of link.members) attached.get(node)?.push(link);
  const subnets = new Map(links.map((link) => [link, linkSubnet(link)]));
  return new Map(
    nodes.map((node) => {
      const own = new Set(attached.get(node));
      if (own.size === 0) return [node, []];
      const reached = reach(node, attached, forwards);
      const known = new Set([...own].map((link) => destinationOf(subnets.get(link))));
      const routes: Route[] = [];
      for (const link of links) {
        const destination = destinationOf(subnets.get(link));
        if (destination === undefined || known.has(destination)) continue;
        const via = nearest(link, reached)?.via;
        if (via === undefined) continue;
        known.add(destination);
        routes.push({ destination, via });
      }
      return [node, routes];
    }),
  );
}

function linkSubnet({ members, netmask }: RoutedLink): Subnet | undefined {
  const [first] = members;
  return first === undefined ? undefined : subnetOf(first.address, netmask);
}

function destinationOf(subnet: Subnet | undefined): string | undefined {
  return subnet === undefined ? undefined : formatSubnet(subnet);
}

function nearest(
  { members }: RoutedLink,
  reached: ReadonlyMap<string, Reached>,
): Reached | undefined {
  let best: Reached | undefined;
  for (const { node } of members) {
    const found = reached.get(node);
    if (found !== undefined && (best === undefined || found.cost < best.cost)) best = found;
  }
  return best;
}

/** Dijkstra's search; costs are small integers, so that a bucket for each cost is the queue. */
function reach(
  start: string,
  attached: ReadonlyMap<string, readonly RoutedLink[]>,
  forwards: (node: string) => boolean,
): ReadonlyMap<string, Reached> {
  const reached = new Map<string, Reached>();
  const passed = new Set<RoutedLink>();
  const buckets = new Map<number, { node: string; via: string | undefined }[]>([
    [0, [{ node: start, via: undefined }]],
  ]);
  for (let cost = 0; buckets.size > 0; cost += 1) {
    // In order of their coming (R1); none is added to the present one, since links cost 1 or more.
    for (const { node, via } of buckets.get(cost) ?? []) {
      if (reached.has(node)) continue;
      reached.set(node, { cost, via });
      if (node !== start && !forwards(node)) continue;
      for (const link of attached.get(node) ?? []) {
        if (passed.has(link)) continue;
        passed.add(link);
        const next = cost + Math.max(1, Math.trunc(link.cost));
        const bucket = buckets.get(next) ?? [];
        for (const member of link.members) {
          if (member.node !== node) bucket.push({ node: member.node, via: via ?? member.address });
        }
        buckets.set(next, bucket);
      }
    }
    buckets.delete(cost);
  }
  return reached;
}

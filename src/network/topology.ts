// SPDX-License-Identifier: MIT
// The network of an experiment as interfaces of its nodes: names, addresses, neighbours, routes.
// Pure; what cannot be is a sentence for the user. Who makes the interfaces is a link back end.
import type { Experiment, Link, LinkMember, Routing } from "../experiment/model.ts";
import { formatSubnet, overlap, prefixLength, type Subnet, subnetOf } from "./ipv4.ts";
import { linkMac, withColons } from "./mac.ts";
import { computeRoutes, type Route, type RoutedLink } from "./routes.ts";
import type { TopologyLimits } from "./topology-limits.ts";

/** The control network's interface in every node. */
export const controlInterface = "eth0";

export interface PlannedInterface {
  readonly link: string;
  readonly port: number;
  /** `eth1`, ... in the order of the ports. */
  readonly name: string;
  readonly mac: string;
  /** `""` for an end without one. */
  readonly address: string;
  readonly prefix: number;
  /** The other ends of its link. */
  readonly neighbours: readonly { readonly address: string; readonly mac: string }[];
  /** Unique in the run. */
  readonly slot: number;
}

export interface PlannedNode {
  readonly name: string;
  /** In the order of ports. */
  readonly interfaces: readonly PlannedInterface[];
  readonly routes: readonly Route[];
  readonly forwards: boolean;
}

export interface Topology {
  readonly nodes: ReadonlyMap<string, PlannedNode>;
  readonly subnets: readonly Subnet[];
}

export interface TopologyInput {
  readonly experiment: Pick<Experiment, "nodes" | "links">;
  readonly routing: Routing | "none";
  /** Routes that the file gives a node. */
  readonly givenRoutes: (node: string) => readonly Route[];
  readonly limits: TopologyLimits;
}

/** @returns what is to be, or why it cannot be. */
export function planTopology(input: TopologyInput): Topology | string {
  const { experiment, limits, routing } = input;
  const fault = findSizeFault(experiment, limits) ?? addressRefusal(experiment.links);
  if (fault !== undefined) return fault;
  const ends = planEnds(experiment);
  const forwards = (node: string): boolean =>
    routing !== "none" && (ends.get(node)?.length ?? 0) > 1;
  const computed = computeRoutes(
    experiment.nodes.map(({ name }) => name),
    experiment.links.map(routed),
    forwards,
  );
  const isComputed = routing !== "none" && routing !== "manual";
  let routeCount = 0;
  const nodes = new Map<string, PlannedNode>();
  for (const { name } of experiment.nodes) {
    const given = input.givenRoutes(name);
    const own = new Set(given.map(({ destination }) => destination));
    const more = isComputed ? (computed.get(name) ?? []) : [];
    const routes = [...given, ...more.filter(({ destination }) => !own.has(destination))];
    routeCount += routes.length;
    const interfaces = ends.get(name) ?? [];
    const isRouter = forwards(name) || (given.length > 0 && interfaces.length > 1);
    nodes.set(name, { name, interfaces, routes, forwards: isRouter });
  }
  if (routeCount > limits.routesMax) return exceeds("routes", routeCount, "routesMax", limits);
  const subnets = experiment.links.flatMap((link) => subnetOfLink(link) ?? []);
  return { nodes, subnets };
}

function exceeds(
  what: string,
  count: number,
  name: keyof TopologyLimits,
  limits: TopologyLimits,
): string {
  const most = `the most of one machine (limit ${name}: ${limits[name]})`;
  return `the file has ${count} ${what}, more than ${most}; make the network smaller, or use --nodes process`;
}

function findSizeFault(
  { nodes, links }: TopologyInput["experiment"],
  limits: TopologyLimits,
): string | undefined {
  if (nodes.length > limits.nodesMax) return exceeds("nodes", nodes.length, "nodesMax", limits);
  const large = links.find(({ members }) => members.length > limits.lanMembersMax);
  if (large !== undefined) {
    const what = `members of ${large.name}`;
    return exceeds(what, large.members.length, "lanMembersMax", limits);
  }
  const endCount = sum(links.map(({ members }) => members.length));
  if (endCount > limits.endsMax) return exceeds("ends of links", endCount, "endsMax", limits);
  const neighbours = sum(links.map(({ members: { length } }) => length * (length - 1)));
  if (neighbours <= limits.neighboursMax) return undefined;
  return exceeds("neighbours on links", neighbours, "neighboursMax", limits);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Something that a network of the kernel cannot tell apart, or that is no address. */
export interface AddressFault {
  readonly link: Link;
  readonly what: string;
  /** What to do; it begins in lower case. */
  readonly advice: string;
}

/** All there are, in the order of the links; of two links that overlap one. */
export function* findAddressFaults(links: readonly Link[]): Generator<AddressFault, void> {
  const owners = new Map<string, string>();
  const subnetsOfNode = new Map<string, { link: string; subnet: Subnet }[]>();
  const told = new Set<string>();
  for (const link of links) {
    if (prefixLength(link.netmask) === undefined && link.members.some(hasAddress)) {
      const what = `${link.name} has the netmask ${link.netmask}, which is none`;
      yield { link, what, advice: "use one like 255.255.255.0" };
      continue;
    }
    for (const { node, address } of link.members.filter(hasAddress)) {
      const subnet = subnetOf(address, link.netmask);
      if (subnet === undefined) {
        const what = `${node} has ${address} on ${link.name}, which is no address`;
        yield { link, what, advice: "write four numbers, such as 10.0.0.1" };
        continue;
      }
      const owner = owners.get(address);
      if (owner !== undefined) {
        const what = `${owner} and ${node} on ${link.name} both have the address ${address}`;
        yield { link, what, advice: "give one of them another" };
      }
      owners.set(address, owner ?? `${node} on ${link.name}`);
      const known = subnetsOfNode.get(node) ?? [];
      const other = known.find((one) => one.link !== link.name && overlap(one.subnet, subnet));
      const pair = `${other?.link} ${link.name}`;
      if (other !== undefined && !told.has(pair)) {
        told.add(pair);
        const [one, two] = [other.subnet, subnet].map(formatSubnet);
        const what = `${node} is on ${other.link} (${one}) and on ${link.name} (${two}), which overlap`;
        yield { link, what, advice: "give one of them another subnet" };
      }
      subnetsOfNode.set(node, [...known, { link: link.name, subnet }]);
    }
  }
}

function addressRefusal(links: readonly Link[]): string | undefined {
  const fault = findAddressFaults(links).next().value ?? undefined;
  return fault && `${fault.what}; ${fault.advice}`;
}

function hasAddress({ address }: { readonly address: string }): boolean {
  return address !== "";
}

function planEnds({
  nodes,
  links,
}: TopologyInput["experiment"]): ReadonlyMap<string, readonly PlannedInterface[]> {
  const indexes = new Map(nodes.map(({ name }, index) => [name, index]));
  const macOf = ({ node, port }: LinkMember): string =>
    withColons(linkMac(indexes.get(node) ?? 0, port));
  const ends = new Map<string, PlannedInterface[]>(nodes.map(({ name }) => [name, []]));
  let slot = 0;
  for (const link of links) {
    for (const member of link.members) {
      ends.get(member.node)?.push({
        ...{ link: link.name, port: member.port, name: "", slot },
        ...{ mac: macOf(member), address: member.address },
        prefix: prefixLength(link.netmask) ?? 32,
        neighbours: link.members
          .filter((one) => one !== member && hasAddress(one))
          .map((one) => ({ address: one.address, mac: macOf(one) })),
      });
      slot += 1;
    }
  }
  return new Map(
    [...ends].map(([node, list]) => {
      const ordered = list.sort((a, b) => a.port - b.port);
      return [node, ordered.map((end, index) => ({ ...end, name: `eth${index + 1}` }))];
    }),
  );
}

function routed({ name, netmask, cost = 1, members }: Link): RoutedLink {
  return { name, netmask, cost: Math.max(1, cost), members: members.filter(hasAddress) };
}

function subnetOfLink({ netmask, members }: Link): Subnet | undefined {
  const first = members.find(hasAddress);
  return first === undefined ? undefined : subnetOf(first.address, netmask);
}

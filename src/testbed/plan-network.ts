// SPDX-License-Identifier: MIT
// Whether nodes of a run are to have a network of their own, and which: from the experiment as
// read. Pure; what the machine can give is tried by the back end (nodes/node-mode.ts).
import type { Tables } from "../experiment/index.ts";
import type { Experiment, Link } from "../experiment/model.ts";
import { planControlNetwork } from "../network/control-network.ts";
import { formatSubnet, prefixLength, subnetOf } from "../network/ipv4.ts";
import type { NamespaceCommands } from "../network/link-backend.ts";
import type { Route } from "../network/routes.ts";
import { planTopology, type Topology } from "../network/topology.ts";
import { topologyLimits } from "../network/topology-limits.ts";
import type { LinkShaping, NetworkPlan } from "./nodes/index.ts";

/** `own`: a run without it is not wanted; `shared`: this machine's; left out: what is possible. */
export type WantedNetwork = "own" | "shared";

export interface NetworkWish {
  readonly experiment: Pick<Experiment, "nodes" | "links">;
  readonly tables: Tables | undefined;
  readonly wanted: WantedNetwork | undefined;
  readonly shapeLinks: (commands: NamespaceCommands) => LinkShaping;
}

/**
 * @returns the network, why there can be none, or undefined when none is wanted.
 * @throws Error with a sentence when there can be none and it was asked for
 */
export function planNetwork(wish: NetworkWish): NetworkPlan | { refused: string } | undefined {
  const { experiment, wanted, shapeLinks } = wish;
  const isRequired = wanted === "own";
  if (wanted === "shared" || (!isRequired && experiment.links.length === 0)) return undefined;
  const topology = topologyOf(wish);
  const control = typeof topology === "string" ? undefined : planControlNetwork(topology.subnets);
  const refused =
    typeof topology === "string"
      ? topology
      : "the file uses all of 172.16.0.0/12, so that nothing is left for the control network";
  if (typeof topology !== "string" && control !== undefined) {
    const links = experiment.links.map(({ name, kind }) => ({ name, kind }));
    return { topology, control, links, shapeLinks, isRequired };
  }
  if (isRequired) throw new Error(`nodes with a network of their own were asked for: ${refused}`);
  return { refused };
}

function topologyOf({ experiment, tables = {} }: NetworkWish): Topology | string {
  const nodes = new Map((tables["virt_nodes"] ?? []).map((row) => [row["vname"], row]));
  const costs = new Map(
    (tables["virt_lans"] ?? []).map((row) => [row["vname"], Number(row["cost"] ?? 1)]),
  );
  const given = new Map<string, Route[]>();
  for (const row of tables["virt_routes"] ?? []) {
    const { vname = "", nexthop = "", dst = "", dst_type: kind, dst_mask: mask = "" } = row;
    const route = givenRoute({ dst, mask, isNet: kind === "net", nexthop });
    if (route === undefined) {
      return `${vname} has a route to ${dst || "nowhere"} by ${nexthop || "no node beside it"}`;
    }
    given.set(vname, [...(given.get(vname) ?? []), route]);
  }
  const lost = findLostRoute(experiment.links, given);
  if (lost !== undefined) return lost;
  return planTopology({
    experiment,
    limits: topologyLimits,
    routing: (node) => nodes.get(node)?.["routertype"] ?? "none",
    givenRoutes: (node) => given.get(node) ?? [],
    cost: ({ name }: Link) => Math.max(1, costs.get(name) ?? 1),
  });
}

function givenRoute(row: {
  readonly dst: string;
  readonly mask: string;
  readonly isNet: boolean;
  readonly nexthop: string;
}): Route | undefined {
  const { dst, mask, isNet, nexthop: via } = row;
  const subnet = subnetOf(dst, isNet ? mask : "255.255.255.255");
  const length = prefixLength(mask);
  if (subnet === undefined || via === "" || (isNet && length === undefined)) return undefined;
  return { destination: isNet ? formatSubnet(subnet) : dst, via };
}

/** A next hop must be beside the node: the kernel takes no other. */
function findLostRoute(
  links: readonly Link[],
  given: ReadonlyMap<string, readonly Route[]>,
): string | undefined {
  const beside = new Map<string, Set<string>>();
  for (const { members } of links) {
    for (const { node } of members) {
      const known = beside.get(node) ?? new Set();
      for (const member of members) if (member.node !== node) known.add(member.address);
      beside.set(node, known);
    }
  }
  for (const [node, routes] of given) {
    const lost = routes.find(({ via }) => beside.get(node)?.has(via) !== true);
    if (lost !== undefined) {
      return `${node} has a route to ${lost.destination} by ${lost.via}, which is not beside it`;
    }
  }
  return undefined;
}

// SPDX-License-Identifier: MIT
// Whether nodes of a run are to have a network of their own, and which: from the experiment as
// read. Pure; what the machine can give is tried by the back end (nodes/node-mode.ts).
import { errorText } from "../core/text.ts";
import { type RouteAddresses, routeAddresses } from "../experiment/index.ts";
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
  readonly experiment: Pick<Experiment, "nodes" | "links" | "routes" | "routing">;
  readonly wanted: WantedNetwork | undefined;
  readonly shapeLinks: (commands: NamespaceCommands) => LinkShaping;
}

/**
 * @returns the network, or undefined when none is wanted.
 * @throws Error with a sentence when the file has none that can be made: its links are not left
 *   out over it, which is for who says `--nodes process`
 */
export function planNetwork(wish: NetworkWish): NetworkPlan | undefined {
  const { experiment, wanted, shapeLinks } = wish;
  const isRequired = wanted === "own";
  if (wanted === "shared" || (!isRequired && experiment.links.length === 0)) return undefined;
  const topology = topologyOf(wish);
  if (typeof topology === "string") throw new Error(refusal(topology, isRequired));
  const control = planControlNetwork(topology.subnets);
  if (control === undefined) {
    throw new Error(refusal(noControl, isRequired));
  }
  const links = experiment.links.map(({ name, kind }) => ({ name, kind }));
  return { topology, control, links, shapeLinks, isRequired };
}

/** Why the file has no network that can be made, before anything is begun. Pure. */
export function findNetworkFault(wish: Omit<NetworkWish, "shapeLinks">): string | undefined {
  const shapeLinks = (): never => {
    throw new Error("nothing is made of a network that is only looked at");
  };
  try {
    planNetwork({ ...wish, shapeLinks });
    return undefined;
  } catch (error) {
    return errorText(error);
  }
}

function refusal(fault: string, isRequired: boolean): string {
  if (isRequired) return `nodes with a network of their own were asked for: ${fault}`;
  const isSaid = fault.includes("--nodes process");
  return isSaid ? fault : `${fault}, or use --nodes process, which makes no links`;
}

const noControl =
  "the file uses all of 172.16.0.0/12, so that nothing is left for the control network; " +
  "give a link another subnet";

function topologyOf({ experiment }: NetworkWish): Topology | string {
  const given = new Map<string, Route[]>();
  for (const addresses of routeAddresses(experiment)) {
    const { node, destination, nextHop } = addresses;
    const route = givenRoute(addresses);
    if (route === undefined) {
      const what = `a route to ${destination || "nowhere"} by ${nextHop || "no address"}`;
      return `${node} has ${what}; give all ends of its links addresses`;
    }
    given.set(node, [...(given.get(node) ?? []), route]);
  }
  const lost = findLostRoute(experiment.links, given);
  if (lost !== undefined) return lost;
  return planTopology({
    experiment,
    limits: topologyLimits,
    routing: experiment.routing ?? "none",
    givenRoutes: (node) => given.get(node) ?? [],
  });
}

function givenRoute({ kind, destination, netmask, nextHop }: RouteAddresses): Route | undefined {
  const isNet = kind === "net";
  const subnet = subnetOf(destination, isNet ? netmask : "255.255.255.255");
  const length = prefixLength(netmask);
  if (subnet === undefined || nextHop === "" || (isNet && length === undefined)) return undefined;
  return { destination: isNet ? formatSubnet(subnet) : destination, via: nextHop };
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
      return `${node} has a route to ${lost.destination} by ${lost.via}, which is not beside it; name a node that is`;
    }
  }
  return undefined;
}

// SPDX-License-Identifier: MIT
// The traffic of a run: which addresses of its nodes the ends of a flow have.
import type { Experiment, TrafficEnd, TrafficFlow } from "../experiment/model.ts";
import type { Clock } from "../host/clock.ts";
import { TrafficAgent, type TrafficAgentOptions } from "./agents/trafgen/traffic-agent.ts";
import type { Endpoint } from "./agents/trafgen/traffic-messages.ts";
import { wantedEnd } from "./agents/trafgen/wanted-end.ts";
import type { NetworkDoors, NodeBackend } from "./nodes/index.ts";

/** Nothing is opened or started for a file that makes no traffic. */
export function createRunTraffic(
  { traffic = [] }: Experiment,
  backend: NodeBackend,
  clock: Clock,
): TrafficAgent {
  return new TrafficAgent({
    flows: traffic,
    locate: ({ name, protocol, source, sink }) => {
      const [from, to] = [locate(source, backend), locate(sink, backend)];
      if (typeof from === "string") return from;
      if (typeof to === "string") return to;
      const apart = whyApart({ source, sink }, backend);
      return apart === undefined ? { protocol, source: from, sink: to } : `${name}: ${apart}`;
    },
    elsewhere: (node) => backend.nodes.get(node)?.elsewhere?.traffic,
    ...(backend.doors === undefined ? {} : { openEnd: openEndIn(backend.doors) }),
    clock,
  });
}

/** The sockets of a node with a network of its own are opened there. */
function openEndIn(doors: NetworkDoors): NonNullable<TrafficAgentOptions["openEnd"]> {
  return (flow, ends, role) => doors.openSocket(flow[role].node, wantedEnd(ends, role));
}

/** @returns why traffic cannot go between nodes of two hosts that no link joins */
function whyApart(
  { source, sink }: Pick<TrafficFlow, "source" | "sink">,
  { nodes }: NodeBackend,
): string | undefined {
  const [from, to] = [source, sink].map(({ node }) => nodes.get(node)?.elsewhere?.host);
  const { address, node } = sink;
  const isOnLink = nodes.get(node)?.addresses.some(({ experiment, link }) => {
    return link !== "" && experiment === address;
  });
  if (from === to || isOnLink === true) return undefined;
  return `${node} on ${to} is reached from ${source.node} on ${from} by links only, and is on none`;
}

/** The loopback address that stands for the end's own; without one, that of its node. */
function locate({ node, address, port }: TrafficEnd, backend: NodeBackend): Endpoint | string {
  const addresses = backend.nodes.get(node)?.addresses ?? [];
  const own = address === "" ? undefined : addresses.find((one) => one.experiment === address);
  const found = own ?? addresses[0];
  if (found === undefined) return `the node ${node} has no address`;
  return { address: found.loopback, port };
}

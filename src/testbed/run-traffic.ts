// SPDX-License-Identifier: MIT
// The traffic of a run: which addresses of its nodes the ends of a flow have.
import type { Experiment, TrafficEnd } from "../experiment/model.ts";
import type { Clock } from "../host/clock.ts";
import type { WantedSocket } from "../network/gate-messages.ts";
import { TrafficAgent, type TrafficAgentOptions } from "./agents/trafgen/traffic-agent.ts";
import type { Endpoint } from "./agents/trafgen/traffic-messages.ts";
import type { NetworkDoors, NodeBackend } from "./nodes/index.ts";

/** Nothing is opened or started for a file that makes no traffic. */
export function createRunTraffic(
  { traffic = [] }: Experiment,
  backend: NodeBackend,
  clock: Clock,
): TrafficAgent {
  return new TrafficAgent({
    flows: traffic,
    locate: ({ protocol, source, sink }) => {
      const [from, to] = [locate(source, backend), locate(sink, backend)];
      if (typeof from === "string") return from;
      return typeof to === "string" ? to : { protocol, source: from, sink: to };
    },
    ...(backend.doors === undefined ? {} : { openEnd: openEndIn(backend.doors) }),
    clock,
  });
}

/** The sockets of a node with a network of its own are opened there. */
function openEndIn(doors: NetworkDoors): NonNullable<TrafficAgentOptions["openEnd"]> {
  return ({ protocol, ...flow }, { source, sink }, role) => {
    const { port } = role === "source" ? source : sink;
    // The sink is where the file has it. A source is where the way to its sink begins: answers
    // would not find back to the address of another link.
    const address = role === "source" ? "0.0.0.0" : sink.address;
    const kind = protocol === "udp" ? "bare-udp" : "bare-tcp-server";
    const wanted: WantedSocket =
      protocol === "tcp" && role === "source"
        ? { kind: "bare-tcp-client", address, port, peerAddress: sink.address, peerPort: sink.port }
        : { kind, address, port };
    return doors.openSocket(flow[role].node, wanted);
  };
}

/** The loopback address that stands for the end's own; without one, that of its node. */
function locate({ node, address, port }: TrafficEnd, backend: NodeBackend): Endpoint | string {
  const addresses = backend.nodes.get(node)?.addresses ?? [];
  const own = address === "" ? undefined : addresses.find((one) => one.experiment === address);
  const found = own ?? addresses[0];
  if (found === undefined) return `the node ${node} has no address`;
  return { address: found.loopback, port };
}

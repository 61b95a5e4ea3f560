// SPDX-License-Identifier: MIT
// The socket of one end of a flow, in the network of its node, and how an end gets it.
import type { WantedSocket } from "../../../network/gate-messages.ts";
import type { FlowEnds, TrafficOrder, TrafficReply, TrafficRole } from "./traffic-messages.ts";
import type { TrafficSettings } from "./traffic-settings.ts";

export function wantedEnd({ protocol, source, sink }: FlowEnds, role: TrafficRole): WantedSocket {
  const { port } = role === "source" ? source : sink;
  // The sink is where the file has it. A source is where the way to its sink begins: answers would
  // not find back to the address of another link.
  const address = role === "source" ? "0.0.0.0" : sink.address;
  if (protocol === "tcp" && role === "source") {
    const { address: peerAddress, port: peerPort } = sink;
    return { kind: "bare-tcp-client", address, port, peerAddress, peerPort };
  }
  return { kind: protocol === "udp" ? "bare-udp" : "bare-tcp-server", address, port };
}

export interface EndOpening {
  readonly role: TrafficRole;
  readonly ends: FlowEnds;
  readonly settings: TrafficSettings;
  /** Of the thread that has the end. */
  readonly ask: (order: TrafficOrder) => Promise<TrafficReply>;
  readonly openSocket: () => Promise<number>;
}

/** @throws what keeps the socket from being opened */
export async function openWantedEnd(opening: EndOpening): Promise<TrafficReply> {
  const { role, ends, settings, ask, openSocket } = opening;
  // The address must be free: an end that is opened anew gives it back first.
  await ask({ kind: "close" });
  const descriptor = await openSocket();
  const own = { ...ends, [role]: { ...ends[role], descriptor } };
  return await ask({ kind: "open", ends: own, settings });
}

// SPDX-License-Identifier: MIT
// The network that nodes of a run are to have, and what they reach by it.
import type { Socket } from "node:net";
import type { Link } from "../../experiment/model.ts";
import type { ControlNetwork } from "../../network/control-network.ts";
import type { OpenPort } from "../../network/gate.ts";
import type { WantedSocket } from "../../network/gate-messages.ts";
import type { LinkBackend, NamespaceCommands } from "../../network/link-backend.ts";
import type { ShapedLink } from "../../network/model.ts";
import type { ShapedLinks } from "../../network/shaped-links.ts";
import type { Topology } from "../../network/topology.ts";

/** What connects the ends of links. */
export interface LinkShaping {
  readonly backend: LinkBackend;
  /** By link. */
  readonly plans: ReadonlyMap<string, unknown>;
  /** The back end, when its links can be changed. */
  readonly shaped?: ShapedLinks;
}

/** A network as it is to be, for nodes that can have one. */
export interface NetworkPlan {
  readonly topology: Topology;
  readonly control: ControlNetwork;
  readonly links: readonly { readonly name: string; readonly kind: "link" | "lan" }[];
  readonly shapeLinks: (commands: NamespaceCommands) => LinkShaping;
  /** A run without it is not wanted. */
  readonly isRequired: boolean;
}

/** What the network of a run that is under way is to be. Who shapes links stays who it is. */
export interface Relinking {
  readonly network: Pick<NetworkPlan, "topology" | "control" | "links">;
  readonly links: readonly Link[];
  /** By link. */
  readonly shapes: ReadonlyMap<string, ShapedLink>;
}

/** What connects the nodes of a run, wherever they are. */
export interface NodeLinks {
  readonly links: LinkBackend["kind"];
  /** Left out, links are not shaped. */
  readonly shaped?: ShapedLinks | undefined;
  /** Resolves when links are no more what they should be, with a sentence. */
  readonly failed: Promise<string>;
}

/** What nodes with a network of their own reach of the run, and how. */
export interface NetworkDoors extends NodeLinks {
  /** Of the control network. */
  readonly subnet: string;
  readonly commands: NamespaceCommands;
  /** An address of the run's block, or 127.0.0.1, as nodes call it. */
  seen(loopback: string): string;
  /** Lets nodes reach servers that listen on this machine. @throws NetworkError */
  open(ports: readonly OpenPort[]): Promise<void>;
  /** Listens at an abstract UNIX socket within a node. @throws NetworkError */
  listenOn(node: string, path: string, onConnection: (socket: Socket) => void): Promise<void>;
  /** A socket in a node's network, for whoever takes its descriptor. @throws NetworkError */
  openSocket(node: string, wanted: WantedSocket): Promise<number>;
}

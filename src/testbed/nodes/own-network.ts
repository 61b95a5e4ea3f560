// SPDX-License-Identifier: MIT
// The network of nodes that have one of their own: their addresses as they see them, the links
// between them, and the doors by which they reach the servers of the run.
import type { Server, Socket } from "node:net";
import type { Clock } from "../../host/clock.ts";
import { type ControlNetwork, seenByNodes } from "../../network/control-network.ts";
import { Gate, type OpenPort } from "../../network/gate.ts";
import type { WantedSocket } from "../../network/gate-messages.ts";
import type { LinkBackend, NetNamespace } from "../../network/link-backend.ts";
import { RunNamespaceCommands } from "../../network/namespace-commands.ts";
import {
  connectLater,
  connectNodes,
  type NetworkNode,
  type RunNetworkOptions,
  reconnectNodes,
} from "../../network/run-network.ts";
import type { ShapedLinks } from "../../network/shaped-links.ts";
import type { Topology } from "../../network/topology.ts";
import { changeTopology, slotsOf, type TopologyChange } from "../../network/topology-change.ts";
import type { NodeAddresses } from "./addresses.ts";
import type { Namespaces } from "./namespaces.ts";
import type { NetworkDoors, NetworkPlan, Relinking } from "./network-plan.ts";

/** The addresses of a node as it sees them. */
export function seenAddresses(own: NodeAddresses, control: ControlNetwork): NodeAddresses {
  const seen = seenByNodes(control, own.control);
  return {
    control: seen,
    calledAt: own.calledAt,
    all: own.all.map((one) => ({ ...one, loopback: one.link === "" ? seen : one.experiment })),
  };
}

export interface OwnNetworkOptions {
  readonly plan: NetworkPlan;
  readonly namespaces: Namespaces;
  readonly runId: string;
  readonly block: number;
  readonly temporary: string;
  readonly clock: Clock;
  readonly interrupt?: AbortSignal | undefined;
  /** Raw, of nodes that are up. */
  readonly addresses: ReadonlyMap<string, NodeAddresses>;
}

export class OwnNetwork implements NetworkDoors {
  readonly links: LinkBackend["kind"];
  readonly shaped: ShapedLinks | undefined;
  readonly subnet: string;
  readonly commands: RunNamespaceCommands;
  readonly failed: Promise<string>;
  readonly #options: OwnNetworkOptions;
  #network: RunNetworkOptions<unknown>;
  /** Numbers of ends that have been given. */
  #slots: number;
  readonly #gate: Gate;
  readonly #servers: Server[] = [];
  /** Nodes that have had a network: one that comes back finds it again. */
  readonly #connected = new Set<string>();

  constructor(options: OwnNetworkOptions) {
    const { plan, namespaces, runId, block, temporary, clock, interrupt } = options;
    this.#options = options;
    const { keeper: hub, asUser } = namespaces;
    this.commands = new RunNamespaceCommands({ runId, hub, asUser, clock, interrupt });
    const { backend, plans, shaped } = plan.shapeLinks(this.commands);
    const { control, topology, links } = plan;
    const commands = this.commands;
    this.#network = { commands, control, topology, links, backend, plans, temporary };
    this.#slots = slotsOf(topology);
    this.links = backend.kind;
    this.shaped = shaped;
    this.failed = backend.failed;
    this.subnet = control.subnet;
    this.#gate = new Gate({ commands, control, block, clock });
  }

  /** Connects the nodes that the run begins with, and opens the doors. @throws NetworkError */
  async connect(names: readonly string[], ports: readonly OpenPort[]): Promise<void> {
    const nodes = names.map((name) => this.#node(name, this.#options.addresses));
    // The gate's sockets need no address yet.
    await Promise.all([connectNodes(this.#network, nodes), this.#gate.open(ports)]);
    for (const name of names) this.#connected.add(name);
  }

  /** Connects one that came later. @throws NetworkError */
  async add(name: string, addresses: ReadonlyMap<string, NodeAddresses>): Promise<void> {
    if (this.#connected.has(name)) return;
    await connectLater(this.#network, [this.#node(name, addresses)]);
    this.#connected.add(name);
  }

  /** @returns why the network cannot become this one. */
  relinkRefusal({ network, shapes }: Relinking): string | undefined {
    const { control } = this.#options.plan;
    if (network.control.subnet !== control.subnet) {
      return `a link overlaps ${control.subnet}, the control network of the run; give it another subnet`;
    }
    const { gone, made, grown } = this.#changeTo(network);
    const more = grown.map(({ link }) => link);
    const shaped = [...made, ...more].flatMap((name) => shapes.get(name) ?? []);
    return this.shaped?.refusalToMake(shaped, [...gone, ...more]);
  }

  /** @returns the topology that there is then. @throws NetworkError */
  async relink(
    { network, shapes }: Relinking,
    addresses: ReadonlyMap<string, NodeAddresses>,
  ): Promise<Topology> {
    const change = this.#changeTo(network);
    const { topology } = change;
    const before = this.#network;
    const next = { ...before, topology, links: network.links, plans: shapes };
    const nodes = [...this.#connected].map((name) => this.#node(name, addresses));
    this.#slots = Math.max(this.#slots, slotsOf(topology));
    this.#network = next;
    await reconnectNodes({ ...next, before, change }, nodes);
    return topology;
  }

  #changeTo({ topology, links }: Relinking["network"]): TopologyChange {
    const { backend, links: own } = this.#network;
    const isLan = (all: typeof links, link: string): boolean =>
      all.some(({ name, kind }) => name === link && kind === "lan");
    return changeTopology(this.#network.topology, topology, {
      slotsUsed: this.#slots,
      mayGrow: (link) => backend.grow !== undefined && isLan(own, link) && isLan(links, link),
    });
  }

  /** Its network has gone with it. */
  removed(name: string): void {
    this.#connected.delete(name);
  }

  seen(loopback: string): string {
    return seenByNodes(this.#options.plan.control, loopback);
  }

  open(ports: readonly OpenPort[]): Promise<void> {
    return this.#gate.open(ports);
  }

  async listenOn(
    node: string,
    path: string,
    onConnection: (socket: Socket) => void,
  ): Promise<void> {
    const namespace = this.#namespaceOf(node);
    this.#servers.push(await this.#gate.listenIn(namespace, path, onConnection));
  }

  openSocket(node: string, wanted: WantedSocket): Promise<number> {
    return this.#gate.openBare(this.#namespaceOf(node), wanted);
  }

  /** Its namespaces go with the nodes. */
  async stop(): Promise<void> {
    this.#gate.close();
    for (const server of this.#servers) server.close();
    await this.#network.backend.stop();
  }

  #node(name: string, addresses: ReadonlyMap<string, NodeAddresses>): NetworkNode {
    const controlAddress = addresses.get(name)?.control ?? "";
    return { name, namespace: this.#namespaceOf(name), controlAddress };
  }

  #namespaceOf(node: string): NetNamespace {
    return { pid: this.#options.namespaces.holders.get(node) ?? -1 };
  }
}

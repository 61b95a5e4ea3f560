// SPDX-License-Identifier: MIT
// The network of a run: the control network and the links of its experiment, in the namespaces of
// its nodes. Orders the parts; what is made is planned in topology.ts and control-network.ts.
//
//   W1. Nothing is made outside the namespaces of the run: they end with its holders, and all this
//       with them.
//   W2. The number of processes does not depend on the number of links, and is one for each node.
import { type ControlNetwork, seenByNodes } from "./control-network.ts";
import type { LinkBackend, LinkEnds, NetNamespace } from "./link-backend.ts";
import { controlMac, withColons } from "./mac.ts";
import type { NamedBatch, RunNamespaceCommands } from "./namespace-commands.ts";
import { controlInterface, type PlannedInterface, type Topology } from "./topology.ts";
import type { TopologyChange } from "./topology-change.ts";
import { planBridge } from "./unshaped-links.ts";

/** Of an interface of the experiment, as on Ethernet. */
const linkMtu = 1_500;
const controlBridge = "ctl";

/** A node of the run that is up, without a network yet. */
export interface NetworkNode {
  readonly name: string;
  readonly namespace: NetNamespace;
  /** In the run's block: `127.B.0.7`. */
  readonly controlAddress: string;
}

export interface RunNetworkOptions<Plan> {
  readonly commands: RunNamespaceCommands;
  readonly control: ControlNetwork;
  readonly topology: Topology;
  readonly links: readonly { readonly name: string; readonly kind: "link" | "lan" }[];
  readonly backend: LinkBackend<Plan>;
  /** What the back end must know of each link. */
  readonly plans: ReadonlyMap<string, Plan>;
  /** For files that are needed for a moment. */
  readonly temporary: string;
}

/** Connects the nodes. @throws NetworkError with a sentence for the user */
export async function connectNodes<Plan>(
  options: RunNetworkOptions<Plan>,
  nodes: readonly NetworkNode[],
): Promise<void> {
  const { commands, control, topology, links, backend, plans, temporary } = options;
  await commands.ip(commands.hub, [...planHub(control), ...planControlPorts(control, nodes)]);
  await backend.attach(planEnds(topology, links, nodes), plans);
  await commands.ipMany(planNodes(control, topology, nodes), temporary);
}

/** Connects nodes that come later, which have no links. @throws NetworkError */
export async function connectLater<Plan>(
  { commands, control, topology, temporary }: RunNetworkOptions<Plan>,
  nodes: readonly NetworkNode[],
): Promise<void> {
  await commands.ip(commands.hub, planControlPorts(control, nodes));
  await commands.ipMany(planNodes(control, { ...topology, nodes: new Map() }, nodes), temporary);
}

export interface ReconnectOptions<Plan> extends RunNetworkOptions<Plan> {
  /** As it is; `topology` and `links` are what it becomes, `plans` those of links that are made. */
  readonly before: Pick<RunNetworkOptions<Plan>, "topology" | "links">;
  readonly change: TopologyChange;
}

/** Makes and takes away links between nodes that are up. @throws NetworkError */
export async function reconnectNodes<Plan>(
  options: ReconnectOptions<Plan>,
  nodes: readonly NetworkNode[],
): Promise<void> {
  const { before, change, topology, links, backend, commands, plans, temporary } = options;
  const among = (names: readonly string[]) => (one: LinkEnds) => names.includes(one.name);
  const gone = planEnds(before.topology, before.links, nodes).filter(among(change.gone));
  if (gone.length > 0) await backend.detach(gone);
  const made = planEnds(topology, links, nodes).filter(among(change.made));
  if (made.length > 0) await backend.attach(made, plans);
  const grown = planEnds(topology, links, nodes).flatMap((link) => {
    const found = change.grown.find((one) => one.link === link.name);
    return found === undefined ? [] : [{ ...link, kept: found.kept }];
  });
  if (grown.length > 0) await backend.grow?.(grown, plans);
  const batches = nodes.map(({ name, namespace }): NamedBatch => {
    return { name, namespace, lines: planReconnected(options, name) };
  });
  await commands.ipMany(batches, temporary);
  for (const { name, forwards } of change.nodes) {
    const namespace = nodes.find((node) => node.name === name)?.namespace;
    if (forwards === undefined || namespace === undefined) continue;
    const script = 'echo "$0" >/proc/sys/net/ipv4/ip_forward';
    await commands.run(namespace, ["sh", "-c", script, forwards ? "1" : "0"]);
  }
}

/** What a node does at its interfaces when links have come and gone. */
function planReconnected<Plan>(
  { before, change, topology }: ReconnectOptions<Plan>,
  name: string,
): readonly string[] {
  const { interfaces = [], routes = [] } = topology.nodes.get(name) ?? {};
  const { routesGone = [], routesNew = [] } = change.nodes.find((one) => one.name === name) ?? {};
  const had = before.topology.nodes.get(name)?.interfaces ?? [];
  const grown = new Set(change.grown.map(({ link }) => link));
  const isKept = ({ link, slot }: PlannedInterface): boolean =>
    grown.has(link) && had.some((one) => one.slot === slot);
  const fresh = interfaces.filter(
    (one) => change.made.includes(one.link) || (grown.has(one.link) && !isKept(one)),
  );
  const left = had.filter(({ link }) => change.gone.includes(link));
  const isBy = (all: readonly PlannedInterface[], via: string): boolean =>
    all.some(({ neighbours }) => neighbours.some(({ address }) => address === via));
  return [
    ...fresh.flatMap(planInterface),
    ...interfaces.filter(isKept).flatMap(planNeighbours),
    // The kernel has removed those by interfaces that are gone.
    ...routesGone
      .filter(({ via }) => !isBy(left, via))
      .map(({ destination, via }) => `route del ${destination} via ${via}`),
    ...routes
      .filter((one) => routesNew.includes(one) || isBy(fresh, one.via))
      .map(({ destination, via }) => `route replace ${destination} via ${via}`),
  ];
}

/** The hub's own end of the control network. */
function planHub(control: ControlNetwork): readonly string[] {
  const [length] = control.subnet.split("/").slice(1);
  return [
    "link set lo up",
    ...planBridge(controlBridge),
    `link set ${controlBridge} address ${withColons(controlMac(-1))}`,
    `addr add ${control.server}/${length} dev ${controlBridge}`,
    // Every address there is the run's own: servers that tell callers apart by what they call.
    ...control.local.map((subnet) => `route add local ${subnet} dev lo`),
  ];
}

/** A port for each node, and the node as a permanent neighbour of the hub. */
function planControlPorts(
  control: ControlNetwork,
  nodes: readonly NetworkNode[],
): readonly string[] {
  return nodes.flatMap(({ namespace, controlAddress }) => {
    const index = indexOf(controlAddress);
    const mac = withColons(controlMac(index));
    const port = `link add dev c${index} up master ${controlBridge} type veth`;
    const seen = seenByNodes(control, controlAddress);
    return [
      `${port} peer name ${controlInterface} address ${mac} netns ${namespace.pid}`,
      `neigh replace ${seen} lladdr ${mac} dev ${controlBridge} nud permanent`,
    ];
  });
}

/** A number that tells control addresses of a run apart. */
function indexOf(controlAddress: string): number {
  const [, , third = 0, fourth = 0] = controlAddress.split(".").map(Number);
  return third * 256 + fourth;
}

function planEnds(
  topology: Topology,
  links: RunNetworkOptions<unknown>["links"],
  nodes: readonly NetworkNode[],
): readonly LinkEnds[] {
  const ends = new Map<string, { slot: number; end: LinkEnds["ends"][number] }[]>();
  for (const { name: node, namespace } of nodes) {
    for (const one of topology.nodes.get(node)?.interfaces ?? []) {
      const { link, port, name: interfaceName, mac, slot } = one;
      const end = { ...{ link, node, port, namespace, interfaceName, mac, slot }, mtu: linkMtu };
      ends.set(link, [...(ends.get(link) ?? []), { slot, end }]);
    }
  }
  return links.map(({ name, kind }) => {
    // Slots are given in the order of members.
    const list = (ends.get(name) ?? []).sort((a, b) => a.slot - b.slot);
    return { name, kind, ends: list.map(({ end }) => end) };
  });
}

/** What each node does at its own interfaces: one batch. */
function planNodes(
  control: ControlNetwork,
  topology: Topology,
  nodes: readonly NetworkNode[],
): readonly NamedBatch[] {
  const server = `${control.server} lladdr ${withColons(controlMac(-1))}`;
  const [length] = control.subnet.split("/").slice(1);
  return nodes.map(({ name, namespace, controlAddress }) => {
    const { interfaces = [], routes = [] } = topology.nodes.get(name) ?? {};
    const lines = [
      "link set lo up",
      `addr add ${seenByNodes(control, controlAddress)}/${length} dev ${controlInterface}`,
      `link set ${controlInterface} up`,
      `neigh replace ${server} dev ${controlInterface} nud permanent`,
      ...interfaces.flatMap(planInterface),
      ...routes.map(({ destination, via }) => `route replace ${destination} via ${via}`),
    ];
    return { name, namespace, lines };
  });
}

/** Up before its neighbours: those of an interface that is down are not kept. */
function planInterface(planned: PlannedInterface): readonly string[] {
  const { name, address, prefix, link } = planned;
  return [
    ...(address === "" ? [] : [`addr add ${address}/${prefix} brd + dev ${name}`]),
    `link set ${name} up`,
    ...(isUsableName(link) ? [`link property add dev ${name} altname ${link}`] : []),
    ...planNeighbours(planned),
  ];
}

function planNeighbours({ name, neighbours }: PlannedInterface): readonly string[] {
  return neighbours.map(
    ({ address, mac }) => `neigh replace ${address} lladdr ${mac} dev ${name} nud permanent`,
  );
}

/** Programs may call the interface by its link's name, unless that is another's or a word of ip. */
function isUsableName(link: string): boolean {
  return /^[A-Za-z][\w.-]{1,126}$/.test(link) && !/^(lo|eth\d+|dev|all|default|group)$/.test(link);
}

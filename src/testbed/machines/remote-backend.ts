// SPDX-License-Identifier: MIT
// Nodes on other machines: an agent on each host, a stand-in here for each node. The stand-ins are
// process nodes of this machine on which nothing runs but the servers of the run: they have the
// addresses at which servers listen, and the directories of the results.
//
//   B1. Nothing is started on any host before all hosts answer and all nodes have a place.
//   B2. Whatever happens, every agent is ended; it ends all that it has started.
import { errorText } from "../../core/text.ts";
import {
  type BackendOptions,
  type NodeBackend,
  type NodeLinks,
  NodesError,
  startProcessNodes,
} from "../nodes/index.ts";
import { doorPortOf, portsOf } from "../nodes/node-mode.ts";
import { type AgentPlan, readBroughtUp } from "./agent-plan.ts";
import type { ConnectHost } from "./host-connection.ts";
import { type HostFacts, HostLink } from "./host-link.ts";
import type { HostsNetwork } from "./network-share.ts";
import {
  describePlacement,
  joiningLink,
  type PlacedNode,
  type Placement,
  placeNodes,
} from "./placement.ts";
import { findProjectFiles, type ProjectFiles, sendProjectFiles } from "./project-files.ts";
import { planRemoteNetwork, type RemoteNetwork } from "./remote-network.ts";
import { RemoteNode } from "./remote-node.ts";
import { ResultFiles } from "./result-files.ts";

/** A host as the user names it. */
export interface HostWish {
  readonly name: string;
  readonly connect: ConnectHost;
  /** Undefined: what its processors and memory say. */
  readonly capacity: number | undefined;
  readonly types: readonly string[];
  /** IPv4 at which other hosts reach it; left out: where it was reached from here. */
  readonly address?: string | undefined;
}

export interface MachinesWish {
  readonly hosts: readonly HostWish[];
  readonly version: string;
}

export interface RemoteBackendOptions {
  readonly wish: MachinesWish;
  /** As for nodes of one machine; what that cannot be elsewhere is left out. */
  readonly options: BackendOptions;
  readonly placed: readonly PlacedNode[];
  /** Of the sync server, over TCP and UDP. */
  readonly syncPort: number;
  readonly interrupt: AbortSignal;
  /** Something that nodes wrote did not come; a sentence. */
  readonly onOutputLost: (text: string) => void;
  /** Nodes have a network of their own; left out: they share that of their host. */
  readonly network?: HostsNetwork | undefined;
}

/** @throws NodesError with a sentence for the user; nothing is left on any host then. */
export async function startRemoteNodes(start: RemoteBackendOptions): Promise<NodeBackend> {
  const hosts: Connected[] = [];
  let servers: NodeBackend | undefined;
  let network: RemoteNetwork | undefined;
  const lost = Promise.withResolvers<string>();
  const told: Told = {
    lost: (host, why) => lost.resolve(`the host ${host} is lost, with its nodes: ${why}`),
    linksFailed: (host, why) => network?.fail(host, why),
    nodesLost: (host, why) => lost.resolve(`on ${host}: ${why}`),
  };
  const giveUp = (): void => {
    for (const host of hosts) host.giveUp();
  };
  start.interrupt.addEventListener("abort", giveUp);
  try {
    // Where hosts need not be asked what they have room for, nothing is copied there in vain.
    if (start.wish.hosts.every(({ capacity }) => capacity !== undefined)) place(start, []);
    await connectAll(start, told, hosts);
    const placement = place(start, hosts);
    start.options.onMessage("info", null, `nodes on hosts: ${describePlacement(placement)}`);
    network = await planRemoteNetwork({ start, placement, hosts });
    const { network: _, ...options } = start.options;
    const { projectFiles } = options;
    const files = projectFiles === undefined ? undefined : await findProjectFiles(projectFiles);
    servers = await startProcessNodes({
      ...{ ...options, mode: "environment", standIn: "nodes are elsewhere" },
    });
    const parts = { start, servers, placement, hosts, files, network };
    const upon = await Promise.all(hosts.map((host, index) => bringUp(parts, host, index)));
    await network?.measure();
    return new RemoteBackend({ ...parts, upon: upon.flat(), failed: lost.promise });
  } catch (error) {
    await network?.stop();
    await Promise.all(hosts.map((host) => host.close()));
    await servers?.stop();
    if (error instanceof NodesError) throw error;
    throw new NodesError(errorText(error), { cause: error });
  } finally {
    start.interrupt.removeEventListener("abort", giveUp);
  }
}

/** Whom a host's end, and that of its links and nodes, is told. */
interface Told {
  readonly lost: (host: string, why: string) => void;
  readonly linksFailed: (host: string, why: string) => void;
  readonly nodesLost: (host: string, why: string) => void;
}

type Connected = HostLink & { readonly facts: HostFacts };

/** B1. @param hosts is filled with those that answer. @throws NodesError */
async function connectAll(
  { wish, options, interrupt, onOutputLost }: RemoteBackendOptions,
  told: Told,
  hosts: Connected[],
): Promise<void> {
  const { version } = wish;
  const files = new ResultFiles(options.out);
  const results = await Promise.allSettled(
    wish.hosts.map(async ({ name, connect }) => {
      return await HostLink.connect({
        ...{ name, connect, version, interrupt, files, clock: options.clock },
        ...{ say: options.onMessage, onOutputLost },
        onLost: (why) => told.lost(name, why),
        onLinksFailed: (why) => told.linksFailed(name, why),
        onNodesLost: (why) => told.nodesLost(name, why),
      });
    }),
  );
  const failures: string[] = [];
  for (const [index, result] of results.entries()) {
    if (result.status === "fulfilled") hosts.push(result.value);
    else failures.push(`${wish.hosts[index]?.name} (${errorText(result.reason)})`);
  }
  if (failures.length === 0) return;
  const which = failures.length === 1 ? "this host" : "these hosts";
  const isShell = failures.some((failure) => failure.includes("(the remote shell "));
  const advice = isShell
    ? "; a command line there has to work without a question: docs/guides/many-machines.md"
    : "";
  throw new NodesError(
    `${which} cannot be used: ${failures.join(", ")}; nothing was started${advice}`,
  );
}

/** Nodes that a processor, and so many MiB of memory, are enough for, when nobody says. */
const nodesPerProcessor = 8;
const mibPerNode = 64;

/** B1. @throws NodesError */
function place(
  { wish, options, placed, network }: RemoteBackendOptions,
  hosts: readonly Connected[],
): Placement {
  const placement = placeNodes(
    placed,
    options.links.map((link) => joiningLink(link, network !== undefined)),
    wish.hosts.map(({ name, capacity, types }) => {
      const { processors = 1, memoryMib = 0 } =
        hosts.find((host) => host.name === name)?.facts ?? {};
      const measured = Math.min(processors * nodesPerProcessor, Math.trunc(memoryMib / mibPerNode));
      return { name, types, capacity: capacity ?? Math.max(1, measured) };
    }),
  );
  if (typeof placement === "string") throw new NodesError(placement);
  return placement;
}

interface Parts {
  readonly start: RemoteBackendOptions;
  readonly servers: NodeBackend;
  readonly placement: Placement;
  readonly hosts: readonly Connected[];
  readonly files: ProjectFiles | undefined;
  readonly network: RemoteNetwork | undefined;
}

interface UpThere {
  readonly node: RemoteNode;
  readonly lost: readonly string[];
  readonly shell: string;
}

async function bringUp(
  { start, servers, placement, files, network }: Parts,
  host: Connected,
  index: number,
): Promise<readonly UpThere[]> {
  const own = [...placement].filter(([, at]) => at === host.name).map(([node]) => node);
  if (own.length === 0) {
    await host.close();
    return [];
  }
  const plan = planAgent(start, own, { index, network: network?.shareOf(own, host.name) ?? null });
  const standIns = own.flatMap((name) => servers.nodes.get(name) ?? []);
  host.allow(plan, new Map(standIns.map(({ name, calledAt }) => [name, calledAt])));
  const answer = await host.link.ask({ kind: "bring-up", plan }).catch((error: unknown) => {
    throw new NodesError(`the nodes on ${host.name} cannot be set up: ${errorText(error)}`);
  });
  const up = readBroughtUp(answer, own);
  if (up === undefined) throw new NodesError(`${host.name} does not say what it brought up`);
  if (files !== undefined) await sendProjectFiles(host.link, files);
  const { lost, shell } = up;
  return standIns.flatMap((standIn) => {
    const hosted = up.nodes.find(({ name }) => name === standIn.name);
    return hosted === undefined
      ? []
      : [{ node: new RemoteNode(host, hosted, standIn), lost, shell }];
  });
}

function planAgent(
  start: RemoteBackendOptions,
  own: readonly string[],
  { index, network }: { readonly index: number } & Pick<AgentPlan, "network">,
): AgentPlan {
  const { options, syncPort } = start;
  const { runId, pid, eid, domain, seed, nodes, links, syncServer, environment } = options;
  return {
    // Two of them may be one machine, which must not take them for one run.
    runId: `${runId}h${String(index).padStart(3, "0")}`,
    ...{ pid, eid, domain, seed, own, environment, network },
    // Archives are files of this machine.
    all: nodes.map(({ name, links: ends }) => ({ name, links: ends, archives: undefined })),
    links,
    syncServer: syncServer ?? null,
    doors: [
      ...portsOf(options).filter(({ behind }) => behind === "called"),
      ...(["tcp", "udp"] as const).map((kind) => ({ kind, port: syncPort })),
    ].map(({ kind: carrier, port }) => ({ carrier, port })),
    doorPort: doorPortOf(options),
    hasFiles: options.projectFiles !== undefined,
  };
}

class RemoteBackend implements NodeBackend {
  readonly mode: NodeBackend["mode"];
  readonly nodeLinks: NodeLinks | undefined;
  readonly lost: readonly string[];
  readonly shell: string;
  readonly servers: NodeBackend;
  readonly failed: Promise<string>;
  readonly nodes: ReadonlyMap<string, RemoteNode>;
  readonly #parts: Parts;
  #stopped: Promise<void> | undefined;

  constructor(
    parts: Parts & { readonly upon: readonly UpThere[]; readonly failed: Promise<string> },
  ) {
    const { upon, servers, failed, start, placement, network } = parts;
    this.#parts = parts;
    this.mode = network === undefined ? "environment" : "namespace";
    this.nodeLinks = network?.links;
    this.servers = servers;
    this.failed = failed;
    const byName = new Map(upon.map(({ node }) => [node.name, node]));
    this.nodes = new Map(
      [...placement.keys()].flatMap((name) => {
        const node = byName.get(name);
        return node === undefined ? [] : [[name, node] as const];
      }),
    );
    this.shell = upon[0]?.shell ?? "";
    this.lost = [
      ...new Set([...upon.flatMap(({ lost }) => lost), ...lostElsewhere(start.options)]),
    ];
  }

  add(): Promise<void> {
    return Promise.reject(
      new NodesError("nodes of other machines do not come while a run goes on"),
    );
  }

  remove(): Promise<void> {
    return Promise.reject(new NodesError("nodes of other machines stay for the whole run"));
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** B2. */
  async #stop(): Promise<void> {
    const { hosts, servers, network } = this.#parts;
    await network?.stop();
    await Promise.all(hosts.map((host) => this.#bringBack(host)));
    await servers.stop();
  }

  async #bringBack(host: Connected): Promise<void> {
    if ([...this.#parts.placement.values()].includes(host.name)) await this.#collect(host);
    await host.close();
  }

  /** A host that is lost has nothing to give. */
  async #collect(host: Connected): Promise<void> {
    if (host.link.ended) {
      this.#parts.start.onOutputLost(`${host.name} is lost, with what its nodes wrote`);
      return;
    }
    try {
      await host.link.ask({ kind: "end" }).catch((error: unknown) => {
        // What there is comes all the same.
        if (!host.link.ended) host.warn(`not all ended there in order: ${errorText(error)}`);
      });
      const left = await host.collect(collectMs);
      if (Array.isArray(left)) for (const text of left) host.loses(String(text));
    } catch (error) {
      host.loses(`not all that its nodes wrote has come: ${errorText(error)}`);
    }
  }
}

/** For all files of a host to come. */
const collectMs = 600_000;

function lostElsewhere({ nodes }: BackendOptions): readonly string[] {
  const unpacked = nodes.filter(({ archives = [] }) => archives.length > 0);
  return [
    "$EXPDIR is a directory of each host; what is there comes back into proj/ at the end",
    ...unpacked.map(({ name }) => `nothing is unpacked on ${name} (tarfiles)`),
  ];
}

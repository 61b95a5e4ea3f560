// SPDX-License-Identifier: MIT
// The configuration of the nodes of one experiment, in memory: what the tmcd door answers from
// until the experiments database takes its place. Facts come from the experiment as read, and from
// where its nodes run; what nodes report is kept here and told to whoever wants to record it.
//
//   N1. Nobody is a node but who is called, or calls from, an address given for one.
//   N2. After `clear` the nodes are free, and what they had reported or registered is gone.
//
// What several servers would have to agree on is in `#reports` and `#ports`: both change only in
// `report`, `registerPort`, `resetNode` and `clear`, so that each can become a command of the core.
import { gzipSync } from "node:zlib";
import type {
  Identity,
  NodeFacts,
  NodeReport,
  PortRow,
  Reservation,
  Site,
  TmcdSource,
} from "../edges/tmcd/index.ts";
import { routeAddresses, type Tables } from "../experiment/index.ts";
import type {
  Experiment,
  ExperimentNode,
  LinkMember,
  Program,
  TrafficEnd,
} from "../experiment/model.ts";
import type {
  DelayRow,
  HostRow,
  Interfaces,
  LinkDelayRow,
  Mounts,
  ProgramRow,
  Routing,
  TrafficRow,
} from "../wire/tmcd/index.ts";
import { formatLinktestMap, formatTopologyMap } from "../wire/tmcd/index.ts";
import { NodeNetwork } from "./node-network.ts";
import { planHostsRows } from "./nodes/hosts-file.ts";
import type { NodeAddress } from "./run-event.ts";

/** A node with the addresses it is known by; a `RunningNode` is one. */
export interface ConfiguredNode {
  readonly name: string;
  /** Id of the machine; the name when absent. */
  readonly id?: string;
  /** The control address first, then one per link address of the file. */
  readonly addresses: readonly NodeAddress[];
  /** Who calls there is this node. */
  readonly calledAt: string;
  /** Name of the node that hosts this one, which is virtual then. */
  readonly host?: string;
  readonly isRemote?: boolean;
}

export interface NodeConfigOptions {
  readonly experiment: Experiment;
  /** Table rows of the file: what the model does not hold, and no address. YAML has none. */
  readonly tables?: Tables;
  readonly nodes: readonly ConfiguredNode[];
  readonly domain: string;
  readonly creator: string;
  readonly swapper: string;
  readonly eventKey?: string;
  readonly keyHash?: string;
  /** Who may act for others; nobody when absent. */
  readonly bossAddress?: string;
  /** `opt(NAME)` values as programs shall see them; those of the file when absent. */
  readonly environment?: readonly (readonly [name: string, value: string])[];
  /** Every report, after it is kept. */
  readonly onReport?: (node: string, report: NodeReport) => void;
  /** Every registration, after it is kept. */
  readonly onRegister?: (service: string, row: PortRow) => void;
}

/** What one node has reported since its boot. */
export interface NodeReports {
  readonly isReady: boolean;
  readonly startStatus: number | undefined;
  readonly state: string | undefined;
  readonly ntpDrift: string | undefined;
}

const noReports: NodeReports = {
  isReady: false,
  startStatus: undefined,
  state: undefined,
  ntpDrift: undefined,
};

type MapName = "topomap" | "ltmap" | "ltpmap";

/** Uploads kept in memory are none: only these change what is answered later. */
const unknownSeconds = -1;

export class NodeConfig implements TmcdSource {
  readonly site: Site;
  #options: NodeConfigOptions;
  readonly #byAddress = new Map<string, ConfiguredNode>();
  readonly #byId = new Map<string, ConfiguredNode>();
  /** Address of the file -> the address that stands for it. */
  readonly #standIns = new Map<string, string>();
  readonly #reports = new Map<string, NodeReports>();
  readonly #ports = new Map<string, PortRow>();
  #network: NodeNetwork;
  /** Maps, packed; made when first asked for. */
  readonly #maps = new Map<MapName, Uint8Array>();
  #isSwappedOut = false;

  constructor(options: NodeConfigOptions) {
    this.#options = options;
    this.#network = this.#networkOf(options);
    this.site = {
      domain: options.domain,
      bossAddress: options.bossAddress,
      ntpServers: [`ntp1.${options.domain}`],
      watchIntervals: {
        interval: unknownSeconds,
        isAlive: unknownSeconds,
        ntpDrift: unknownSeconds,
        cvsup: unknownSeconds,
        rusage: unknownSeconds,
        hostKeys: unknownSeconds,
        dhcpdConf: unknownSeconds,
        rootPassword: unknownSeconds,
      },
    };
    this.#indexNodes();
  }

  /** What is answered from now on; what nodes that stay have reported and registered is kept. */
  replace(changed: Pick<NodeConfigOptions, "experiment" | "tables" | "nodes">): void {
    this.#options = { ...this.#options, ...changed };
    this.#network = this.#networkOf(this.#options);
    this.#maps.clear();
    this.#byAddress.clear();
    this.#byId.clear();
    this.#standIns.clear();
    this.#indexNodes();
    for (const id of this.#reports.keys()) if (!this.#byId.has(id)) this.#reports.delete(id);
  }

  #networkOf({ experiment, tables = {} }: NodeConfigOptions): NodeNetwork {
    return new NodeNetwork({ experiment, tables, standIn: (address) => this.#standIn(address) });
  }

  #indexNodes(): void {
    for (const node of this.#options.nodes) {
      this.#byId.set(idOf(node), node);
      for (const { experiment, loopback } of node.addresses) {
        if (experiment !== "") this.#standIns.set(experiment, loopback);
      }
      if (node.host !== undefined) continue;
      // Addresses of the experiment's links never tell who calls. [EMULAB-TMCD 4]
      for (const address of [node.calledAt, node.addresses[0]?.loopback ?? ""]) {
        // A connection that was reset before it was looked at has no addresses: it is nobody's.
        if (address !== "") this.#byAddress.set(address, node);
      }
    }
  }

  async findNode(identity: Identity): Promise<NodeFacts | undefined> {
    const node = this.#find(identity);
    return node === undefined ? undefined : this.#facts(node);
  }

  /** N1. */
  #find(identity: Identity): ConfiguredNode | undefined {
    if (identity.kind === "address") return this.#byAddress.get(identity.address);
    // Keys belong to nodes of other sites, which an experiment in memory has none of.
    if (identity.kind !== "virtual") return undefined;
    const node = this.#byId.get(identity.vnodeId);
    if (node?.host === undefined) return undefined;
    const isOwn = node.addresses[0]?.loopback === identity.address;
    const isHost = this.#byAddress.get(identity.address)?.name === node.host;
    return isOwn || isHost ? node : undefined;
  }

  #facts(node: ConfiguredNode): NodeFacts {
    return {
      id: idOf(node),
      vname: this.#isSwappedOut ? idOf(node) : node.name,
      isVirtual: node.host !== undefined,
      isRemote: node.isRemote ?? false,
      isControl: false,
      role: this.#options.nodes.some(({ host }) => host === node.name) ? "virthost" : "node",
      reservation: this.#isSwappedOut ? undefined : this.#reservation(),
      needsUpdate: false,
    };
  }

  #reservation(): Reservation {
    const { experiment, creator, swapper, keyHash, eventKey } = this.#options;
    const { pid, eid, syncServer } = experiment;
    return { pid, eid, creator, swapper, syncServer, keyHash, eventKey };
  }

  async report({ id }: NodeFacts, report: NodeReport): Promise<void> {
    const before = this.#reports.get(id) ?? noReports;
    switch (report.kind) {
      case "ready":
        this.#reports.set(id, { ...before, isReady: true });
        break;
      case "state":
        this.#reports.set(id, { ...before, state: report.state });
        break;
      case "start-status":
        this.#reports.set(id, { ...before, startStatus: report.status });
        break;
      case "ntp-drift":
        this.#reports.set(id, { ...before, ntpDrift: report.drift });
        break;
      case "alive":
      case "ping-of-death":
      case "upload":
        break;
    }
    const node = this.#byId.get(id);
    if (node !== undefined) this.#options.onReport?.(node.name, report);
  }

  /** What the node of that name has reported. */
  reportsOf(name: string): NodeReports {
    const node = this.#options.nodes.find((one) => one.name === name);
    return (node && this.#reports.get(idOf(node))) ?? noReports;
  }

  /** Boot-reset: the node is not ready any more and has no start status. [EMULAB-TMCD 10] */
  resetNode(name: string): void {
    const node = this.#options.nodes.find((one) => one.name === name);
    if (node !== undefined) this.#reports.delete(idOf(node));
  }

  /** Swap-out. N2. */
  clear(): void {
    this.#isSwappedOut = true;
    this.#reports.clear();
    this.#ports.clear();
  }

  async readyCount(): Promise<{ ready: number; total: number }> {
    const physical = this.#options.nodes.filter(({ host }) => host === undefined);
    const isReady = (node: ConfiguredNode) => this.#reports.get(idOf(node))?.isReady === true;
    return { ready: physical.filter(isReady).length, total: physical.length };
  }

  async lookUpPort(_owner: Reservation, service: string): Promise<PortRow | undefined> {
    return this.#ports.get(service);
  }

  async registerPort(_owner: Reservation, service: string, row: PortRow): Promise<void> {
    if (row.port === 0) this.#ports.delete(service);
    else this.#ports.set(service, row);
    this.#options.onRegister?.(service, row);
  }

  async startupCommand({ vname }: NodeFacts): Promise<string> {
    return this.#row("virt_nodes", vname)?.["startupcmd"] ?? "";
  }

  async programs({ vname }: NodeFacts): Promise<readonly ProgramRow[]> {
    return this.#options.experiment.programs.filter(({ node }) => node === vname).map(toProgramRow);
  }

  async userEnvironment(): Promise<readonly (readonly [string, string])[]> {
    return this.#options.environment ?? this.#options.experiment.environment;
  }

  async traffic({ vname }: NodeFacts): Promise<readonly TrafficRow[]> {
    const { tables } = this.#options;
    if (tables?.["virt_trafgens"] === undefined) return this.#flows(vname);
    return this.#rows("virt_trafgens", "vnode", vname).map((row) => ({
      name: row["vname"] ?? "",
      node: vname,
      address: this.#firstAddress(vname),
      port: Number(row["port"]),
      peerNode: row["target_vnode"] ?? "",
      peerAddress: this.#firstAddress(row["target_vnode"] ?? ""),
      peerPort: Number(row["target_port"]),
      protocol: row["proto"] ?? "",
      role: row["role"] === "source" ? "source" : "sink",
      generator: row["generator"] === "NSE" ? "NSE" : "TG",
    }));
  }

  /** Where the traffic of a node is: at its first link. [EMULAB-NS 6.6] */
  #firstAddress(vname: string): string {
    const members = this.#options.experiment.links.flatMap((link) => link.members);
    const first = members.find(({ node, port }) => node === vname && port === 0);
    return this.#standIn(first?.address ?? "");
  }

  /** Both ends of the flows that begin or end at the node. */
  #flows(vname: string): readonly TrafficRow[] {
    const flows = this.#options.experiment.traffic ?? [];
    return flows.flatMap(({ protocol, source, sink }) => {
      const row = (own: TrafficEnd, peer: TrafficEnd, role: "source" | "sink"): TrafficRow => ({
        ...{ name: own.name, node: own.node, port: own.port, protocol, role, generator: "TG" },
        ...{ peerNode: peer.node, peerPort: peer.port },
        address: this.#standIn(own.address),
        peerAddress: this.#standIn(peer.address),
      });
      const both = [row(source, sink, "source"), row(sink, source, "sink")];
      return both.filter(({ node }) => node === vname);
    });
  }

  async hosts({ vname }: NodeFacts): Promise<readonly HostRow[]> {
    const byName = new Map<string, { readonly lan: string; readonly member: LinkMember }>();
    for (const { name: lan, members } of this.#options.experiment.links) {
      for (const member of members) byName.set(`${member.node}-${lan}`, { lan, member });
    }
    return planHostsRows(this.#options.experiment.links, vname).flatMap((row) => {
      const found = byName.get(row.canonical);
      if (found === undefined) return [];
      const { node, port } = found.member;
      const isBare = row.aliases.includes(node);
      return [{ node, lan: found.lan, port, address: this.#standIn(row.address), isBare }];
    });
  }

  async interfaces({ vname }: NodeFacts): Promise<Interfaces> {
    return this.#network.interfaces(vname);
  }

  async delays({ vname }: NodeFacts): Promise<readonly DelayRow[]> {
    return this.#network.delays(vname);
  }

  async linkDelays({ vname }: NodeFacts): Promise<readonly LinkDelayRow[]> {
    return this.#network.linkDelays(vname);
  }

  async routing({ vname }: NodeFacts): Promise<Routing> {
    const given = routeAddresses(this.#options.experiment).filter(({ node }) => node === vname);
    const routes = given.map(({ kind, destination, netmask: mask, nextHop, source }) => ({
      ...{ kind, mask, cost: 0 },
      destination: this.#standIn(destination),
      nextHop: this.#standIn(nextHop),
      source: this.#standIn(source),
    }));
    return { type: this.#network.routerType(), routes };
  }

  /**
   * An experiment without links has nothing to map, and there is no map of machines: nodes take
   * each other to be like themselves then. [LINKTEST 3.2]
   */
  async map(_node: NodeFacts, name: MapName): Promise<Uint8Array | undefined> {
    if (name === "ltpmap" || this.#options.experiment.links.length === 0) return undefined;
    const known = this.#maps.get(name);
    if (known !== undefined) return known;
    const text =
      name === "topomap"
        ? formatTopologyMap(this.#network.topology())
        : formatLinktestMap(this.#network.linktest());
    const packed = gzipSync(text);
    this.#maps.set(name, packed);
    return packed;
  }

  async virtualNodes({ vname }: NodeFacts): Promise<readonly { id: string; isJailed: boolean }[]> {
    const hosted = this.#options.nodes.filter(({ host }) => host === vname);
    return hosted.map((node) => ({ id: idOf(node), isJailed: true }));
  }

  /** Nothing is mounted: project and home are directories of the node itself. */
  async mounts(): Promise<Mounts> {
    const { experiment, swapper } = this.#options;
    const rows = [{ local: `/proj/${experiment.pid}` }, { local: `/users/${swapper}` }];
    return { fileSystem: "LOCAL", rows };
  }

  async rpms({ vname }: NodeFacts): Promise<readonly string[]> {
    return this.#node(vname)?.packages ?? [];
  }

  /** Without those of the whole experiment, which are its blobs. */
  async tarballs({ vname }: NodeFacts): Promise<readonly { directory: string; file: string }[]> {
    const shared = this.#options.tables?.["experiment_blobs"]?.length ?? 0;
    return this.#node(vname)?.archives?.slice(shared) ?? [];
  }

  async blobs(): Promise<readonly { path: string; action: string }[]> {
    const rows = this.#options.tables?.["experiment_blobs"] ?? [];
    return rows.map(({ path = "", action = "" }) => ({ path, action }));
  }

  async ntpDrift({ id }: NodeFacts): Promise<string | undefined> {
    return this.#reports.get(id)?.ntpDrift;
  }

  /** An address of the file as it is in this run. */
  #standIn(address: string): string {
    return this.#standIns.get(address) ?? address;
  }

  #node(vname: string): ExperimentNode | undefined {
    return this.#options.experiment.nodes.find(({ name }) => name === vname);
  }

  #row(table: string, vname: string): Tables[string][number] | undefined {
    return this.#rows(table, "vname", vname)[0];
  }

  #rows(table: string, column: string, value: string): Tables[string] {
    return (this.#options.tables?.[table] ?? []).filter((row) => row[column] === value);
  }
}

function idOf({ id, name }: ConfiguredNode): string {
  return id ?? name;
}

/** Where start commands report how they ended, on the node. */
const startCommandDone = "/usr/local/etc/emulab/startcmddone";

function toProgramRow(program: Program): ProgramRow {
  const { name, directory, timeoutSeconds, expectedExitCode, command, isStartCommand } = program;
  return {
    name,
    // The braces are the parser's. [EMULAB-TMCD 9 programs]
    directory: directory === "" ? "" : `{${directory}}`,
    timeout: timeoutSeconds === 0 ? "" : String(timeoutSeconds),
    expectedExitCode: expectedExitCode === 0 ? "" : String(expectedExitCode),
    command: isStartCommand ? `(${command} ; ${startCommandDone} $?)` : command,
  };
}

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
import type {
  Identity,
  NodeFacts,
  NodeReport,
  PortRow,
  Reservation,
  Site,
  TmcdSource,
} from "../edges/tmcd/index.ts";
import type { Tables } from "../experiment/index.ts";
import type { Experiment, LinkMember, Program } from "../experiment/model.ts";
import type {
  DelayRow,
  HostRow,
  Interfaces,
  LinkDelayRow,
  Mounts,
  PhysicalInterface,
  ProgramRow,
  Routing,
  TrafficRow,
} from "../wire/tmcd/index.ts";
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
  /** Table rows of the file: routes, traffic generators, packages. Without them there are none. */
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
  /** Packed maps of the topology. */
  readonly maps?: ReadonlyMap<string, Uint8Array>;
  /** What the node shapes itself, and what it shapes for others. */
  readonly shaping?: {
    readonly delays: (node: string) => readonly DelayRow[];
    readonly linkDelays: (node: string) => readonly LinkDelayRow[];
  };
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
  #isSwappedOut = false;

  constructor(options: NodeConfigOptions) {
    this.#options = options;
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
    this.#byAddress.clear();
    this.#byId.clear();
    this.#standIns.clear();
    this.#indexNodes();
    for (const id of this.#reports.keys()) if (!this.#byId.has(id)) this.#reports.delete(id);
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
    return this.#rows("virt_trafgens", "vnode", vname).map((row) => ({
      name: row["vname"] ?? "",
      node: vname,
      address: this.#standIn(row["ip"] ?? ""),
      port: Number(row["port"]),
      peerNode: row["target_vnode"] ?? "",
      peerAddress: this.#standIn(row["target_ip"] ?? ""),
      peerPort: Number(row["target_port"]),
      protocol: row["proto"] ?? "",
      role: row["role"] === "source" ? "source" : "sink",
      generator: row["generator"] === "NSE" ? "NSE" : "TG",
    }));
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
    const { experiment, nodes } = this.#options;
    const index = nodes.findIndex(({ name }) => name === vname);
    const physical = experiment.links.flatMap((link) =>
      link.members
        .filter(({ node, address }) => node === vname && address !== "")
        .map(
          ({ port, address }): PhysicalInterface => ({
            type: "eth",
            address: this.#standIn(address),
            mask: link.netmask,
            mac: macOf(index, port),
            routingTable: 0,
            lan: link.name,
            port,
          }),
        ),
    );
    physical.sort((a, b) => a.port - b.port);
    return { physical, settings: [], carriers: [], virtual: [] };
  }

  async delays({ vname }: NodeFacts): Promise<readonly DelayRow[]> {
    return this.#options.shaping?.delays(vname) ?? [];
  }

  async linkDelays({ vname }: NodeFacts): Promise<readonly LinkDelayRow[]> {
    return this.#options.shaping?.linkDelays(vname) ?? [];
  }

  async routing({ vname }: NodeFacts): Promise<Routing> {
    const routes = this.#rows("virt_routes", "vname", vname).map((row) => ({
      destination: this.#standIn(row["dst"] ?? ""),
      kind: row["dst_type"] === "net" ? ("net" as const) : ("host" as const),
      mask: row["dst_mask"] ?? "",
      nextHop: this.#standIn(row["nexthop"] ?? ""),
      cost: 0,
      source: this.#standIn(row["src"] ?? ""),
    }));
    return { type: this.#row("virt_nodes", vname)?.["routertype"] ?? "none", routes };
  }

  async map(_node: NodeFacts, name: string): Promise<Uint8Array | undefined> {
    return this.#options.maps?.get(name);
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
    return parts(this.#row("virt_nodes", vname)?.["rpms"]);
  }

  async tarballs({ vname }: NodeFacts): Promise<readonly { directory: string; file: string }[]> {
    return parts(this.#row("virt_nodes", vname)?.["tarfiles"]).map((pair) => {
      const [directory = "", file = ""] = pair.split(" ");
      return { directory, file };
    });
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

/** `a;b;c` */
function parts(text = ""): readonly string[] {
  return text.split(";").filter((part) => part !== "");
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

/** A locally administered address that is the same in every run of the same file. */
function macOf(nodeIndex: number, port: number): string {
  const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0");
  return `024d${hex(nodeIndex, 6)}${hex(port, 2)}`;
}

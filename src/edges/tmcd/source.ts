// SPDX-License-Identifier: MIT
// Where the configuration door gets its facts and leaves its reports. One implementation holds an
// experiment in memory (testbed/node-config.ts); one on the experiments database takes its place.
//
//   C1. Every request costs one `findNode`, except those that are answered without any query.
//   C2. A source that rejects, or takes too long, is answered for with silence.
import type {
  CommandName,
  DelayRow,
  HostRow,
  Interfaces,
  LinkDelayRow,
  Mounts,
  ProgramRow,
  Routing,
  TrafficRow,
  WatchIntervals,
} from "../../wire/tmcd/index.ts";

/** How a caller says who it is. [EMULAB-TMCD 4] */
export type Identity =
  /** The physical node with this control address. */
  | { readonly kind: "address"; readonly address: string }
  /** A virtual node whose host's control address, or whose own address, is this. */
  | { readonly kind: "virtual"; readonly vnodeId: string; readonly address: string }
  /** The widearea node that owns this key. */
  | { readonly kind: "private-key"; readonly key: string }
  /** The virtual node with this external key; the address counts for nothing. */
  | { readonly kind: "id-key"; readonly key: string; readonly vnodeId: string | undefined };

/** The experiment that has a node. */
export interface Reservation {
  readonly pid: string;
  readonly eid: string;
  readonly creator: string;
  /** Falls back to the creator. */
  readonly swapper: string;
  /** Name of the sync server's node in the experiment. */
  readonly syncServer: string | undefined;
  readonly keyHash: string | undefined;
  readonly eventKey: string | undefined;
}

/** What one query tells about the caller. */
export interface NodeFacts {
  /** Id of the caller; a virtual node's own. */
  readonly id: string;
  /** Name in the experiment; the id of a free node. */
  readonly vname: string;
  readonly isVirtual: boolean;
  readonly isRemote: boolean;
  /** One of the testbed's own machines, which must use TLS. */
  readonly isControl: boolean;
  /** `node`, `virthost`, `delaynode`, ... */
  readonly role: string;
  /** Absent for a free node. */
  readonly reservation: Reservation | undefined;
  /** Its accounts are out of date. */
  readonly needsUpdate: boolean;
}

/** What is said of a node by itself. */
export type NodeReport =
  | { readonly kind: "state"; readonly state: string }
  | { readonly kind: "ready" }
  | { readonly kind: "start-status"; readonly status: number }
  /** It lives, now. */
  | { readonly kind: "alive"; readonly load: string | undefined }
  | { readonly kind: "ntp-drift"; readonly drift: string }
  /** The ping-of-death secret it was just told. */
  | { readonly kind: "ping-of-death"; readonly hash: string }
  /** Anything else it uploads, as it came. */
  | { readonly kind: "upload"; readonly command: CommandName; readonly text: string };

/** Facts of the site. */
export interface Site {
  /** Last part of the names of nodes. */
  readonly domain: string;
  /** The machine that may act for others (REDIRECT); nobody may when absent. */
  readonly bossAddress: string | undefined;
  readonly ntpServers: readonly string[];
  readonly watchIntervals: WatchIntervals;
}

/** A registered port. */
export interface PortRow {
  readonly port: number;
  /** Id of the node that registered it. */
  readonly nodeId: string;
}

export interface TmcdSource {
  readonly site: Site;
  /** The caller; undefined for a stranger. */
  findNode(identity: Identity): Promise<NodeFacts | undefined>;
  /** Takes a report; resolves when it is kept. */
  report(node: NodeFacts, report: NodeReport): Promise<void>;

  readyCount(node: NodeFacts): Promise<{ readonly ready: number; readonly total: number }>;
  lookUpPort(owner: Reservation, service: string): Promise<PortRow | undefined>;
  /** Replaces who had it; port 0 takes it back. */
  registerPort(owner: Reservation, service: string, row: PortRow): Promise<void>;

  startupCommand(node: NodeFacts): Promise<string>;
  programs(node: NodeFacts): Promise<readonly ProgramRow[]>;
  userEnvironment(node: NodeFacts): Promise<readonly (readonly [name: string, value: string])[]>;
  traffic(node: NodeFacts): Promise<readonly TrafficRow[]>;

  hosts(node: NodeFacts): Promise<readonly HostRow[]>;
  interfaces(node: NodeFacts): Promise<Interfaces>;
  delays(node: NodeFacts): Promise<readonly DelayRow[]>;
  linkDelays(node: NodeFacts): Promise<readonly LinkDelayRow[]>;
  routing(node: NodeFacts): Promise<Routing>;
  /** A map, packed with gzip, or nothing. */
  map(node: NodeFacts, name: "topomap" | "ltmap" | "ltpmap"): Promise<Uint8Array | undefined>;

  virtualNodes(
    node: NodeFacts,
  ): Promise<readonly { readonly id: string; readonly isJailed: boolean }[]>;
  mounts(node: NodeFacts): Promise<Mounts | undefined>;
  rpms(node: NodeFacts): Promise<readonly string[]>;
  tarballs(
    node: NodeFacts,
  ): Promise<readonly { readonly directory: string; readonly file: string }[]>;
  blobs(node: NodeFacts): Promise<readonly { readonly path: string; readonly action: string }[]>;
  ntpDrift(node: NodeFacts): Promise<string | undefined>;
}

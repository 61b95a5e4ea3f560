// SPDX-License-Identifier: MIT
// What the replies are made of: plain facts, one type per kind of line. [EMULAB-TMCD 9]
// Addresses are dotted quads, MAC addresses 12 hex digits.

/** One (link, member) of the experiment, as one node sees it. */
export interface HostRow {
  readonly node: string;
  readonly lan: string;
  readonly port: number;
  readonly address: string;
  /** Whether this address also carries the node's bare name. */
  readonly isBare: boolean;
}

export interface PhysicalInterface {
  readonly type: string;
  readonly address: string;
  readonly mask?: string;
  readonly mac: string;
  readonly speedMbps?: number;
  readonly duplex?: "full" | "half";
  /** Name of the interface; on network processors only. */
  readonly name?: string;
  readonly routingTable: number;
  readonly lan: string;
  readonly port: number;
}

export interface InterfaceSetting {
  readonly mac: string;
  readonly key: string;
  readonly value: string;
}

/** An interface that only carries others. */
export interface CarrierInterface {
  readonly type: string;
  readonly mac: string;
  readonly speedMbps?: number;
  readonly duplex?: "full" | "half";
}

export interface VirtualInterface {
  readonly type: string;
  readonly address: string;
  readonly mask?: string;
  readonly unit: number;
  readonly mac: string;
  /** The carrier; absent when it has none. */
  readonly carrierMac?: string;
  readonly routingTable: number;
  readonly isEncapsulated: boolean;
  readonly lan: string;
  readonly tag: number;
}

export interface Interfaces {
  readonly physical: readonly PhysicalInterface[];
  readonly settings: readonly InterfaceSetting[];
  readonly carriers: readonly CarrierInterface[];
  readonly virtual: readonly VirtualInterface[];
}

/** One direction of a shaped link. */
export interface Pipe {
  readonly number: number;
  readonly delayMs: number;
  readonly bandwidthKbps: number;
  /** 0 to 1. */
  readonly loss: number;
}

/** Queue of one direction; RED and GRED use all of it. */
export interface Queue {
  readonly isRed: boolean;
  readonly limit: number;
  readonly maxThreshold: number;
  readonly minThreshold: number;
  readonly weight: number;
  readonly linearTerm: number;
  readonly isLimitInBytes: boolean;
  readonly bytes: number;
  readonly meanPacketBytes: number;
  readonly wait: number;
  readonly setBit: number;
  readonly dropTail: number;
  readonly gentle: number;
}

export interface DelayEnd {
  readonly mac: string;
  readonly pipe: Pipe;
  readonly queue: Queue;
  /** The node at that end; the name of the link for a bridge. No placeholder stands for it. */
  readonly vnode: string;
  readonly backfillKbps: number;
}

/** One shaped link on a delay node; end 0's pipe shapes what enters there. */
export interface DelayRow {
  readonly link: string;
  readonly ends: readonly [DelayEnd, DelayEnd];
  readonly isUnshaped: boolean;
}

/** One interface that its own node shapes. */
export interface LinkDelayRow {
  readonly mac: string;
  readonly kind: "simplex" | "duplex";
  readonly link: string;
  readonly vnode: string;
  readonly address: string;
  readonly mask: string;
  readonly pipe: Pipe;
  readonly reverse: Pipe;
  readonly queue: Queue;
}

/** A program agent's configuration, as texts: empty ones are left out. */
export interface ProgramRow {
  readonly name: string;
  readonly directory: string;
  readonly timeout: string;
  readonly expectedExitCode: string;
  readonly command: string;
}

export interface TrafficRow {
  readonly name: string;
  readonly node: string;
  /** Empty when the node has no such address. */
  readonly address: string;
  readonly port: number;
  readonly peerNode: string;
  readonly peerAddress: string;
  readonly peerPort: number;
  readonly protocol: string;
  readonly role: "source" | "sink";
  readonly generator: "TG" | "NSE";
}

export interface RouteRow {
  readonly destination: string;
  readonly kind: "host" | "net";
  readonly mask: string;
  readonly nextHop: string;
  readonly cost: number;
  readonly source: string;
}

export interface Routing {
  /** none, ospf, static, manual, static-ddijk or static-old. */
  readonly type: string;
  readonly routes: readonly RouteRow[];
}

export interface MountRow {
  /** `<server>:<path>`; absent without shared file systems. */
  readonly remote?: string;
  readonly local: string;
}

export interface Mounts {
  readonly fileSystem: "LOCAL" | "SFS" | "NFS" | "NFS-RACY";
  readonly rows: readonly MountRow[];
}

/** Seconds; 0 never, -1 unknown. */
export interface WatchIntervals {
  readonly interval: number;
  readonly isAlive: number;
  readonly ntpDrift: number;
  readonly cvsup: number;
  readonly rusage: number;
  readonly hostKeys: number;
  readonly dhcpdConf: number;
  readonly rootPassword: number;
}

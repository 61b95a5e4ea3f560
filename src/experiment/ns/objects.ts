// SPDX-License-Identifier: MIT
// The objects an experiment file makes, as plain mutable records while the file runs. Behaviour is
// in the file of each subject; names and identity are kept by context.ts.

/** What every object has. */
interface Named {
  /** Current name: the internal one until the first assignment to a global variable. */
  name: string;
  /** False until that assignment. */
  isNamed: boolean;
  /** Source offset of the command that made it. */
  readonly offset: number;
}

export interface SimulatorObject extends Named {
  readonly kind: "simulator";
}

export interface NodeObject extends Named {
  readonly kind: "node";
  readonly isBridge: boolean;
  type: string;
  osName: string;
  commandLine: string;
  rpms: string;
  startup: string;
  failureAction: "fatal" | "nonfatal" | "ignore";
  fixed: string;
  /** What is unpacked on the node, in order. */
  archives?: readonly { readonly directory: string; readonly file: string }[];
  /** Interfaces in order of attachment. */
  readonly ports: { readonly link: LinkObject; address: string }[];
  readonly agents: (AgentObject | ApplicationObject)[];
  nextAgentPort: number;
  readonly desires: Map<string, string>;
  /** Columns that are present only when set. */
  readonly extra: Map<string, string>;
  topography: TopographyObject | undefined;
  readonly location: Map<string, string>;
  readonly routes: RouteRecord[];
}

export interface RouteRecord {
  readonly dst: NodeObject | LinkObject | LinkHandle;
  readonly nexthop: NodeObject;
  readonly offset: number;
}

/** Values of one direction, as the text of the tables. */
export interface Shape {
  /** Milliseconds. */
  delay: string;
  /** Kilobits per second. */
  bandwidth: string;
  backfill: string;
  estimate: string | undefined;
  /** Probability. */
  loss: string;
}

export interface MemberObject {
  readonly node: NodeObject;
  readonly port: number;
  readonly toLink: Shape;
  readonly fromLink: Shape;
  readonly queue: QueueObject;
  /** Trace settings of this member alone. */
  trace?: TraceSettings;
  /** Settings of this member, in order of setting. */
  settings?: Map<string, string>;
  /** Columns that are present only when set. */
  readonly extra: Map<string, string>;
}

export interface LinkObject extends Named {
  readonly kind: "link";
  readonly isLan: boolean;
  readonly members: MemberObject[];
  netmask: string;
  mustDelay: boolean;
  failureAction: string;
  /** Values of table columns that tb-* commands change. */
  readonly columns: Map<string, string>;
  trace: TraceSettings | undefined;
  /** LAN settings in order of setting. */
  readonly settings: Map<string, string>;
}

export interface TraceSettings {
  type: string;
  expression: string;
  snaplen: string;
  endnode: string;
  database: string;
}

export interface QueueObject extends Named {
  readonly kind: "queue";
  /** Filled in when the member exists. */
  link: LinkObject | undefined;
  node: NodeObject | undefined;
  /** Shared with the other queues of its kind until a field is set. */
  fields: ReadonlyMap<string, string>;
}

/** `$ns link a b` and `$ns lanlink lan node`: names a member, first node first. */
export interface LinkHandle extends Named {
  readonly kind: "handle";
  readonly link: LinkObject;
  readonly member: MemberObject;
}

export interface AgentObject extends Named {
  readonly kind: "agent";
  readonly className: string;
  readonly family: "udp" | "tcp" | "null" | "tcpsink" | "fulltcp";
  node: NodeObject | undefined;
  port: number;
  role: "" | "source" | "sink";
  proto: string;
  peer: AgentObject | undefined;
  application: ApplicationObject | undefined;
}

export interface ApplicationObject extends Named {
  readonly kind: "application";
  readonly family: "cbr" | "ftp" | "telnet";
  agent: AgentObject | undefined;
  readonly fields: Map<string, string>;
}

export interface ProgramObject extends Named {
  readonly kind: "program";
  node: NodeObject | "ops" | undefined;
  command: string;
  /** The command without the start-command wrapper. */
  innerCommand: string | undefined;
  /** As the tables show it: program-agent keeps braces around it. */
  directory: string;
  timeout: string;
  expectedExitCode: string;
}

export interface GroupObject extends Named {
  readonly kind: "group";
  readonly members: NsObject[];
}

export interface SequenceObject extends Named {
  readonly kind: "sequence";
  readonly events: EventRecord[];
  /** Runs when a step fails. */
  onError: SequenceObject | undefined;
}

export interface TimelineObject extends Named {
  readonly kind: "timeline";
  readonly events: EventRecord[];
}

export interface ConsoleObject extends Named {
  readonly kind: "console";
  readonly node: NodeObject | undefined;
}

export interface TopographyObject extends Named {
  readonly kind: "topography";
  area: string;
}

export interface PathObject extends Named {
  readonly kind: "path";
  readonly links: readonly LinkObject[];
}

export interface FirewallObject extends Named {
  readonly kind: "firewall";
  type: string;
  style: string;
  /** Name of the firewall it stands behind, or "". */
  parent: string;
  readonly rules: { readonly number: string; readonly rule: string }[];
}

/** Stands for an ns-2 thing that has no meaning here: takes every method. */
export interface NullObject extends Named {
  readonly kind: "null";
  readonly className: string;
}

export type NsObject =
  | SimulatorObject
  | NodeObject
  | LinkObject
  | QueueObject
  | LinkHandle
  | AgentObject
  | ApplicationObject
  | ProgramObject
  | GroupObject
  | SequenceObject
  | TimelineObject
  | ConsoleObject
  | TopographyObject
  | PathObject
  | FirewallObject
  | NullObject;

export type ObjectKind = NsObject["kind"];

/** One event as the file gives it; names are taken when the event is written out. */
export interface EventRecord {
  readonly timeText: string;
  readonly atUs: number | "swapout";
  readonly vnode: string;
  readonly vname: string;
  readonly objectType: string;
  readonly eventType: string;
  readonly args: string;
  /** Arguments for Muster's model, where they differ from the table's. */
  readonly modelArgs: string | undefined;
  readonly offset: number;
  readonly index: number;
}

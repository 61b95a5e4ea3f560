// SPDX-License-Identifier: MIT
// The experiment as data: what every front end (NS, later YAML and TypeScript) produces and what
// the testbed runs. Plain, immutable values in creation order; nothing here knows a file format,
// a table row or a running process.
//
// Units are in the names. Addresses are dotted quads as text.

/** A place in a source file; lines and columns count from 1. */
export interface SourcePosition {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** One end of a link or LAN. */
export interface LinkMember {
  readonly node: string;
  /** Interface number at the node, from 0 in order of attachment. */
  readonly port: number;
  /** The experiment address of this interface, or `""` when none is assigned. */
  readonly address: string;
  /** Shaping from the node towards the link. */
  readonly toLink: LinkShape;
  /** Shaping from the link towards the node. */
  readonly fromLink: LinkShape;
  /** The queue from the node towards the link; absent means drop-tail of the usual length. */
  readonly queue?: QueueShape;
  /** Absent: nothing is written down. */
  readonly trace?: TraceWish;
}

/** What is written down of the packets at an end of a link, both ways. */
export interface TraceWish {
  readonly kind: "headers" | "packets" | "counts";
  /** So much of each packet; left out: what the kind is about. */
  readonly bytes?: number;
  /** Which packets, in the words of tcpdump; left out: all. */
  readonly expression?: string;
  /** Wanted in a database of the experiment, which there is none of here. */
  readonly inDatabase?: true;
}

/** How a queue drops. */
export interface QueueShape {
  readonly kind: "drop-tail" | "red" | "gentle-red";
  /** Most it holds, in `limitUnit`. */
  readonly limit: number;
  readonly limitUnit: "packets" | "bytes";
  /** RED: average lengths where dropping begins and where everything is dropped, in packets. */
  readonly minThreshold: number;
  readonly maxThreshold: number;
  /** RED: weight of the newest length in the average, 0 to 1. */
  readonly averageWeight: number;
  /** RED: one of so many packets is dropped at `maxThreshold`. */
  readonly dropOneIn: number;
  readonly meanPacketBytes: number;
}

/** One end of a flow of generated traffic. */
export interface TrafficEnd {
  readonly name: string;
  readonly node: string;
  readonly port: number;
  /** Address of the node's first interface, `""` when it has none. */
  readonly address: string;
}

/** Traffic from one node to another. Its events name it. */
export interface TrafficFlow {
  readonly name: string;
  readonly kind: "cbr" | "ftp" | "telnet";
  readonly protocol: "udp" | "tcp";
  readonly source: TrafficEnd;
  readonly sink: TrafficEnd;
  readonly packetBytes: number;
  /** Bits per second; undefined when the file sets none. */
  readonly rateBps: number | undefined;
  /** Seconds between packets; undefined when the file sets none, and the rate rules. */
  readonly intervalSeconds: number | undefined;
  /** Type-of-service byte; undefined when the file sets none. */
  readonly tos: number | undefined;
  readonly at: SourcePosition;
}

/** `$node add-route`: by which node beside it a node sends what is for somewhere else. */
export interface GivenRoute {
  readonly node: string;
  /** A node with one link; or the network of a link, and whose end the file names it by. */
  readonly to:
    | { readonly node: string; readonly link?: undefined }
    | { readonly link: string; readonly node?: string };
  readonly by: string;
  readonly at: SourcePosition;
}

/** Something to unpack on a node before its programs start. */
export interface Archive {
  readonly directory: string;
  /** A path or a URL. */
  readonly file: string;
}

/** What one direction of one member asks for. */
export interface LinkShape {
  /** Bits per second; 0 means "whatever the medium carries". */
  readonly bandwidthBps: number;
  readonly delayUs: number;
  /** Probability of losing a packet, 0 to 1. */
  readonly loss: number;
  /** The delay of each packet is up to so much more or less; left out, 0. */
  readonly jitterUs?: number;
  /** Probability that a packet comes twice, 0 to 1; left out, 0. */
  readonly duplicate?: number;
  /** Probability that a packet is not delayed, and so overtakes, 0 to 1; left out, 0. */
  readonly reorder?: number;
}

export interface Link {
  readonly name: string;
  readonly kind: "link" | "lan";
  readonly netmask: string;
  /** What a route over it costs; left out, 1. */
  readonly cost?: number;
  readonly members: readonly LinkMember[];
  readonly at: SourcePosition;
}

export interface ExperimentNode {
  readonly name: string;
  readonly osName: string;
  readonly hardwareType: string;
  /** What a failing node means for the run. */
  readonly failureAction: "fatal" | "nonfatal" | "ignore";
  /** What is unpacked on it, in order; those of the whole experiment first. */
  readonly archives?: readonly Archive[];
  /** Packages to install, in order. */
  readonly packages?: readonly string[];
  /** The machine that it is; left out, any. */
  readonly machine?: string;
  readonly at: SourcePosition;
}

/** A command on a node: a program agent, or the start command of a node. */
export interface Program {
  readonly name: string;
  readonly node: string;
  /** The command the user wrote, without the start-command wrapper. */
  readonly command: string;
  /** True for `tb-set-node-startcmd`: its exit status is reported as the node's start status. */
  readonly isStartCommand: boolean;
  /** Working directory, or `""` for the default (/tmp). */
  readonly directory: string;
  /** Seconds until the program is stopped; 0 for never. */
  readonly timeoutSeconds: number;
  readonly expectedExitCode: number;
  /** What reads the command; absent is the shell of the testbed, and `sh` in YAML. */
  readonly shell?: "sh" | "csh";
  /** Variables of this program alone, besides those of the experiment. */
  readonly environment?: readonly (readonly [name: string, value: string])[];
  /** What starts it when it is no planned event. */
  readonly startWhen?: StartCondition;
  /** Which copy of a group of the Testground plan it is. */
  readonly instance?: GroupInstance;
  readonly at: SourcePosition;
}

/** One of the copies of a group, numbered from 0. */
export interface GroupInstance {
  readonly group: string;
  readonly number: number;
}

/** Copies of one command, as Testground calls them: a group of instances. */
export interface TestgroundGroup {
  readonly name: string;
  readonly instances: number;
  readonly role: string;
  readonly params: readonly (readonly [name: string, value: string])[];
}

/** A test plan of Testground: its instances are programs of the experiment. */
export interface TestgroundPlan {
  readonly plan: string;
  readonly testCase: string;
  readonly groups: readonly TestgroundGroup[];
}

/** A wait for one outcome of a barrier. */
export interface BarrierWait {
  readonly barrier: string;
  readonly outcome: "crossed" | "failed" | "timeout" | "cancelled";
  readonly at: SourcePosition;
}

/** A program that another must have ended for, as it was expected to. */
export interface ProgramDependency {
  readonly program: string;
  readonly at: SourcePosition;
}

/** All of these must hold; then the program starts, `delayUs` later. */
export interface StartCondition {
  readonly after: readonly ProgramDependency[];
  readonly on?: BarrierWait;
  readonly delayUs: number;
  readonly at: SourcePosition;
}

/** When a declared barrier is crossed. */
export type BarrierRule =
  /** Every member has arrived. A member that is dead fails it when nothing else is said. */
  | { readonly kind: "roster"; readonly whenDead?: "shrink" | "wait" }
  /** So many have arrived, whoever they are. */
  | { readonly kind: "count"; readonly count: number }
  /** This part of the members, 0 to 1, has arrived. */
  | { readonly kind: "quorum"; readonly share: number };

/** A barrier the file itself names. */
export interface BarrierDeclaration {
  readonly name: string;
  readonly rule: BarrierRule;
  /** Names of nodes and programs; empty for a count of anybody. */
  readonly members: readonly string[];
  /** Microseconds from the first arrival; 0 for none. */
  readonly deadlineUs: number;
  /**
   * What a barrier that is not crossed means: its waiters get the error and the run fails at its
   * end (`fail`), or is ended at once (`stop`), or goes on as if nothing were wrong (`continue`).
   */
  readonly onFailure: "fail" | "stop" | "continue";
  readonly at: SourcePosition;
}

/** One `$ns at` or sequence step: an event for an object of the experiment. */
export interface PlannedEvent {
  /** Index in source order over the whole file: ties in time are broken by it. */
  readonly index: number;
  /** Microseconds after time 0; `"swapout"` fires when the experiment is swapped out. */
  readonly atUs: number | "swapout";
  /** Name of the object: a program, group, sequence, timeline, link, node, the simulator. */
  readonly object: string;
  /** `PROGRAM`, `SEQUENCE`, `TIMELINE`, `LINK`, `SIMULATOR`, ... */
  readonly type: string;
  /** `START`, `RUN`, `STOP`, `KILL`, `HALT`, `MODIFY`, ... */
  readonly event: string;
  /** `KEY=value ...` as the event system carries them. */
  readonly args: string;
  /** Waits for this first; `atUs` then counts from there. */
  readonly on?: BarrierWait;
  readonly at: SourcePosition;
}

/** Steps that run one after another, each waiting for the completion of the one before. */
export interface EventSequence {
  readonly name: string;
  readonly steps: readonly PlannedEvent[];
  /** The sequence that runs when a step fails; this one then ends. */
  readonly onError?: string;
}

/** Events with times relative to the start of the timeline. */
export interface EventTimeline {
  readonly name: string;
  readonly events: readonly PlannedEvent[];
}

export interface EventGroup {
  readonly name: string;
  readonly members: readonly string[];
}

export interface Experiment {
  /** Project name. */
  readonly pid: string;
  /** Experiment name. */
  readonly eid: string;
  readonly nodes: readonly ExperimentNode[];
  readonly links: readonly Link[];
  readonly programs: readonly Program[];
  /** Events of the main timeline (`$ns at`), in source order. */
  readonly events: readonly PlannedEvent[];
  readonly sequences: readonly EventSequence[];
  readonly timelines: readonly EventTimeline[];
  readonly groups: readonly EventGroup[];
  readonly traffic?: readonly TrafficFlow[];
  /** How nodes come to routes; left out: they have none, and none forwards. */
  readonly routing?: Routing;
  /** What nodes are told besides the routes that are computed. */
  readonly routes?: readonly GivenRoute[];
  /** Barriers the file declares; programs may use others without. */
  readonly barriers?: readonly BarrierDeclaration[];
  /** What the instances are told of the plan that they are of. */
  readonly testground?: TestgroundPlan;
  /** The node that runs the sync server, or undefined when there is no node. */
  readonly syncServer: string | undefined;
  /** Last stage of the linktest at swap-in, 0 for none; left out: the file does not say. */
  readonly linktestLevel?: LinktestLevel;
  /** Name of the simulator object (normally `ns`). */
  readonly simulator: string;
  /** `set opt(NAME) value`, in order of assignment; exported to programs. */
  readonly environment: readonly (readonly [name: string, value: string])[];
}

/**
 * Routes by the costs of links (`static`, whose other names choose how an old system computed them,
 * and `session`, where routers found them among each other), or those of the file alone.
 */
export type Routing = "static" | "static-ddijk" | "static-old" | "session" | "manual";

/** None, or latency, routing, loss, bandwidth: each with those before it. [LINKTEST 2] */
export type LinktestLevel = 0 | 1 | 2 | 3 | 4;

/** One finding about a file. `error` findings refuse the file. */
export interface Diagnostic {
  readonly severity: "error" | "warning" | "note";
  /** Stable, upper case, e.g. `NS_NO_RUN`; listed in docs/reference/diagnostics.md. */
  readonly code: string;
  readonly message: string;
  readonly at: SourcePosition;
  /** The source line, when it is not in the experiment file itself but in one that it sources. */
  readonly excerpt?: string;
  /** What to do about it, when there is something to say. */
  readonly hint?: string;
  /** Calls and loops the fault was reached through, innermost first. */
  readonly via?: readonly SourcePosition[];
}

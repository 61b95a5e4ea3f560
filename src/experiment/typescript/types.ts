// SPDX-License-Identifier: MIT
// The fields of an experiment file as types, with the names of the file's own objects in them: an
// editor completes a node's name and underlines one that is misspelled.

/** A number and its unit: `250us`, `10ms`, `2.5s`, `1m30s`. */
export type Duration =
  | 0
  | `${number}${"h" | "m" | "s" | "ms" | "us"}`
  | `${number}${"h" | "m"}${string}s`;
/** `56kbps`, `100Mbps`, `1Gb`, `10Mb/s`; `any` or `unlimited`. */
export type Bandwidth =
  | `${number}${"" | "k" | "M" | "G"}${"bps" | "b" | "b/s"}`
  | "any"
  | "unlimited";
/** `1%`; a number is a share below one: 0.01. */
export type Percentage = `${number}%` | number;

/** A value of an option or a variable, taken as text. */
export type ScalarValue = string | number | boolean;

export interface NodeSpec {
  readonly os?: string;
  /** Hardware type; `pc` when left out. */
  readonly hardware?: string;
  readonly onFailure?: "fatal" | "nonfatal" | "ignore";
  /** This many nodes, numbered from 0; the name without a number means all of them. */
  readonly repeat?: number;
  /** Run at time 0; its exit status is the start status of the node. */
  readonly startCommand?: string;
  /**
   * Routes besides those that are computed: to a node with one link, a link or an end of it
   * (LINK-NODE), by a node beside it.
   */
  readonly routes?: readonly { readonly to: string; readonly by: string }[];
  /** Unpacked on it before its programs start. */
  readonly archives?: readonly { readonly directory: string; readonly file: string }[];
  /** Paths or URLs; a run installs none, and says so. */
  readonly packages?: readonly string[];
  /** The machine that it is on; any when left out. */
  readonly machine?: string;
}

/** Names that a map of nodes makes: of `repeat` also the numbered ones, of a range only those. */
export type NodeNames<Nodes> = {
  [Key in keyof Nodes & string]: Key extends `${infer Before}{${number}..${number}}${infer After}`
    ? `${Before}${number}${After}`
    : Nodes[Key] extends { readonly repeat: number }
      ? Key | `${Key}${number}`
      : Key;
}[keyof Nodes & string];

/** Names of programs: on a group also those on each of its nodes. */
export type ProgramNames<Programs, Node extends string> =
  | (keyof Programs & string)
  | `${keyof Programs & string}-${Node}`
  | `${Node}_startcmd`;

export interface ShapeSpec {
  readonly bandwidth?: Bandwidth;
  readonly delay?: Duration;
  readonly loss?: Percentage;
  /** The delay of each packet is up to so much more or less. */
  readonly jitter?: Duration;
  /** So many packets come twice. */
  readonly duplicate?: Percentage;
  /** So many packets are not delayed, and overtake. */
  readonly reorder?: Percentage;
}

/** `50packets`, `9000bytes`. */
export type QueueLength = `${number}${"packets" | "bytes"}`;

/** What of a queue an event can change. */
export interface QueueChangeSpec {
  readonly limit?: QueueLength;
  /** RED: mean lengths where drops begin, and where all are dropped. */
  readonly minThreshold?: `${number}packets`;
  readonly maxThreshold?: `${number}packets`;
  /** RED: weight of the newest length in the mean. */
  readonly averageWeight?: Percentage;
  /** RED: one of so many is dropped just below `maxThreshold`. */
  readonly dropOneIn?: number;
}

export interface QueueSpec extends QueueChangeSpec {
  readonly kind?: "drop-tail" | "red" | "gentle-red";
  readonly meanPacketBytes?: number;
}

/** One way of a link, with the queue of whoever sends. */
export interface WaySpec extends ShapeSpec {
  readonly queue?: QueueLength | QueueSpec;
}

/** What is written down of packets. */
export interface TraceSpec {
  /** `headers` when left out. */
  readonly kind?: "headers" | "packets" | "counts";
  /** So much of each packet. */
  readonly bytes?: number;
  /** Which packets, in the words of tcpdump. */
  readonly expression?: string;
}

export interface MemberSpec<Node extends string> {
  readonly node: Node;
  readonly address?: string;
  readonly port?: number;
  /** From this node into the link. */
  readonly to?: ShapeSpec;
  /** From the link to this node. */
  readonly from?: ShapeSpec;
  readonly queue?: QueueLength | QueueSpec;
  readonly trace?: NonNullable<TraceSpec["kind"]> | TraceSpec;
}

interface CommonLink extends WaySpec {
  readonly trace?: NonNullable<TraceSpec["kind"]> | TraceSpec;
  readonly netmask?: string;
  /** What a route over it costs; 1 when left out. */
  readonly cost?: number;
}

export type LinkSpec<Node extends string> =
  | (CommonLink & {
      readonly between: readonly [Node | MemberSpec<Node>, Node | MemberSpec<Node>];
      readonly forward?: WaySpec;
      readonly backward?: WaySpec;
    })
  | (CommonLink & { readonly lan: readonly (Node | MemberSpec<Node>)[] });

type OneOrMore<T> = T | readonly T[];

/** `barrier NAME OUTCOME`; the first and the last word may be left out. */
export type WaitSpec<Barrier extends string> =
  | Barrier
  | `${"" | "barrier "}${Barrier} ${"crossed" | "failed" | "timeout" | "cancelled"}`;

export interface StartSpec<Program extends string, Barrier extends string> {
  readonly at?: Duration;
  readonly after?: OneOrMore<Program>;
  readonly when?: WaitSpec<Barrier>;
}

export interface ProgramSpec<Node extends string, Program extends string, Barrier extends string> {
  readonly node: OneOrMore<Node | "ops">;
  readonly command: string;
  /** A time, `manual`, or what it waits for; `0s` when left out. */
  readonly start?: Duration | "manual" | StartSpec<Program, Barrier>;
  /** Expected exit code. */
  readonly expect?: number;
  readonly timeout?: Duration;
  readonly directory?: string;
  readonly environment?: Readonly<Record<string, ScalarValue>>;
  readonly shell?: "sh" | "csh";
  readonly startCommand?: boolean;
}

/** Copies of one command in a test plan of Testground. */
export interface InstanceGroupSpec<Node extends string>
  extends Pick<
    ProgramSpec<Node, string, string>,
    "command" | "expect" | "timeout" | "directory" | "environment" | "shell"
  > {
  readonly instances: number;
  /** Dealt out to these in turn; to all nodes when left out. */
  readonly node?: OneOrMore<Node>;
  readonly params?: Readonly<Record<string, ScalarValue>>;
  readonly role?: string;
}

export interface TestgroundSpec<Node extends string> {
  /** The name of the experiment when left out. */
  readonly plan?: string;
  readonly case: string;
  readonly groups: Readonly<Record<string, InstanceGroupSpec<Node>>>;
}

export interface BarrierSpec<Member extends string> {
  readonly members?: OneOrMore<Member>;
  readonly count?: number;
  readonly quorum?: Percentage;
  readonly whenDead?: "fail" | "shrink" | "wait";
  readonly deadline?: Duration;
  readonly onFailure?: "fail" | "stop" | "continue";
}

export interface ActionSpec<Target extends string> {
  readonly target: Target;
  readonly do: string;
  readonly set?: ShapeSpec & { readonly queue?: QueueLength | QueueChangeSpec };
  readonly signal?: string;
  readonly message?: string;
  readonly args?: string;
}

/** An event for an object that the file does not make: its type says what it is. */
export interface ForeignActionSpec {
  readonly target: string;
  readonly type: string;
  readonly do: string;
  readonly args?: string;
}

export interface TimeSpec<Barrier extends string> {
  readonly at?: Duration | "swapout";
  readonly when?: WaitSpec<Barrier>;
}

export type StepSpec<Target extends string> = ActionSpec<Target> | ForeignActionSpec;
export type EventSpec<Target extends string, Barrier extends string> = TimeSpec<Barrier> &
  StepSpec<Target>;

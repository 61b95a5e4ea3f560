// SPDX-License-Identifier: MIT
// The commands about barriers, by kind. Like all commands they are plain data: they are stored in
// the log and read again by every replica.
import type { ConnectionId, Participant } from "../participant.ts";
import type {
  CancelAll,
  CancelBarrier,
  CountChange,
  FailBarrier,
  RosterChange,
  RosterDead,
  RosterOpen,
} from "./orders.ts";
import type { Deadline, Quorum } from "./rules.ts";
import type { TreeMessage } from "./tree-messages.ts";

export type {
  CancelAll,
  CancelBarrier,
  CountChange,
  FailBarrier,
  RosterChange,
  RosterDead,
  RosterMember,
  RosterOpen,
  TreeOrder,
} from "./orders.ts";

interface Arrival {
  readonly scope: string;
  readonly barrier: string;
  readonly connection: ConnectionId;
  readonly who: Participant;
  /** Error number brought to the barrier; 0 for none. */
  readonly error: number;
  /** The wait ends with outcome `timeout` after this much log time (B9). */
  readonly timeoutUs?: number;
  /**
   * Goes on together with the others: when it crosses, at one instant that is later by the largest
   * of the leads that were asked for. As much as it takes to be told of it, microseconds.
   */
  readonly leadUs?: number;
  /**
   * Of the arrivals of the scope that have it one counts (keyed-arrivals.ts). From version 9 of the
   * log; builds before that pass over it.
   */
  readonly key?: string;
}

/** Adds `count` waiters to a count barrier and, when `waits`, waits there too. */
export interface CountInit extends Arrival {
  readonly kind: "count-init";
  readonly count: number;
  readonly waits: boolean;
  /** Replaces one that an init before has set. */
  readonly deadline?: Deadline;
}

/** Arrives at a count barrier: takes one off the count and waits. */
export interface CountWait extends Arrival {
  readonly kind: "count-wait";
}

/** Adds one to a state; answered by `signalled` with the new value. [TESTGROUND-SYNC 4] */
export interface StateSignal {
  readonly kind: "state-signal";
  readonly scope: string;
  readonly barrier: string;
  readonly connection: ConnectionId;
  readonly who: Participant;
  /** As of an arrival. */
  readonly key?: string;
}

/** Waits until a state has reached `target`; at once when it has. */
export interface StateWait extends Arrival {
  readonly kind: "state-wait";
  readonly target: number;
}

/** Both at one instant: answered by `signalled`, then by `released`. */
export interface StateSignalAndWait extends Arrival {
  readonly kind: "state-signal-and-wait";
  readonly target: number;
}

export type StateCommand = StateSignal | StateWait | StateSignalAndWait;

/**
 * Makes a quorum barrier. Who makes it is its driver, known by this connection, and is told of it
 * by `quorum-status`. [GNUNET-BARRIERS 3.1]
 */
export interface QuorumInit {
  readonly kind: "quorum-init";
  readonly scope: string;
  readonly barrier: string;
  readonly connection: ConnectionId;
  readonly who: Participant;
  readonly quorum: Quorum;
  /** `explicit`: when it has crossed, nobody goes on before the driver has sent `quorum-echo`. */
  readonly echo: "automatic" | "explicit";
  readonly deadline?: Deadline;
  /** As the key of an arrival, from version 12 of the log (X5). */
  readonly once?: string;
}

/**
 * Arrives at a quorum barrier. One that never was is refused; one that is over says how it ended.
 */
export interface QuorumWait extends Arrival {
  readonly kind: "quorum-wait";
}

/** The driver has heard that the barrier has crossed; `connection` is that of its init. */
export interface QuorumEcho {
  readonly kind: "quorum-echo";
  readonly scope: string;
  readonly barrier: string;
  readonly connection: ConnectionId;
}

/** Another quorum, while people wait. */
export interface QuorumChange {
  readonly kind: "quorum-change";
  readonly scope: string;
  readonly barrier: string;
  readonly connection: ConnectionId;
  readonly quorum: Quorum;
}

/** One peer more, or less, of this controller in this scope. */
export interface PeerRegister {
  readonly kind: "peer-register" | "peer-deregister";
  readonly scope: string;
  readonly connection: ConnectionId;
  readonly peer: string;
}

/** How many peers there are beside those registered by name. */
export interface PeersSet {
  readonly kind: "peers-set";
  readonly scope: string;
  readonly connection: ConnectionId;
  readonly count: number;
}

export type QuorumCommand =
  | QuorumInit
  | QuorumWait
  | QuorumEcho
  | QuorumChange
  | PeerRegister
  | PeersSet;

/** A member, by the name of `who`, arrives and waits for the others. */
export interface RosterArrive extends Arrival {
  readonly kind: "roster-arrive";
  /** The phase it thinks it is in, 1 for the first; absent: the one that is on. */
  readonly phase?: number;
}

/** Arrivals that may have a key, with it. */
type KeyedArriving = (CountInit | CountWait | StateCommand | QuorumWait | RosterArrive) & {
  readonly key: string;
};

/**
 * What makes a barrier, with its key. That has a name of its own: builds that know keys of arrivals
 * alone would move it and never answer.
 */
export type KeyedMaking = (QuorumInit | RosterOpen) & { readonly once: string };

/** Those of which one counts when several have one key. */
export type KeyedCommand = KeyedArriving | KeyedMaking;

/**
 * As what the command may carry its key; whatever else is asked twice is asked for twice. From
 * which version of the log on a key counts, keyed-arrivals.ts says.
 */
export function keyFieldOf({ kind }: { readonly kind: string }): "key" | "once" | undefined {
  if (makingKinds.has(kind)) return "once";
  return arrivingKinds.has(kind) ? "key" : undefined;
}

export function isMaking({ kind }: { readonly kind: string }): boolean {
  return makingKinds.has(kind);
}

const makingKinds: ReadonlySet<string> = new Set<KeyedMaking["kind"]>([
  ...(["quorum-init", "roster-open"] as const),
]);
const arrivingKinds: ReadonlySet<string> = new Set<KeyedArriving["kind"]>([
  ...(["count-init", "count-wait", "quorum-wait", "roster-arrive"] as const),
  ...(["state-wait", "state-signal", "state-signal-and-wait"] as const),
]);

export type RosterCommand = RosterOpen | RosterArrive | RosterChange | RosterDead;

/**
 * Joins this controller, called `name`, to another one in a scope. Answered by `tree-joined`, or by
 * `tree-left` with the reason. The edge that sends it carries the link from then on.
 */
export interface TreeJoin {
  readonly kind: "tree-join";
  readonly scope: string;
  readonly name: string;
  /** The other controller. */
  readonly peer: string;
  /** What the other is to this one. */
  readonly side: "parent" | "child";
  /** Any number that was not used before; it is taken when the link is new. */
  readonly life: number;
  /** Of a child with several servers: which of their joins this one belongs to (M6). */
  readonly claim?: TreeClaim;
}

/** That the core of the child has said who carries the link. */
export interface TreeClaim {
  /** What its link is called there, by which two controllers of one name differ. */
  readonly life: number;
  /** How many joins of that link there were, with this one. */
  readonly term: number;
  /** What tells the log of the child from others (M8); absent: it does not say so yet. */
  readonly origin?: number;
}

/** What the other side's `tree-joined` has said: it is there. */
export interface TreeMeet {
  readonly kind: "tree-meet";
  readonly scope: string;
  readonly from: string;
  readonly life: number;
  readonly received: number;
  /** The life of this side that it has received from; absent: that of now. */
  readonly receivedOf?: number;
  /**
   * The version of its log (D12): what it can say and hear. Absent: one that carries quorums only.
   */
  readonly speaks?: number;
}

/** What the other side's `tree-message` has said. Answered by `tree-received`. */
export interface TreeSaid {
  readonly kind: "tree-message";
  readonly scope: string;
  readonly from: string;
  readonly number: number;
  readonly message: TreeMessage;
}

/** What the other side's `tree-received` has said. */
export interface TreeAcknowledge {
  readonly kind: "tree-acknowledge";
  readonly scope: string;
  readonly from: string;
  readonly number: number;
}

/** The link is given up for good; barriers that go over it fail. */
export interface TreeLeave {
  readonly kind: "tree-leave";
  readonly scope: string;
  readonly peer: string;
  readonly reason?: string;
}

export type TreeCommand = TreeJoin | TreeMeet | TreeSaid | TreeAcknowledge | TreeLeave;

export type BarrierCommand =
  | CountInit
  | CountWait
  | StateCommand
  | QuorumCommand
  | TreeCommand
  | RosterCommand
  | CountChange
  | CancelAll
  | CancelBarrier
  | FailBarrier;

// SPDX-License-Identifier: MIT
// Commands: everything an edge may ask of the core. They are plain data, because they are stored in
// the log and read again by every replica. Times inside commands are durations in microseconds of
// log time; instants are the log's business (D2). Those of barriers are in
// barriers/commands.ts, those of the agenda in agenda/commands.ts.
import type { AgendaCommand, BarrierCondition } from "./agenda/commands.ts";
import type { BarrierCommand, StateSignalAndWait, StateWait } from "./barriers/commands.ts";
import type { ErrorCode } from "./code.ts";
import type { CoreLimits } from "./limits.ts";
import type { ConnectionId } from "./participant.ts";

export type {
  CancelAll,
  CancelBarrier,
  CountInit,
  CountWait,
  FailBarrier,
  KeyedCommand,
  QuorumInit,
  QuorumWait,
  RosterArrive,
  RosterOpen,
  StateSignal,
  StateSignalAndWait,
  StateWait,
  TreeCommand,
} from "./barriers/commands.ts";
export { keyFieldOf } from "./barriers/commands.ts";
export type { Deadline, Quorum, RosterRules } from "./barriers/rules.ts";
export type { ConnectionId, Participant } from "./participant.ts";

/** The error of waiters whose barrier was cleared. [EMULAB-SYNC 4 exit codes] */
export const clearedError = 240;

/** The connection is gone: an arrival that still waits is taken back (B4). */
export interface Leave {
  readonly kind: "leave";
  readonly connection: ConnectionId;
}

/** Names the nodes of a scope, so that reports can say from which of them nobody came yet. */
export interface OpenScope {
  readonly kind: "open-scope";
  readonly scope: string;
  readonly nodes: readonly string[];
}

/**
 * A barrier of the scope has ended in another log, whose agenda is in this one (D8): events that
 * wait for it get their instant.
 */
export interface BarrierTold {
  readonly kind: "barrier-told";
  readonly scope: string;
  readonly barrier: string;
  readonly outcome: BarrierCondition["outcome"];
  /** As of `AgendaSchedule`. */
  readonly origin?: string;
}

/** Ends a scope: barriers still open end as `cancelled` with this error, the agenda is dropped. */
export interface CloseScope {
  readonly kind: "close-scope";
  readonly scope: string;
  readonly error: number;
}

/** First command of an edge's incarnation, and again each time its link comes back. */
export interface Attach {
  readonly kind: "attach";
  /** Log time the edge is kept after its link is lost; `edgeLeaseUs` of the limits when absent. */
  readonly leaseUs?: number;
  /**
   * Where several servers have the log. `server`: this edge is one of them; its lease runs always,
   * anew with each entry that names it. `local`: it lives in the process of the server whose entry
   * this is, and ends with it.
   */
  readonly as?: "server" | "local";
  /** Of a server: the newest version of the log that it can follow, 1 when absent (D12). */
  readonly offers?: number;
  /**
   * Of a server: the last entry that it had read when it said this. Decides nothing in the core,
   * and builds that do not know it pass it over; the server that is ended by it asks (V3).
   */
  readonly behind?: number;
}

/** The link of an edge was lost; its lease starts to run. Appended by the host, not by edges. */
export interface Detach {
  readonly kind: "detach";
  readonly edge: string;
  readonly incarnation: number;
}

/**
 * The host has the edge: a `detach` that the log took late was no news any more. Appended by the
 * host, not by edges.
 */
export interface Attached {
  readonly kind: "attached";
  readonly edge: string;
  readonly incarnation: number;
}

/**
 * The edge has the effects up to this entry; another server need not keep them for its return.
 * Appended by the host, not by edges; decides nothing.
 */
export interface Seen {
  readonly kind: "seen";
  readonly edge: string;
  readonly incarnation: number;
  readonly sequence: number;
}

/**
 * What a server has computed of the log up to this entry (D11). Appended by the host, not by edges;
 * decides nothing in the core.
 */
export interface DigestTold {
  readonly kind: "digest";
  readonly sequence: number;
  readonly digest: string;
  readonly build: string;
}

/**
 * The state behind this entry is stored, whole (D11). Appended by the host, not by edges; decides
 * nothing in the core.
 */
export interface SnapshotTold {
  readonly kind: "snapshot";
  readonly sequence: number;
}

/**
 * This server has applied all entries up to this one, of which there is a snapshot: it does not
 * need what is before it. Appended by the host, not by edges; decides nothing in the core.
 */
export interface Reached {
  readonly kind: "reached";
  readonly sequence: number;
}

/**
 * From here on the log is of this version, unless a living server cannot follow (D12). Appended by
 * the host, not by edges.
 */
export interface RaiseVersion {
  readonly kind: "version";
  readonly version: number;
  /**
   * What the server was told of limits. They hold from the entry that raises the log to where
   * limits are state (version 5): told together, nothing is between the two. Builds before that
   * pass over them.
   */
  readonly limits?: Partial<CoreLimits>;
}

/**
 * From here on these limits are those of the log, and what came before stands. In a log of version
 * 5 and later only, because builds before that do not know it. Appended by the host, not by edges.
 */
export interface TellLimits {
  readonly kind: "limits";
  readonly limits: Partial<CoreLimits>;
}

/** The edge ends in order: its participants leave at once. */
export interface EndEdge {
  readonly kind: "end-edge";
}

/**
 * In place of something an edge sent that is no command, or one too many: it is answered with an
 * error, in its turn and once. Made by the core's end of a link (host/check-frame.ts); no edge
 * sends it.
 */
export interface Refuse {
  readonly kind: "refuse";
  /** 0 where none was named. */
  readonly connection: ConnectionId;
  readonly code: ErrorCode;
  readonly message: string;
}

/** Where a message lies that was stored before its entry (D11), and what it looks like. */
export interface PayloadRef {
  /** Given by the store, never twice. */
  readonly id: number;
  /** In UTF-8. */
  readonly bytes: number;
  /** The first 48 bits of the SHA-256 of the message: whoever reads it can tell it from others. */
  readonly hash: number;
}

/** Adds a message to a topic; the answer is its number. */
export interface Publish {
  readonly kind: "publish";
  readonly scope: string;
  readonly topic: string;
  readonly connection: ConnectionId;
  readonly payload: PayloadRef;
  /**
   * Goes with it: both happen at one instant, or neither does. Of the same scope and connection.
   */
  readonly arrival?: PublishedArrival;
}

/** An arrival at a state by the connection that publishes. */
export type PublishedArrival =
  | Omit<StateWait, "scope" | "connection" | "key">
  | Omit<StateSignalAndWait, "scope" | "connection" | "key">;

/** The edge wants to be told where the topic stands, from now on. The connection is refused. */
export interface FollowTopic {
  readonly kind: "topic-follow";
  readonly scope: string;
  readonly topic: string;
  readonly connection: ConnectionId;
}

/** Ends that; messages stay. */
export interface UnfollowTopic {
  readonly kind: "topic-unfollow";
  readonly scope: string;
  readonly topic: string;
}

export type TopicCommand = Publish | FollowTopic | UnfollowTopic;

export type Command =
  | BarrierCommand
  | Leave
  | OpenScope
  | BarrierTold
  | CloseScope
  | TopicCommand
  | AgendaCommand
  | Attach
  | Detach
  | Attached
  | Seen
  | DigestTold
  | SnapshotTold
  | Reached
  | RaiseVersion
  | TellLimits
  | EndEdge
  | Refuse;

/** One batch of commands of one edge; the number makes a repeated batch count once (B6, D4). */
export interface Batch {
  readonly edge: string;
  readonly incarnation: number;
  /** 1, 2, 3, ... within an incarnation; a batch out of turn is ignored and sent again. */
  readonly number: number;
  /**
   * A log of small messages has cut the batch: so many of its commands went before, in others.
   * Absent for a batch, or its beginning.
   */
  readonly from?: number;
  /** The rest of it follows. */
  readonly more?: true;
  readonly commands: readonly Command[];
}

export interface ServerLife {
  readonly edge: string;
  readonly incarnation: number;
}

/** What is appended to the log: all batches of one turn of the event loop. No batch: a tick. */
export interface Entry {
  readonly format: 1;
  /**
   * Who appended it, where several servers do: the edge that it is, and its life. The batches of
   * others count only while that life lasts (E5).
   */
  readonly server?: ServerLife;
  readonly batches: readonly Batch[];
}

/** An entry with its place in the order and the stamp of the log that ordered it (D2). */
export interface LogEntry {
  /** 1, 2, 3, ... */
  readonly sequence: number;
  /** Monotonic clock of the log, microseconds. Only differences mean anything. */
  readonly stampUs: number;
  readonly entry: Entry;
}

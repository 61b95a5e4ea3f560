// SPDX-License-Identifier: MIT
// Effects: everything the core may tell the outside. They exist only after their entry is in the
// log, so whoever performs one never promises what the log does not hold.
//
// Addressed effects go to one edge and are delivered to it in order, at least once while its
// incarnation lives; the edge drops positions it has seen. Observed effects go to whoever watches
// (run record, progress, log lines) and decide nothing. Those of the agenda are in
// agenda/effects.ts.
import type { AgendaEdgeEffect, AgendaObservedEffect } from "./agenda/effects.ts";
import type { BarrierKind, BarrierOutcome } from "./barriers/rules.ts";
import type { TreeMessage } from "./barriers/tree-messages.ts";
import type { ErrorCode } from "./code.ts";
import type { MemberFacts } from "./description.ts";
import type { ConnectionId, Participant } from "./participant.ts";

export type { BarrierKind, BarrierOutcome } from "./barriers/rules.ts";

/** One crossing for one edge: answer all these connections and forget them. */
export interface Released {
  readonly kind: "released";
  readonly scope: string;
  readonly barrier: string;
  readonly barrierKind: BarrierKind;
  readonly generation: number;
  /** Of a state its target, of a roster its phase; absent where a name has but one place. */
  readonly part?: number;
  readonly outcome: BarrierOutcome;
  /** The same for all waiters of one crossing: the largest reported (B3). */
  readonly error: number;
  readonly connections: readonly ConnectionId[];
  /** Who is missing, for outcome `timeout` (B10). */
  readonly missing?: readonly string[];
  /** Why it failed or was cancelled, when somebody said so. */
  readonly reason?: string;
  /**
   * When those who asked to go on together do, on the clock that stamps the log: the same for all.
   */
  readonly goUs?: number;
  /** For outcomes `timeout` and `failed` of a place where somebody waited. */
  readonly presence?: Presence;
}

/**
 * Who had come and who had not; each list holds at most `namesInReportMax`. Of other kinds than a
 * roster who is missing is told as far as it is known: `anonymous, from NODE`, `2 more, anonymous`,
 * expected since the barrier was opened.
 */
export interface Presence {
  /** The instant of which this is told; log time, as that of the lists. */
  readonly nowUs: number;
  readonly arrived: readonly MemberFacts[];
  readonly missing: readonly MemberFacts[];
  readonly dead: readonly MemberFacts[];
}

/** A signal was counted. */
export interface Signalled {
  readonly kind: "signalled";
  readonly scope: string;
  readonly barrier: string;
  readonly connection: ConnectionId;
  /** Of the state after it: 1 for the first. */
  readonly value: number;
}

/** What a driver is told of its quorum. `initialised`, then `crossed`, then an end. */
export interface QuorumStatus {
  readonly kind: "quorum-status";
  readonly scope: string;
  readonly barrier: string;
  readonly generation: number;
  /** That of its init; free again after an end. */
  readonly connection: ConnectionId;
  /**
   * `initialised`: by all controllers; `crossed`: reached at all of them, and now nothing takes it
   * back; `released`: whoever waits has been told to go on. The others are ends as well.
   */
  readonly status: "initialised" | "crossed" | "released" | "failed" | "cancelled" | "timeout";
  readonly error: number;
  readonly reason?: string;
  /** Where it ended before it crossed, when controllers have names. */
  readonly controller?: string;
  /** Of this controller, for `timeout` and `failed`. */
  readonly missing?: readonly string[];
  readonly presence?: Presence;
}

/** Its key was asked for by another connection, which is told all that follows. */
export interface Moved {
  readonly kind: "moved";
  readonly connection: ConnectionId;
}

/** An initialiser that does not wait is answered at once. */
export interface Acknowledged {
  readonly kind: "acknowledged";
  readonly connection: ConnectionId;
}

/** The request was refused and has no effect. */
export interface Refused {
  readonly kind: "refused";
  /** 0 when the request was the edge's own: opening a scope, loading an agenda, attaching. */
  readonly connection: ConnectionId;
  readonly code: ErrorCode;
  readonly message: string;
  /** The name of the limit that was reached, for code `limit`. */
  readonly limit?: string;
}

/**
 * The incarnation has ended (its lease ran out, or a newer one attached): close every connection.
 */
export interface Revoked {
  readonly kind: "revoked";
}

/** For the edge that carries a link between controllers: to be brought to the other one. */
export type TreeEffect =
  | {
      readonly kind: "tree-message";
      readonly scope: string;
      /** The controller it is for. */
      readonly to: string;
      readonly number: number;
      readonly message: TreeMessage;
    }
  /** Messages of that controller up to `number` are in the log. */
  | {
      readonly kind: "tree-received";
      readonly scope: string;
      readonly to: string;
      readonly number: number;
    }
  /** The link is joined: what the other side has to be told to be met. */
  | {
      readonly kind: "tree-joined";
      readonly scope: string;
      readonly to: string;
      readonly life: number;
      readonly received: number;
      /** The life of the other side that it was received from. */
      readonly receivedOf?: number;
      readonly speaks?: number;
      /** Of a link up: how often it was joined (M6). */
      readonly term?: number;
      /** Of a link up: what tells this log from others (M8). */
      readonly origin?: number;
    }
  /** The link is not joined any more, or was not; `reason` says why. */
  | {
      readonly kind: "tree-left";
      readonly scope: string;
      readonly to: string;
      readonly reason: string;
      /** Another edge carries it. */
      readonly isMoved?: true;
    };

/** The message has this number in its topic (P1). */
export interface Published {
  readonly kind: "published";
  readonly connection: ConnectionId;
  readonly scope: string;
  readonly topic: string;
  readonly number: number;
}

/** The topic has messages up to this number; edges read on from where they are (D11). */
export interface TopicStands {
  readonly kind: "topic-stands";
  readonly scope: string;
  readonly topic: string;
  readonly last: number;
}

/** The topic ended with its scope; what it held is gone. */
export interface TopicClosed {
  readonly kind: "topic-closed";
  readonly scope: string;
  readonly topic: string;
}

/** What an edge can receive. */
export type EdgeEffect =
  | Released
  | Signalled
  | QuorumStatus
  | TreeEffect
  | Acknowledged
  | Moved
  | Refused
  | Revoked
  | Published
  | TopicStands
  | TopicClosed
  | AgendaEdgeEffect;

/** One party in the record of a barrier. Times in log time, microseconds. */
export interface ParticipantRecord {
  readonly who: Participant;
  readonly arrivedUs: number;
  /** It left before the barrier ended. */
  readonly left: boolean;
}

/** The record of a barrier that is gone. */
export interface BarrierClosed {
  readonly kind: "barrier-closed";
  readonly scope: string;
  readonly barrier: string;
  readonly barrierKind: BarrierKind;
  readonly generation: number;
  /** The target of a state, the phase of a roster. */
  readonly part?: number;
  readonly outcome: BarrierOutcome;
  readonly error: number;
  readonly reason?: string;
  /**
   * Parties the inits asked for, initialisers that wait included; of a state, signals that are
   * waited for.
   */
  readonly expected: number;
  readonly closedUs: number;
  readonly participants: readonly ParticipantRecord[];
  readonly missing: readonly string[];
}

/** A wait is older than `warnAfter`; said once per barrier (B10). */
export interface WaitWarning {
  readonly kind: "wait-warning";
  readonly scope: string;
  readonly barrier: string;
  readonly waitedUs: number;
  readonly arrived: readonly string[];
  readonly missing: readonly string[];
  /** The same with since when, and who is dead. */
  readonly presence: Presence;
}

export type ObservedEffect = BarrierClosed | WaitWarning | AgendaObservedEffect;

/** An effect with the edge it is addressed to. */
export interface AddressedEffect {
  readonly edge: string;
  readonly incarnation: number;
  readonly effect: EdgeEffect;
}

/** The result of applying one entry. */
export interface Applied {
  /** Log time after the entry, microseconds since the log began. */
  readonly nowUs: number;
  readonly addressed: readonly AddressedEffect[];
  readonly observed: readonly ObservedEffect[];
  /** Ids of stored messages that are in a topic now. */
  readonly keptPayloads: readonly number[];
  /** Ids of stored messages that nothing refers to any more; the host has them deleted (P4). */
  readonly freedPayloads: readonly number[];
}

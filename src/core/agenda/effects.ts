// SPDX-License-Identifier: MIT
// Effects of the agenda. Those to the performer say what to do; answers go to the edge that asked;
// observed ones are for the record and decide nothing. `plannedUs` is microseconds of event time
// since time 0, other times are in the clock of the log's stamps.
import type { ErrorCode } from "../code.ts";
import type { AgendaEvent } from "./commands.ts";

/**
 * Perform this event at `dueStampUs`, which is up to `dispatchAheadUs` away; answer with
 * `agenda-fired` when it fires and with `agenda-complete` when it completes.
 */
export interface Fire {
  readonly kind: "fire";
  readonly scope: string;
  /** Names this firing in answers; another one each time an event is sent out. */
  readonly token: number;
  /** Number of this occurrence, as in the answer to who asked for it (G4). */
  readonly item: number;
  readonly event: AgendaEvent;
  /** The members of a group that are meant, in order; empty for a single object. */
  readonly members: readonly string[];
  readonly plannedUs: number;
  readonly dueStampUs: number;
  readonly toleranceUs: number;
  readonly whenLate: "fire" | "skip";
}

/** Forget the event of this token unless it has fired; answer with `agenda-revoked`. */
export interface Revoke {
  readonly kind: "revoke";
  readonly scope: string;
  readonly token: number;
}

/** Time 0 of an epoch: what agents know as TIME START. [EMULAB-EVENTS 2.5] */
export interface TimeStarted {
  readonly kind: "time-started";
  readonly scope: string;
  /** 1, 2, 3, ...: how often time has started. */
  readonly epoch: number;
  readonly zeroStampUs: number;
}

/** Nothing is due, running or waiting for completion any more. */
export interface AgendaIdle {
  readonly kind: "agenda-idle";
  readonly scope: string;
  /** Barriers that events still wait for; nothing but those can set anything going. */
  readonly waitingFor: readonly string[];
}

/** One completion that was not a success. [EMULAB-EVENTS 2.9] */
export interface ErrorRecord {
  readonly object: string;
  readonly type: string;
  /** 0 for an event that was never sent out. */
  readonly token: number;
  readonly error: number;
  readonly text: string;
}

/** A sequence or group that nobody waits for failed: time for an error report. */
export interface ErrorReport {
  readonly kind: "error-report";
  readonly scope: string;
  readonly object: string;
  readonly error: number;
  readonly errors: readonly ErrorRecord[];
  /** Records dropped because there were too many. */
  readonly dropped: number;
}

export type Answer =
  /** The event will fire, or waits for its barrier; `event-done` follows. */
  | { readonly kind: "accepted"; readonly id: number }
  /**
   * Added to a timeline or sequence, and to those of its runs that have not passed the place;
   * `event-done` follows when it has fired for the first time and completed.
   */
  | { readonly kind: "appended"; readonly id: number }
  | { readonly kind: "refused"; readonly code: ErrorCode; readonly message: string }
  | { readonly kind: "cancelled" }
  | { readonly kind: "edited" }
  | { readonly kind: "already-fired" }
  | { readonly kind: "paused" | "resumed"; readonly eventUs: number }
  | { readonly kind: "replayed" }
  /**
   * `first`: the number of the first new event, see `numberAmend`; `eventUs`: where times that
   * count from now count from, since time 0.
   */
  | { readonly kind: "amended"; readonly first: number; readonly eventUs: number }
  | {
      readonly kind: "errors";
      readonly errors: readonly ErrorRecord[];
      readonly dropped: number;
    };

/** The answer to a request. */
export interface AgendaAnswer {
  readonly kind: "agenda-answer";
  readonly scope: string;
  readonly request: number;
  readonly answer: Answer;
}

/**
 * A sequence, timeline or group that was started has come to its end, or an event was refused. For
 * the performer, who tells whoever watches.
 */
export interface ObjectCompleted {
  readonly kind: "object-completed";
  readonly scope: string;
  /** Of the event that started it. */
  readonly item: number;
  readonly object: string;
  readonly objectType: string;
  /** Of the `fire` for the group; 0 where nothing was sent out. */
  readonly token: number;
  readonly error: number;
  readonly text: string;
}

/** An event that was asked for has completed. */
export interface EventDone {
  readonly kind: "event-done";
  readonly scope: string;
  readonly request: number;
  readonly id: number;
  readonly error: number;
  /** Why it failed; `""` for success or when nobody said. */
  readonly text: string;
}

export type AgendaEdgeEffect =
  | Fire
  | Revoke
  | TimeStarted
  | AgendaIdle
  | ErrorReport
  | AgendaAnswer
  | ObjectCompleted
  | EventDone;

interface OfEvent {
  readonly scope: string;
  /** Number of this occurrence (G4), the one that people see. */
  readonly item: number;
  readonly event: AgendaEvent;
}

/** An event that was not planned was taken in. */
export interface EventAccepted extends OfEvent {
  readonly kind: "event-accepted";
  /**
   * Of one that was added to a timeline or sequence, as if that began now: it has no instant yet.
   */
  readonly plannedUs: number;
  /** That timeline or sequence; `""` for none. */
  readonly parent: string;
}

/** An event went out to its performer. */
export interface EventDispatched extends OfEvent {
  readonly kind: "event-dispatched";
  readonly token: number;
  readonly plannedUs: number;
  readonly dueStampUs: number;
}

/** An event fired, at its performer or here; `outcome` as in `agenda-fired`. */
export interface EventFired extends OfEvent {
  readonly kind: "event-fired";
  /** 0 when the agenda performed it: it started a sequence or timeline, or refused to. */
  readonly token: number;
  readonly plannedUs: number;
  readonly firedStampUs: number;
  readonly latenessUs: number;
  /** From the first to the last member of a group that obeyed; 0 for one object. */
  readonly skewUs: number;
  /** Later than its tolerance. */
  readonly late: boolean;
  readonly outcome: string;
}

export interface EventCompleted extends OfEvent {
  readonly kind: "event-completed";
  readonly token: number;
  readonly error: number;
  readonly text: string;
}

/** An event that had not fired was taken back. */
export interface EventCancelled extends OfEvent {
  readonly kind: "event-cancelled";
  /** When it would have fired; null for one that waited for a barrier. */
  readonly plannedUs: number | null;
  /** `halt`: with everything else, because the experiment ends. */
  readonly by: "request" | "halt";
  readonly why: string;
}

/** A sequence or timeline began. */
export interface ObjectStarted {
  readonly kind: "object-started";
  readonly scope: string;
  readonly objectType: "SEQUENCE" | "TIMELINE";
  readonly name: string;
  readonly startStampUs: number;
}

/** A sequence, timeline or group ended; a failed step ends a sequence with that step's error. */
export interface ObjectEnded {
  readonly kind: "object-ended";
  readonly scope: string;
  readonly objectType: "SEQUENCE" | "TIMELINE" | "GROUP";
  readonly name: string;
  readonly error: number;
}

/** An answer of a performer that fits nothing: a repeat, or of an epoch that is over. */
export interface AnswerRefused {
  readonly kind: "answer-refused";
  readonly scope: string;
  readonly token: number;
  readonly why: string;
}

/** Something in a loaded agenda that can never work, said when it is loaded. */
export interface AgendaProblem {
  readonly kind: "agenda-problem";
  readonly scope: string;
  readonly text: string;
}

export type AgendaObservedEffect =
  | EventAccepted
  | EventDispatched
  | EventFired
  | EventCompleted
  | EventCancelled
  | ObjectStarted
  | ObjectEnded
  | AnswerRefused
  | AgendaProblem;

// SPDX-License-Identifier: MIT
// What the core says of its state to those who ask: the progress line, `muster barrier show`, the
// "who is missing" of a client that gave up. Reads are not logged (D5).
import type { ItemState } from "./agenda/types.ts";
import type { BarrierKind, Quorum, RosterRules } from "./barriers/rules.ts";
import type { Participant } from "./participant.ts";

export interface BarrierDescription {
  readonly scope: string;
  readonly name: string;
  readonly kind: BarrierKind;
  readonly generation: number;
  /**
   * Parties asked for so far by inits, waiting initialisers included; 0 when nobody initialised. Of
   * a quorum, how many of this controller have to come. Of
   * a state, the smallest target that somebody waits for; 0 when nobody waits.
   */
  readonly expected: number;
  /** Parties that wait now. */
  readonly arrived: number;
  /** Those of controllers below, beside them; absent where there are none. */
  readonly arrivedBelow?: number;
  /**
   * The counter of the old wire: positive, waits still to come; negative, inits still to come. Of
   * other kinds, how many are missing.
   */
  readonly count: number;
  readonly error: number;
  /** Log time of the first arrival. */
  readonly sinceUs: number;
  /** At most `namesInReportMax` of those who wait, in order of arrival. */
  readonly waiting: readonly {
    readonly who: Participant;
    readonly error: number;
    readonly arrivedUs: number;
  }[];
  /** Sentences for people: who has not come, as far as known (B10). */
  readonly missing: readonly string[];
  /** Of a state. */
  readonly state?: StateDescription;
  /** Of a quorum. */
  readonly quorum?: QuorumDescription;
  /** Of a roster. */
  readonly roster?: RosterDescription;
}

export interface MemberFacts {
  readonly name: string;
  readonly group?: string;
  /** Since when it is what it is: arrived, expected, dead. Log time. */
  readonly sinceUs: number;
  /** Why it is dead. */
  readonly reason?: string;
}

/** Each list holds at most `namesInReportMax`, in the order of the members. */
export interface RosterDescription {
  readonly phase: number;
  readonly rules: RosterRules;
  readonly arrived: readonly MemberFacts[];
  readonly missing: readonly MemberFacts[];
  readonly dead: readonly MemberFacts[];
}

export interface QuorumDescription {
  readonly quorum: Quorum;
  readonly status: "initialising" | "open" | "crossed";
  /** Of this controller. */
  readonly peers: number;
  /** The controllers below; at most `namesInReportMax`. */
  readonly controllers: readonly {
    readonly name: string;
    readonly progress: "asked" | "initialised" | "reached";
  }[];
}

export interface StateDescription {
  readonly value: number;
  /** At most `namesInReportMax` of those that somebody waits for, the smallest first. */
  readonly targets: readonly { readonly target: number; readonly waiting: number }[];
}

/** How much there is, over all scopes. */
export interface CoreFigures {
  readonly waiters: number;
  /** How long the one who has waited longest has waited, in log time. */
  readonly oldestWaitUs: number;
  readonly barriers: number;
  readonly scopes: number;
}

/** A barrier in the order of lists: by name, then kind. */
export interface BarrierPlace {
  readonly name: string;
  readonly kind: BarrierKind;
}

/** Which barriers of a scope somebody asks for. */
export interface BarrierPageAsk {
  /** The `next` of the page before; absent for the first page. */
  readonly after?: BarrierPlace;
  /** At most so many, and no more than `barriersPerPageMax`. */
  readonly max?: number;
}

export interface ScopeDescription {
  readonly scope: string;
  readonly barriers: readonly BarrierDescription[];
  /** Of a page: there are more, behind this one. */
  readonly next?: BarrierPlace;
  /** Next planned event, if any. */
  readonly nextEvent?: { readonly object: string; readonly event: string; readonly inUs: number };
  readonly pendingEvents: number;
  /** Of these, those that only the end of a barrier can set going; absent for none. */
  readonly waitingEvents?: number;
}

/** One event of the agenda, as lists show it. */
export interface EventDescription {
  readonly id: number;
  readonly object: string;
  readonly type: string;
  readonly event: string;
  readonly args: string;
  readonly state: ItemState;
  /** Microseconds since time 0; null while a barrier decides. */
  readonly plannedUs: number | null;
  /** The barrier it waits for, as `OUTCOME NAME`; null for none. */
  readonly on: string | null;
  /** The timeline or sequence that it is part of; null for the main one, or none. */
  readonly within: string | null;
}

/** A part of the list of events. */
export interface EventPage {
  readonly events: readonly EventDescription[];
  /** All events of the agenda now. */
  readonly total: number;
  /** `after` of the next page; null when this is the last. */
  readonly next: number | null;
  readonly paused: boolean;
  /** Event time at the last entry, microseconds since time 0; null before that. */
  readonly nowUs: number | null;
  /** The stamp of that entry. */
  readonly stampUs: number;
}

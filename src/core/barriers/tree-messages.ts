// SPDX-License-Identifier: MIT
// What controllers say to each other about barriers (D9). Of quorums `key` is the generation of the
// barrier at the controller above, of rosters a number that the one above gives each part: both
// sides call it by that, so that what is said of a barrier that is gone is not taken for its next
// generation. Of counts, which anybody may
// begin anywhere, it is the `round`: the number of the message in which the controller below has
// reported its part for the first time.
import type { ErrorCode } from "../code.ts";
import type { RosterMember, TreeOrder } from "./orders.ts";
import type { BarrierOutcome, Deadline, Quorum, RosterRules } from "./rules.ts";

interface About {
  readonly barrier: string;
  readonly key: number;
}

/** How a barrier ended for all that are below, when it did not cross. */
interface Ended extends About {
  readonly outcome: "failed" | "cancelled" | "timeout";
  readonly error: number;
  readonly reason: string;
  /** Where it happened; empty when the controller has no name. */
  readonly controller: string;
}

/** What has changed a count last: when nothing is left of it, this is how it ended. */
export type LastChange = "came" | "left" | "timed-out";

/**
 * What holds of a count at a controller and all below it, as a whole and not as a difference: said
 * again after a cut, it counts once.
 */
export interface CountReport {
  readonly barrier: string;
  /** 0 when this message is the first of the round. */
  readonly round: number;
  readonly count: number;
  readonly expected: number;
  readonly waiting: number;
  readonly error: number;
  readonly last: LastChange;
  /** Somebody has come to wait since the report before. */
  readonly hasCome: boolean;
  /** What an init has set since the report before. */
  readonly deadline?: Deadline;
  /** Nodes that somebody has come from since then, as many as a report of names has. */
  readonly nodes: readonly string[];
}

/** What has come to a state at a controller and all below it, since the report before. */
export interface StateReport {
  readonly barrier: string;
  readonly signals: number;
  /** Who waits now for targets at which that has changed; told before the signals count. */
  readonly wants: readonly StateWant[];
  readonly nodes: readonly string[];
}

export interface StateWant {
  readonly target: number;
  readonly waiting: number;
  readonly error: number;
}

/** How it ended for those who wait for a target. */
export interface StateEnd {
  readonly target: number;
  readonly outcome: BarrierOutcome;
  readonly error: number;
  readonly reason: string;
}

/** What the root has made of a state: first the signals have their numbers, then waits end. */
export interface StateTold {
  readonly barrier: string;
  /** Number of the message whose signals are answered, 0 for none. */
  readonly report: number;
  /** Of the first of them; 0: they have none, as they were not counted. */
  readonly first: number;
  /** Of the whole state. */
  readonly value: number;
  readonly ends: readonly StateEnd[];
}

/** How a count ended for those below that were in the report with the number `upTo`. */
export interface CountEnded {
  readonly kind: "count-ended";
  readonly barrier: string;
  readonly round: number;
  readonly upTo: number;
  readonly generation: number;
  readonly outcome: BarrierOutcome;
  readonly error: number;
  readonly reason: string;
  readonly expected: number;
  readonly missing: readonly string[];
}

/** How a count stands over the whole tree, for those below who ask who is missing (B10). */
export interface CountNews {
  readonly barrier: string;
  readonly round: number;
  /** No end will be about a message before the one with this number. */
  readonly settled: number;
  readonly generation: number;
  readonly count: number;
  readonly expected: number;
  readonly error: number;
  readonly missing: readonly string[];
}

/** Of a quorum, from the controller above. */
export type QuorumDown =
  | (About & { readonly kind: "init"; readonly quorum: Quorum })
  /** `changes`: how many that were with this one, to a log that is of version 10 or newer. */
  | (About & { readonly kind: "change"; readonly quorum: Quorum; readonly changes?: number })
  | (About & { readonly kind: "released"; readonly error: number })
  | (Ended & { readonly kind: "ended" });

/** Of a roster, from the controller above. */
export type RosterDown =
  /** Its part; more of it follows as long as it is not whole. */
  | (About & {
      readonly kind: "roster-open";
      readonly generation: number;
      readonly phase: number;
      readonly members: readonly RosterMember[];
      readonly rules: RosterRules;
      readonly isWhole: boolean;
    })
  | (About & {
      readonly kind: "roster-change";
      readonly add: readonly RosterMember[];
      readonly remove: readonly string[];
    })
  | {
      readonly kind: "roster-dead";
      readonly participant: string;
      readonly reason: string;
      readonly unlessArrived: boolean;
    }
  /** All have come; `isOver`: that was the last phase. */
  | (About & {
      readonly kind: "roster-crossed";
      readonly phase: number;
      readonly error: number;
      readonly isOver: boolean;
    })
  | (About & {
      readonly kind: "roster-ended";
      readonly outcome: "failed" | "cancelled" | "timeout";
      readonly error: number;
      readonly reason: string;
      readonly missing: readonly string[];
    });

/** Of a roster, from a controller below. */
export type RosterUp =
  /** It has its part, and so have those below it. */
  | (About & { readonly kind: "roster-opened" })
  /** Everybody of its part has come, of how it was after so many changes. */
  | (About & {
      readonly kind: "roster-complete";
      readonly phase: number;
      readonly error: number;
      readonly size: number;
      readonly changes: number;
    })
  | (About & { readonly kind: "roster-incomplete"; readonly phase: number })
  /** What the rules of the roster end it for. */
  | (About & {
      readonly kind: "roster-failed";
      readonly outcome: "failed" | "timeout";
      readonly reason: string;
    })
  /** They are dead, and by the rules no members any more. */
  | (About & { readonly kind: "roster-left"; readonly names: readonly string[] })
  /** It does not take part any more. */
  | (About & { readonly kind: "roster-lost"; readonly reason: string })
  | { readonly kind: "roster-news"; readonly rosters: readonly RosterNews[] };

/** Who is missing: below, or over the whole tree (B10). */
export interface RosterNews extends About {
  readonly missing: readonly string[];
  /** Of what it was said, between two logs of version 11 or newer: from below only. */
  readonly phase?: number;
  readonly changes?: number;
}

/** From the controller above. */
export type DownMessage =
  | QuorumDown
  | CountEnded
  | RosterDown
  | ({ readonly kind: "state-told" } & StateTold)
  | {
      readonly kind: "news";
      readonly counts: readonly CountNews[];
      readonly rosters?: readonly RosterNews[];
    }
  | {
      readonly kind: "answer";
      readonly id: number;
      /** Absent: done. */
      readonly refusal?: { readonly code: ErrorCode; readonly message: string };
    };

/** Of a quorum, from a controller below. */
export type QuorumUp =
  | (About & { readonly kind: "initialised" })
  /** As it was after so many changes; absent: none that were counted. */
  | (About & { readonly kind: "reached"; readonly error: number; readonly changes?: number })
  | (About & { readonly kind: "unreached" })
  | (Ended & { readonly kind: "failed" });

/** From a controller below. */
export type UpMessage =
  | QuorumUp
  | RosterUp
  | {
      readonly kind: "report";
      readonly counts: readonly CountReport[];
      readonly states?: readonly StateReport[];
    }
  /** It cannot be completed any more: a controller further down is lost. */
  | {
      readonly kind: "count-failed";
      readonly barrier: string;
      readonly round: number;
      readonly reason: string;
    }
  /** What only the root may decide. `id` 0: nobody wants an answer. */
  | { readonly kind: "ask"; readonly id: number; readonly order: TreeOrder };

export type TreeMessage = DownMessage | UpMessage;

// SPDX-License-Identifier: MIT
// Commands about a barrier as a whole, which in a tree of controllers the root carries out: ending
// it, changing whom it is for.
import type { ConnectionId, Participant } from "../participant.ts";
import type { BarrierKind, RosterRules } from "./rules.ts";

/** How many parties a count barrier is for in all; answered by `acknowledged`. */
export interface CountChange {
  readonly kind: "count-change";
  readonly scope: string;
  readonly barrier: string;
  readonly connection: ConnectionId;
  readonly expected: number;
}

export interface RosterMember {
  readonly name: string;
  /** For people: whom it is one of. */
  readonly group?: string;
  /**
   * In a tree: the controller that it comes to, as a path of names: `east/leaf` below the one at
   * which this is said, `/east` below the root, `/` the root itself; absent: the one at which this
   * is said.
   */
  readonly at?: string;
}

/** Opens a roster; answered by `acknowledged`. */
export interface RosterOpen {
  readonly kind: "roster-open";
  readonly scope: string;
  readonly barrier: string;
  readonly connection: ConnectionId;
  readonly who: Participant;
  readonly members: readonly RosterMember[];
  readonly rules: RosterRules;
  /** As the key of an arrival, from version 12 of the log (X5); never said to the root. */
  readonly once?: string;
}

/** Other members, while people wait; answered by `acknowledged`. First `remove`, then `add`. */
export interface RosterChange {
  readonly kind: "roster-change";
  readonly scope: string;
  readonly barrier: string;
  readonly connection: ConnectionId;
  readonly add: readonly RosterMember[];
  readonly remove: readonly string[];
}

/** A participant is known to be dead, in every roster of the scope that it is a member of. */
export interface RosterDead {
  readonly kind: "roster-dead";
  readonly scope: string;
  readonly participant: string;
  readonly reason: string;
  /** Nothing is known of it but that it will not come: where it waits it stays. */
  readonly unlessArrived?: boolean;
  /** To be answered: `acknowledged`, or `refused` when the reason is too long. */
  readonly connection?: ConnectionId;
}

/** What ends barriers for everybody. */
interface End {
  readonly scope: string;
  /** What everybody who waits is told. */
  readonly error: number;
  /** Why, in words; told to everybody who waits. */
  readonly reason?: string;
}

/** Ends every barrier of the scope with outcome `cancelled`. */
export interface CancelAll extends End {
  readonly kind: "cancel-all";
  /** Only those of this kind; absent: of all. */
  readonly barrierKind?: BarrierKind;
}

interface EndOne extends End {
  readonly barrier: string;
  /** Absent: `count`. */
  readonly barrierKind?: BarrierKind;
  /** To be answered: `acknowledged`, or `refused` when no such barrier is open. */
  readonly connection?: ConnectionId;
}

/** Ends one barrier with outcome `cancelled`. A state goes on counting. */
export interface CancelBarrier extends EndOne {
  readonly kind: "cancel";
}

/**
 * Ends one barrier with outcome `failed`. Of a state, those who come to wait later are told so too.
 */
export interface FailBarrier extends EndOne {
  readonly kind: "fail";
  readonly reason: string;
}

/** What a controller that has another one above asks the root to do. */
export type TreeOrder =
  | CountChange
  | RosterOpen
  | RosterChange
  | RosterDead
  | CancelBarrier
  | FailBarrier
  | CancelAll;

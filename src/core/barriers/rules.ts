// SPDX-License-Identifier: MIT
// What decides when a barrier is over, and how: its kind, its deadline, and the rules of quorums
// and rosters. Whoever makes a barrier says them; they are told to whoever asks.

/** What decides when a barrier is complete. */
export type BarrierKind = "count" | "state" | "quorum" | "roster";

export type BarrierOutcome = "crossed" | "failed" | "timeout" | "cancelled";

/** When a barrier is over, with outcome `timeout` for all who wait. */
export interface Deadline {
  /** Since when: since it was made, since somebody came first, since somebody came last. */
  readonly since: "opening" | "first-arrival" | "last-arrival";
  /** Microseconds of log time. */
  readonly us: number;
}

/** How many of the peers of each controller. */
export type Quorum =
  /** From 0 to 100, of the peers registered there. */
  | { readonly kind: "percent"; readonly percent: number }
  | { readonly kind: "count"; readonly count: number };

/** What a roster does when something is not as planned. */
export interface RosterRules {
  /** How often all meet: 1 is a barrier, 2 a double barrier (enter, leave); 0 for without end. */
  readonly phases: number;
  /**
   * A member that is dead: `fail` ends the roster, `shrink` goes on without it, `wait` goes on
   * waiting for one of that name.
   */
  readonly whenDead: "fail" | "shrink" | "wait";
  /**
   * An arrival in a phase that is over: `pass` answers at once with how that ended, `refuse`
   * refuses it, `next` takes it for the phase that is on.
   */
  readonly whenLate: "pass" | "refuse" | "next";
  /** Of each phase. */
  readonly deadline?: Deadline;
}

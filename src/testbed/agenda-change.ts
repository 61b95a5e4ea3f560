// SPDX-License-Identifier: MIT
// What a modification of a run changes about its events, in words of the experiment: which go, come
// or are at another time, and which timelines, sequences and flows of traffic. Plain data; who
// finds it out is boss (boss/event-diff.ts), who has it done is run-agenda.ts.
import type { PlannedEvent } from "../experiment/model.ts";

/**
 * Events of the main timeline, and those for swap-out. An event that stays has in the experiment as
 * it is to be the `index` that it had; a new one has `newIndex` and is the same object here and
 * there.
 */
export interface AgendaChange {
  /** Of the experiment as it was. */
  readonly removed: readonly PlannedEvent[];
  /** As they are to be: another instant or other arguments. */
  readonly changed: readonly PlannedEvent[];
  /** At times of the run; what is over fires at once. */
  readonly added: readonly PlannedEvent[];
  /** Of objects that come or are started anew: times count from the end of the modification. */
  readonly fromNow: readonly PlannedEvent[];
  /** Names of timelines and sequences that come or are otherwise, and of those that go. */
  readonly defined: readonly string[];
  readonly undefined: readonly string[];
}

/** The `index` of an event that has no number yet: `numberOf` makes it 0. */
export const newIndex = -1;

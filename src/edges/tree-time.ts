// SPDX-License-Identifier: MIT
// The part of the closed list of edge-local times (edge-time.ts) that belongs to links between
// controllers. They decide no outcome. All are durations in milliseconds.

export const treeTime = {
  /** Pause before a link that was refused or given up is tried again. */
  rejoinMs: 1_000,
  /** What the server of the next rank waits longer before it takes a link that nobody carries. */
  rankMs: 250,
  /**
   * A server of several that has the link and hears nothing of the controller above lets another
   * one try after so long: some fifteen calls. Far below the lease after which what goes over the
   * link fails.
   */
  patienceMs: 3_000,
  /** How long the end of a process waits for the controller above to hear of it. */
  farewellMs: 1_000,
} as const;

/** The same list with other values, for tests. */
export type TreeTime = { readonly [Name in keyof typeof treeTime]: number };

// SPDX-License-Identifier: MIT
// Who is at a barrier, and what is told of a member.

/** A connection of an edge: an integer the edge chose, never reused within an incarnation. */
export type ConnectionId = number;

/** Who is at a barrier, as far as the dialect tells. */
export interface Participant {
  /** Where the request came from, e.g. `127.0.0.1:4711/tcp`. */
  readonly address: string;
  /** The experiment node it came from, when the edge knows. */
  readonly node?: string;
  /** The participant's own name; absent for the old dialects, whose clients are anonymous. */
  readonly name?: string;
}

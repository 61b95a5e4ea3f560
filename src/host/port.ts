// SPDX-License-Identifier: MIT
// What a host sees of an edge that is attached to it: where its batches come from, and how it is
// told what they led to.
import type { Batch } from "../core/command.ts";
import type { EdgeEffect } from "../core/effect.ts";

/** Where the host finds the batches of one edge. EdgeOutbox is one; a remote edge has its own. */
export interface BatchSource {
  take(): Batch | undefined;
  /** Whether there is something to take. */
  readonly hasQueued: boolean;
  unacknowledged(): readonly Batch[];
  /** @returns true when a full mailbox has room again. */
  acknowledge(number: number): boolean;
  /** Commands that are not in the log yet. */
  readonly depth: number;
}

/** One attached edge. */
export interface Port {
  readonly edge: string;
  readonly incarnation: number;
  readonly source: BatchSource;
  /** Effects of the entry with this sequence; false keeps them for later (H3). */
  deliver(sequence: number, effects: readonly EdgeEffect[]): boolean;
  /** Batches up to `number` are applied. */
  applied(number: number, hasRoom: boolean): void;
  /** The same incarnation has attached again, over another link. */
  replaced(): void;
  /** The log takes nothing, or takes entries again (D10). */
  logAway(isAway: boolean): void;
}

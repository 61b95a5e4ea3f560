// SPDX-License-Identifier: MIT
// What a host sees of an edge that is attached to it: where its batches come from, and how it is
// told what they led to; and what the link of such an edge sees of the host.
import type { Batch } from "../core/command.ts";
import type { BarrierPageAsk, EventPage, ScopeDescription } from "../core/description.ts";
import type { EdgeEffect } from "../core/effect.ts";
import type { Limits } from "../core/limits.ts";

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

/** What the link of an edge in the same process has of its host. */
export interface PortHost {
  readonly limits: Limits;
  /** It takes nothing more, and tells nothing more. */
  readonly hasStopped: boolean;
  /** The last batch of that incarnation that is applied, 0 for none. */
  lastBatch(edge: string, incarnation: number): number;
  /** Puts a port in place; effects behind that entry are delivered to it. */
  attach(port: Port, seenSequence: number): void;
  /** The port is gone. `lost`: its edge may come back within its lease. */
  detach(port: Port, lost: boolean): void;
  /** The edge has the effects of that entry, and is to be told them by nobody else. */
  hasSeen(port: Port, sequence: number): void;
  /** Why the log has ended an edge of its own accord, and whether it is let in again. */
  whyRevoked(): { readonly why: string; readonly isMomentary: boolean };
  /** There is something to append. */
  wake(port: Port): void;
  describe(scope: string, barrier?: string, page?: BarrierPageAsk): ScopeDescription;
  listEvents(scope: string, after: number): EventPage;
}

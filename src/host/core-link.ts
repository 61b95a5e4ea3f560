// SPDX-License-Identifier: MIT
// The seam between an edge and its core (D14). An edge sees this interface and the effects it is
// given, nothing else of the core: the same edge runs in the core's process (local-link.ts) or in
// another one (remote-link.ts).
//
//   K1. Commands reach the log in the order of `submit`, each once, also over a link that was cut.
//   K2. Effects reach `onEffects` in log order, each once.
//   K3. `onEffects` is never called from inside `submit`.
import type { ErrorCode } from "../core/code.ts";
import type { Command } from "../core/command.ts";
import type { BarrierPageAsk, EventPage, ScopeDescription } from "../core/description.ts";
import type { EdgeEffect } from "../core/effect.ts";

/** Whether a scope is one of those that something is said of. One log has one such function. */
export type OfScope = (scope: string) => boolean;

/** Of a core with one log. */
export const everyScope: OfScope = () => true;

/** What an edge does with what it is told. */
export interface EdgeHandler {
  onEffects(effects: readonly EdgeEffect[]): void;
  /** There is room again after `submit` returned false. */
  onRoom?(): void;
  /** The link to a remote core is gone (`false`) or back (`true`); commands are kept meanwhile. */
  onLink?(up: boolean): void;
  /**
   * The core's log takes nothing (`true`) or does again, for these scopes: no outcome can come
   * meanwhile, and what was submitted may still happen (D10).
   */
  onLogAway?(isAway: boolean, of: OfScope): void;
  /**
   * The core refuses this edge for good (wrong secret, incarnation ended).
   * @param isMomentary the server that it is at has begun anew: who joins again is let in, also
   * when that happens twice within a moment
   */
  onClosed?(reason: string, isMomentary?: boolean): void;
}

/** A core in another process was asked, and cannot answer now. */
export class LinkError extends Error {
  override readonly name = "LinkError";
  readonly code: ErrorCode = "unavailable";
}

export interface CoreLink {
  /**
   * Queues a command. False: the mailbox is full and nothing was queued; wait for `onRoom`. In the
   * core's process `leave` and `topic-unfollow` are taken also then.
   */
  submit(command: Command): boolean;
  /**
   * The state of one barrier of a scope, or of a page of them, the first when absent; a read, not
   * logged. `DescribedPages` puts them together.
   * @throws LinkError while the link to a remote core is gone
   */
  describe(scope: string, barrier?: string, page?: BarrierPageAsk): Promise<ScopeDescription>;
  /**
   * Events of a scope that have not completed, in the order of their numbers; a read, not logged.
   * In the core's process it is behind all that was submitted before.
   * @param after the `next` of the page before; 0 for the first page.
   * @throws LinkError while the link to a remote core is gone
   */
  listEvents(scope: string, after: number): Promise<EventPage>;
  /** Ends the edge in order: its participants leave. Resolves when the core has it in the log. */
  close(): Promise<void>;
  /**
   * Goes without a word, where the edge can do that: the core keeps for its lease what waits behind
   * it, so that another edge may take it over.
   */
  letGo?(): void;
}

/** How an edge gets its link. `edge` is its name, unique in the core, e.g. `node0/syncd`. */
export type ConnectEdge = (edge: string, handler: EdgeHandler) => CoreLink;

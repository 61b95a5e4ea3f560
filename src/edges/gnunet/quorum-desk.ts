// SPDX-License-Identifier: MIT
// The seam between the two doors (waiter.ts, driver.ts) and the controller (controller.ts).
import type { ConnectionId, Participant } from "../../core/command.ts";

/** What a waiter hears at last. */
export type WaitEnd =
  | { readonly kind: "crossed"; readonly status: Buffer }
  | { readonly kind: "failed"; readonly status: Buffer };

/** A wait that has been counted. */
export interface WaitTicket {
  ended(end: WaitEnd): void;
}

/** A change of the number of peers. */
export interface PeersTicket {
  counted(): void;
  refused(text: string): void;
}

/** What a driver hears of a barrier it has asked for. */
export type BarrierNews =
  | { readonly kind: "initialised" }
  | { readonly kind: "crossed" }
  /** The barrier is gone. */
  | { readonly kind: "failed"; readonly text: string };

export interface BarrierTicket {
  told(news: BarrierNews): void;
}

/** What a door may ask of the controller. */
export interface QuorumDesk {
  /** Counts an arrival; `ticket` hears how it ends, once. */
  wait(name: string, who: Participant, ticket: WaitTicket): ConnectionId;
  /** Takes an arrival back that has not ended. */
  giveUp(id: ConnectionId): void;
  /** Opens a barrier; `ticket` hears what becomes of it. */
  init(name: string, quorum: number, who: Participant, ticket: BarrierTicket): ConnectionId;
  /** Ends the barrier for everybody; its ticket hears nothing more. */
  cancel(id: ConnectionId): void;
  /** Lets those go who wait at a crossed barrier; its ticket hears nothing more. */
  release(id: ConnectionId): void;
  /** The driver of the barrier is gone; its ticket hears nothing more. */
  abandon(id: ConnectionId): void;
  /** So many peers are registered by the driver now; `ticket` hears whether they are counted. */
  setRegistered(peers: number, ticket?: PeersTicket): void;
  /** Something was refused by the bound of this name. */
  limited(name: string): void;
  /** A line for the log. */
  note(line: string): void;
}

// SPDX-License-Identifier: MIT
// A request of one client in a simulated cluster, whichever door it came by, and what became of it.
import type { Answer } from "./told.ts";

/** How it ended; undefined while it waits. */
export type PartyEnd =
  | { readonly kind: "answered"; readonly answer: Answer }
  /** Its connection, or its session, is gone. */
  | { readonly kind: "closed"; readonly why: string }
  /** It has gone by itself. */
  | { readonly kind: "left" };

export interface Party {
  /** `cN` of step N: unique in the run. */
  readonly name: string;
  /** Where it asked, for people. */
  readonly at: string;
  readonly asked: string;
  readonly sinceUs: number;
  /** Whether its wait ends by itself. */
  readonly hasDeadline: boolean;
  /** A session that goes on must hear its answer; the clients of old wires have no such word. */
  readonly isNative: boolean;
  readonly isSubscription: boolean;
  /** It has no connection, and sends again what is not answered. */
  readonly isDatagram?: true;
  /** It has an id, with which it asks again. */
  readonly hasId?: true;
  end: PartyEnd | undefined;
  /** Answers it got; more than one is a fault. */
  answers: number;
  /** Why it may be closed without an answer, as far as the run knows. */
  excuse: string | undefined;
  leave: () => void;
}

export interface PartyEvents {
  readonly answered: (party: Party, answer: Answer) => void;
  readonly closed: (party: Party, why: string) => void;
}

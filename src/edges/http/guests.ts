// SPDX-License-Identifier: MIT
// Everybody whom the door is serving for longer than a moment: waits, event streams, sockets.
// Counts them by token, or at a door without tokens by their address, and ends those whose token is
// not good any more.
import { KeyCounts } from "../key-counts.ts";
import type { Caller } from "./access.ts";

export type GuestKind = "wait" | "stream" | `socket ${string}`;

export interface Guest {
  readonly caller: Caller;
  readonly kind: GuestKind;
  readonly end: (why: string) => void;
}

export class Guests {
  readonly #guests = new Set<Guest>();
  readonly #counts = new KeyCounts();

  /** @returns what to call when the guest is gone, or undefined when `max` are there already. */
  admit(guest: Guest, max: number): (() => void) | undefined {
    const key = `${guest.kind} ${guest.caller.account}`;
    if (this.#counts.of(key) >= max) return undefined;
    this.#counts.add(key);
    this.#guests.add(guest);
    return () => {
      if (this.#guests.delete(guest)) this.#counts.drop(key);
    };
  }

  /** How many of a kind this is true of. */
  count(kind: GuestKind, isMeant: (caller: Caller) => boolean): number {
    let count = 0;
    for (const guest of this.#guests) if (guest.kind === kind && isMeant(guest.caller)) count += 1;
    return count;
  }

  endWhere(isMeant: (caller: Caller) => boolean, why: string): void {
    for (const guest of [...this.#guests]) if (isMeant(guest.caller)) guest.end(why);
  }

  endKind(kind: GuestKind, why: string): void {
    for (const guest of [...this.#guests]) if (guest.kind === kind) guest.end(why);
  }

  endAll(why: string): void {
    this.endWhere(() => true, why);
  }
}

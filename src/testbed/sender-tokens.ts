// SPDX-License-Identifier: MIT
// Which orders of a run have another TOKEN than the number that the agenda knows them by, because
// whoever sent the event has chosen it: files of a program are named by the TOKEN, and a report of
// its error must find them.
import type { ErrorRecord } from "../core/agenda/effects.ts";
import type { Order } from "../wire/event/orders.ts";

/** Errors of longer ago are found by nobody. */
const tokensMax = 10_000;

export class SenderTokens {
  /** By the agenda's number, oldest first. */
  readonly #tokens = new Map<number, number>();

  note({ fire, token }: Pick<Order, "fire" | "token">): void {
    if (fire === token) return;
    this.#tokens.set(fire, token);
    const [oldest] = this.#tokens.keys();
    if (this.#tokens.size > tokensMax && oldest !== undefined) this.#tokens.delete(oldest);
  }

  /** The same errors, by the TOKEN that agents and senders know. */
  name(errors: readonly ErrorRecord[]): readonly ErrorRecord[] {
    return errors.map((one) => ({ ...one, token: this.#tokens.get(one.token) ?? one.token }));
  }
}

// SPDX-License-Identifier: MIT
// A counter: gives each who asks a number of its own, 1, 2, 3, ... A state of the same name, in the
// scope of the session.
//
//   Promise: no number is given twice, and none is left out, whatever connections are cut (B6); a
//   number that was given to one whose session ended is not given again. Limits: it grows by one,
//   never less; it lasts as long as its scope.
import type { Crossing } from "./barrier-requests.ts";
import type { WaitOptions } from "./request-options.ts";
import type { Requester } from "./requester.ts";
import { type SignalOptions, StateBarrier } from "./state-barrier.ts";

export class Counter {
  readonly name: string;
  readonly #state: StateBarrier;

  constructor(session: Requester, name: string) {
    this.name = name;
    this.#state = new StateBarrier(session, name);
  }

  /** @returns the next number. @throws MusterError */
  next(options: SignalOptions = {}): Promise<number> {
    return this.#state.signal(options);
  }

  /** The number that was given last, 0 for none; others may ask meanwhile. @throws MusterError */
  async value(): Promise<number> {
    return (await this.#state.describe())?.state?.value ?? 0;
  }

  /** Waits until the number `value` has been given. @throws MusterError */
  reached(value: number, options: WaitOptions = {}): Promise<Crossing> {
    return this.#state.wait(value, options);
  }
}

// SPDX-License-Identifier: MIT
// A latch: opens when so many have counted down, and stays open. A state of the same name, in the
// scope of the session.
//
//   Promise: nobody who waits goes on before `count` have counted down (B1); who comes later does
//   not wait. Limits: it cannot be closed again, a count that was said cannot be taken back, and
//   each program has to say the same number; it lasts as long as its scope.
import type { Crossing } from "./barrier-requests.ts";
import { checkCount } from "./check-arguments.ts";
import type { RequestOptions, WaitOptions } from "./request-options.ts";
import type { Requester } from "./requester.ts";
import { type SignalledCrossing, type SignalOptions, StateBarrier } from "./state-barrier.ts";

export class Latch {
  readonly name: string;
  readonly count: number;
  readonly #state: StateBarrier;

  /** @throws MusterError (invalid) */
  constructor(session: Requester, name: string, count: number) {
    checkCount(count);
    this.name = name;
    this.count = count;
    this.#state = new StateBarrier(session, name);
  }

  /** One less. @returns how many are left, 0 when it is open. @throws MusterError */
  async countDown(options: SignalOptions = {}): Promise<number> {
    return Math.max(0, this.count - (await this.#state.signal(options)));
  }

  /** Waits until it is open. @throws MusterError */
  wait(options: WaitOptions = {}): Promise<Crossing> {
    return this.#state.wait(this.count, options);
  }

  /** Both, in one exchange. @throws MusterError */
  countDownAndWait(options: WaitOptions = {}): Promise<SignalledCrossing> {
    return this.#state.signalAndWait(this.count, options);
  }

  /** It will not open any more: who waits, and who comes to, is told why. @throws MusterError */
  fail(reason: string, options: RequestOptions = {}): Promise<void> {
    return this.#state.fail(reason, options);
  }
}

// SPDX-License-Identifier: MIT
// The handle of a count barrier: inits add to a count, waits take one off, everybody goes on when
// it is 0 again. Who is released, and how, is decided by the server's core.
import type { CountInit, CountWait } from "../core/command.ts";
import { BarrierHandle } from "./barrier-handle.ts";
import { type ArrivalFields, type Crossing, crossingEnds } from "./barrier-requests.ts";
import { checkCount } from "./check-arguments.ts";
import { type BarrierDeadline, deadlineOf } from "./deadline.ts";
import type { ArrivalOptions, RequestOptions, WaitOptions } from "./request-options.ts";
import type { Requester } from "./requester.ts";

export interface InitOptions {
  /** Ends the barrier for everybody; replaces one that was set before. */
  readonly deadline?: BarrierDeadline;
}

export class CountBarrier extends BarrierHandle {
  constructor(session: Requester, name: string) {
    super(session, "count", name);
  }

  /**
   * Asks for `count` waits, and goes on. Resolves when the server has counted it.
   * @throws MusterError
   */
  async init(
    count: number,
    options: InitOptions & ArrivalOptions & RequestOptions = {},
  ): Promise<void> {
    const fields = this.#initFields(count, options);
    await this.requests.ask("init", options, (connection) => ({
      ...{ kind: "count-init", ...fields, connection, waits: false },
    }));
  }

  /** Asks for `count` waits of others, and waits with them. @throws MusterError */
  async initAndWait(count: number, options: InitOptions & WaitOptions = {}): Promise<Crossing> {
    const fields = this.#initFields(count, options);
    const build = (arrival: ArrivalFields, connection: number): CountInit => ({
      ...{ kind: "count-init", ...fields, ...arrival, connection, waits: true },
    });
    return this.requests.wait("init", options, build, crossingEnds);
  }

  /**
   * Arrives and waits for the others.
   * @throws MusterError with code `timeout` (and who is missing), `cancelled`, ...; the reason of
   *   the signal when it was aborted.
   */
  wait(options: WaitOptions = {}): Promise<Crossing> {
    return this.requests.wait("wait", options, countWait, crossingEnds);
  }

  /**
   * So many parties in all, while they wait. @throws MusterError, `invalid` when more are there
   */
  async change(expected: number, options: RequestOptions = {}): Promise<void> {
    checkCount(expected);
    const { place } = this.requests;
    await this.requests.ask("init", options, (connection) => ({
      ...{ kind: "count-change", ...place, connection, expected },
    }));
  }

  #initFields(count: number, options: InitOptions & WaitOptions) {
    checkCount(count);
    const deadline = deadlineOf(options.deadline, this.requests.session.platform);
    return { ...this.requests.arrival(options), count, ...deadline };
  }
}

function countWait(arrival: ArrivalFields, connection: number): CountWait {
  return { kind: "count-wait", ...arrival, connection };
}

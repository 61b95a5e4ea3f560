// SPDX-License-Identifier: MIT
// What a handle of a barrier of any kind offers: how it is ended for everybody, looked at, and
// waited on for when the server's log was away.
import type { BarrierDescription } from "../core/description.ts";
import type { BarrierKind } from "../core/effect.ts";
import {
  BarrierRequests,
  type Crossing,
  type EndOptions,
  type FailOptions,
} from "./barrier-requests.ts";
import type { MusterError } from "./muster-error.ts";
import type { RequestOptions } from "./request-options.ts";
import type { Requester } from "./requester.ts";

export abstract class BarrierHandle<Waited = Crossing> {
  readonly name: string;
  protected readonly requests: BarrierRequests;

  constructor(session: Requester, kind: BarrierKind, name: string) {
    this.requests = new BarrierRequests(session, kind, name);
    this.name = name;
  }

  /**
   * Ends the barrier for everybody: who waits gets `cancelled` and this error number; a state goes
   * on counting. Resolves when the server has it in its log; that none is open is no error.
   * @throws MusterError
   */
  async cancel(error = 0, options: EndOptions = {}): Promise<void> {
    await this.requests.cancel(error, options);
  }

  /**
   * Ends it with code `failed` and a reason; of a state also the waits that would follow.
   * @throws MusterError, `unknown` when none is open
   */
  async fail(reason: string, options: FailOptions = {}): Promise<void> {
    await this.requests.fail(reason, options);
  }

  /**
   * Who has come, who is missing or dead, since when, and of a state its value; undefined when none
   * is open, of a state before its first use. @throws MusterError
   */
  describe(): Promise<BarrierDescription | undefined> {
    return this.requests.describe();
  }

  /**
   * Waits on for a wait that ended because the server's log was away; it has counted once. Resolves
   * as the call would have.
   */
  resume<Result = Waited>(error: MusterError, options: RequestOptions = {}): Promise<Result> {
    return this.requests.resume(error, options);
  }
}

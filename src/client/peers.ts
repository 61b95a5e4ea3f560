// SPDX-License-Identifier: MIT
// The peers of a scope: how many there are decides what a percentage of them is.
import { BarrierRequests } from "./barrier-requests.ts";
import { checkCount, checkText } from "./check-arguments.ts";
import type { RequestOptions } from "./request-options.ts";
import type { Requester } from "./requester.ts";

export class Peers {
  readonly #requests: BarrierRequests;

  constructor(session: Requester) {
    this.#requests = new BarrierRequests(session, "quorum", "");
  }

  /** One peer more. @throws MusterError */
  register(peer: string, options: RequestOptions = {}): Promise<void> {
    return this.#name("peer-register", peer, options);
  }

  /** One peer less. @throws MusterError */
  deregister(peer: string, options: RequestOptions = {}): Promise<void> {
    return this.#name("peer-deregister", peer, options);
  }

  /** How many there are beside those that are registered by name. @throws MusterError */
  async set(count: number, options: RequestOptions = {}): Promise<void> {
    checkCount(count);
    const { scope } = this.#requests.place;
    await this.#requests.ask("scope", options, (connection) => ({
      ...{ kind: "peers-set", scope, connection, count },
    }));
  }

  async #name(
    kind: "peer-register" | "peer-deregister",
    peer: string,
    options: RequestOptions,
  ): Promise<void> {
    checkText("peer", peer);
    const { scope } = this.#requests.place;
    await this.#requests.ask("scope", options, (connection) => ({ kind, scope, connection, peer }));
  }
}

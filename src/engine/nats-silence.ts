// SPDX-License-Identifier: MIT
// What is likely when JetStream says nothing to who writes: asked of the broker itself, for whoever
// reads in a server's log that it takes no entries. A broker of NATS 2.9 whose disk was full
// answers no question about JetStream any more, also when there is room again, and lets in who
// comes; what has no majority of its brokers looks the same.
import type { NatsConnection } from "@nats-io/transport-node";
import { errorText } from "../core/text.ts";
import { closeNats } from "./nats-calls.ts";
import { connectOnce } from "./nats-connection.ts";
import type { NatsPlace } from "./nats-place.ts";

/** How long it may take to answer, milliseconds. */
const answerMs = 2_000;

/** What JetStream says of an account, as far as it is looked at. */
interface AccountInfo {
  readonly storage?: number;
  readonly limits?: { readonly max_storage?: number };
}

export class NatsSilence {
  readonly #place: NatsPlace;
  readonly #api: string;
  readonly #answerMs: number;
  #likely: string | undefined;
  #isAsking = false;

  /**
   * @param api with what subjects of requests to JetStream begin
   * @param waitMs for its answer
   */
  constructor(place: NatsPlace, api: string, waitMs: number = answerMs) {
    this.#place = place;
    this.#api = api;
    this.#answerMs = waitMs;
  }

  /** What is likely, to be said behind what has failed; empty where nothing is known. */
  get likely(): string {
    return this.#likely === undefined ? "" : `; ${this.#likely}`;
  }

  /** Nothing was said to who has written; what is likely is known a little later. */
  noticed(): void {
    if (this.#isAsking) return;
    this.#isAsking = true;
    void this.#ask()
      .catch(() => undefined)
      .then((likely) => {
        this.#likely = likely;
        this.#isAsking = false;
      });
  }

  over(): void {
    this.#likely = undefined;
  }

  async #ask(): Promise<string | undefined> {
    // Who writes to a broker that cannot is not read any more, and would get no answer in any case.
    const connection = await connectOnce(this.#place);
    try {
      const answer = await connection.request(`${this.#api}.INFO`, "", { timeout: this.#answerMs });
      const { storage = 0, limits } = answer.json<AccountInfo>();
      const storageMax = limits?.max_storage ?? -1;
      if (storageMax < 0 || storage < storageMax) return undefined;
      return `the account has used all of its ${storageMax} bytes there: give it more`;
    } catch (error) {
      return /timeout/i.test(errorText(error)) ? silentBecause(connection) : undefined;
    } finally {
      await closeNats(connection);
    }
  }
}

function silentBecause({ info }: NatsConnection): string {
  const full = "its disk is full: make room, and start it again then";
  const isOne = info?.cluster === undefined;
  const why = isOne ? full : `less than half of its cluster is up, or ${full}`;
  return `the broker is there, and its JetStream answers nothing; perhaps ${why}`;
}

// SPDX-License-Identifier: MIT
// The requests of a scheduler whose senders may still want to hear something, each under the number
// that the core knows it by. Counts how many each sender has open, so that one that sends without
// end is refused before it has filled the agenda of everybody.
import { KeyCounts } from "../edges/key-counts.ts";
import { eventsLimits } from "./events-limits.ts";
import type { RequestOrigin } from "./request-origin.ts";

export interface OpenRequest {
  readonly object: string;
  readonly event: string;
  readonly origin: RequestOrigin;
  /** Type of the object, once an order has told it. */
  objectType: string | undefined;
}

/**
 * START is over when the program has begun, and whoever waits wants its end, which is in no log.
 * [EMULAB-EVENTS 4.5]
 */
export function isProgramStart({
  objectType,
  event,
}: Pick<OpenRequest, "objectType" | "event">): boolean {
  return objectType === "PROGRAM" && event === "START";
}

/** What a life before this one has left. */
export interface RecalledRequests {
  readonly lastRequest: number;
  readonly requests: readonly (readonly [number, Readonly<OpenRequest>])[];
  /** Occurrence -> request. */
  readonly items: readonly (readonly [number, number])[];
}

export class OpenRequests {
  readonly #perSenderMax: number;
  readonly #requests = new Map<number, OpenRequest>();
  /** Number of an occurrence -> the request that it came from. */
  readonly #items: Map<number, number>;
  readonly #counts = new KeyCounts();
  #last: number;

  constructor(recalled: RecalledRequests | undefined, perSenderMax: number | undefined) {
    this.#perSenderMax = perSenderMax ?? eventsLimits.requestsPerSenderMax;
    this.#items = new Map(recalled?.items);
    this.#last = recalled?.lastRequest ?? 0;
    for (const [number, open] of recalled?.requests ?? []) this.#set(number, { ...open });
  }

  /** Why one more of this sender is not taken; undefined when it is. */
  refusal(sender: string): string | undefined {
    if (this.#counts.of(sender) < this.#perSenderMax) return undefined;
    const limit = `limit requestsPerSenderMax (${this.#perSenderMax}) reached`;
    return `${sender} has too many events that are not over: ${limit}; wait for some to complete`;
  }

  /** @returns its number */
  add(open: OpenRequest): number {
    const number = this.nextNumber();
    this.#set(number, open);
    return number;
  }

  /** For a request that is kept elsewhere. */
  nextNumber(): number {
    this.#last += 1;
    return this.#last;
  }

  get(number: number): OpenRequest | undefined {
    return this.#requests.get(number);
  }

  /** Whether a request that is not over asks by one of these; undefined names none. */
  isOpen(question: string | undefined, token: number | undefined): boolean {
    return [...this.#requests.values()].some(
      ({ origin }) =>
        (question !== undefined && origin.question === question) ||
        (token !== undefined && origin.token === token),
    );
  }

  /** The core has made it an occurrence. */
  accept(number: number, item: number): void {
    this.#items.set(item, number);
  }

  ofItem(item: number): OpenRequest | undefined {
    const number = this.#items.get(item);
    return number === undefined ? undefined : this.#requests.get(number);
  }

  /** It is answered for good. */
  end(number: number, item?: number): void {
    if (item !== undefined) this.#items.delete(item);
    const open = this.#requests.get(number);
    if (open === undefined) return;
    this.#requests.delete(number);
    this.#counts.drop(open.origin.sender);
  }

  #set(number: number, open: OpenRequest): void {
    this.#requests.set(number, open);
    this.#counts.add(open.origin.sender);
  }
}

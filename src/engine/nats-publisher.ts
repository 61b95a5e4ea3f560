// SPDX-License-Identifier: MIT
// Publishes notifications into the stream of a bus on NATS. Owns their order and what is said of
// those whose fate is unknown.
//
//   U1. Messages leave in the order of the calls, also over a connection that comes back.
//   U2. While the connection is away they wait for it, for so long; then all that wait are given
//       up, so that none leaves before one that was asked for earlier.
//   U3. What was on its way when the connection went may be stored: `unavailable`, and the sender
//       decides. What JetStream has acknowledged is stored.
import { JetStreamApiError, type JetStreamClient } from "@nats-io/jetstream";
import { errorText } from "../core/text.ts";
import { BusError } from "../wire/event/bus.ts";
import type { LogClock } from "./log.ts";
import { natsPublishingBytesMax } from "./nats-bus-limits.ts";
import { natsAckMs } from "./nats-limits.ts";

interface Publication {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly resolve: (position: number) => void;
  readonly reject: (error: BusError) => void;
}

export class NatsPublisher {
  readonly #client: JetStreamClient;
  readonly #clock: LogClock;
  readonly #onItsWay = new Set<Publication>();
  #waiting: Publication[] = [];
  #bytes = 0;
  /** Why nothing leaves; undefined while the connection is there. */
  #away: string | undefined;
  #cancelWait: () => void = () => undefined;

  constructor(client: JetStreamClient, clock: LogClock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** @returns the position. @throws BusError (`unavailable`, `refused`) */
  publish(subject: string, data: Uint8Array): Promise<number> {
    const bytesMax = natsPublishingBytesMax;
    if (this.#bytes + data.length > bytesMax) {
      const what = `limit natsPublishingBytesMax (${bytesMax}) reached`;
      const advice = "wait for answers before you publish more";
      return Promise.reject(new BusError("refused", `${what}; ${advice}`));
    }
    return new Promise((resolve, reject) => {
      const publication = { subject, data, resolve, reject };
      this.#bytes += data.length;
      if (this.#away === undefined) this.#send(publication);
      else this.#wait(publication);
    });
  }

  /** U3. */
  left(why: string): void {
    this.#away = why;
    for (const publication of [...this.#onItsWay]) this.#fail(publication, unavailable(why));
  }

  /** U1. */
  came(): void {
    this.#away = undefined;
    this.#cancelWait();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const publication of waiting) this.#send(publication);
  }

  close(): void {
    this.left("the bus is closed");
    this.#giveUp();
  }

  /** U2. */
  #wait(publication: Publication): void {
    if (this.#waiting.length === 0) {
      this.#cancelWait = this.#clock.after(natsAckMs, () => this.#giveUp());
    }
    this.#waiting.push(publication);
  }

  #giveUp(): void {
    this.#cancelWait();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const publication of waiting) {
      this.#fail(publication, unavailable(this.#away ?? "the bus is away"));
    }
  }

  #send(publication: Publication): void {
    this.#onItsWay.add(publication);
    const { subject, data } = publication;
    this.#client.publish(subject, data, { timeout: natsAckMs, retries: 1 }).then(
      ({ seq }) => {
        if (!this.#onItsWay.delete(publication)) return;
        this.#bytes -= data.length;
        publication.resolve(seq);
      },
      (error: unknown) => {
        if (this.#onItsWay.has(publication)) this.#fail(publication, explain(error));
      },
    );
  }

  #fail(publication: Publication, error: BusError): void {
    this.#onItsWay.delete(publication);
    this.#bytes -= publication.data.length;
    publication.reject(error);
  }
}

function explain(error: unknown): BusError {
  const text = errorText(error);
  if (error instanceof JetStreamApiError) {
    return new BusError("refused", `NATS refused the notification (${text})`);
  }
  return unavailable(`the stream of the bus has no leader now, or said nothing (${text})`);
}

export function unavailable(why: string): BusError {
  return new BusError("unavailable", `${why}; it may have been published, ask or send it again`);
}

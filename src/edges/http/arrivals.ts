// SPDX-License-Identifier: MIT
// Those who arrive by a request: each is a connection of the door's own edge, answered when the
// core says how it ended. A client that goes before leaves.
//
//   V1. Every arrival is answered once: by an effect, or by the error its signal was aborted with.
//   V2. Whoever is gone leaves the barrier, unless its outcome was on its way (B4).
import type { Command, ConnectionId } from "../../core/command.ts";
import type { ScopeDescription } from "../../core/description.ts";
import type { Acknowledged, EdgeEffect, Refused, Released } from "../../core/effect.ts";
import type { ConnectEdge, CoreLink } from "../../host/core-link.ts";
import { HttpError } from "./errors.ts";

export type ArrivalEnd = Released | Acknowledged;

interface Waiting {
  readonly resolve: (effect: ArrivalEnd) => void;
  readonly reject: (error: unknown) => void;
}

export class Arrivals {
  readonly #link: CoreLink;
  readonly #waiting = new Map<ConnectionId, Waiting>();
  #lastConnection = 0;

  constructor(connect: ConnectEdge, edge: string) {
    this.#link = connect(edge, {
      onEffects: (effects) => {
        for (const effect of effects) this.#onEffect(effect);
      },
      onClosed: (reason) => this.#failAll(new HttpError("ended", reason)),
    });
  }

  /** @param signal when aborted, the arrival is taken back. @throws HttpError */
  arrive(build: (connection: ConnectionId) => Command, signal: AbortSignal): Promise<ArrivalEnd> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      this.#lastConnection += 1;
      const connection = this.#lastConnection;
      this.submit(build(connection));
      const onAbort = (): void => {
        this.#waiting.delete(connection);
        this.#link.submit({ kind: "leave", connection });
        reject(signal.reason);
      };
      const done = (): void => signal.removeEventListener("abort", onAbort);
      this.#waiting.set(connection, {
        resolve: (effect) => {
          done();
          resolve(effect);
        },
        reject: (error) => {
          done();
          reject(error);
        },
      });
      signal.addEventListener("abort", onAbort);
    });
  }

  /** A command without an answer of its own. @throws HttpError when the mailbox is full */
  submit(command: Command): void {
    if (this.#link.submit(command)) return;
    const message =
      "the server has more to do than it takes up (limit mailboxCommandsMax); try again";
    throw new HttpError("limit", message, { headers: { "retry-after": "1" } });
  }

  describe(scope: string, barrier?: string): Promise<ScopeDescription> {
    return this.#link.describe(scope, barrier);
  }

  async close(): Promise<void> {
    await this.#link.close();
  }

  #onEffect(effect: EdgeEffect): void {
    switch (effect.kind) {
      case "released":
        for (const connection of effect.connections) this.#take(connection)?.resolve(effect);
        return;
      case "acknowledged":
        this.#take(effect.connection)?.resolve(effect);
        return;
      case "refused":
        this.#take(effect.connection)?.reject(refusalError(effect));
        return;
      default:
        return; // The link tells of its end; the rest is of agendas, of which this edge has none.
    }
  }

  #take(connection: ConnectionId): Waiting | undefined {
    const waiting = this.#waiting.get(connection);
    this.#waiting.delete(connection);
    return waiting;
  }

  #failAll(error: HttpError): void {
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }
}

function refusalError({ code, message }: Refused): HttpError {
  return new HttpError(code, message);
}

// SPDX-License-Identifier: MIT
// Topics by requests: a message is published by one, and read by others from where they are. An
// edge of its own beside that of arrivals. What is read is not kept here: a reader names its
// offset.
//
//   O1. A publication is answered once: with its number, why it has none, or `unavailable` while
//       the log takes nothing; then it may have one (D10).
//   O2. A reader that waits is told when the topic has moved past its offset, or has ended.
import type { ConnectionId, PayloadRef } from "../../core/command.ts";
import type { EdgeEffect } from "../../core/effect.ts";
import { errorText } from "../../core/text.ts";
import type { Clock } from "../../host/clock.ts";
import { type ConnectEdge, type CoreLink, everyScope, type OfScope } from "../../host/core-link.ts";
import { whyNotStored } from "../../host/message-writer.ts";
import type { TopicLink } from "../../host/topic-link.ts";
import { AwayScopes } from "../away-scopes.ts";
import type { Departure } from "./departure.ts";
import { HttpError } from "./errors.ts";
import { logIsAway, mailboxIsFull } from "./log-errors.ts";

export interface TopicCallsOptions {
  readonly connect: ConnectEdge;
  readonly edge: string;
  readonly topics: TopicLink;
  readonly clock: Clock;
  /** The number of the newest message of a topic that is known here, 0 for none. */
  lastOf(scope: string, topic: string): number;
  /** Of a log of several servers: resolves when what any of them has told is known here. */
  readonly catchUp: ((scope: string) => Promise<void>) | undefined;
}

/** Where a reader is. */
export interface Offset {
  readonly scope: string;
  readonly topic: string;
  /** The number of the last message that it has, 0 for none. */
  readonly after: number;
}

interface Waiter {
  readonly after: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** A topic that somebody waits for. */
interface Followed {
  readonly scope: string;
  readonly topic: string;
  readonly connection: ConnectionId;
  readonly waiters: Set<Waiter>;
}

interface Publication {
  readonly scope: string;
  readonly resolve: (number: number) => void;
  readonly reject: (error: HttpError) => void;
}

const whatIsOpen = "whether the message is in the topic is open";
/** Bytes of one answer's messages; one may always come alone. */
const pageBytesMax = 256 * 1024;

export class TopicCalls {
  readonly #options: TopicCallsOptions;
  readonly #link: CoreLink;
  readonly #publications = new Map<ConnectionId, Publication>();
  readonly #followed = new Map<string, Followed>();
  readonly #away = new AwayScopes();
  readonly #decoder = new TextDecoder();
  #lastConnection = 0;

  constructor(options: TopicCallsOptions) {
    this.#options = options;
    this.#link = options.connect(options.edge, {
      onEffects: (effects) => {
        for (const effect of effects) this.#onEffect(effect);
      },
      onLogAway: (isAway, of) => {
        this.#away.note(isAway, of);
        if (isAway) this.#failPublications(logIsAway(whatIsOpen), of);
      },
      onClosed: (reason) => {
        // Whether the log takes anything, the next life of the edge is told.
        this.#away.clear();
        this.#failPublications(new HttpError("ended", reason));
        for (const followed of [...this.#followed.values()]) {
          this.#end(followed, new HttpError("ended", reason));
        }
      },
    });
  }

  /** O1. @param message as JSON. @returns its number. @throws HttpError */
  async publish(scope: string, topic: string, message: string): Promise<number> {
    this.expectLog(scope);
    const payload = await this.store(scope, message);
    this.#lastConnection += 1;
    const connection = this.#lastConnection;
    return new Promise((resolve, reject) => {
      const isTaken =
        !this.#away.has(scope) &&
        this.#link.submit({ kind: "publish", scope, topic, connection, payload });
      if (isTaken) {
        this.#publications.set(connection, { scope, resolve, reject });
        return;
      }
      this.free(scope, payload);
      reject(this.#away.has(scope) ? logIsAway(whatIsOpen) : mailboxIsFull());
    });
  }

  /**
   * Before something is kept for a publication: nothing has happened then, and the code leaves it
   * open all the same (D10). @throws HttpError while the log of the scope is away
   */
  expectLog(scope: string): void {
    if (this.#away.has(scope)) throw logIsAway(whatIsOpen);
  }

  /** Where a command may say that the message lies. @throws HttpError */
  store(scope: string, message: string): Promise<PayloadRef> {
    return this.#options.topics.write(Buffer.from(message), scope).catch((error: unknown) => {
      throw new HttpError("unavailable", whyNotStored(error));
    });
  }

  /** Of a message that was stored, and that no command says where it lies. */
  free(scope: string, payload: PayloadRef): void {
    this.#options.topics.free(payload, scope);
  }

  /** The messages behind an offset, as JSON: a page of them. @throws HttpError */
  async read({ scope, topic, after }: Offset): Promise<readonly string[]> {
    const part = { scope, topic, after, bytesMax: pageBytesMax };
    const found = await this.#options.topics.read(part).catch((error: unknown) => {
      const why = errorText(error);
      throw new HttpError("unavailable", `the topic cannot be read: ${why}`);
    });
    return found.map((message) => this.#decoder.decode(message));
  }

  /**
   * Whoever has a number that the topic never gave has read another one, of a scope that has ended
   * or of another name. @throws HttpError (invalid)
   */
  async expectWithin({ scope, topic, after }: Offset): Promise<void> {
    const { lastOf, catchUp } = this.#options;
    if (after <= lastOf(scope, topic)) return;
    // Another server may have told the number, and this one be behind it.
    await catchUp?.(scope).catch(() => {
      throw new HttpError("unavailable", "where the topic stands is not known now; try again");
    });
    const last = lastOf(scope, topic);
    if (after <= last) return;
    const message = `there is no message ${after} in topic ${topic}, which has ${last}`;
    throw new HttpError("invalid", message);
  }

  /**
   * O2. Resolves when there is something behind the offset, or after `timeoutMs`.
   * @throws HttpError, also why the client has gone
   */
  moved(offset: Offset, timeoutMs: number, gone: Departure): Promise<void> {
    return new Promise((resolve, reject) => {
      gone.throwIfGone();
      const followed = this.#follow(offset);
      const settle = (): void => {
        cancel();
        stay();
        followed.waiters.delete(waiter);
        if (followed.waiters.size === 0) this.#unfollow(followed);
      };
      const waiter: Waiter = {
        after: offset.after,
        resolve: () => {
          settle();
          resolve();
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      };
      const cancel = this.#options.clock.after(timeoutMs, waiter.resolve);
      const stay = gone.onGone((why) => waiter.reject(why));
      followed.waiters.add(waiter);
    });
  }

  close(): Promise<void> {
    return this.#link.close();
  }

  #onEffect(effect: EdgeEffect): void {
    switch (effect.kind) {
      case "published":
        this.#take(effect.connection)?.resolve(effect.number);
        return;
      case "refused": {
        const error = new HttpError(effect.code, effect.message);
        this.#take(effect.connection)?.reject(error);
        for (const followed of this.#followed.values()) {
          if (followed.connection === effect.connection) this.#end(followed, error);
        }
        return;
      }
      case "topic-stands": {
        const followed = this.#followed.get(keyOf(effect));
        for (const waiter of [...(followed?.waiters ?? [])]) {
          if (effect.last > waiter.after) waiter.resolve();
        }
        return;
      }
      case "topic-closed": {
        const followed = this.#followed.get(keyOf(effect));
        if (followed) this.#end(followed, new HttpError("ended", "the scope of the topic ended"));
        return;
      }
      default:
        return; // The rest is of barriers and agendas, of which this edge has none.
    }
  }

  #take(connection: ConnectionId): Publication | undefined {
    const publication = this.#publications.get(connection);
    this.#publications.delete(connection);
    return publication;
  }

  #failPublications(error: HttpError, of: OfScope = everyScope): void {
    for (const [connection, { scope, reject }] of [...this.#publications]) {
      if (!of(scope)) continue;
      this.#publications.delete(connection);
      reject(error);
    }
  }

  /** @throws HttpError */
  #follow({ scope, topic }: Offset): Followed {
    this.#lastConnection += 1;
    const connection = this.#lastConnection;
    // Also where the topic is followed already: the answer says where it stands now.
    if (!this.#link.submit({ kind: "topic-follow", scope, topic, connection })) {
      throw mailboxIsFull();
    }
    const known = this.#followed.get(keyOf({ scope, topic }));
    if (known !== undefined) return known;
    const followed = { scope, topic, connection, waiters: new Set<Waiter>() };
    this.#followed.set(keyOf(followed), followed);
    return followed;
  }

  #unfollow({ scope, topic }: Followed): void {
    if (!this.#followed.delete(keyOf({ scope, topic }))) return;
    this.#link.submit({ kind: "topic-unfollow", scope, topic });
  }

  #end(followed: Followed, error: HttpError): void {
    for (const waiter of [...followed.waiters]) waiter.reject(error);
  }
}

function keyOf({ scope, topic }: { readonly scope: string; readonly topic: string }): string {
  return JSON.stringify([scope, topic]);
}

// SPDX-License-Identifier: MIT
// The messages of topics in a stream of NATS beside that of the log, on a connection of their own,
// so that large messages do not stand in the way of entries. The id of a message is its place in
// the stream, which is given once (Y2). Several servers share it: what looks unnamed to one may be
// about to be named by another, and is left alone until it is old.
import { type JetStreamClient, jetstream } from "@nats-io/jetstream";
import { headers } from "@nats-io/transport-node";
import type { PayloadRef } from "../core/command.ts";
import { errorText } from "../core/text.ts";
import { type LogClock, LogError } from "./log.ts";
import { closeNats } from "./nats-calls.ts";
import { topicsOf } from "./nats-care.ts";
import { connectNats, type NatsLink } from "./nats-connection.ts";
import {
  natsAckMs,
  natsDeletionsMax,
  natsOpenMs,
  natsOpenPauseMs,
  natsUnnamedKeptMs,
} from "./nats-limits.ts";
import { askUntilLed } from "./nats-patience.ts";
import type { NatsPlace } from "./nats-place.ts";
import { explainWrite, natsFormat, openNatsStream } from "./nats-stream.ts";
import { formatHeader } from "./nats-tail.ts";
import { checkMessage, hashOf, type Payloads, type Place } from "./payloads.ts";

/** Messages that are asked for at once. */
const readsAtOnce = 16;

interface NatsPayloadsOptions {
  readonly clock: LogClock;
  readonly lastId: number;
  readonly unnamedKeptMs: number;
}

export class NatsPayloads implements Payloads {
  readonly #link: NatsLink;
  readonly #clock: LogClock;
  readonly #stream: string;
  readonly #subject: string;
  readonly #client: JetStreamClient;
  readonly #deletions = new Set<number>();
  #deletionsOnTheirWay = 0;
  #lastId = 0;
  #isClosed = false;

  #whenSettled: (() => void)[] = [];
  readonly #unnamedKeptMs: number;

  private constructor(
    link: NatsLink,
    { name, subject }: ReturnType<typeof topicsOf>,
    { clock, lastId, unnamedKeptMs }: NatsPayloadsOptions,
  ) {
    this.#link = link;
    this.#clock = clock;
    this.#stream = name;
    this.#subject = subject;
    this.#client = jetstream(link.connection, { timeout: natsAckMs });
    this.#lastId = lastId;
    this.#unnamedKeptMs = unnamedKeptMs;
  }

  /** @throws LogError (definite), with what to do. */
  static async open(
    place: NatsPlace,
    {
      clock,
      unnamedKeptMs = natsUnnamedKeptMs,
    }: { readonly clock: LogClock; readonly unnamedKeptMs?: number },
  ): Promise<NatsPayloads> {
    const link = await connectNats(place);
    const kept = topicsOf(place.stream);
    try {
      const what = "Muster topics";
      const wish = { ...kept, what, mayDelete: true, clock };
      const { state } = await openNatsStream(link, place, wish);
      return new NatsPayloads(link, kept, { clock, lastId: state.last_seq, unnamedKeptMs });
    } catch (error) {
      await closeNats(link.connection);
      throw error;
    }
  }

  get lastId(): number {
    return this.#lastId;
  }

  async write(message: Uint8Array): Promise<PayloadRef> {
    if (this.#isClosed) throw new LogError("the topics are closed", { definite: true });
    const [bytes, hash] = [message.length, hashOf(message)];
    const marks = headers();
    marks.set(formatHeader, String(natsFormat));
    try {
      const { seq } = await this.#client.publish(this.#subject, message, { headers: marks });
      this.#lastId = Math.max(this.#lastId, seq);
      return { id: seq, bytes, hash };
    } catch (error) {
      throw explainWrite(this.#stream, "a message of a topic", error);
    }
  }

  async read(places: readonly Place[], bytesMax: number): Promise<readonly Uint8Array[]> {
    const messages: Uint8Array[] = [];
    let bytes = 0;
    for (let first = 0; first < places.length; first += readsAtOnce) {
      const part = places.slice(first, first + readsAtOnce);
      for (const message of await Promise.all(part.map((place) => this.#readOne(place)))) {
        bytes += message.length;
        if (messages.length > 0 && bytes > bytesMax) return messages;
        messages.push(message);
      }
    }
    return messages;
  }

  free(ids: readonly number[]): void {
    for (const id of ids) this.#deletions.add(id);
    this.#delete();
  }

  /** A broker that has just become the leader may not have all yet that another acknowledged. */
  async refresh(named: number): Promise<void> {
    const giveUpUs = this.#clock.nowUs() + natsOpenMs * 1000;
    for (;;) {
      const state = await this.#state();
      this.#lastId = Math.max(this.#lastId, state.last_seq);
      if (this.#lastId >= named || this.#clock.nowUs() >= giveUpUs) return;
      await new Promise<void>((resolve) => {
        this.#clock.after(natsOpenPauseMs, resolve);
      });
    }
  }

  async keepOnly(ids: Iterable<number>): Promise<void> {
    const kept = new Set(ids);
    const { manager } = this.#link;
    const state = await this.#state();
    const gone = new Set(state.deleted ?? []);
    const youngestMs = Date.parse(state.last_ts) - this.#unnamedKeptMs;
    const old: number[] = [];
    // A stream that is empty says that its first is 0.
    for (let id = Math.max(1, state.first_seq); id <= state.last_seq; id += 1) {
      if (kept.has(id) || gone.has(id)) continue;
      const message = await manager.streams
        .getMessage(this.#stream, { seq: id })
        .catch(() => undefined);
      // Who gets no answer does not know how old it is: somebody may be about to name it.
      if (message === undefined) break;
      // Behind the first young one all are young.
      if (message !== null && message.time.getTime() > youngestMs) break;
      old.push(id);
    }
    this.free(old);
  }

  settled(): Promise<void> {
    return new Promise((resolve) => {
      this.#whenSettled.push(resolve);
      this.#delete();
    });
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await closeNats(this.#link.connection);
  }

  /** @throws LogError (definite) */
  async #state() {
    try {
      const asked = { deleted_details: true };
      const { streams } = this.#link.manager;
      return (await askUntilLed(this.#clock, () => streams.info(this.#stream, asked))).state;
    } catch (error) {
      const message = `NATS does not say what topics it has: ${errorText(error)}`;
      throw new LogError(message, { definite: true, cause: error });
    }
  }

  /** A replica that is behind does not have it yet: then the leader is asked. */
  async #readOne(place: Place): Promise<Uint8Array> {
    const { direct, streams } = this.#link.manager;
    const query = { seq: place.id };
    const near = await direct.getMessage(this.#stream, query).catch(() => null);
    if (near !== null) return checkMessage(near.data, place);
    try {
      const found = await streams.getMessage(this.#stream, query);
      return checkMessage(found?.data, place);
    } catch (error) {
      if (error instanceof LogError) throw error;
      throw new LogError(`NATS does not give message ${place.id}: ${errorText(error)}`, {
        ...{ definite: false, cause: error },
      });
    }
  }

  /** What could not be deleted costs room until a server starts and finds it unnamed. */
  #delete(): void {
    for (const id of this.#deletions) {
      if (this.#deletionsOnTheirWay >= natsDeletionsMax || this.#isClosed) return;
      this.#deletions.delete(id);
      this.#deletionsOnTheirWay += 1;
      this.#link.manager.streams
        .deleteMessage(this.#stream, id, false)
        .catch(() => undefined)
        .finally(() => {
          this.#deletionsOnTheirWay -= 1;
          this.#delete();
        });
    }
    if (this.#deletionsOnTheirWay > 0) return;
    for (const resolve of this.#whenSettled) resolve();
    this.#whenSettled = [];
  }
}

// SPDX-License-Identifier: MIT
// What one server hears of a bus on NATS. The stream says everything again when it has stored it,
// under subjects that the server listens to: quick, sorted by the broker, and perhaps lost on its
// way. Owns the places up to which nothing is lost, the notice of whatever may have lost something,
// and the reading of the stream after that.
//
//   F1. Each notification that the server listens to is offered once, in order as far as NATS keeps
//       it; what is found missing later is offered then.
//   F2. `sure` never passes something that was not offered: it follows when the stream, asked after
//       the last word from it, has answered under the same leader.
//   F3. A cut, a question without an answer and another leader are disturbances: all behind `sure`
//       is read again from the stream, and the rest offered.
//   F4. What the stream has forgotten by then is told as a gap; another stream as another epoch.
//   F5. A leader that was cut off goes on for a while, and NATS 2.9 may deliver from it what the
//       others never took: it is not believed without a majority, and what was heard is compared
//       with what is read.
import type { JetStreamManager } from "@nats-io/jetstream";
import type { Msg, Subscription } from "@nats-io/transport-node";
import { errorText } from "../core/text.ts";
import type { Notification } from "../wire/event/notification.ts";
import type { LogClock } from "./log.ts";
import { natsBusRetryMs, natsStandMs, natsSubjectsMax } from "./nats-bus-limits.ts";
import { type NatsBusNames, type StreamStand, standOf } from "./nats-bus-stream.ts";
import type { NatsLink } from "./nats-connection.ts";
import { readStored } from "./nats-notification.ts";
import { NatsReader } from "./nats-reader.ts";
import type { RingItem } from "./notification-ring.ts";

export interface NatsFeedOptions {
  readonly link: NatsLink;
  /** Its questions have short answers or none. */
  readonly manager: JetStreamManager;
  readonly clock: LogClock;
  readonly names: NatsBusNames;
  readonly stand: StreamStand;
  /** Makes the stream when it is not there. */
  readonly remake: () => Promise<unknown>;
  readonly onItem: (item: RingItem) => void;
  readonly onGap: () => void;
  /** The stream is another one: nothing goes on. */
  readonly onNewEpoch: () => void;
  /** Another server asks who hears this. */
  readonly onQuestion: (about: Notification, answer: (text: string) => void) => void;
  readonly onConnection: (isThere: boolean, why: string) => void;
  /** The stream was asked, and has answered or not; also when the connection is cut. */
  readonly onStream: (hasAnswered: boolean, why: string) => void;
}

interface Listened {
  readonly subscription: Subscription;
  users: number;
}

export class NatsFeed {
  readonly #options: NatsFeedOptions;
  readonly #subjects = new Map<string, Listened>();
  #stand: StreamStand;
  /** The last position that was offered, read or acknowledged. */
  #head: number;
  #sure: number;
  /** What was offered behind `sure`, by position. */
  readonly #since = new Map<number, Uint8Array>();
  /** What comes up to here was read from the stream before. */
  #settledTo: number;
  #isRecovering = false;
  /** The last that came while the stream was read. */
  #heardMeanwhile = 0;
  #disturbances = 0;
  #isClosed = false;
  #cancelPoll: () => void = () => undefined;
  #asking: Promise<StreamStand> | undefined;
  #nextAsking: Promise<StreamStand> | undefined;

  constructor(options: NatsFeedOptions) {
    this.#options = options;
    this.#stand = options.stand;
    this.#head = options.stand.last;
    this.#sure = options.stand.last;
    this.#settledTo = options.stand.last;
    void this.#followConnection();
    this.#pollLater();
  }

  get epoch(): string {
    return this.#stand.epoch;
  }

  /** Everything up to here that the server listens to was offered (F2). */
  get sure(): number {
    return this.#sure;
  }

  /** Something up to here was offered, not only to who listens now. */
  get passed(): number {
    return this.#head;
  }

  /** The stream has stored this, and said everything before it. */
  acknowledged(position: number): void {
    if (!this.#isRecovering && position > this.#head) this.#head = position;
  }

  get subjectCount(): number {
    return this.#subjects.size;
  }

  /** Whether so many subjects more may be listened to, each by itself. */
  hasRoomFor(count: number): boolean {
    return this.#subjects.size + count <= natsSubjectsMax;
  }

  /** @returns what ends it */
  listen(subjects: readonly string[]): () => void {
    for (const subject of subjects) this.#listenTo(subject);
    let isListening = true;
    return () => {
      if (!isListening) return;
      isListening = false;
      for (const subject of subjects) this.#leave(subject);
    };
  }

  /**
   * Where the stream stands, asked after everything that was listened to is in force: question and
   * interest go the same way to it.
   * @throws what keeps it from answering
   */
  askStand(): Promise<StreamStand> {
    if (this.#nextAsking !== undefined) return this.#nextAsking;
    const before = this.#asking ?? Promise.resolve();
    const next = before
      .catch(() => undefined)
      .then(() => {
        this.#nextAsking = undefined;
        const asking = this.#ask().finally(() => {
          if (this.#asking === asking) this.#asking = undefined;
        });
        this.#asking = asking;
        return asking;
      });
    this.#nextAsking = next;
    return next;
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelPoll();
    for (const { subscription } of this.#subjects.values()) subscription.unsubscribe();
    this.#subjects.clear();
  }

  /** F5. */
  async #ask(): Promise<StreamStand> {
    const { names, manager, onStream } = this.#options;
    try {
      const stand = standOf(await manager.streams.info(names.stream));
      if (!stand.hasMajority) {
        throw new Error(`the leader of the stream ${names.stream} has lost the other brokers`);
      }
      onStream(true, "");
      return stand;
    } catch (error) {
      if (!this.#isClosed) onStream(false, errorText(error));
      throw error;
    }
  }

  #listenTo(subject: string): void {
    const listened = this.#subjects.get(subject);
    if (listened !== undefined) {
      listened.users += 1;
      return;
    }
    const subscription = this.#options.link.connection.subscribe(subject, {
      callback: (error, message) => {
        if (error === null && !this.#isClosed) this.#hear(message);
      },
    });
    this.#subjects.set(subject, { subscription, users: 1 });
  }

  #leave(subject: string): void {
    const listened = this.#subjects.get(subject);
    if (listened === undefined) return;
    listened.users -= 1;
    if (listened.users > 0) return;
    listened.subscription.unsubscribe();
    this.#subjects.delete(subject);
  }

  #hear(message: Msg): void {
    const position = Number(message.headers?.get("Nats-Sequence") ?? "");
    if (!(position > 0)) {
      this.#hearQuestion(message);
      return;
    }
    if (message.headers?.get("Nats-Stream") !== this.#options.names.stream) return;
    if (this.#isRecovering) {
      this.#heardMeanwhile = Math.max(this.#heardMeanwhile, position);
      return;
    }
    // A message comes once for each of several subjects that it matches.
    if (position <= this.#settledTo || this.#since.has(position)) return;
    this.#offer(position, message);
  }

  #hearQuestion(message: Msg): void {
    const item = message.reply === undefined ? undefined : readStored(message, 0);
    if (item === undefined) return;
    this.#options.onQuestion(item.placed.notification, (text) => message.respond(text));
  }

  #offer(position: number, message: Msg): void {
    this.#since.set(position, message.data);
    if (position > this.#head) this.#head = position;
    // What somebody else wrote there has its place in the order and says nothing.
    const item = readStored(message, position);
    if (item !== undefined) this.#options.onItem(item);
  }

  #pollLater(): void {
    this.#cancelPoll = this.#options.clock.after(natsStandMs, () => void this.#poll());
  }

  /** F2, F3. */
  async #poll(): Promise<void> {
    const [head, disturbances] = [this.#head, this.#disturbances];
    try {
      const stand = await this.#ask();
      if (disturbances === this.#disturbances && !this.#isRecovering) this.#compare(stand, head);
    } catch {
      if (!this.#isClosed) this.#disturb();
    }
    if (!this.#isClosed) this.#pollLater();
  }

  #compare(stand: StreamStand, head: number): void {
    const { epoch, leader, last } = this.#stand;
    if (stand.epoch !== epoch || stand.leader !== leader) {
      this.#disturb();
      return;
    }
    this.#stand = stand;
    // Where nothing matches, what the stream had at the last question was said long before this.
    this.#sure = Math.max(this.#sure, head, last);
    this.#head = Math.max(this.#head, this.#sure);
    for (const position of this.#since.keys()) {
      if (position > this.#sure) break;
      this.#since.delete(position);
    }
  }

  #disturb(): void {
    this.#disturbances += 1;
    if (this.#isRecovering || this.#isClosed) return;
    this.#isRecovering = true;
    this.#heardMeanwhile = 0;
    void this.#recover();
  }

  async #recover(): Promise<void> {
    while (!this.#isClosed) {
      const disturbances = this.#disturbances;
      try {
        // Whatever is listened to is in force again.
        await this.#options.link.connection.flush();
        const stand = await this.#ask();
        if (stand.epoch !== this.#stand.epoch) {
          this.#begin(stand);
          this.#options.onNewEpoch();
          return;
        }
        const settledTo = await this.#readMissed(stand);
        if (disturbances === this.#disturbances) {
          this.#begin({ ...stand, last: settledTo });
          return;
        }
      } catch (error) {
        await this.#remakeIfGone(error);
      }
      await new Promise<void>((resolve) => {
        this.#options.clock.after(natsBusRetryMs, resolve);
      });
    }
  }

  #begin(stand: StreamStand): void {
    this.#stand = stand;
    this.#head = stand.last;
    this.#sure = stand.last;
    this.#settledTo = stand.last;
    this.#since.clear();
    this.#isRecovering = false;
  }

  async #remakeIfGone(error: unknown): Promise<void> {
    const isGone = error instanceof Error && error.name === "StreamNotFoundError";
    if (isGone && !this.#isClosed) await this.#options.remake().catch(() => undefined);
  }

  /** @returns up to where everything was offered. @throws what keeps the stream from answering */
  async #readMissed(begin: StreamStand): Promise<number> {
    if (this.#subjects.size === 0) return begin.last;
    const { link, clock, names } = this.#options;
    const { stream, sent } = names;
    const from = this.#sure + 1;
    const reader = new NatsReader({ link, clock, stream, subject: `${sent}.>`, from });
    try {
      for (let stand = begin; ; ) {
        const { next } = reader;
        const { stored, isAll } = await reader.read();
        const after = await this.#ask();
        // What is gone by now may have gone before it was read.
        if (after.first > next && (stored[0]?.position ?? after.first) > next) {
          this.#options.onGap();
        }
        for (const { position, message } of stored) {
          const heard = this.#since.get(position);
          const isKnown = heard !== undefined && Buffer.compare(heard, message.data) === 0;
          if (!isKnown) this.#offer(position, message);
        }
        const readTo = Math.max(reader.next - 1, stand.last);
        if (isAll && this.#heardMeanwhile <= readTo) return readTo;
        stand = after;
      }
    } finally {
      reader.close();
    }
  }

  async #followConnection(): Promise<void> {
    for await (const status of this.#options.link.connection.status()) {
      if (this.#isClosed) return;
      if (status.type === "disconnect") {
        const why = `NATS at ${status.server} is away`;
        this.#options.onConnection(false, why);
        this.#options.onStream(false, why);
        this.#disturb();
      } else if (status.type === "reconnect") {
        this.#disturb();
        this.#options.onConnection(true, "");
      }
    }
  }
}

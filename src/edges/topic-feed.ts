// SPDX-License-Identifier: MIT
// Subscriptions of one door to one topic. Each has its own place and is read on for as fast as its
// client reads; what is not read stays in the topic, so that one that has stopped costs nobody
// anything.
//
//   F1. A subscription gets each message once, in order, from behind its offset.
//   F2. Of one subscription at most one read is under way, and nothing is read for a client that
//       has no room. What was read for one that has none any more, because its other subscriptions
//       took it meanwhile, is not sent: it is read again.
//   F3. Subscriptions at the same place share a read.
import type { TopicLink } from "../host/topic-link.ts";
import { quotePayload } from "../wire/testground/index.ts";

export interface Subscriber {
  /** Whether more may be sent now; when it may again `Subscription.resume` is called. */
  readonly hasRoom: boolean;
  /** @param quoted the payload's text as a string of JSON. @returns why it cannot be sent. */
  sendMessage(id: string, quoted: string, number: number): string | undefined;
  /** What one read gave has been handed over. */
  flush?(): void;
  /** No message follows. */
  sendError(id: string, error: string): void;
}

export interface FeedOptions {
  readonly scope: string;
  readonly topic: string;
  readonly topics: TopicLink;
  /** Bytes of one read. */
  readonly readBytesMax: number;
  /** The core has said where the topic stands: it follows it. */
  readonly onTold: () => void;
}

interface Part {
  readonly after: number;
  readonly messages: Promise<readonly string[]>;
}

export class Feed {
  readonly #options: FeedOptions;
  readonly #subscriptions = new Set<Subscription>();
  readonly #decoder = new TextDecoder();
  #last = 0;
  #part: Part | undefined;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  get scope(): string {
    return this.#options.scope;
  }

  get topic(): string {
    return this.#options.topic;
  }

  get isEmpty(): boolean {
    return this.#subscriptions.size === 0;
  }

  /** The number of the last message that is known of. */
  get last(): number {
    return this.#last;
  }

  /** @param after the number behind which it begins, 0 for the first message. */
  subscribe(subscriber: Subscriber, id: string, after = 0): Subscription {
    const subscription = new Subscription(this, subscriber, id, after);
    this.#subscriptions.add(subscription);
    return subscription;
  }

  remove(subscription: Subscription): void {
    this.#subscriptions.delete(subscription);
  }

  /** The topic stands at `last`. */
  moveTo(last: number): void {
    this.#options.onTold();
    this.#last = last;
    for (const subscription of this.#subscriptions) subscription.resume();
  }

  /** Nothing comes any more. */
  end(error: string): void {
    for (const subscription of [...this.#subscriptions]) subscription.fail(error);
  }

  /** What comes behind `after`, each as a string of JSON. F3. */
  read(after: number): Promise<readonly string[]> {
    if (this.#part?.after === after) return this.#part.messages;
    const { scope, topic, topics, readBytesMax: bytesMax } = this.#options;
    // Whoever is here has it, or its error; nothing is kept for those who come later.
    const forget = (): void => {
      if (this.#part === part) this.#part = undefined;
    };
    const messages = topics
      .read({ scope, topic, after, bytesMax })
      .finally(forget)
      .then((found) => found.map((message) => quotePayload(this.#decoder.decode(message))));
    const part: Part = { after, messages };
    this.#part = part;
    return messages;
  }
}

export class Subscription {
  readonly id: string;
  readonly feed: Feed;
  readonly #subscriber: Subscriber;
  #after: number;
  #isReading = false;
  #isOver = false;

  constructor(feed: Feed, subscriber: Subscriber, id: string, after: number) {
    this.#after = after;
    this.feed = feed;
    this.#subscriber = subscriber;
    this.id = id;
  }

  /** Reads on if there is something to read, and somebody who takes it. F2. */
  resume(): void {
    if (this.#isReading || this.#isOver || this.#after >= this.feed.last) return;
    if (!this.#subscriber.hasRoom) return;
    this.#isReading = true;
    this.feed.read(this.#after).then(
      (messages) => {
        this.#isReading = false;
        this.#send(messages);
      },
      (error: unknown) => this.fail(`the topic cannot be read: ${String(error)}`),
    );
  }

  fail(error: string): void {
    if (this.#isOver) return;
    this.#subscriber.sendError(this.id, error);
    this.end();
  }

  /** Nothing is sent any more. */
  end(): void {
    this.#isOver = true;
    this.feed.remove(this);
  }

  #send(messages: readonly string[]): void {
    if (this.#isOver || !this.#subscriber.hasRoom) return;
    for (const message of messages) {
      if (this.#isOver) return;
      const objection = this.#subscriber.sendMessage(this.id, message, this.#after + 1);
      if (objection !== undefined) {
        this.fail(objection);
        return;
      }
      this.#after += 1;
    }
    this.#subscriber.flush?.();
    // None: the scope ended while it was read; the effect that says so is on its way.
    if (messages.length > 0) this.resume();
  }
}

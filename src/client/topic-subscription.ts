// SPDX-License-Identifier: MIT
// Subscriptions of a session to topics: messages in order, each once, also over a connection that
// was cut, no faster than the program takes them.
//
//   U1. Messages come in the order of their numbers, without gap or repeat: a subscription that
//       was cut goes on behind the last message that it has.
//   U2. What has come and was not taken is bounded by the server: it is told how far the program
//       is, and sends no more than its window beyond that.
//   U3. What has come is handed out before the end is told.
//   U4. One whose messages the server cannot read now (`unavailable`) is begun again a little later
//       for as long as the session lasts: that no message comes is no end.
import type { FeedFrame, SubscribeFrame, SubscriptionFrame } from "../wire/link/frames.ts";
import { MusterError } from "./muster-error.ts";
import type { ClientPlatform } from "./platform.ts";
import { sessionTime } from "./session-time.ts";

export interface TopicMessage<Message = unknown> {
  /** 1 for the first of the topic. */
  readonly number: number;
  readonly message: Message;
}

export interface SubscribeOptions {
  /**
   * The number of the last message that the program has: 0, the default, for all of them; `"last"`
   * for those that come from now on.
   */
  readonly after?: number | "last";
  /** Ends the subscription; `next` rejects with its reason. */
  readonly signal?: AbortSignal;
}

/** The server is told how far the program is after so many characters, or when all is taken. */
const tellAfterText = 64 * 1024;

/** How a subscription is over: for a reason, or because the program has asked for it. */
type End = { readonly error: unknown } | "closed";

type Say = (frame: SubscriptionFrame) => void;

interface Waiting {
  readonly resolve: (result: IteratorResult<TopicMessage>) => void;
  readonly reject: (error: unknown) => void;
}

/** All subscriptions of a session. */
export class Subscriptions {
  readonly #say: Say;
  readonly #after: ClientPlatform["after"];
  readonly #open = new Map<number, TopicSubscription>();
  #lastId = 0;
  #isUp = false;
  #error: unknown;

  constructor(say: Say, after: ClientPlatform["after"]) {
    this.#say = say;
    this.#after = after;
  }

  get hasAny(): boolean {
    return this.#open.size > 0;
  }

  open(scope: string, topic: string, options: SubscribeOptions): TopicSubscription {
    this.#lastId += 1;
    const id = this.#lastId;
    const subscription = new TopicSubscription({ id, scope, topic }, options, {
      say: this.#say,
      onGone: (id) => void this.#open.delete(id),
    });
    if (subscription.isOver) return subscription;
    if (this.#error !== undefined) subscription.fail(this.#error);
    else {
      this.#open.set(id, subscription);
      if (this.#isUp) subscription.begin();
    }
    return subscription;
  }

  /** The connection is there, or there again: the server knows of no subscription. */
  up(): void {
    this.#isUp = true;
    for (const subscription of [...this.#open.values()]) subscription.begin();
  }

  down(): void {
    this.#isUp = false;
  }

  receive(frame: FeedFrame): void {
    const subscription = this.#open.get(frame.id);
    // What was on its way when it ended.
    if (subscription === undefined) return;
    switch (frame.kind) {
      case "subscribed":
        subscription.onSubscribed(frame.after);
        return;
      case "messages":
        subscription.onMessages(frame.after, frame.messages);
        return;
      case "unsubscribed":
        if (frame.code === "unavailable") this.#pause(subscription);
        else subscription.fail(new MusterError(frame.code, frame.message));
        return;
    }
  }

  /** U4. The server has forgotten it, and an id is not used again. */
  #pause(subscription: TopicSubscription): void {
    this.#open.delete(subscription.id);
    this.#lastId += 1;
    subscription.pause(this.#lastId);
    this.#open.set(subscription.id, subscription);
    this.#after(sessionTime.feedPauseMs, () => {
      if (this.#isUp && subscription.isPaused) subscription.begin();
    });
  }

  /** The session has ended. */
  end(error: unknown): void {
    this.#error = error;
    for (const subscription of [...this.#open.values()]) subscription.fail(error);
  }
}

interface Owner {
  readonly say: Say;
  readonly onGone: (id: number) => void;
}

export class TopicSubscription<Message = unknown>
  implements AsyncIterableIterator<TopicMessage<Message>>, AsyncDisposable
{
  readonly #place: Pick<SubscribeFrame, "scope" | "topic">;
  #id: number;
  #isPaused = false;
  readonly #owner: Owner;
  readonly #signal: AbortSignal | undefined;
  /** The last message that has come; undefined until the server has said where that is. */
  #after: number | undefined;
  /** Messages that have come and were not taken, as text. */
  #texts: string[] = [];
  #waiting: Waiting[] = [];
  #untoldText = 0;
  /** The server is asked when all that has come is taken: its window begins anew (U2). */
  #beginsWhenEmpty = false;
  #end: End | undefined;
  readonly #onAbort = (): void => {
    this.#stop();
    this.#finish({ error: this.#signal?.reason });
  };

  /** Use `Topic.subscribe`. */
  constructor(
    { id, ...place }: Pick<SubscribeFrame, "id" | "scope" | "topic">,
    { after = 0, signal }: SubscribeOptions,
    owner: Owner,
  ) {
    this.#id = id;
    this.#place = place;
    this.#owner = owner;
    this.#after = after === "last" ? undefined : after;
    this.#signal = signal;
    if (signal?.aborted === true) this.#finish({ error: signal.reason });
    else signal?.addEventListener("abort", this.#onAbort);
  }

  get isOver(): boolean {
    return this.#end !== undefined;
  }

  /** For the session. */
  get id(): number {
    return this.#id;
  }

  /** For the session: it is to be begun again (U4), by this id. */
  pause(id: number): void {
    this.#id = id;
    this.#isPaused = true;
  }

  get isPaused(): boolean {
    return this.#isPaused && this.#end === undefined;
  }

  /** The next message. @throws MusterError; the signal's reason when it was aborted */
  next(): Promise<IteratorResult<TopicMessage<Message>>> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({
        resolve: resolve as (result: IteratorResult<TopicMessage>) => void,
        reject,
      });
      this.#handOut();
    });
  }

  /** Ends it: whoever waits for a message is told that none comes. */
  async close(): Promise<void> {
    if (this.#end !== undefined) return;
    this.#stop();
    this.#texts = [];
    this.#finish("closed");
  }

  async return(): Promise<IteratorResult<TopicMessage<Message>>> {
    await this.close();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** For the session: a server is there that knows nothing of it. U1. */
  begin(): void {
    this.#isPaused = false;
    this.#beginsWhenEmpty = this.#texts.length > 0;
    if (this.#beginsWhenEmpty) return;
    const after = this.#after;
    const place = { kind: "subscribe", id: this.#id, ...this.#place } as const;
    this.#owner.say(after === undefined ? place : { ...place, after });
    this.#untoldText = 0;
  }

  onSubscribed(after: number): void {
    this.#after ??= after;
  }

  onMessages(after: number, messages: readonly string[]): void {
    if (this.#end !== undefined || after !== this.#after) return;
    this.#after = after + messages.length;
    this.#texts.push(...messages);
    this.#handOut();
  }

  fail(error: unknown): void {
    if (this.#end === undefined) this.#finish({ error });
  }

  #stop(): void {
    this.#owner.say({ kind: "unsubscribe", id: this.#id });
  }

  #finish(end: End): void {
    this.#end = end;
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#owner.onGone(this.#id);
    this.#handOut();
  }

  /** U2, U3. */
  #handOut(): void {
    while (this.#waiting.length > 0) {
      const text = this.#texts.shift();
      if (text === undefined && this.#end === undefined) return;
      const waiting = this.#waiting.shift();
      if (text !== undefined) {
        const number = (this.#after ?? 0) - this.#texts.length;
        this.#untoldText += text.length;
        waiting?.resolve({ done: false, value: { number, message: JSON.parse(text) } });
        this.#tell(number);
      } else if (this.#end === "closed") waiting?.resolve({ done: true, value: undefined });
      else waiting?.reject(this.#end?.error);
    }
  }

  #tell(number: number): void {
    if (this.#end !== undefined) return;
    if (this.#beginsWhenEmpty) {
      this.begin();
      return;
    }
    if (this.#texts.length > 0 && this.#untoldText < tellAfterText) return;
    this.#untoldText = 0;
    this.#owner.say({ kind: "taken", id: this.#id, number });
  }
}

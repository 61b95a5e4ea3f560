// SPDX-License-Identifier: MIT
// Subscriptions of sessions to topics. Nothing of them is in the log: this edge follows each topic
// that somebody has subscribed to, and reads on for each subscription from where that one is
// (topic-feed.ts). A connection that was cut subscribes again behind what it has.
//
//   F1. A subscription gets each message once, in order, from behind its offset.
//   F4. What is on its way to a subscription, and not done with there, is bounded: the client says
//       how far it is. One that stops costs nobody anything.
import type { ErrorCode } from "../../core/code.ts";
import type { ConnectionId } from "../../core/command.ts";
import type { EdgeEffect } from "../../core/effect.ts";
import { payloadOverheadBytes } from "../../core/limits.ts";
import type { ConnectEdge, CoreLink } from "../../host/core-link.ts";
import type { FeedPeer, FrameFeed } from "../../host/edge-connection.ts";
import type { TopicLink } from "../../host/topic-link.ts";
import type { FeedFrame, SubscribeFrame, SubscriptionFrame } from "../../wire/link/frames.ts";
import { formatFrame } from "../../wire/link/frames.ts";
import { Feed, type Subscriber, type Subscription } from "../topic-feed.ts";
import { boundMessage, type HttpBounds } from "./bounds.ts";

export interface SessionFeedsOptions {
  readonly connect: ConnectEdge;
  readonly edge: string;
  readonly topics: TopicLink;
  readonly bounds: HttpBounds;
  /**
   * Where several servers have the log: resolves when all is applied that any of them has appended
   * so far to that of the scope. @throws LogError
   */
  readonly catchUp?: ((scope: string) => Promise<void>) | undefined;
}

/** @returns why the topic may not be followed. */
type Objection = (scope: string, topic: string) => string | undefined;

/** A topic that somebody has subscribed to. */
interface Followed {
  readonly feed: Feed;
  connection: ConnectionId;
  /** The core has said where it stands. */
  isTold: boolean;
  readonly readers: Set<Reader>;
}

export class SessionFeeds {
  readonly #options: SessionFeedsOptions;
  readonly #link: CoreLink;
  readonly #followed = new Map<string, Followed>();
  #lastConnection = 0;

  constructor(options: SessionFeedsOptions) {
    this.#options = options;
    this.#link = options.connect(options.edge, {
      onEffects: (effects) => {
        for (const effect of effects) this.#onEffect(effect);
      },
      onClosed: () => this.#followAgain(),
    });
  }

  /** The subscriptions of one connection. */
  open(peer: FeedPeer, objection: Objection): FrameFeed {
    return new PeerFeed(this, peer, this.#options.bounds, objection);
  }

  close(): Promise<void> {
    return this.#link.close();
  }

  /** For a `PeerFeed`. */
  add(reader: Reader): void {
    const followed = this.#follow(reader);
    if (followed === undefined) {
      const message =
        "the server is closing, or has more to do than it takes up (limit mailboxCommandsMax)";
      reader.refuse("limit", message);
      return;
    }
    followed.readers.add(reader);
    if (followed.isTold) this.#begin(reader, followed);
  }

  /** Whoever comes from a server that has read on is not judged by what this one has read (F5). */
  #begin(reader: Reader, followed: Followed): void {
    const { catchUp } = this.#options;
    if (catchUp === undefined || reader.isWithin(followed.feed)) {
      reader.begin(followed.feed);
      return;
    }
    const waits = (): boolean => followed.readers.has(reader) && !reader.hasBegun;
    catchUp(reader.scope).then(
      () => waits() && reader.begin(followed.feed),
      () => waits() && reader.refuse("unavailable", "the server's log takes nothing"),
    );
  }

  remove(reader: Reader): void {
    const key = keyOf(reader);
    const followed = this.#followed.get(key);
    if (followed?.readers.delete(reader) !== true || followed.readers.size > 0) return;
    this.#followed.delete(key);
    this.#unfollow(reader);
  }

  #unfollow({ scope, topic }: { readonly scope: string; readonly topic: string }): void {
    this.#link.submit({ kind: "topic-unfollow", scope, topic });
  }

  /**
   * The core has ended the life of the edge that followed; the next one asks anew where each topic
   * stands. What is open stays so: nothing of a topic was lost with it.
   */
  #followAgain(): void {
    for (const followed of [...this.#followed.values()]) {
      const { scope, topic } = followed.feed;
      const connection = this.#submitFollow(scope, topic);
      if (connection === undefined) this.#end(followed, "unavailable", "the topic was lost");
      else followed.connection = connection;
    }
  }

  #submitFollow(scope: string, topic: string): ConnectionId | undefined {
    this.#lastConnection += 1;
    const connection = this.#lastConnection;
    const isTaken = this.#link.submit({ kind: "topic-follow", scope, topic, connection });
    return isTaken ? connection : undefined;
  }

  #follow({ scope, topic }: Reader): Followed | undefined {
    const key = keyOf({ scope, topic });
    const known = this.#followed.get(key);
    if (known !== undefined) return known;
    const connection = this.#submitFollow(scope, topic);
    if (connection === undefined) return undefined;
    const { topics, bounds } = this.#options;
    const feed = new Feed({
      ...{ scope, topic, topics, readBytesMax: bounds.sessionAheadBytesMax },
      onTold: () => undefined,
    });
    const followed = { feed, connection, isTold: false, readers: new Set<Reader>() };
    this.#followed.set(key, followed);
    return followed;
  }

  #onEffect(effect: EdgeEffect): void {
    switch (effect.kind) {
      case "topic-stands": {
        const followed = this.#followed.get(keyOf(effect));
        if (followed === undefined) return;
        if (effect.last < followed.feed.last) {
          // Its scope has ended while nobody followed it, and another one has its name.
          this.#unfollow(effect);
          this.#end(followed, "ended", "the scope of the topic has ended");
          return;
        }
        const { feed, readers } = followed;
        feed.moveTo(effect.last);
        for (const reader of [...readers]) {
          // Who waits for what others have read has it with the news of it, too.
          const mayBegin = !followed.isTold || reader.isWithin(feed);
          if (mayBegin && !reader.hasBegun) reader.begin(feed);
        }
        followed.isTold = true;
        return;
      }
      case "topic-closed": {
        const followed = this.#followed.get(keyOf(effect));
        if (followed) this.#end(followed, "ended", "the scope of the topic has ended");
        return;
      }
      case "refused":
        for (const followed of [...this.#followed.values()]) {
          if (followed.connection !== effect.connection) continue;
          this.#end(followed, effect.code, effect.message);
        }
        return;
      default:
        return; // The rest is of barriers and agendas, of which this edge has none.
    }
  }

  /** The core does not tell of it any more. */
  #end({ feed, readers }: Followed, code: ErrorCode, message: string): void {
    this.#followed.delete(keyOf(feed));
    for (const reader of [...readers]) reader.refuse(code, message);
  }
}

/** The subscriptions of one connection. */
class PeerFeed implements FrameFeed {
  readonly #feeds: SessionFeeds;
  readonly #peer: FeedPeer;
  readonly #bounds: HttpBounds;
  readonly #objection: Objection;
  readonly #readers = new Map<number, Reader>();

  constructor(feeds: SessionFeeds, peer: FeedPeer, bounds: HttpBounds, objection: Objection) {
    this.#feeds = feeds;
    this.#peer = peer;
    this.#bounds = bounds;
    this.#objection = objection;
  }

  receive(frame: SubscriptionFrame): void {
    switch (frame.kind) {
      case "subscribe":
        this.#subscribe(frame);
        return;
      case "taken":
        this.#readers.get(frame.id)?.taken(frame.number);
        return;
      case "unsubscribe": {
        const reader = this.#readers.get(frame.id);
        if (reader !== undefined) this.#remove(reader);
        return;
      }
    }
  }

  resume(): void {
    for (const reader of this.#readers.values()) reader.resume();
  }

  close(): void {
    for (const reader of [...this.#readers.values()]) this.#remove(reader);
  }

  #subscribe(frame: SubscribeFrame): void {
    const { id, scope, topic } = frame;
    const say = (code: ErrorCode, message: string): void =>
      this.#peer.send(formatFrame({ kind: "unsubscribed", id, code, message }));
    if (this.#readers.has(id)) {
      say("invalid", `subscription ${id} is there already`);
      return;
    }
    if (this.#readers.size >= this.#bounds.sessionSubscriptionsMax) {
      const why = boundMessage(this.#bounds, "sessionSubscriptionsMax");
      say("limit", `too many subscriptions of one session: ${why}`);
      return;
    }
    const objection = this.#objection(scope, topic);
    if (objection !== undefined) {
      say("limit", objection);
      return;
    }
    const reader: Reader = new Reader(frame, this.#peer, {
      aheadBytesMax: this.#bounds.sessionAheadBytesMax,
      onRefused: (code, message) => {
        this.#remove(reader);
        say(code, message);
      },
    });
    this.#readers.set(id, reader);
    this.#feeds.add(reader);
  }

  #remove(reader: Reader): void {
    this.#readers.delete(reader.id);
    reader.end();
    this.#feeds.remove(reader);
  }
}

interface ReaderOptions {
  readonly aheadBytesMax: number;
  readonly onRefused: (code: ErrorCode, message: string) => void;
}

/** One subscription: what is on its way to it (F4). */
class Reader implements Subscriber {
  readonly id: number;
  readonly scope: string;
  readonly topic: string;
  readonly #after: number | undefined;
  readonly #peer: FeedPeer;
  readonly #options: ReaderOptions;
  #subscription: Subscription | undefined;
  /** Messages that are not done with: their cost, by number, in order. */
  #ahead: { readonly number: number; readonly bytes: number }[] = [];
  #aheadBytes = 0;
  #ready: string[] = [];
  #readyAfter = 0;

  constructor(frame: SubscribeFrame, peer: FeedPeer, options: ReaderOptions) {
    const { id, scope, topic, after } = frame;
    this.id = id;
    this.scope = scope;
    this.topic = topic;
    this.#after = after;
    this.#peer = peer;
    this.#options = options;
  }

  get hasRoom(): boolean {
    return this.#aheadBytes < this.#options.aheadBytesMax && !this.#peer.isBehind;
  }

  get hasBegun(): boolean {
    return this.#subscription !== undefined;
  }

  /** Whether the message that it begins behind is known here. */
  isWithin({ last }: Feed): boolean {
    return (this.#after ?? last) <= last;
  }

  /** It is known where the topic stands. */
  begin(feed: Feed): void {
    const after = this.#after ?? feed.last;
    if (!this.isWithin(feed)) {
      // Its scope has ended meanwhile, and another one has its name.
      const message = `there is no message ${after} in topic ${this.topic}, which has ${feed.last}`;
      this.refuse("invalid", message);
      return;
    }
    this.#say({ kind: "subscribed", id: this.id, after });
    this.#subscription = feed.subscribe(this, String(this.id), after);
    this.#subscription.resume();
  }

  taken(number: number): void {
    const ahead = this.#ahead;
    let done = 0;
    for (; done < ahead.length && (ahead[done]?.number ?? 0) <= number; done += 1) {
      this.#aheadBytes -= ahead[done]?.bytes ?? 0;
    }
    if (done > 0) this.#ahead = ahead.slice(done);
    this.resume();
  }

  resume(): void {
    this.#subscription?.resume();
  }

  refuse(code: ErrorCode, message: string): void {
    this.#options.onRefused(code, message);
  }

  end(): void {
    this.#subscription?.end();
  }

  sendMessage(_id: string, quoted: string, number: number): undefined {
    if (this.#ready.length === 0) this.#readyAfter = number - 1;
    this.#ready.push(quoted);
    const bytes = quoted.length + payloadOverheadBytes;
    this.#ahead.push({ number, bytes });
    this.#aheadBytes += bytes;
  }

  flush(): void {
    if (this.#ready.length === 0) return;
    const messages = this.#ready.join(",");
    this.#ready = [];
    const { id } = this;
    // What formatFrame would make of it, without quoting each message again for each reader.
    this.#peer.send(
      `{"kind":"messages","id":${id},"after":${this.#readyAfter},"messages":[${messages}]}`,
    );
  }

  sendError(_id: string, error: string): void {
    this.refuse("unavailable", error);
  }

  #say(frame: FeedFrame): void {
    this.#peer.send(formatFrame(frame));
  }
}

function keyOf({ scope, topic }: { readonly scope: string; readonly topic: string }): string {
  return JSON.stringify([scope, topic]);
}

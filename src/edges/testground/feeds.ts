// SPDX-License-Identifier: MIT
// The topics that a door follows, because clients of it have subscribed. The core is asked once for
// each topic, and told when nobody is left.
import type { Command, ConnectionId } from "../../core/command.ts";
import type { TopicLink } from "../../host/topic-link.ts";
import { Feed, type Subscriber } from "../topic-feed.ts";
import type { Ask } from "./ask.ts";

export interface FeedsOptions {
  readonly topics: TopicLink;
  readonly readBytesMax: number;
  readonly send: (command: Command) => void;
}

export class Feeds {
  readonly #options: FeedsOptions;
  /** By scope, then topic. */
  readonly #feeds = new Map<string, Map<string, Feed>>();
  /** Those that the core may still refuse. */
  readonly #follows = new Map<ConnectionId, Feed>();

  constructor(options: FeedsOptions) {
    this.#options = options;
  }

  get count(): number {
    let count = 0;
    for (const topics of this.#feeds.values()) count += topics.size;
    return count;
  }

  subscribe(ask: Ask, subscriber: Subscriber): void {
    const feed = this.#obtain(ask);
    ask.subscription = feed.subscribe(subscriber, ask.id);
    ask.subscription.resume();
  }

  withdraw({ subscription }: Ask): void {
    if (subscription === undefined) return;
    const { feed } = subscription;
    subscription.end();
    if (!feed.isEmpty) return;
    this.#forget(feed);
    const { scope, topic } = feed;
    this.#options.send({ kind: "topic-unfollow", scope, topic });
  }

  stands(scope: string, topic: string, last: number): void {
    this.#feeds.get(scope)?.get(topic)?.moveTo(last);
  }

  closed(scope: string, topic: string): void {
    const feed = this.#feeds.get(scope)?.get(topic);
    if (feed === undefined) return;
    this.#forget(feed);
    feed.end("the run has ended");
  }

  /** @returns whether it was a topic that was refused. */
  refused(connection: ConnectionId, error: string): boolean {
    const feed = this.#follows.get(connection);
    if (feed === undefined) return false;
    this.#follows.delete(connection);
    if (this.#feeds.get(feed.scope)?.get(feed.topic) === feed) this.#forget(feed);
    feed.end(error);
    return true;
  }

  clear(): void {
    this.#feeds.clear();
    this.#follows.clear();
  }

  #obtain({ scope, name: topic, connection }: Ask): Feed {
    const known = this.#feeds.get(scope)?.get(topic);
    if (known !== undefined) return known;
    const { topics, readBytesMax, send } = this.#options;
    const onTold = () => this.#follows.delete(connection);
    const feed = new Feed({ scope, topic, topics, readBytesMax, onTold });
    const ofScope = this.#feeds.get(scope) ?? new Map<string, Feed>();
    this.#feeds.set(scope, ofScope);
    ofScope.set(topic, feed);
    this.#follows.set(connection, feed);
    send({ kind: "topic-follow", scope, topic, connection });
    return feed;
  }

  #forget({ scope, topic }: Feed): void {
    const ofScope = this.#feeds.get(scope);
    ofScope?.delete(topic);
    if (ofScope?.size === 0) this.#feeds.delete(scope);
  }
}

// SPDX-License-Identifier: MIT
// The bus of many servers (bus.ts, N1-N4), on NATS: a notification is published under a subject
// made of its address and stored by a stream, which gives it its position and says it again to the
// servers that listen to such subjects. The stream is the window in which who comes back, at
// whichever server, misses nothing; who has made it has given the epoch its name.
//
// What is lost and what is not: nats-feed.ts. Queues and slow subscribers: bus-subscription.ts.
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { createInbox, type NatsConnection } from "@nats-io/transport-node";
import { errorText } from "../core/text.ts";
import type {
  Bus,
  BusPlace,
  Published,
  Subscribed,
  Subscriber,
  Subscription,
} from "../wire/event/bus.ts";
import { BusError, findPlaceFault } from "../wire/event/bus.ts";
import type { Notification } from "../wire/event/notification.ts";
import { findNotificationFault } from "../wire/event/notification.ts";
import {
  formatCoveringSubject,
  formatSubject,
  formatSubjectFilters,
} from "../wire/event/subjects.ts";
import type { Filter } from "../wire/event/subscription.ts";
import { parseFilter } from "../wire/event/subscription.ts";
import type { BusLimits } from "./bus-limits.ts";
import { type BusReplay, BusSubscription } from "./bus-subscription.ts";
import type { LogClock } from "./log.ts";
import {
  natsBusRetryMs,
  natsHeardMs,
  natsMessageHeadBytesMax,
  natsStandAnswerMs,
  natsUnheardPauseMs,
} from "./nats-bus-limits.ts";
import {
  type NatsBusName,
  type NatsBusNames,
  natsBusNames,
  openBusStream,
  type StreamStand,
  standOf,
} from "./nats-bus-stream.ts";
import { closeNats } from "./nats-calls.ts";
import { connectNats, type NatsLink } from "./nats-connection.ts";
import { NatsFeed, type NatsFeedOptions } from "./nats-feed.ts";
import { natsAckMs } from "./nats-limits.ts";
import { addressPart, encodeNotification } from "./nats-notification.ts";
import type { NatsPlace } from "./nats-place.ts";
import { NatsPublisher, unavailable } from "./nats-publisher.ts";
import { NatsReader } from "./nats-reader.ts";
import { NatsReplay, ReplayTurns } from "./nats-replay.ts";
import type { RingItem } from "./notification-ring.ts";
import { type IndexHandle, SubscriptionIndex } from "./subscription-index.ts";

export interface NatsBusOptions {
  readonly place: NatsPlace;
  /** Which of the buses of the log. */
  readonly bus: NatsBusName;
  readonly clock: LogClock;
  readonly limits: BusLimits;
  /** Never used before: host/ids.ts draws one. */
  readonly newEpoch: () => string;
  /** Its stream has answered or not, some times a second. */
  readonly onStream?: (hasAnswered: boolean, why: string) => void;
}

export class NatsBus implements Bus {
  readonly #limits: BusLimits;
  readonly #clock: LogClock;
  readonly #link: NatsLink;
  readonly #names: NatsBusNames;
  readonly #feed: NatsFeed;
  readonly #publisher: NatsPublisher;
  readonly #index = new SubscriptionIndex<BusSubscription>();
  readonly #subscriptions = new Set<BusSubscription>();
  readonly #turns = new ReplayTurns();
  /** What the broker takes in one message. */
  readonly #dataBytesMax: number;
  /** Those that are being made. */
  #beginning = 0;
  #isClosed = false;

  private constructor(
    { clock, limits, onStream = () => undefined }: NatsBusOptions,
    link: NatsLink,
    feed: Pick<NatsFeedOptions, "names" | "manager" | "stand" | "remake">,
  ) {
    this.#limits = limits;
    this.#clock = clock;
    this.#link = link;
    this.#names = feed.names;
    this.#dataBytesMax = (link.connection.info?.max_payload ?? 0) - natsMessageHeadBytesMax;
    this.#publisher = new NatsPublisher(jetstream(link.connection), clock);
    this.#feed = new NatsFeed({
      ...{ ...feed, link, clock, onStream },
      onItem: (item) => this.#offer(item),
      onGap: () => {
        for (const subscription of this.#subscriptions) subscription.gap();
      },
      onNewEpoch: () => this.#endAll("the stream of the bus was made anew; what it had is gone"),
      onQuestion: (about, answer) => {
        const count = this.#countHere(about);
        if (count > 0) answer(String(count));
      },
      onConnection: (isThere, why) => {
        if (isThere) this.#publisher.came();
        else this.#publisher.left(why);
      },
    });
  }

  /** Makes the stream unless it is there. @throws LogError (definite), with what to do */
  static async open(options: NatsBusOptions): Promise<NatsBus> {
    const { place, bus } = options;
    // What it publishes itself is not said to it by the broker: who asks knows its own answer.
    const link = await connectNats(place, { noEcho: true });
    try {
      const names = natsBusNames(place, bus);
      const remake = () => openBusStream({ ...options, link, names });
      const stand = standOf(await remake());
      const domain = place.domain === undefined ? {} : { domain: place.domain };
      const manager = await jetstreamManager(link.connection, {
        ...{ timeout: natsStandAnswerMs, checkAPI: false, ...domain },
      });
      return new NatsBus(options, link, { names, manager, stand, remake });
    } catch (error) {
      await closeNats(link.connection);
      throw error;
    }
  }

  /** The stream behind it. */
  get stream(): string {
    return this.#names.stream;
  }

  /** Subjects that it listens to. */
  get subjectCount(): number {
    return this.#feed.subjectCount;
  }

  async publish(notification: Notification): Promise<Published> {
    this.#checkOpen();
    const fault = findNotificationFault(notification);
    if (fault !== undefined) throw new BusError(fault.code, fault.message);
    const data = encodeNotification(notification);
    if (data.length > this.#dataBytesMax) {
      const what = `a notification of ${data.length} bytes of JSON: NATS takes ${this.#dataBytesMax}`;
      throw new BusError("too-large", `${what}; raise its max_payload, or put the data in a file`);
    }
    const subject = formatSubject(this.#names.sent, notification);
    const position = await this.#publisher.publish(subject, data);
    this.#feed.acknowledged(position);
    const matched = this.#countHere(notification) || (await this.#countElsewhere(notification));
    return { place: { epoch: this.#feed.epoch, position }, matched };
  }

  async subscribe(subscription: Subscription, subscriber: Subscriber): Promise<Subscribed> {
    this.#checkOpen();
    const { subscriptionsMax } = this.#limits;
    if (this.#subscriptions.size + this.#beginning >= subscriptionsMax) {
      const what = `limit subscriptionsMax (${subscriptionsMax}) reached`;
      throw new BusError("refused", `${what}; close some, or raise it`);
    }
    const parsed = parseFilter(subscription.address);
    if (parsed.kind === "refused") throw new BusError(parsed.code, parsed.message);
    const fault = subscription.after && findPlaceFault(subscription.after);
    if (fault !== undefined) throw new BusError("invalid", fault);
    const { filter } = parsed;
    const leave = this.#feed.listen(this.#subjectsOf(filter));
    this.#beginning += 1;
    try {
      const stand = await this.#standBehind(subscription.after);
      this.#checkOpen();
      return this.#begin({ subscription, filter, subscriber, stand, leave });
    } catch (error) {
      leave();
      throw error;
    } finally {
      this.#beginning -= 1;
    }
  }

  /** Ends all subscriptions; nothing is published any more. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#endAll("the bus is closing; come back when it is there again");
    this.#publisher.close();
    this.#feed.close();
    await closeNats(this.#link.connection);
  }

  #subjectsOf(filter: Filter): readonly string[] {
    const subjects = formatSubjectFilters(this.#names.heard, filter);
    if (this.#feed.hasRoomFor(subjects.length)) return subjects;
    return [formatCoveringSubject(this.#names.heard, filter)];
  }

  /** A broker that has just become the leader may not have all yet that another acknowledged. */
  async #standBehind(after: BusPlace | undefined): Promise<StreamStand> {
    const giveUpUs = this.#clock.nowUs() + natsStandAnswerMs * 1000;
    for (;;) {
      const stand = await this.#standSoon();
      const isAhead = after?.epoch === stand.epoch && after.position > stand.last;
      const mayCome = isAhead && stand.leader !== "" && this.#clock.nowUs() < giveUpUs;
      if (!mayCome) return stand;
      await this.#pause();
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.after(natsBusRetryMs, resolve);
    });
  }

  /** Tries for a while: another broker may be about to lead. @throws BusError (unavailable) */
  async #standSoon(): Promise<StreamStand> {
    const giveUpUs = this.#clock.nowUs() + natsAckMs * 1000;
    for (;;) {
      try {
        return await this.#feed.askStand();
      } catch (error) {
        this.#checkOpen();
        if (this.#clock.nowUs() > giveUpUs) {
          throw unavailable(`the stream of the bus does not answer (${errorText(error)})`);
        }
      }
      await this.#pause();
    }
  }

  #begin({ subscription, filter, subscriber, stand, leave }: Beginning): Subscribed {
    const { from, hasGap } = beginning(subscription.after, stand);
    // What came while the question was on its way may be this one's, and was offered to others.
    const isBehind = from <= Math.max(stand.last, this.#feed.passed);
    const [limits, feed] = [this.#limits, this.#feed];
    let handle: IndexHandle | undefined;
    const added: BusSubscription = new BusSubscription({
      ...{ epoch: stand.epoch, slow: subscription.slow, subscriber, limits, hasGap },
      ...{ begin: stand.last, head: () => feed.sure },
      replay: isBehind ? (onMore) => this.#replay({ filter, from, stand, onMore }) : undefined,
      onClosed: () => {
        leave();
        handle?.remove();
        this.#subscriptions.delete(added);
      },
    });
    handle = this.#index.add(filter, added);
    this.#subscriptions.add(added);
    return added;
  }

  #replay({ filter, from, stand, onMore }: Missing): BusReplay {
    const { stream, sent } = this.#names;
    const [link, clock, limits] = [this.#link, this.#clock, this.#limits];
    const subject = formatCoveringSubject(sent, filter);
    return new NatsReplay({
      ...{ filter, limits, clock, stand, onMore, turns: this.#turns },
      reader: new NatsReader({ link, clock, stream, subject, from }),
      askStand: () => this.#feed.askStand(),
    });
  }

  #offer(item: RingItem): void {
    this.#index.find(item.placed.notification, (subscription) => subscription.offer(item));
  }

  #countHere(notification: Notification): number {
    let count = 0;
    this.#index.find(notification, ({ isRelied }) => {
      if (isRelied) count += 1;
    });
    return count;
  }

  /** How many at one server that hears it; 0 when none does, which a cluster is asked twice. */
  async #countElsewhere(notification: Notification): Promise<number> {
    const { connection } = this.#link;
    const subject = formatSubject(this.#names.heard, notification);
    const about = encodeNotification(addressPart(notification));
    const ask = () => askWhoHears({ connection, clock: this.#clock, subject, about });
    const count = await ask();
    if (count !== undefined) return count;
    // Who has come at another broker of a cluster may not be known at this one yet.
    if (connection.info?.cluster === undefined) return 0;
    await new Promise<void>((resolve) => {
      this.#clock.after(natsUnheardPauseMs, resolve);
    });
    return this.#isClosed ? 0 : ((await ask()) ?? 0);
  }

  #endAll(reason: string): void {
    for (const subscription of [...this.#subscriptions]) subscription.end(reason);
  }

  #checkOpen(): void {
    if (this.#isClosed) {
      throw new BusError("unavailable", "the bus is closed; connect again to the one that follows");
    }
  }
}

interface Beginning {
  readonly subscription: Subscription;
  readonly filter: Filter;
  readonly subscriber: Subscriber;
  readonly stand: StreamStand;
  readonly leave: () => void;
}

interface Missing {
  readonly filter: Filter;
  readonly from: number;
  readonly stand: StreamStand;
  readonly onMore: () => void;
}

/** Where a subscriber that was at `after` goes on, and whether it has missed something (N3). */
function beginning(
  after: BusPlace | undefined,
  { epoch, first, last }: StreamStand,
): { readonly from: number; readonly hasGap: boolean } {
  if (after === undefined) return { from: last + 1, hasGap: false };
  const { position } = after;
  if (after.epoch !== epoch) return { from: first, hasGap: true };
  if (position > last) {
    throw new BusError("invalid", `position ${position} is to come; give one that was delivered`);
  }
  return { from: Math.max(position + 1, first), hasGap: position + 1 < first };
}

interface Question {
  readonly connection: NatsConnection;
  readonly clock: LogClock;
  readonly subject: string;
  readonly about: Uint8Array;
}

/** @returns the first answer; 0 when those who hear such subjects want none; undefined: nobody */
function askWhoHears({ connection, clock, subject, about }: Question): Promise<number | undefined> {
  return new Promise((resolve) => {
    const inbox = createInbox();
    const end = (count: number | undefined): void => {
      cancel();
      subscription.unsubscribe();
      resolve(count);
    };
    const cancel = clock.after(natsHeardMs, () => end(0));
    const subscription = connection.subscribe(inbox, {
      callback: (error, message) => {
        if (error === null && message.headers?.code === 503) end(undefined);
        else if (error === null) end(Number(message.string()) || 0);
      },
    });
    connection.publish(subject, about, { reply: inbox });
  });
}

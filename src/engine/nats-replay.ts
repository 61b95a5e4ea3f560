// SPDX-License-Identifier: MIT
// What one subscriber of a bus on NATS has missed, read from its stream a batch at a time. Owns no
// consumer while nothing is read, so that subscribers that take their time cost the broker nothing.
//
//   P1. It is over when the stream has been read behind everything that was offered meanwhile.
//   P2. What the stream forgets before it was read is never passed over silently.
//   P3. What was read stays had while the stream does not say where it stands: the reader is behind
//       it already.
import type { PlacedNotification } from "../wire/event/bus.ts";
import type { Filter } from "../wire/event/subscription.ts";
import { matches } from "../wire/event/subscription.ts";
import type { BusLimits } from "./bus-limits.ts";
import type { BusReplay } from "./bus-subscription.ts";
import type { LogClock } from "./log.ts";
import { natsBusRetryMs, natsReplaysMax } from "./nats-bus-limits.ts";
import type { StreamStand } from "./nats-bus-stream.ts";
import { readStored } from "./nats-notification.ts";
import type { NatsReader, ReadBatch } from "./nats-reader.ts";
import { NotificationQueue } from "./notification-queue.ts";

export interface NatsReplayOptions {
  readonly reader: NatsReader;
  readonly filter: Filter;
  readonly limits: BusLimits;
  readonly clock: LogClock;
  /** Where the stream stood before it is read. */
  readonly stand: StreamStand;
  readonly askStand: () => Promise<StreamStand>;
  readonly turns: ReplayTurns;
  readonly onMore: () => void;
}

export class NatsReplay implements BusReplay {
  readonly #options: NatsReplayOptions;
  readonly #queue = new NotificationQueue();
  /** Everything before it was read, or is gone. */
  #readTo: number;
  #standLast: number;
  /** P3. */
  #unjudged: ReadBatch | undefined;
  #isAll = false;
  #isOvertaken = false;
  #offered = 0;
  #isReading = false;
  #isClosed = false;

  constructor(options: NatsReplayOptions) {
    this.#options = options;
    this.#readTo = options.reader.next;
    this.#standLast = options.stand.last;
  }

  get next(): number {
    return this.#queue.first?.placed.position ?? this.#readTo;
  }

  get isOvertaken(): boolean {
    return this.#isOvertaken;
  }

  get isOver(): boolean {
    return this.#isAll && this.#queue.size === 0 && this.#offered < this.#readTo;
  }

  skip(): void {
    this.#isOvertaken = false;
  }

  take(): readonly PlacedNotification[] | undefined {
    if (this.#queue.size === 0) {
      if (!this.isOver) void this.#read();
      return undefined;
    }
    const { deliveryNotificationsMax, deliveryBytesMax } = this.#options.limits;
    return this.#queue.take(deliveryNotificationsMax, deliveryBytesMax);
  }

  offered(position: number): void {
    this.#offered = Math.max(this.#offered, position);
  }

  close(): void {
    this.#isClosed = true;
    this.#queue.clear();
  }

  async #read(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    const { turns, clock, onMore } = this.#options;
    const give = await turns.take();
    try {
      if (!this.#isClosed) await this.#readBatch();
    } catch {
      await new Promise<void>((resolve) => clock.after(natsBusRetryMs, resolve));
    } finally {
      give();
    }
    this.#isReading = false;
    if (!this.#isClosed) onMore();
  }

  async #readBatch(): Promise<void> {
    const { reader, filter, askStand } = this.#options;
    const from = this.#readTo;
    this.#unjudged ??= await reader.read();
    reader.close();
    const { first, last } = await askStand();
    const { stored, isAll } = this.#unjudged;
    this.#unjudged = undefined;
    // P2. What is gone by now may have gone before it was read.
    if (first > from && (stored[0]?.position ?? first) > from) this.#isOvertaken = true;
    for (const { position, message } of stored) {
      const item = readStored(message, position);
      if (item !== undefined && matches(filter, item.placed.notification)) this.#queue.push(item);
    }
    this.#isAll = isAll;
    this.#readTo = Math.max(from, reader.next, isAll ? this.#standLast + 1 : 0);
    reader.skipTo(this.#readTo);
    this.#standLast = last;
  }
}

/** So many subscribers of one server read at once; the others wait for their turn. */
export class ReplayTurns {
  #free = natsReplaysMax;
  readonly #waiting: (() => void)[] = [];

  /** @returns what gives the turn back */
  async take(): Promise<() => void> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return () => {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    };
  }
}

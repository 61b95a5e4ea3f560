// SPDX-License-Identifier: MIT
// One subscriber of a MemoryBus: what waits for it, and when it is called. Owns the order of its
// calls and what becomes of it when it is slow. Does not decide what matches (subscription-index.ts
// for what comes, the filter for what is read from the ring).
//
//   S1. It either reads the ring (it came back) or has a queue (it keeps up); never both.
//   S2. At most one delivery is under way, and `#batchFirst` is set exactly then.
//   S3. After its end nothing is queued, and the only call left is `onEnd`.
import type {
  BusPlace,
  PlacedNotification,
  SlowPolicy,
  Subscribed,
  Subscriber,
} from "../wire/event/bus.ts";
import type { Filter } from "../wire/event/subscription.ts";
import { matches } from "../wire/event/subscription.ts";
import type { BusLimits } from "./bus-limits.ts";
import { NotificationQueue } from "./notification-queue.ts";
import type { NotificationRing, RingItem } from "./notification-ring.ts";

/** Positions of the ring that are looked at in one go: somebody else may have work. */
const ringScanMax = 4_096;

export interface BusSubscriptionOptions {
  readonly epoch: string;
  readonly filter: Filter;
  readonly slow: SlowPolicy;
  readonly subscriber: Subscriber;
  readonly limits: BusLimits;
  readonly ring: NotificationRing;
  /** Where to begin to read the ring; undefined for what comes from now on. */
  readonly replayFrom: number | undefined;
  /** Something before `replayFrom` is lost. */
  readonly hasGap: boolean;
  /** It takes part no more. */
  readonly onClosed: () => void;
}

export class BusSubscription implements Subscribed {
  readonly #options: BusSubscriptionOptions;
  readonly #queue = new NotificationQueue();
  /** The next position to read from the ring; undefined once it keeps up. */
  #replayNext: number | undefined;
  /** What is lost and not told yet; -1: an unknown number. */
  #lost: number;
  #batchFirst: number | undefined;
  #isScheduled = false;
  /** Set at its end. */
  #endedAt: number | undefined;

  constructor(options: BusSubscriptionOptions) {
    this.#options = options;
    this.#replayNext = options.replayFrom;
    this.#lost = options.hasGap ? -1 : 0;
    this.#wake();
  }

  /** Whether it has heard what it was offered: a display that may leave it out has not. */
  get isRelied(): boolean {
    return this.#options.slow === "end";
  }

  get place(): BusPlace {
    return { epoch: this.#options.epoch, position: this.#endedAt ?? this.#position(true) };
  }

  /** Something that matches was accepted. Calls nobody. */
  offer(item: RingItem): void {
    if (this.#endedAt !== undefined) return;
    if (this.#replayNext === undefined) this.#enqueue(item);
    this.#wake();
  }

  close(): void {
    this.#stop(this.#position(true));
  }

  /** Ends it from our side; the subscriber is told. */
  end(reason: string): void {
    // What was handed over counts as had, also while the subscriber is still at it.
    this.#endAt(reason, this.#position(false));
  }

  #enqueue(item: RingItem): void {
    const { limits, slow } = this.#options;
    this.#queue.push(item);
    const isOver = (): boolean =>
      this.#queue.size > limits.queueNotificationsMax || this.#queue.bytes > limits.queueBytesMax;
    if (!isOver()) return;
    if (slow === "end") {
      this.end(`it was slow: ${this.#queue.size} notifications were waiting; come back for them`);
      return;
    }
    while (isOver()) {
      this.#queue.shift();
      if (this.#lost >= 0) this.#lost += 1;
    }
  }

  #wake(): void {
    if (this.#isScheduled || this.#batchFirst !== undefined) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    if (this.#batchFirst !== undefined || this.#endedAt !== undefined) return;
    const batch = this.#take();
    this.#batchFirst = batch[0]?.position;
    const { subscriber } = this.#options;
    try {
      const lost = this.#lost;
      this.#lost = 0;
      if (lost !== 0) subscriber.onGap(lost);
      if (this.#isEnded()) return;
      const result = batch.length === 0 ? undefined : subscriber.onNotifications(batch);
      if (result === undefined) this.#delivered();
      else result.then(() => this.#delivered(), this.#failed);
    } catch (error) {
      this.#failed(error);
    }
  }

  /** A call: what the subscriber does inside its own calls is not seen by the compiler. */
  #isEnded(): boolean {
    return this.#endedAt !== undefined;
  }

  #delivered(): void {
    this.#batchFirst = undefined;
    if (this.#endedAt === undefined && (this.#queue.size > 0 || this.#replayNext !== undefined)) {
      this.#wake();
    }
  }

  #take(): readonly PlacedNotification[] {
    const { deliveryNotificationsMax, deliveryBytesMax } = this.#options.limits;
    return this.#replayNext === undefined
      ? this.#queue.take(deliveryNotificationsMax, deliveryBytesMax)
      : this.#takeFromRing(this.#replayNext);
  }

  #takeFromRing(from: number): readonly PlacedNotification[] {
    const { ring, filter, slow, limits } = this.#options;
    let next = from;
    if (next < ring.first) {
      if (slow === "end") {
        this.end("it was slow: what it had not had yet is gone; come back for the rest");
        return [];
      }
      this.#lost = -1;
      next = ring.first;
    }
    const last = Math.min(ring.head, next + ringScanMax - 1);
    const batch: PlacedNotification[] = [];
    for (let bytes = 0; next <= last; next += 1) {
      const item = ring.at(next);
      if (!matches(filter, item.placed.notification)) continue;
      bytes += item.bytes;
      const isFull = batch.length === limits.deliveryNotificationsMax;
      if (isFull || (batch.length > 0 && bytes > limits.deliveryBytesMax)) break;
      batch.push(item.placed);
    }
    this.#replayNext = next > ring.head ? undefined : next;
    return batch;
  }

  /** Everything up to here was had; a delivery under way is doubtful or not. */
  #position(isDoubtful: boolean): number {
    if (isDoubtful && this.#batchFirst !== undefined) return this.#batchFirst - 1;
    const next = this.#queue.first?.placed.position ?? this.#replayNext;
    return next === undefined ? this.#options.ring.head : next - 1;
  }

  readonly #failed = (error: unknown): void => {
    const why = error instanceof Error ? error.message : String(error);
    this.#endAt(`the subscriber failed: ${why}`, this.#position(true));
  };

  #endAt(reason: string, position: number): void {
    if (this.#endedAt !== undefined) return;
    this.#stop(position);
    const place = this.place;
    queueMicrotask(() => this.#options.subscriber.onEnd(reason, place));
  }

  #stop(position: number): void {
    if (this.#endedAt !== undefined) return;
    this.#endedAt = position;
    this.#queue.clear();
    this.#replayNext = undefined;
    this.#options.onClosed();
  }
}

// SPDX-License-Identifier: MIT
// One subscriber of a bus: what waits for it, and when it is called. Owns the order of its calls
// and what becomes of it when it is slow. Does not decide what matches (subscription-index.ts for
// what comes, the replay for what was missed).
//
//   S1. It either reads a replay (it came back) or has a queue (it keeps up); never both.
//   S2. At most one delivery is under way, and `#batchFirst` is set exactly then.
//   S3. After its end nothing is queued, and the only call left is `onEnd`.
//   S4. Positions only grow. What comes behind its turn was had or is lost, and the feed says
//       which.
import { errorText } from "../core/text.ts";
import type {
  BusPlace,
  PlacedNotification,
  SlowPolicy,
  Subscribed,
  Subscriber,
} from "../wire/event/bus.ts";
import type { BusLimits } from "./bus-limits.ts";
import { NotificationQueue } from "./notification-queue.ts";
import type { RingItem } from "./notification-ring.ts";

/** What a subscriber has missed, read from where the bus keeps it. */
export interface BusReplay {
  /** Everything that matches before this position was taken or is lost. */
  readonly next: number;
  /** What comes next was forgotten before it was taken; `skip` goes on with what is left. */
  readonly isOvertaken: boolean;
  skip(): void;
  /**
   * What comes next, perhaps nothing of it: then it is asked again. Undefined: there is nothing
   * right now, and `onMore` is called when there is.
   */
  take(): readonly PlacedNotification[] | undefined;
  /** Everything was taken that had been offered: what comes now is queued. */
  readonly isOver: boolean;
  /** Something that matches was accepted meanwhile. */
  offered(position: number): void;
  close(): void;
}

export interface BusSubscriptionOptions {
  readonly epoch: string;
  readonly slow: SlowPolicy;
  readonly subscriber: Subscriber;
  readonly limits: BusLimits;
  /** Where it begins: nothing up to there is its. */
  readonly begin: number;
  /** Up to here the bus has offered everything that matches. */
  readonly head: () => number;
  /** What it has missed; undefined for what comes from now on. */
  readonly replay: ((onMore: () => void) => BusReplay) | undefined;
  /** Something before the replay is lost. */
  readonly hasGap: boolean;
  /** It takes part no more. */
  readonly onClosed: () => void;
}

export class BusSubscription implements Subscribed {
  readonly #options: BusSubscriptionOptions;
  readonly #queue = new NotificationQueue();
  /** Undefined once it keeps up. */
  #replay: BusReplay | undefined;
  /** The last position that was queued or replayed, and where the queue began (S4). */
  #last: number;
  #queueFrom: number;
  /** What is lost and not told yet; -1: an unknown number. */
  #lost: number;
  #batchFirst: number | undefined;
  #isScheduled = false;
  /** Set at its end. */
  #endedAt: number | undefined;

  constructor(options: BusSubscriptionOptions) {
    this.#options = options;
    this.#last = options.begin;
    this.#queueFrom = options.begin;
    this.#replay = options.replay?.(() => this.#wake());
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

  /** Something that matches was accepted, and was not offered before. Calls nobody. */
  offer(item: RingItem): void {
    if (this.#endedAt !== undefined) return;
    const { position } = item.placed;
    if (this.#replay !== undefined) this.#replay.offered(position);
    else if (position > this.#last) this.#enqueue(item);
    else if (position > this.#queueFrom) this.#miss(position);
    this.#wake();
  }

  /** Something is lost that would have come next: nobody knows what. */
  gap(): void {
    if (this.#endedAt !== undefined) return;
    this.#lost = -1;
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

  /** S4. It comes too late to be had in its order. */
  #miss(position: number): void {
    if (this.#options.slow === "end") {
      // What is queued was not had either, and may lie before it.
      const had = Math.min(position - 1, this.#position(false));
      this.#endAt("something was lost on its way; come back for it", had);
    } else if (this.#lost >= 0) this.#lost += 1;
  }

  #enqueue(item: RingItem): void {
    const { limits, slow } = this.#options;
    this.#last = item.placed.position;
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
    this.#batchFirst = batch?.[0]?.position;
    const { subscriber } = this.#options;
    try {
      const lost = this.#lost;
      this.#lost = 0;
      if (lost !== 0) subscriber.onGap(lost);
      if (this.#isEnded()) return;
      const isEmpty = batch === undefined || batch.length === 0;
      const result = isEmpty ? undefined : subscriber.onNotifications(batch);
      if (result !== undefined) result.then(() => this.#delivered(true), this.#failed);
      else this.#delivered(batch !== undefined);
    } catch (error) {
      this.#failed(error);
    }
  }

  /** A call: what the subscriber does inside its own calls is not seen by the compiler. */
  #isEnded(): boolean {
    return this.#endedAt !== undefined;
  }

  /** @param asksAgain whether a replay may have more at once */
  #delivered(asksAgain: boolean): void {
    this.#batchFirst = undefined;
    if (this.#endedAt !== undefined) return;
    if (this.#queue.size > 0 || (this.#replay !== undefined && asksAgain)) this.#wake();
  }

  #take(): readonly PlacedNotification[] | undefined {
    const { deliveryNotificationsMax, deliveryBytesMax } = this.#options.limits;
    return this.#replay === undefined
      ? this.#queue.take(deliveryNotificationsMax, deliveryBytesMax)
      : this.#takeFrom(this.#replay);
  }

  #takeFrom(replay: BusReplay): readonly PlacedNotification[] | undefined {
    if (replay.isOvertaken) {
      if (this.#options.slow === "end") {
        this.end("it was slow: what it had not had yet is gone; come back for the rest");
        return [];
      }
      this.#lost = -1;
      replay.skip();
    }
    const batch = replay.take();
    if (replay.isOver) {
      this.#last = replay.next - 1;
      this.#queueFrom = this.#last;
      this.#replay = undefined;
      replay.close();
    }
    return batch;
  }

  /** Everything up to here was had; a delivery under way is doubtful or not. */
  #position(isDoubtful: boolean): number {
    if (isDoubtful && this.#batchFirst !== undefined) return this.#batchFirst - 1;
    const next = this.#queue.first?.placed.position ?? this.#replay?.next;
    return next === undefined ? Math.max(this.#options.head(), this.#last) : next - 1;
  }

  readonly #failed = (error: unknown): void => {
    const why = errorText(error);
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
    this.#replay?.close();
    this.#replay = undefined;
    this.#options.onClosed();
  }
}

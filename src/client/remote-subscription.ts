// SPDX-License-Identifier: MIT
// One subscription of a RemoteBus, across connections: its place, and the order of the calls of its
// subscriber.
//
//   S1. Frames are handed on one after the other, also while the subscriber takes its time: what
//       comes meanwhile waits. The server sends no second delivery before the first is taken, so
//       that little waits.
//   S2. After a lost connection it asks for what comes after the last that it has handed on.
//   S3. Where it goes on behind its place, or in another epoch, a gap is told next. It moves there
//       with that, not before: a connection lost in between must not cost the telling.

import { errorText } from "../core/text.ts";
import type {
  BusPlace,
  PlacedNotification,
  Subscribed,
  Subscriber,
  Subscription,
} from "../wire/event/bus.ts";
import { BusError } from "../wire/event/bus.ts";
import type { BusClientFrame, BusServerFrame } from "../wire/event/bus-frames.ts";

export interface RemoteSubscriptionOptions {
  readonly subscription: Subscription;
  readonly subscriber: Subscriber;
  readonly say: (frame: BusClientFrame) => void;
  readonly onClosed: () => void;
}

/** Where somebody is who has not been anywhere yet. */
const nowhere: BusPlace = { epoch: "", position: 0 };

export class RemoteSubscription implements Subscribed {
  /** Resolves when the server has taken the subscription for the first time. */
  readonly begun: Promise<Subscribed>;
  readonly #id: number;
  readonly #options: RemoteSubscriptionOptions;
  #resolveBegun: (subscribed: Subscribed) => void = () => undefined;
  #rejectBegun: (error: BusError) => void = () => undefined;
  #hasBegun = false;
  /** Up to here everything was taken. */
  #taken: BusPlace | undefined;
  /** Up to here everything was handed to the subscriber. */
  #handed: BusPlace | undefined;
  /** Where the server goes on, until the next frame (S3). */
  #announced: BusPlace | undefined;
  #inbox: BusServerFrame[] = [];
  #isBusy = false;
  #isOver = false;

  constructor(id: number, options: RemoteSubscriptionOptions) {
    this.#id = id;
    this.#options = options;
    this.#taken = options.subscription.after;
    this.#handed = this.#taken;
    this.begun = new Promise((resolve, reject) => {
      this.#resolveBegun = resolve;
      this.#rejectBegun = reject;
    });
    // Whoever does not wait for it is told by `onEnd` or not at all.
    this.begun.catch(() => undefined);
  }

  get place(): BusPlace {
    return this.#taken ?? nowhere;
  }

  /** There is a connection: asks for what comes next. */
  ask(): void {
    const { address, slow } = this.#options.subscription;
    const after = this.#handed ?? null;
    this.#options.say({ kind: "subscribe", id: this.#id, address: address ?? null, after, slow });
  }

  /** What waits comes again. */
  disconnected(): void {
    this.#inbox = [];
    this.#announced = undefined;
  }

  receive(frame: BusServerFrame): void {
    if (this.#isOver) return;
    if (frame.kind === "ended") {
      // Also while a delivery is under way. What waits is not had: its place is before that.
      const place = this.#inbox.length === 0 ? frame.place : (this.#handed ?? frame.place);
      this.#endAt(new BusError("unavailable", frame.reason), place);
      return;
    }
    this.#inbox.push(frame);
    this.#pump();
  }

  close(): void {
    if (this.#isOver) return;
    this.#options.say({ kind: "unsubscribe", id: this.#id });
    this.#stop();
  }

  /** Nobody goes on: the subscriber is told. */
  end(error: BusError): void {
    this.#endAt(error, this.#handed ?? nowhere);
  }

  /** Whoever closed the bus knows. */
  abandon(error: BusError): void {
    this.#stop();
    this.#rejectBegun(error);
  }

  #pump(): void {
    while (!this.#isBusy && !this.#isOver) {
      const frame = this.#inbox.shift();
      if (frame === undefined) return;
      this.#obey(frame);
    }
  }

  #obey(frame: BusServerFrame): void {
    if (this.#announced !== undefined) this.#moveTo(this.#announced);
    switch (frame.kind) {
      case "subscribed":
        if (this.#handed === undefined) this.#moveTo(frame.place);
        else this.#announced = frame.place;
        this.#begin();
        break;
      case "place":
        this.#moveTo(frame.place);
        break;
      case "notifications":
        this.#hand(frame.notifications);
        break;
      case "gap":
        this.#guard(() => this.#options.subscriber.onGap(frame.lost));
        break;
      case "refused":
        this.end(new BusError(frame.code, frame.message));
        break;
      case "ended":
      case "published":
        break;
    }
  }

  #begin(): void {
    this.#hasBegun = true;
    this.#resolveBegun(this);
  }

  #hand(notifications: readonly PlacedNotification[]): void {
    const last = notifications.at(-1)?.position ?? 0;
    const place = { epoch: this.#handed?.epoch ?? "", position: last };
    this.#handed = place;
    const took = (): void => {
      this.#isBusy = false;
      this.#taken = place;
      this.#options.say({ kind: "took", id: this.#id, position: last });
      this.#pump();
    };
    this.#isBusy = true;
    this.#guard(() => {
      const result = this.#options.subscriber.onNotifications(notifications);
      if (result === undefined) took();
      else result.then(took, (error: unknown) => this.#fail(error));
    });
  }

  #moveTo(place: BusPlace): void {
    this.#announced = undefined;
    this.#taken = place;
    this.#handed = place;
  }

  /** What a subscriber throws ends its subscription and nothing else. */
  #guard(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    const why = errorText(error);
    this.#options.say({ kind: "unsubscribe", id: this.#id });
    this.#endAt(new BusError("unavailable", `the subscriber failed: ${why}`), this.place);
  }

  #endAt(error: BusError, place: BusPlace): void {
    if (this.#isOver) return;
    this.#taken = place;
    this.#stop();
    if (this.#hasBegun) this.#options.subscriber.onEnd(error.message, place);
    else this.#rejectBegun(error);
  }

  #stop(): void {
    this.#isOver = true;
    this.#inbox = [];
    this.#options.onClosed();
  }
}

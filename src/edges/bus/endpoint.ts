// SPDX-License-Identifier: MIT
// The bus over WebSockets: `/v1/bus`. Owns what one connection has subscribed to and when it may
// have more; what is delivered, and to whom, is the bus's. See wire/event/bus-frames.ts.
//
//   W1. Each subscription has at most one delivery on its way: a client that takes nothing costs
//       one delivery, then its queue in the bus, then its subscription.
//   W2. `subscribed` comes before anything else of a subscription, and nothing after `ended`.
//   W3. A bus that is somewhere else may come back in another epoch. A subscription that goes on
//       there is told the gap, then the place, and only then what comes: positions are counted
//       from the place last told.
import type { Cancel, Clock } from "../../host/clock.ts";
import type {
  Bus,
  BusPlace,
  PlacedNotification,
  Subscribed,
  Subscriber,
} from "../../wire/event/bus.ts";
import { BusError } from "../../wire/event/bus.ts";
import type { BusServerFrame, ReadClientFrame } from "../../wire/event/bus-frames.ts";
import {
  busMessageBytesMax,
  busProtocol,
  formatServerFrame,
  parseClientFrame,
} from "../../wire/event/bus-frames.ts";
import type { BusTime } from "../bus-time.ts";
import type { Caller, DoorSocket, SocketEndpoint, SocketHandler } from "../http/index.ts";
import { closeCodes } from "../http/index.ts";
import type { BusDoorBounds } from "./bounds.ts";
import { admitSubscription, checkPublication } from "./rights.ts";

export interface BusDoorOptions {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly bounds: BusDoorBounds;
  readonly time: BusTime;
}

export function createBusEndpoint(options: BusDoorOptions): SocketEndpoint {
  return {
    path: "/v1/bus",
    protocol: busProtocol,
    summary: "Notifications: subscribe and publish",
    access: "listen",
    messageBytesMax: busMessageBytesMax,
    perTokenMax: options.bounds.busSocketsPerTokenMax,
    open: (socket, caller) => new BusConnection(socket, caller, options),
  };
}

class BusConnection implements SocketHandler {
  readonly #socket: DoorSocket;
  readonly #caller: Caller;
  readonly #options: BusDoorOptions;
  readonly #subscriptions = new Map<number, SocketSubscription>();
  #cancelPlaces: Cancel;

  constructor(socket: DoorSocket, caller: Caller, options: BusDoorOptions) {
    this.#socket = socket;
    this.#caller = caller;
    this.#options = options;
    this.#cancelPlaces = this.#tellPlacesLater();
  }

  onMessage(message: string | Uint8Array): void {
    const frame = typeof message === "string" ? parseClientFrame(message) : undefined;
    if (frame === undefined) {
      this.#socket.end(closeCodes.invalid, "this is no message of muster.bus.1");
      return;
    }
    this.#obey(frame);
  }

  onDrain(): void {
    this.#socket.setReading(true);
  }

  onClosed(): void {
    this.#cancelPlaces();
    for (const subscription of this.#subscriptions.values()) subscription.close();
    this.#subscriptions.clear();
  }

  #obey(frame: ReadClientFrame): void {
    switch (frame.kind) {
      case "subscribe":
        void this.#answer(frame.id, () => this.#subscribe(frame));
        break;
      case "publish":
        void this.#answer(frame.id, () => this.#publish(frame));
        break;
      case "unsubscribe":
        this.#subscriptions.get(frame.id)?.close();
        this.#subscriptions.delete(frame.id);
        break;
      case "took":
        this.#subscriptions.get(frame.id)?.took(frame.position);
        break;
    }
  }

  async #subscribe(frame: Extract<ReadClientFrame, { kind: "subscribe" }>): Promise<void> {
    const { id, slow, after } = frame;
    const { busSubscriptionsPerSocketMax: countMax } = this.#options.bounds;
    if (this.#subscriptions.has(id)) {
      throw new BusError("invalid", `there is a subscription ${id}; take another number`);
    }
    if (this.#subscriptions.size >= countMax) {
      const what = `limit busSubscriptionsPerSocketMax (${countMax}) reached`;
      throw new BusError("refused", `${what}; close some, or open another connection`);
    }
    const address = admitSubscription(this.#caller, frame.address ?? undefined);
    const subscription = new SocketSubscription(id, {
      say: (said) => this.#say(said),
      onEnd: () => this.#subscriptions.delete(id),
    });
    this.#subscriptions.set(id, subscription);
    try {
      const wanted = { address, slow, ...(after === null ? {} : { after }) };
      subscription.begin(await this.#options.bus.subscribe(wanted, subscription));
    } catch (error) {
      this.#subscriptions.delete(id);
      throw error;
    }
  }

  async #publish(frame: Extract<ReadClientFrame, { kind: "publish" }>): Promise<void> {
    const { id, notification: parsed } = frame;
    if (parsed.kind === "refused") throw new BusError(parsed.code, parsed.message);
    checkPublication(this.#caller, parsed.notification);
    const published = await this.#options.bus.publish(parsed.notification);
    this.#say({ kind: "published", id, ...published });
  }

  async #answer(id: number, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (!(error instanceof BusError)) throw error;
      this.#say({ kind: "refused", id, code: error.code, message: error.message });
    }
  }

  #say(frame: BusServerFrame): void {
    this.#socket.send(formatServerFrame(frame));
    if (this.#socket.queuedBytes > this.#options.bounds.busQueueBytesMax) {
      this.#socket.setReading(false);
    }
  }

  #tellPlacesLater(): Cancel {
    return this.#options.clock.after(this.#options.time.placeMs, () => {
      for (const subscription of this.#subscriptions.values()) subscription.tellPlace();
      this.#cancelPlaces = this.#tellPlacesLater();
    });
  }
}

interface SubscriptionOptions {
  readonly say: (frame: BusServerFrame) => void;
  readonly onEnd: () => void;
}

class SocketSubscription implements Subscriber {
  readonly #id: number;
  readonly #options: SubscriptionOptions;
  /** What came before `begin` (W2). */
  #early: BusServerFrame[] | undefined = [];
  #subscribed: Subscribed | undefined;
  #isClosed = false;
  /** The delivery on its way (W1). */
  #awaited: { readonly position: number; readonly taken: () => void } | undefined;
  #toldPosition = 0;
  #toldEpoch = "";

  constructor(id: number, options: SubscriptionOptions) {
    this.#id = id;
    this.#options = options;
  }

  begin(subscribed: Subscribed): void {
    this.#subscribed = subscribed;
    if (this.#isClosed) {
      subscribed.close();
      return;
    }
    const { place } = subscribed;
    this.#toldPosition = place.position;
    this.#toldEpoch = place.epoch;
    this.#options.say({ kind: "subscribed", id: this.#id, place });
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const frame of early) this.#options.say(frame);
  }

  onNotifications(notifications: readonly PlacedNotification[]): Promise<void> {
    return new Promise((resolve) => {
      const position = notifications.at(-1)?.position ?? 0;
      this.#awaited = { position, taken: resolve };
      this.#followEpoch();
      this.#say({ kind: "notifications", id: this.#id, notifications });
    });
  }

  onGap(lost: number): void {
    this.#say({ kind: "gap", id: this.#id, lost });
    this.#followEpoch();
  }

  onEnd(reason: string, place: BusPlace): void {
    this.#say({ kind: "ended", id: this.#id, reason, place });
    this.#isClosed = true;
    this.#options.onEnd();
  }

  took(position: number): void {
    if (this.#awaited?.position !== position) return;
    const { taken } = this.#awaited;
    this.#awaited = undefined;
    this.#toldPosition = Math.max(this.#toldPosition, position);
    taken();
  }

  /** Says where it is when that is news: a client whose names are rare must not fall behind. */
  tellPlace(): void {
    const place = this.#subscribed?.place;
    if (place === undefined || this.#awaited !== undefined) return;
    // In another epoch a gap comes first (W3).
    if (place.epoch !== this.#toldEpoch) return;
    if (place.position <= this.#toldPosition) return;
    this.#toldPosition = place.position;
    this.#say({ kind: "place", id: this.#id, place });
  }

  close(): void {
    this.#isClosed = true;
    this.#subscribed?.close();
  }

  /** W3. */
  #followEpoch(): void {
    const place = this.#subscribed?.place;
    if (place === undefined || place.epoch === this.#toldEpoch) return;
    this.#toldPosition = place.position;
    this.#toldEpoch = place.epoch;
    this.#say({ kind: "place", id: this.#id, place });
  }

  #say(frame: BusServerFrame): void {
    if (this.#isClosed) return;
    if (this.#early === undefined) this.#options.say(frame);
    else this.#early.push(frame);
  }
}

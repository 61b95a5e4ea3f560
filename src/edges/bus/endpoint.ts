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
//   W4. What a connection has been sent and has not taken is at most its bound and one message:
//       deliveries beyond that are kept back, as what the bus has and not as text.
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
    queueBytesMax: options.bounds.busQueueBytesMax,
    gathersWrites: true,
    open: (socket, caller) => new BusConnection(socket, caller, options),
  };
}

class BusConnection implements SocketHandler {
  readonly #socket: DoorSocket;
  readonly #caller: Caller;
  readonly #options: BusDoorOptions;
  readonly #subscriptions = new Map<number, SocketSubscription>();
  /** Deliveries that wait until the client has read (W4). */
  #keptBack: (() => void)[] = [];
  #isReading = true;
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

  onSent(): void {
    if (!this.#hasRoom) return;
    this.#setReading(true);
    while (this.#hasRoom) {
      const deliver = this.#keptBack.shift();
      if (deliver === undefined) return;
      deliver();
    }
  }

  onClosed(): void {
    this.#cancelPlaces();
    this.#keptBack = [];
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
    const subscription: SocketSubscription = new SocketSubscription(id, {
      say: (said) => this.#say(said),
      whenRoom: (deliver) => this.#whenRoom(deliver),
      onEnd: () => this.#forget(id, subscription),
    });
    this.#subscriptions.set(id, subscription);
    try {
      const wanted = { address, slow, ...(after === null ? {} : { after }) };
      subscription.begin(await this.#options.bus.subscribe(wanted, subscription));
    } catch (error) {
      this.#forget(id, subscription);
      throw error;
    }
  }

  /** Its number may be another's by now. */
  #forget(id: number, subscription: SocketSubscription): void {
    if (this.#subscriptions.get(id) === subscription) this.#subscriptions.delete(id);
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
    if (!this.#hasRoom) this.#setReading(false);
  }

  get #hasRoom(): boolean {
    return this.#socket.queuedBytes <= this.#options.bounds.busQueueBytesMax;
  }

  /** W4. */
  #whenRoom(deliver: () => void): void {
    if (this.#hasRoom && this.#keptBack.length === 0) deliver();
    else this.#keptBack.push(deliver);
  }

  #setReading(isReading: boolean): void {
    if (isReading !== this.#isReading) this.#socket.setReading(isReading);
    this.#isReading = isReading;
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
  /** Calls back when the client has room for a delivery. */
  readonly whenRoom: (deliver: () => void) => void;
  readonly onEnd: () => void;
}

class SocketSubscription implements Subscriber {
  readonly #id: number;
  readonly #options: SubscriptionOptions;
  /** What came before `begin` (W2). */
  #early: (() => void)[] | undefined = [];
  #subscribed: Subscribed | undefined;
  #isClosed = false;
  /** The place before the delivery that is kept back (W4). */
  #before: number | undefined;
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
    for (const act of early) act();
  }

  onNotifications(notifications: readonly PlacedNotification[]): Promise<void> {
    const [first, last] = [notifications.at(0), notifications.at(-1)];
    const position = last?.position ?? 0;
    this.#before = Math.max(0, (first?.position ?? 0) - 1);
    return new Promise((resolve) => {
      const deliver = (): void => {
        if (this.#isClosed) return;
        this.#before = undefined;
        this.#awaited = { position, taken: resolve };
        this.#followEpoch();
        this.#options.say({ kind: "notifications", id: this.#id, notifications });
      };
      this.#afterBegin(() => this.#options.whenRoom(deliver));
    });
  }

  onGap(lost: number): void {
    this.#say({ kind: "gap", id: this.#id, lost });
    this.#followEpoch();
  }

  onEnd(reason: string, place: BusPlace): void {
    this.#afterBegin(() => {
      // What was kept back was not had: who comes back for it begins before it.
      const at = this.#before === undefined ? place : { ...place, position: this.#before };
      this.#say({ kind: "ended", id: this.#id, reason, place: at });
      this.#isClosed = true;
    });
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
    if (this.#before !== undefined) return;
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
    this.#afterBegin(() => {
      if (!this.#isClosed) this.#options.say(frame);
    });
  }

  /** W2. */
  #afterBegin(act: () => void): void {
    if (this.#early === undefined) act();
    else this.#early.push(act);
  }
}

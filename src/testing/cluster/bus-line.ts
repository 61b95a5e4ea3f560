// SPDX-License-Identifier: MIT
// A bus whose line to one of its clients can be cut: nothing goes and nothing comes meanwhile; what
// the bus keeps, the client may ask for when the line is there again.
import {
  type Bus,
  BusError,
  type Published,
  type Subscribed,
  type Subscriber,
  type Subscription,
} from "../../wire/event/bus.ts";
import type { Notification } from "../../wire/event/notification.ts";

export class BusLine implements Bus {
  readonly #bus: Bus;
  readonly #open = new Set<() => void>();
  #isCut = false;

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  cut(): void {
    this.#isCut = true;
    for (const end of [...this.#open]) end();
  }

  mend(): void {
    this.#isCut = false;
  }

  async publish(notification: Notification): Promise<Published> {
    this.#check();
    return this.#bus.publish(notification);
  }

  async subscribe(subscription: Subscription, subscriber: Subscriber): Promise<Subscribed> {
    this.#check();
    const subscribed = await this.#bus.subscribe(subscription, subscriber);
    const end = (): void => {
      this.#open.delete(end);
      const { place } = subscribed;
      subscribed.close();
      subscriber.onEnd("the line is cut", place);
    };
    this.#open.add(end);
    return {
      get place() {
        return subscribed.place;
      },
      close: () => {
        this.#open.delete(end);
        subscribed.close();
      },
    };
  }

  #check(): void {
    if (this.#isCut) throw new BusError("unavailable", "the line is cut");
  }
}

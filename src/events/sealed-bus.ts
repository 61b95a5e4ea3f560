// SPDX-License-Identifier: MIT
// A bus as it is seen from outside of a process whose parties do not authenticate what they say to
// each other: what leaves is authenticated on its way out (client/own-notifications.ts).
import type { OwnNotifications } from "../client/own-notifications.ts";
import type { Bus, Published, Subscribed, Subscriber, Subscription } from "../wire/event/bus.ts";
import type { Notification } from "../wire/event/notification.ts";

export class SealedBus implements Bus {
  readonly #bus: Bus;
  readonly #own: OwnNotifications;

  constructor(bus: Bus, own: OwnNotifications) {
    this.#bus = bus;
    this.#own = own;
  }

  publish(notification: Notification): Promise<Published> {
    return this.#bus.publish(notification);
  }

  subscribe(subscription: Subscription, subscriber: Subscriber): Promise<Subscribed> {
    return this.#bus.subscribe(subscription, {
      onNotifications: (placed) =>
        subscriber.onNotifications(
          placed.map(({ position, notification }) => ({
            position,
            notification: this.#own.sealed(notification),
          })),
        ),
      onGap: (lost) => subscriber.onGap(lost),
      onEnd: (reason, place) => subscriber.onEnd(reason, place),
    });
  }
}

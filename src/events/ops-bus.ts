// SPDX-License-Identifier: MIT
// The bus of users: events of experiments, their schedulers and agents. What the testbed tells
// itself is on another bus (boss/boss-bus.ts), which refuses what this one takes.
//
//   G1. No object of the testbed's own bus is published here, whoever asks: nobody who listens to
//       users takes orders about nodes from them.
import type { Bus, Published, Subscribed, Subscriber, Subscription } from "../wire/event/bus.ts";
import { BusError } from "../wire/event/bus.ts";
import { testbedObjectTypes } from "../wire/event/names.ts";
import { addressOf, type Notification } from "../wire/event/notification.ts";

export class OpsBus implements Bus {
  readonly #bus: Bus;

  /** @param bus one that nothing else publishes on */
  constructor(bus: Bus) {
    this.#bus = bus;
  }

  /** @throws BusError (`refused`: G1) */
  async publish(notification: Notification): Promise<Published> {
    const { objtype = "*" } = addressOf(notification);
    if (testbedObjectTypes.includes(objtype)) {
      const message = `${objtype} belongs to the testbed's own bus; publish it there (port 2927 on boss)`;
      throw new BusError("refused", message);
    }
    return this.#bus.publish(notification);
  }

  subscribe(subscription: Subscription, subscriber: Subscriber): Promise<Subscribed> {
    return this.#bus.subscribe(subscription, subscriber);
  }
}

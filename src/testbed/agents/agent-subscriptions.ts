// SPDX-License-Identifier: MIT
// What an agent that is a process of its own hears at a bus beside its orders: events of senders
// that give no token, and those to everybody. A notification that is forged is heard by nobody.
import type { EventCredentials } from "../../client/event-credentials.ts";
import { SteadySubscription } from "../../events/steady-subscription.ts";
import type { Clock } from "../../host/clock.ts";
import type { Bus } from "../../wire/event/bus.ts";
import type { Address, Notification } from "../../wire/event/notification.ts";

export interface AgentSubscriptionsOptions {
  readonly bus: Bus;
  /** `pid/eid` */
  readonly experiment: string;
  readonly credentials: Pick<EventCredentials, "verify">;
  readonly clock: Clock;
  /** In the order of their coming. */
  readonly hear: (notification: Notification) => void;
  readonly onWarning: (text: string) => void;
}

export class AgentSubscriptions {
  readonly #options: AgentSubscriptionsOptions;
  readonly #open: SteadySubscription[] = [];

  constructor(options: AgentSubscriptionsOptions) {
    this.#options = options;
  }

  /** Resolves when what is sent from now on is heard. @throws BusError */
  async add(what: Omit<Address, "expt" | "scheduler">): Promise<void> {
    const { bus, clock, experiment: expt, credentials, hear, onWarning } = this.#options;
    const subscription = await SteadySubscription.open({
      ...{ bus, clock, onWarning, address: { expt, scheduler: 0, ...what } },
      onNotifications: (placed) => {
        for (const { notification } of placed) {
          if (credentials.verify(notification)) hear(notification);
        }
      },
      onGap: (lost) => onWarning(`events are lost (${lost}): the bus has forgotten them`),
    });
    this.#open.push(subscription);
  }

  /** Nothing is heard any more. */
  close(): void {
    for (const subscription of this.#open.splice(0)) subscription.close();
  }
}

// SPDX-License-Identifier: MIT
// Boss's own bus: what the testbed tells itself about nodes and experiments. It is another bus than
// the users', and nobody who can publish there can publish here. [EMULAB-EVENTS 7.1] [EMULAB-EVENTS
// 7.8]
//
//   G1. Only the object types below are published, whoever asks; a user's event is refused.
//   G2. Nothing here is authenticated by a key: whoever has the object is the testbed.
import type { Bus, Published, Subscribed, Subscriber, Subscription } from "../wire/event/bus.ts";
import { BusError } from "../wire/event/bus.ts";
import {
  type Address,
  addressOf,
  createNotification,
  type Notification,
} from "../wire/event/notification.ts";

/** Who speaks of what here. */
export const bossObjects = {
  /** Something is to be done about a node: `RESET`. */
  control: "TBCONTROL",
  nodeState: "TBNODESTATE",
  nodeOpMode: "TBNODEOPMODE",
  experimentState: "TBEXPTSTATE",
} as const;

const allowed: readonly string[] = Object.values(bossObjects);

export class BossBus implements Bus {
  readonly #bus: Bus;

  /** @param bus one that nothing else publishes on */
  constructor(bus: Bus) {
    this.#bus = bus;
  }

  /** @throws BusError (`refused`: G1) */
  async publish(notification: Notification): Promise<Published> {
    const { objtype: type = "*" } = addressOf(notification);
    if (!allowed.includes(type)) {
      const message = `${type} is no object of the testbed's own bus; publish it on the experiment's`;
      throw new BusError("refused", message);
    }
    return this.#bus.publish(notification);
  }

  subscribe(subscription: Subscription, subscriber: Subscriber): Promise<Subscribed> {
    return this.#bus.subscribe(subscription, subscriber);
  }
}

/** What a notification of this bus says. */
export interface BossEvent {
  readonly objectType: string;
  readonly objectName: string;
  readonly eventType: string;
}

/** What the state daemon subscribes to. */
export const everyBossEvent: Address = { objtype: allowed.join(","), scheduler: 0 };

/** A notification of this bus. `EXPT` is set where the object is an experiment. */
export function bossNotification({ objectType, objectName, eventType }: BossEvent): Notification {
  const isExperiment = objectType === bossObjects.experimentState;
  const address = { objtype: objectType, objname: objectName, eventtype: eventType };
  return createNotification(
    { ...address, ...(isExperiment ? { expt: objectName } : {}), scheduler: 0 },
    { sender: bossAddress, layout: "2011", extra: [] },
  );
}

/** Boss speaks to itself. */
const bossAddress = "127.0.0.1";

export function readBossEvent(notification: Notification): BossEvent {
  const { objtype = "", objname = "", eventtype = "" } = addressOf(notification);
  return { objectType: objtype, objectName: objname, eventType: eventtype };
}

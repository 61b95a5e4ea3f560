// SPDX-License-Identifier: MIT
// What parties in one process have said to each other. Who holds the very same object holds it from
// one of them, so that nothing has to be computed to believe it; its authentication is made when it
// leaves the process, and only then.
//
//   O1. What leaves is authenticated as of the moment it was said, however late it leaves: an old
//       notification does not become a new one by being asked for.
//   O2. It has one authentication, whoever it leaves to and however often: a repeat is known.
import type { Notification } from "../wire/event/notification.ts";

export class OwnNotifications {
  /**
   * @param seal authenticates it as of now, whenever it is called
   * @returns the object that is believed; a copy of it is not
   */
  add(notification: Notification, seal: () => Notification): Notification {
    return new Said(notification, this, seal);
  }

  has(notification: Notification): boolean {
    return notification instanceof Said && notification.owner === this;
  }

  /** As others are to see it; what is not of this process stays what it is. */
  sealed(notification: Notification): Notification {
    const isOwn = notification instanceof Said && notification.owner === this;
    return isOwn ? notification.sealed() : notification;
  }
}

/** A class of its own, and no entry in a map of weak references: those cost every collection. */
class Said implements Notification {
  readonly attributes: Notification["attributes"];
  readonly #owner: OwnNotifications;
  readonly #seal: () => Notification;
  #sealed: Notification | undefined;

  constructor({ attributes }: Notification, owner: OwnNotifications, seal: () => Notification) {
    this.attributes = attributes;
    this.#owner = owner;
    this.#seal = seal;
  }

  get owner(): OwnNotifications {
    return this.#owner;
  }

  sealed(): Notification {
    this.#sealed ??= this.#seal();
    return this.#sealed;
  }
}

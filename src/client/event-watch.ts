// SPDX-License-Identifier: MIT
// Watches what goes over a bus, as eventdebug does: everything, or what an address asks for. Never
// keeps up by holding others back: what it is too slow for is counted, and told.
import type { Bus, BusPlace, Subscribed } from "../wire/event/bus.ts";
import type { Address, Notification } from "../wire/event/notification.ts";

export interface WatchOptions {
  readonly bus: Bus;
  /** Fields may be lists; without `scheduler`, which `scheduled` decides. */
  readonly address: Omit<Address, "scheduler">;
  /** Also requests that a scheduler is to hold. */
  readonly scheduled: boolean;
  readonly onNotification: (notification: Notification, position: number) => void;
  /** So many will not come; -1 for an unknown number. */
  readonly onGap: (lost: number) => void;
}

export interface Watch {
  /** Rejects with a BusError when the bus is gone. */
  readonly ended: Promise<never>;
  close(): void;
}

/** Resolves when the watch has begun. @throws BusError */
export async function watchEvents(options: WatchOptions): Promise<Watch> {
  const watch = new Watching(options);
  await watch.start();
  return watch;
}

class Watching implements Watch {
  readonly ended: Promise<never>;
  readonly #options: WatchOptions;
  readonly #subscriptions = new Map<Address["scheduler"], Subscribed>();
  #fail: (error: unknown) => void = () => undefined;
  #isClosed = false;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.ended = new Promise((_resolve, reject) => {
      this.#fail = reject;
    });
    // Whoever does not look at it has closed the watch.
    this.ended.catch(() => undefined);
  }

  async start(): Promise<void> {
    await this.#subscribe(0, undefined);
    if (this.#options.scheduled) await this.#subscribe(1, undefined);
  }

  close(): void {
    this.#isClosed = true;
    for (const subscribed of this.#subscriptions.values()) subscribed.close();
  }

  async #subscribe(scheduler: Address["scheduler"], after: BusPlace | undefined): Promise<void> {
    const { bus, address, onNotification, onGap } = this.#options;
    const subscribed = await bus.subscribe(
      {
        address: { ...address, scheduler },
        slow: "drop-oldest",
        ...(after === undefined ? {} : { after }),
      },
      {
        onNotifications: (notifications) => {
          for (const { notification, position } of notifications) {
            onNotification(notification, position);
          }
        },
        onGap,
        onEnd: (_reason, place) => {
          if (!this.#isClosed) this.#subscribe(scheduler, place).catch(this.#fail);
        },
      },
    );
    if (this.#isClosed) subscribed.close();
    else this.#subscriptions.set(scheduler, subscribed);
  }
}

// SPDX-License-Identifier: MIT
// A subscription that goes on where it was when the bus ends it. Owns the place; a gap is told.
import type { Cancel, Clock } from "../host/clock.ts";
import type { Bus, BusPlace, PlacedNotification, Subscribed } from "../wire/event/bus.ts";
import type { Address } from "../wire/event/notification.ts";
import { eventsTime } from "./events-limits.ts";

export interface SteadySubscriptionOptions {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly address: Address;
  /** Where it begins; with what comes from now on when absent. */
  readonly after?: BusPlace | undefined;
  /** While the result is a promise, nothing more comes. @param epoch of their positions */
  readonly onNotifications: (
    notifications: readonly PlacedNotification[],
    epoch: string,
  ) => void | Promise<void>;
  /** `lost` notifications are gone; -1: nobody knows how many. */
  readonly onGap: (lost: number) => void;
  readonly onWarning: (text: string) => void;
}

export class SteadySubscription {
  readonly #options: SteadySubscriptionOptions;
  #subscribed: Subscribed | undefined;
  #cancelRetry: Cancel = () => undefined;
  #isClosed = false;

  private constructor(options: SteadySubscriptionOptions) {
    this.#options = options;
  }

  /** Resolves when it is in force. @throws BusError */
  static async open(options: SteadySubscriptionOptions): Promise<SteadySubscription> {
    const subscription = new SteadySubscription(options);
    await subscription.#subscribe(options.after);
    return subscription;
  }

  /** As `open`, but where the bus does not take it now it is tried again until it does. */
  static async begin(options: SteadySubscriptionOptions): Promise<SteadySubscription> {
    const subscription = new SteadySubscription(options);
    await subscription.#trySubscribe(options.after);
    return subscription;
  }

  /** Everything up to here was had; undefined while it is not in force. */
  get place(): BusPlace | undefined {
    return this.#subscribed?.place;
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelRetry();
    this.#subscribed?.close();
  }

  async #subscribe(after: BusPlace | undefined): Promise<void> {
    const { bus, address, onNotifications, onGap, onWarning } = this.#options;
    const place = after === undefined ? {} : { after };
    const begun = Promise.withResolvers<Subscribed>();
    const subscribed: Subscribed = await bus.subscribe(
      { address, slow: "end", ...place },
      {
        // The first delivery may come before it is known where it belongs.
        onNotifications: (placed) =>
          this.#subscribed === undefined
            ? begun.promise.then(({ place: { epoch } }) => onNotifications(placed, epoch))
            : onNotifications(placed, this.#subscribed.place.epoch),
        onGap,
        onEnd: (reason, end) => {
          this.#subscribed = undefined;
          if (this.#isClosed) return;
          onWarning(`the bus has ended a subscription: ${reason}; going on where it was`);
          void this.#trySubscribe(end);
        },
      },
    );
    begun.resolve(subscribed);
    if (this.#isClosed) subscribed.close();
    else this.#subscribed = subscribed;
  }

  async #trySubscribe(after: BusPlace | undefined): Promise<void> {
    try {
      await this.#subscribe(after);
    } catch (error) {
      if (this.#isClosed) return;
      this.#options.onWarning(`the bus takes no subscription: ${String(error)}; trying again`);
      const { clock } = this.#options;
      const again = (): void => void this.#trySubscribe(after);
      this.#cancelRetry = clock.after(eventsTime.resubscribeMs, again);
    }
  }
}

/** Of what a scheduler hears: the number that `onGap` is given, in words. */
export function describeLost(lost: number): string {
  return lost < 0 ? "requests and reports are lost" : `${lost} requests or reports are lost`;
}

// SPDX-License-Identifier: MIT
// The bus in one process (bus.ts, N1-N4). Positions count from 1 in an epoch whose name is handed
// in; a ring holds the last notifications for subscribers that come back, and that is the window
// in which they miss nothing (bus-limits.ts). A slow subscriber holds no more than its queue: then
// its oldest go or it is ended, as it asked for; nobody waits for it.
import type {
  Bus,
  BusPlace,
  Published,
  Subscribed,
  Subscriber,
  Subscription,
} from "../wire/event/bus.ts";
import { BusError, findPlaceFault } from "../wire/event/bus.ts";
import type { Notification } from "../wire/event/notification.ts";
import { findNotificationFault, notificationBytes } from "../wire/event/notification.ts";
import { parseFilter } from "../wire/event/subscription.ts";
import type { BusLimits } from "./bus-limits.ts";
import { BusSubscription } from "./bus-subscription.ts";
import { NotificationRing } from "./notification-ring.ts";
import { RingReplay } from "./ring-replay.ts";
import type { IndexHandle } from "./subscription-index.ts";
import { SubscriptionIndex } from "./subscription-index.ts";

export interface MemoryBusOptions {
  /** Never used before by a bus that the same subscribers know: host/ids.ts draws one. */
  readonly epoch: string;
  readonly limits: BusLimits;
}

/**
 * @example
 * const bus = new MemoryBus({ epoch: newRunId(), limits: resolveBusLimits() });
 * await bus.subscribe({ address: { expt: "p/e", scheduler: 0 }, slow: "end" }, subscriber);
 * const { matched } = await bus.publish(notification);
 */
export class MemoryBus implements Bus {
  readonly #epoch: string;
  readonly #limits: BusLimits;
  readonly #ring: NotificationRing;
  readonly #index = new SubscriptionIndex<BusSubscription>();
  readonly #subscriptions = new Set<BusSubscription>();
  #isClosed = false;

  constructor({ epoch, limits }: MemoryBusOptions) {
    this.#epoch = epoch;
    this.#limits = limits;
    this.#ring = new NotificationRing(limits);
  }

  /** Where the stream stands. */
  get place(): BusPlace {
    return { epoch: this.#epoch, position: this.#ring.head };
  }

  // The two are async so that a refusal rejects; up to it they run at once, in the order of calls.
  async publish(notification: Notification): Promise<Published> {
    this.#checkOpen();
    const fault = findNotificationFault(notification);
    if (fault !== undefined) throw new BusError(fault.code, fault.message);
    const item = this.#ring.push(notification, notificationBytes(notification));
    let matched = 0;
    this.#index.find(notification, (subscription) => {
      if (subscription.isRelied) matched += 1;
      subscription.offer(item);
    });
    return { place: { epoch: this.#epoch, position: item.placed.position }, matched };
  }

  async subscribe(subscription: Subscription, subscriber: Subscriber): Promise<Subscribed> {
    this.#checkOpen();
    const { subscriptionsMax } = this.#limits;
    if (this.#subscriptions.size >= subscriptionsMax) {
      const what = `limit subscriptionsMax (${subscriptionsMax}) reached`;
      throw new BusError("refused", `${what}; close some, or raise it`);
    }
    const parsed = parseFilter(subscription.address);
    if (parsed.kind === "refused") throw new BusError(parsed.code, parsed.message);
    const { filter } = parsed;
    const { replayFrom, hasGap } = this.#begin(subscription.after);
    const [ring, limits] = [this.#ring, this.#limits];
    let handle: IndexHandle | undefined;
    const added: BusSubscription = new BusSubscription({
      ...{ epoch: this.#epoch, slow: subscription.slow, subscriber, limits, hasGap },
      ...{ begin: ring.head, head: () => ring.head },
      replay:
        replayFrom === undefined
          ? undefined
          : () => new RingReplay({ ring, filter, limits, from: replayFrom }),
      onClosed: () => {
        handle?.remove();
        this.#subscriptions.delete(added);
      },
    });
    handle = this.#index.add(filter, added);
    this.#subscriptions.add(added);
    return added;
  }

  /** Ends all subscriptions; nothing is published any more. */
  close(): void {
    this.#isClosed = true;
    for (const subscription of this.#subscriptions) {
      subscription.end("the bus is closing; come back when it is there again");
    }
  }

  /** Where a subscriber that was at `after` goes on, and whether it has missed something (N3). */
  #begin(after: BusPlace | undefined): Begin {
    const { first, head } = this.#ring;
    if (after === undefined) return { replayFrom: undefined, hasGap: false };
    const { epoch, position } = after;
    const fault = findPlaceFault(after);
    if (fault !== undefined) throw new BusError("invalid", fault);
    const isOfHere = epoch === this.#epoch;
    if (isOfHere && position > head) {
      throw new BusError("invalid", `position ${position} is to come; give one that was delivered`);
    }
    const next = isOfHere ? position + 1 : 1;
    const from = Math.max(next, first);
    const hasGap = !isOfHere || next < first;
    return { replayFrom: from > head ? undefined : from, hasGap };
  }

  #checkOpen(): void {
    if (this.#isClosed) {
      throw new BusError("unavailable", "the bus is closed; connect again to the one that follows");
    }
  }
}

interface Begin {
  readonly replayFrom: number | undefined;
  readonly hasGap: boolean;
}

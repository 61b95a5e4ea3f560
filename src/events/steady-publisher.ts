// SPDX-License-Identifier: MIT
// Publishes notifications in order, several on their way at once, and again when the bus was away.
// Owns the order and the repeats; what is in a notification is the caller's.
//
//   P1. Notifications reach the bus in the order of `publish`.
//   P2. One whose fate is unknown is published again, and so is all behind it that was on its way:
//       who hears it twice knows it by what it says, and hears the last of it in order.
//   P3. What waits is bounded; what is given up is said.
//   P4. `onPublished` is called once for each, in their order.
import type { Cancel, Clock } from "../host/clock.ts";
import type { Bus, Published } from "../wire/event/bus.ts";
import { BusError } from "../wire/event/bus.ts";
import type { Notification } from "../wire/event/notification.ts";
import { eventsLimits, eventsTime } from "./events-limits.ts";

export interface SteadyPublisherOptions {
  readonly bus: Bus;
  readonly clock: Clock;
  /** Authenticates it, as of the moment of publication. */
  readonly sign: (notification: Notification) => Notification;
  readonly onWarning: (text: string) => void;
}

interface Waiting {
  readonly notification: Notification;
  readonly onPublished: ((published: Published) => void) | undefined;
  /** Set while it is on its way. */
  fate: Fate | undefined;
}

type Fate = Promise<Published | BusError>;

export class SteadyPublisher {
  readonly #options: SteadyPublisherOptions;
  #onItsWay: Waiting[] = [];
  /** Behind those on their way. A set, whose first costs nothing to take out. */
  #waiting = new Set<Waiting>();
  #isWorking = false;
  /** From then on one at a time, until the bus has taken one. */
  #isAway = false;
  #isClosed = false;
  /** Who waits until nothing waits. */
  #drains: (() => void)[] = [];
  #endPause: () => void = () => undefined;

  constructor(options: SteadyPublisherOptions) {
    this.#options = options;
  }

  publish(notification: Notification, onPublished?: (published: Published) => void): void {
    if (this.#isClosed) return;
    const { unpublishedMax } = eventsLimits;
    if (this.#waiting.size + this.#onItsWay.length >= unpublishedMax) {
      const [oldest] = this.#waiting;
      if (oldest !== undefined) this.#waiting.delete(oldest);
      const what = `limit unpublishedMax (${unpublishedMax}) reached`;
      this.#options.onWarning(`${what}: an old notification is lost; is the bus there?`);
    }
    this.#waiting.add({ notification, onPublished, fate: undefined });
    this.#send();
    if (!this.#isWorking) void this.#work();
  }

  /** Resolves when nothing waits any more, or nothing can be published any more. */
  async drain(): Promise<void> {
    if (!this.#isWorking || this.#isClosed) return;
    await new Promise<void>((resolve) => {
      this.#drains.push(resolve);
    });
  }

  /** What waits is given up. */
  close(): void {
    this.#isClosed = true;
    this.#waiting.clear();
    this.#onItsWay = [];
    this.#endPause();
    this.#drained();
  }

  /** As many as may be on their way, in order (P1). */
  #send(): void {
    const countMax = this.#isAway ? 1 : eventsLimits.publicationsAtOnceMax;
    while (this.#onItsWay.length < countMax) {
      const [next] = this.#waiting;
      if (next === undefined) return;
      this.#waiting.delete(next);
      this.#onItsWay.push(next);
      next.fate = this.#publishOnce(next.notification);
    }
  }

  async #publishOnce(notification: Notification): Fate {
    const { bus, sign } = this.#options;
    try {
      return await bus.publish(sign(notification));
    } catch (error) {
      if (error instanceof BusError) return error;
      throw error;
    }
  }

  async #work(): Promise<void> {
    this.#isWorking = true;
    for (let [first] = this.#onItsWay; first !== undefined; [first] = this.#onItsWay) {
      const outcome = await first.fate;
      if (this.#isClosed) break;
      if (outcome instanceof BusError && outcome.code === "unavailable") {
        await this.#waitForBus(outcome);
      } else {
        this.#onItsWay.shift();
        this.#settle(first, outcome);
      }
      this.#send();
    }
    this.#isWorking = false;
    this.#drained();
  }

  #drained(): void {
    for (const resolve of this.#drains.splice(0)) resolve();
  }

  #settle({ onPublished }: Waiting, outcome: Published | BusError | undefined): void {
    const { onWarning } = this.#options;
    if (outcome instanceof BusError) {
      onWarning(`the bus does not take a notification: ${outcome.message}`);
    } else if (outcome !== undefined) {
      if (this.#isAway) onWarning("the bus is there again");
      this.#isAway = false;
      onPublished?.(outcome);
    }
  }

  /** P2: afterwards everything that was on its way waits again. */
  async #waitForBus({ message }: BusError): Promise<void> {
    const { onWarning } = this.#options;
    if (!this.#isAway) onWarning(`the bus is away, trying again: ${message}`);
    this.#isAway = true;
    await Promise.all(this.#onItsWay.map(({ fate }) => fate));
    await this.#pause();
    this.#waiting = new Set([...this.#onItsWay, ...this.#waiting]);
    this.#onItsWay = [];
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const cancel: Cancel = this.#options.clock.after(eventsTime.republishMs, resolve);
      this.#endPause = () => {
        cancel();
        resolve();
      };
      if (this.#isClosed) this.#endPause();
    });
  }
}

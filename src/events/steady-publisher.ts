// SPDX-License-Identifier: MIT
// Publishes notifications one after the other, and again when the bus was away. Owns the order and
// the repeats; what is in a notification is the caller's.
//
//   P1. Notifications reach the bus in the order of `publish`.
//   P2. One whose fate is unknown is published again: who hears it twice knows it by what it says.
//   P3. What waits is bounded; what is given up is said.
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
}

export class SteadyPublisher {
  readonly #options: SteadyPublisherOptions;
  readonly #waiting: Waiting[] = [];
  #isPublishing = false;
  #isAway = false;
  #isClosed = false;
  #onEmpty: () => void = () => undefined;
  #endPause: () => void = () => undefined;

  constructor(options: SteadyPublisherOptions) {
    this.#options = options;
  }

  publish(notification: Notification, onPublished?: (published: Published) => void): void {
    if (this.#isClosed) return;
    const { unpublishedMax } = eventsLimits;
    if (this.#waiting.length >= unpublishedMax) {
      this.#waiting.shift();
      const what = `limit unpublishedMax (${unpublishedMax}) reached`;
      this.#options.onWarning(`${what}: an old notification is lost; is the bus there?`);
    }
    this.#waiting.push({ notification, onPublished });
    if (!this.#isPublishing) void this.#work();
  }

  /** Resolves when nothing waits any more, or nothing can be published any more. */
  async drain(): Promise<void> {
    if (!this.#isPublishing || this.#isClosed) return;
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
  }

  /** What waits is given up. */
  close(): void {
    this.#isClosed = true;
    this.#waiting.length = 0;
    this.#endPause();
    this.#onEmpty();
  }

  async #work(): Promise<void> {
    this.#isPublishing = true;
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (!(await this.#tryOnce(next))) {
        await this.#pause();
        continue;
      }
      // P3 may have given it up while it was on its way.
      if (this.#waiting[0] === next) this.#waiting.shift();
    }
    this.#isPublishing = false;
    this.#onEmpty();
  }

  /** @returns whether it is over with this one. */
  async #tryOnce({ notification, onPublished }: Waiting): Promise<boolean> {
    const { bus, sign, onWarning } = this.#options;
    try {
      const published = await bus.publish(sign(notification));
      if (this.#isAway) onWarning("the bus is there again");
      this.#isAway = false;
      if (!this.#isClosed) onPublished?.(published);
      return true;
    } catch (error) {
      if (!(error instanceof BusError)) throw error;
      if (error.code === "unavailable") {
        if (!this.#isAway) onWarning(`the bus is away, trying again: ${error.message}`);
        this.#isAway = true;
        return false;
      }
      onWarning(`the bus does not take a notification: ${error.message}`);
      return true;
    }
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

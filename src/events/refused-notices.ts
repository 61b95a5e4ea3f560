// SPDX-License-Identifier: MIT
// What is said of notifications that nobody with the key has sent. Anybody who reaches the bus can
// send as many as he likes: the first is told at once, and the others are counted.
import type { Cancel, Clock } from "../host/clock.ts";
import { eventsTime } from "./events-limits.ts";

export class RefusedNotices {
  readonly #clock: Clock;
  readonly #say: (text: string) => void;
  #count = 0;
  #lastName = "";
  #cancel: Cancel | undefined;

  constructor(clock: Clock, say: (text: string) => void) {
    this.#clock = clock;
    this.#say = say;
  }

  /** @param name of the object that it says it is for */
  add(name: string): void {
    this.#count += 1;
    this.#lastName = name;
    if (this.#cancel === undefined) this.#tell();
  }

  /** What is counted and not told yet is told. */
  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.#count > 0) this.#sayCount();
  }

  #tell(): void {
    this.#cancel = undefined;
    if (this.#count === 0) return;
    this.#sayCount();
    this.#cancel = this.#clock.after(eventsTime.refusedNoticeMs, () => this.#tell());
  }

  #sayCount(): void {
    const what = this.#count === 1 ? "a notification" : `${this.#count} notifications, the last`;
    this.#say(`ignored ${what} for ${this.#lastName}: not made with the key, or not lately`);
    this.#count = 0;
  }
}

// SPDX-License-Identifier: MIT
// How the monotonic clock of the scheduler stands to the own one. On one machine they are the same;
// between machines it is measured by exchanges over the bus, again and again. A wall clock counts
// for orders of old schedulers only, and until the first exchange is over.
import type { Cancel, Clock } from "../host/clock.ts";
import {
  type ClockSample,
  clockOffsetLimits,
  estimateClock,
  toOwnUs,
} from "../wire/clock-offset.ts";
import type { Notification } from "../wire/event/notification.ts";
import {
  type ClockAnswer,
  formatClockQuestion,
  type OrderInstant,
  type OrderSender,
} from "../wire/event/orders.ts";
import { eventsLimits, eventsTime } from "./events-limits.ts";

export interface ServerClockOptions {
  /** Of the agent. */
  readonly name: string;
  readonly clock: Clock;
  /** Names the own clock. */
  readonly clockName: string;
  readonly by: OrderSender;
  readonly ask: (question: Notification) => void;
}

export class ServerClock {
  readonly #options: ServerClockOptions;
  /** Of the clock that orders name; undefined while none did. */
  #serverName: string | undefined;
  #samples: ClockSample[] = [];
  #cancel: Cancel = () => undefined;

  constructor(options: ServerClockOptions) {
    this.#options = options;
  }

  /** An instant of an order on the own clock; what is past is long ago. */
  toOwn({ wallUs, monotonic }: OrderInstant): number {
    const { clock, clockName } = this.#options;
    if (monotonic !== undefined) {
      if (monotonic.clock === clockName) return monotonic.us;
      this.#compareWith(monotonic.clock);
      const estimate = estimateClock(this.#samples);
      if (estimate !== undefined) return Math.round(toOwnUs(estimate, monotonic.us));
    }
    return Math.round(wallUs - clock.wallMs() * 1_000 + clock.nowUs());
  }

  /** An instant of the own clock on the scheduler's. */
  toServer(us: number): number {
    const estimate = estimateClock(this.#samples);
    if (estimate === undefined) return us;
    const { offsetUs, driftUsPerSecond, atUs } = estimate;
    return Math.round(us + offsetUs + ((us - atUs) * driftUsPerSecond) / 1_000_000);
  }

  hear({ clock, sentUs, heardUs, answeredUs }: ClockAnswer): void {
    if (clock !== this.#serverName) return;
    const t3 = this.#options.clock.nowUs();
    this.#samples.push({ t0: sentUs, t1: heardUs, t2: answeredUs, t3 });
    if (this.#samples.length > clockOffsetLimits.samplesMax) this.#samples.shift();
    if (this.#samples.length < eventsLimits.clockExchanges) this.#ask();
  }

  close(): void {
    this.#cancel();
  }

  #compareWith(serverName: string): void {
    if (serverName === this.#serverName) return;
    // Another scheduler, or the same machine started anew: what was measured means nothing now.
    this.#serverName = serverName;
    this.#samples = [];
    this.#ask();
  }

  #ask(): void {
    const { name, clock, by, ask } = this.#options;
    ask(formatClockQuestion(name, clock.nowUs(), by));
    this.#cancel();
    this.#cancel = clock.after(eventsTime.compareClocksMs, () => this.#ask());
  }
}

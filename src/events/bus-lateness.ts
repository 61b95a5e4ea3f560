// SPDX-License-Identifier: MIT
// Watches a bus for how late events fire, of whatever experiments: agents report when they obeyed
// and when that was planned. Believes what it hears: it holds no keys, and nothing depends on it.
import type { Clock } from "../host/clock.ts";
import type { Bus } from "../wire/event/bus.ts";
import { orderTypes, parseReport } from "../wire/event/orders.ts";
import { SteadySubscription } from "./steady-subscription.ts";

export interface BusLatenessOptions {
  readonly bus: Bus;
  readonly clock: Clock;
  /** Called for each object that obeyed; never negative. */
  readonly onLateness: (us: number) => void;
  readonly onWarning: (text: string) => void;
}

/**
 * A bus that cannot be heard yet keeps nobody from serving: it is tried again.
 * @returns what to call when nobody wants to know any more
 */
export async function watchLateness(options: BusLatenessOptions): Promise<() => void> {
  const { bus, clock, onLateness, onWarning } = options;
  const subscription = await SteadySubscription.begin({
    ...{ bus, clock, onWarning, address: { eventtype: orderTypes.fired, scheduler: 1 } },
    onNotifications: (placed) => {
      for (const { notification } of placed) {
        const report = parseReport(notification);
        if (report?.kind !== "fired" || report.dueUs === undefined) continue;
        // An agent that compares clocks can be a little before the time.
        onLateness(Math.max(0, report.firedUs - report.dueUs));
      }
    },
    onGap: () => onWarning("the figures of event lateness miss some events"),
  });
  return () => subscription.close();
}

// SPDX-License-Identifier: MIT
// What time it is for people here: the clock and the time zone of this machine, for the times that
// command lines are given.
import type { EventTime, LocalCalendar } from "../../client/event-time.ts";
import { systemClock } from "../../host/clock.ts";

export function wallTime(): EventTime {
  const wallMs = systemClock.wallMs();
  return { seconds: Math.floor(wallMs / 1000), microseconds: (wallMs % 1000) * 1000 };
}

/** By `TZ`, else as the machine is set. */
export const localCalendar: LocalCalendar = {
  toLocal(seconds) {
    const date = new Date(seconds * 1000);
    return {
      ...{ year: date.getFullYear(), month: date.getMonth() + 1, day: date.getDate() },
      ...{ hour: date.getHours(), minute: date.getMinutes(), second: date.getSeconds() },
    };
  },
  toSeconds: ({ year, month, day, hour, minute, second }) =>
    new Date(year, month - 1, day, hour, minute, second).getTime() / 1000,
};

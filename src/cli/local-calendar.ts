// SPDX-License-Identifier: MIT
// The time zone of this machine, for the times that command lines are given: `TZ`, else as the
// machine is set.
import type { LocalCalendar } from "../client/event-time.ts";

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

// SPDX-License-Identifier: MIT
// Times of events as the commands of `muster` take them: what the old tools take, and a time from
// now with its units, as files have it.
import { type EventTime, parseEventTime } from "../client/event-time.ts";
import { parseDuration } from "../experiment/quantities.ts";
import { localCalendar } from "./local-calendar.ts";

/** What `--at` takes, for help and for messages. */
export const eventInstantForms =
  "now, +SECONDS or such as +1m30s, or [[[[yy]mm]dd]HH]MMss in local time";

/** @returns undefined for what is no time */
export function parseEventInstant(text: string, now: EventTime): EventTime | undefined {
  const old = parseEventTime(text, now, localCalendar);
  if (old !== undefined || !text.startsWith("+")) return old;
  const duration = parseDuration(text.slice(1));
  if (!duration.ok) return undefined;
  const seconds = Math.floor(duration.value / 1_000_000);
  const fraction = `${duration.value - seconds * 1_000_000}`.padStart(6, "0");
  return parseEventTime(`+${seconds}.${fraction}`, now, localCalendar);
}

// SPDX-License-Identifier: MIT
// What a notification asks of the scheduler: an event for an object, at a time of the wall clock.
// Pure. Whether the object exists and understands it is the core's to say. [EMULAB-EVENTS 2.7]
import type { AgendaSchedule } from "../core/agenda/commands.ts";
import {
  addressOf,
  attributeNames,
  firingTimeOf,
  getText,
  type Notification,
} from "../wire/event/notification.ts";

export type ReadRequest =
  | {
      readonly kind: "request";
      readonly request: Pick<AgendaSchedule, "object" | "event" | "args" | "at" | "timeline">;
    }
  | { readonly kind: "refused"; readonly message: string };

/** @param wallUs the scheduler's wall clock, microseconds since 1970 */
export function readRequest(notification: Notification, wallUs: number): ReadRequest {
  const { objname: object, eventtype: event, timeline } = addressOf(notification);
  if (object === undefined) return refused("it names no object; set OBJNAME");
  if (event === undefined) return refused("it says no event; set EVENTTYPE");
  const time = firingTimeOf(notification);
  if (time === undefined) return refused("it says no time; set time_sec and time_usec");
  // From here on durations count: a wall clock that is set later moves nothing (D2).
  const inUs = time.seconds * 1_000_000 + time.microseconds - wallUs;
  const args = getText(notification, attributeNames.args) ?? "";
  const request = { object, event, args } as const;
  if (timeline !== undefined) {
    const at = { kind: "in", us: Math.max(0, inUs) } as const;
    return { kind: "request", request: { ...request, timeline, at } };
  }
  const at = inUs <= 0 ? ({ kind: "now" } as const) : ({ kind: "in", us: inUs } as const);
  return { kind: "request", request: { ...request, at } };
}

function refused(message: string): ReadRequest {
  return { kind: "refused", message };
}

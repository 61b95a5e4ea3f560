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

/** One moment, on the clock of the scheduler's log and on its wall's, since 1970. Microseconds. */
export interface Moment {
  readonly stampUs: number;
  readonly wallUs: number;
}

/** @param now when it is read */
export function readRequest(notification: Notification, now: Moment): ReadRequest {
  const { objname: object, eventtype: event, timeline } = addressOf(notification);
  if (object === undefined) return refused("it names no object; set OBJNAME");
  if (event === undefined) return refused("it says no event; set EVENTTYPE");
  const time = firingTimeOf(notification);
  if (time === undefined) return refused("it says no time; set time_sec and time_usec");
  // From here on durations count: a wall clock that is set later moves nothing (D2).
  const inUs = time.seconds * 1_000_000 + time.microseconds - now.wallUs;
  const args = getText(notification, attributeNames.args) ?? "";
  const request = { object, event, args } as const;
  if (timeline !== undefined) {
    const at = { kind: "in", us: Math.max(0, inUs) } as const;
    return { kind: "request", request: { ...request, timeline, at } };
  }
  if (inUs <= 0) return { kind: "request", request: { ...request, at: { kind: "now" } } };
  // Requests for one instant are read one after the other, and may be in the log together or not.
  const at = { kind: "in", us: inUs, stampUs: now.stampUs + inUs } as const;
  return { kind: "request", request: { ...request, at } };
}

function refused(message: string): ReadRequest {
  return { kind: "refused", message };
}

// SPDX-License-Identifier: MIT
// A notification as eventdebug and `muster event watch` print it: one line of text, or of JSON.

import { toJsonNotification } from "../wire/event/json.ts";
import {
  type AddressField,
  addressOf,
  attributeNames,
  firingTimeOf,
  getInt32,
  getText,
  type Notification,
  unsetField,
} from "../wire/event/notification.ts";
import { harmless } from "./output.ts";

export interface Seen {
  readonly notification: Notification;
  /** Microseconds since 1970, when it came. */
  readonly wallUs: bigint;
}

/** The tuple as the old eventdebug prints it. [EMULAB-EVENTS 7.6] */
const columns: readonly AddressField[] = [
  ...(["site", "expt", "group", "host", "objtype", "objname", "eventtype"] as const),
];

/**
 * `Event: SECONDS SITE EXPT GROUP HOST OBJTYPE OBJNAME EVENTTYPE`, byte for byte, and the arguments
 * behind it when there are any. A request to a scheduler begins with `Request:` and has the time it
 * is for, and the timeline where it is for one, before its arguments.
 */
export function formatEventLine(
  { notification, wallUs }: Seen,
  { showsArgs }: { readonly showsArgs: boolean },
): string {
  const address = addressOf(notification);
  const isRequest = address.scheduler === 1;
  const fields = columns.map((field) => address[field] ?? unsetField);
  const words = [isRequest ? "Request:" : "Event:", wallUs / 1_000_000n, ...fields];
  if (isRequest) words.push(`at=${formatTime(notification) ?? "?"}`);
  if (isRequest && address.timeline !== undefined) words.push(`timeline=${address.timeline}`);
  const args = (getText(notification, attributeNames.args) ?? "").trim();
  if (showsArgs && args !== "") words.push(args);
  return harmless(words.join(" "));
}

/**
 * One JSON object: the tuple, what is known of the rest by name, and all attributes as they are.
 */
export function formatEventJson({ notification, wallUs }: Seen, position: number): string {
  const { scheduler, ...fields } = addressOf(notification);
  return JSON.stringify({
    position,
    receivedUs: Number(wallUs),
    scheduled: scheduler === 1,
    ...fields,
    at: formatTime(notification) ?? null,
    token: getInt32(notification, attributeNames.token) ?? null,
    args: getText(notification, attributeNames.args) ?? null,
    ...toJsonNotification(notification),
  });
}

/** Seconds since 1970 with microseconds. */
function formatTime(notification: Notification): string | undefined {
  const time = firingTimeOf(notification);
  if (time === undefined) return undefined;
  return `${time.seconds}.${String(time.microseconds).padStart(6, "0")}`;
}

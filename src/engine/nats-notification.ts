// SPDX-License-Identifier: MIT
// Notifications as messages of NATS: their JSON form, in which anybody reads them with `nats sub`,
// sealed as their sender has sealed them.
import type { Msg } from "@nats-io/transport-node";
import { formatNotification, parseNotification } from "../wire/event/json.ts";
import { addressFields, attributeNames, type Notification } from "../wire/event/notification.ts";
import type { RingItem } from "./notification-ring.ts";

export function encodeNotification(notification: Notification): Uint8Array {
  return new TextEncoder().encode(formatNotification(notification));
}

/** @returns undefined for what is no notification */
export function readStored(message: Msg, position: number): RingItem | undefined {
  const parsed = parseNotification(message.string());
  if (parsed.kind === "refused") return undefined;
  return { placed: { position, notification: parsed.notification }, bytes: message.data.length };
}

const addressNames: ReadonlySet<string> = new Set([
  ...addressFields.map((field) => attributeNames[field]),
  attributeNames.scheduler,
]);

/** What subscriptions look at. */
export function addressPart({ attributes }: Notification): Notification {
  return { attributes: attributes.filter(({ name }) => addressNames.has(name)) };
}

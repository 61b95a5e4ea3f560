// SPDX-License-Identifier: MIT
// What a bus and its client say to each other over a WebSocket, one JSON object a message. Reading
// is strict on both sides. Numbers (`id`) are the client's, never used twice on one connection for
// what is not over.
//
//   client                                     server
//   subscribe ID, address, after, slow  ──►
//                                       ◄──    subscribed ID, place   or   refused ID
//                                       ◄──    notifications ID  (and no more until they are taken)
//   took ID, position                   ──►
//                                       ◄──    place ID   gap ID   ended ID
//   unsubscribe ID                      ──►
//   publish ID, notification            ──►
//                                       ◄──    published ID, place, matched   or   refused ID
import { utf8Length } from "../../core/text.ts";
import { fieldsOf } from "../json-fields.ts";
import type { BusErrorCode, BusPlace, PlacedNotification, SlowPolicy } from "./bus.ts";
import type { JsonNotification, ParsedNotification } from "./json.ts";
import { fromJsonNotification, toJsonNotification } from "./json.ts";
import { notificationJsonBytesMax } from "./limits.ts";
import type { Address } from "./notification.ts";
import { addressFields } from "./notification.ts";

/** What a client offers first when it opens a WebSocket for a bus. */
export const busProtocol = "muster.bus.1";
/** Bytes of a message to the server: a notification, and what is around it. */
export const busMessageBytesMax: number = notificationJsonBytesMax + 64 * 1024;

export type BusClientFrame =
  | {
      readonly kind: "subscribe";
      readonly id: number;
      /** Null: everything. */
      readonly address: Address | null;
      /** Null: from now on. */
      readonly after: BusPlace | null;
      readonly slow: SlowPolicy;
    }
  | { readonly kind: "unsubscribe"; readonly id: number }
  /** The notifications up to this position have been taken: more may come. */
  | { readonly kind: "took"; readonly id: number; readonly position: number }
  | { readonly kind: "publish"; readonly id: number; readonly notification: JsonNotification };

/** As the server reads it: a notification that is none is refused, and the connection goes on. */
export type ReadClientFrame =
  | Exclude<BusClientFrame, { kind: "publish" }>
  | { readonly kind: "publish"; readonly id: number; readonly notification: ParsedNotification };

export type BusServerFrame =
  | { readonly kind: "subscribed"; readonly id: number; readonly place: BusPlace }
  | {
      readonly kind: "published";
      readonly id: number;
      readonly place: BusPlace;
      readonly matched: number;
    }
  | {
      readonly kind: "refused";
      readonly id: number;
      readonly code: BusErrorCode;
      readonly message: string;
    }
  | {
      readonly kind: "notifications";
      readonly id: number;
      readonly notifications: readonly PlacedNotification[];
    }
  | { readonly kind: "place"; readonly id: number; readonly place: BusPlace }
  | { readonly kind: "gap"; readonly id: number; readonly lost: number }
  | {
      readonly kind: "ended";
      readonly id: number;
      readonly reason: string;
      readonly place: BusPlace;
    };

export function formatClientFrame(frame: BusClientFrame): string {
  return JSON.stringify(frame);
}

export function formatServerFrame(frame: BusServerFrame): string {
  if (frame.kind !== "notifications") return JSON.stringify(frame);
  const notifications = frame.notifications.map(({ position, notification }) => ({
    position,
    notification: toJsonNotification(notification),
  }));
  return JSON.stringify({ ...frame, notifications });
}

/** @returns undefined for what no client of this protocol says. */
export function parseClientFrame(text: string): ReadClientFrame | undefined {
  if (utf8Length(text) > busMessageBytesMax) return undefined;
  const json = parseJson(text);
  switch (kindOf(json)) {
    case "subscribe":
      return parseSubscribe(json);
    case "unsubscribe": {
      const id = readId(fieldsOf(json, ["kind", "id"]));
      return id === undefined ? undefined : { kind: "unsubscribe", id };
    }
    case "took": {
      const fields = fieldsOf(json, ["kind", "id", "position"]);
      const [id, position] = [readId(fields), readCount(fields?.get("position"))];
      if (id === undefined || position === undefined) return undefined;
      return { kind: "took", id, position };
    }
    case "publish": {
      const fields = fieldsOf(json, ["kind", "id", "notification"]);
      const id = readId(fields);
      if (id === undefined) return undefined;
      return {
        kind: "publish",
        id,
        notification: fromJsonNotification(fields?.get("notification")),
      };
    }
    default:
      return undefined;
  }
}

/** @returns undefined for what no server of this protocol says. */
export function parseServerFrame(text: string): BusServerFrame | undefined {
  const json = parseJson(text);
  switch (kindOf(json)) {
    case "subscribed":
    case "place":
      return parsePlaceFrame(json);
    case "published":
      return parsePublished(json);
    case "refused":
      return parseRefused(json);
    case "notifications":
      return parseNotifications(json);
    case "gap": {
      const fields = fieldsOf(json, ["kind", "id", "lost"]);
      const [id, lost] = [readId(fields), fields?.get("lost")];
      if (id === undefined || (lost !== -1 && readCount(lost) === undefined)) return undefined;
      return { kind: "gap", id, lost: Number(lost) };
    }
    case "ended": {
      const fields = fieldsOf(json, ["kind", "id", "reason", "place"]);
      const [id, reason, place] = [readId(fields), fields?.get("reason"), readPlace(fields)];
      if (id === undefined || typeof reason !== "string" || place === undefined) return undefined;
      return { kind: "ended", id, reason, place };
    }
    default:
      return undefined;
  }
}

function parseSubscribe(json: unknown): ReadClientFrame | undefined {
  const fields = fieldsOf(json, ["kind", "id", "address", "after", "slow"]);
  const id = readId(fields);
  const slow = fields?.get("slow");
  const address = readAddress(fields?.get("address"));
  const after = fields?.get("after") === null ? null : readPlace(fields, "after");
  if (id === undefined || address === undefined || after === undefined) return undefined;
  if (slow !== "end" && slow !== "drop-oldest") return undefined;
  return { kind: "subscribe", id, address, after, slow };
}

/** Null asks for everything; undefined is no address. */
function readAddress(json: unknown): Address | null | undefined {
  if (json === null) return null;
  const texts = [...addressFields, "exceptEventtypes"] as const;
  const fields = fieldsOf(json, ["scheduler"], texts);
  const scheduler = fields?.get("scheduler");
  if (fields === undefined || (scheduler !== 0 && scheduler !== 1)) return undefined;
  const given = texts.filter((field) => fields.has(field));
  if (!given.every((field) => typeof fields.get(field) === "string")) return undefined;
  const lists = given.map((field) => [field, String(fields.get(field))] as const);
  return { ...(Object.fromEntries(lists) as Partial<Address>), scheduler };
}

function parsePlaceFrame(json: unknown): BusServerFrame | undefined {
  const fields = fieldsOf(json, ["kind", "id", "place"]);
  const [id, place] = [readId(fields), readPlace(fields)];
  if (id === undefined || place === undefined) return undefined;
  return { kind: fields?.get("kind") === "place" ? "place" : "subscribed", id, place };
}

function parsePublished(json: unknown): BusServerFrame | undefined {
  const fields = fieldsOf(json, ["kind", "id", "place", "matched"]);
  const [id, place, matched] = [
    readId(fields),
    readPlace(fields),
    readCount(fields?.get("matched")),
  ];
  if (id === undefined || place === undefined || matched === undefined) return undefined;
  return { kind: "published", id, place, matched };
}

const codes: readonly BusErrorCode[] = ["invalid", "too-large", "refused", "unavailable"];

function parseRefused(json: unknown): BusServerFrame | undefined {
  const fields = fieldsOf(json, ["kind", "id", "code", "message"]);
  const [id, message] = [readId(fields), fields?.get("message")];
  const code = codes.find((known) => known === fields?.get("code"));
  if (id === undefined || code === undefined || typeof message !== "string") return undefined;
  return { kind: "refused", id, code, message };
}

function parseNotifications(json: unknown): BusServerFrame | undefined {
  const fields = fieldsOf(json, ["kind", "id", "notifications"]);
  const [id, list] = [readId(fields), fields?.get("notifications")];
  if (id === undefined || !Array.isArray(list) || list.length === 0) return undefined;
  const notifications: PlacedNotification[] = [];
  for (const item of list) {
    const placed = fieldsOf(item, ["position", "notification"]);
    const position = readCount(placed?.get("position"));
    const parsed = fromJsonNotification(placed?.get("notification"));
    const last = notifications.at(-1)?.position ?? 0;
    if (position === undefined || position <= last || parsed.kind === "refused") return undefined;
    notifications.push({ position, notification: parsed.notification });
  }
  return { kind: "notifications", id, notifications };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function kindOf(json: unknown): unknown {
  return typeof json === "object" && json !== null && "kind" in json ? json.kind : undefined;
}

type Fields = ReadonlyMap<string, unknown> | undefined;

function readId(fields: Fields): number | undefined {
  return readCount(fields?.get("id"));
}

function readCount(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function readPlace(fields: Fields, key = "place"): BusPlace | undefined {
  const place = fieldsOf(fields?.get(key), ["epoch", "position"]);
  const [epoch, position] = [place?.get("epoch"), readCount(place?.get("position"))];
  return typeof epoch === "string" && position !== undefined ? { epoch, position } : undefined;
}

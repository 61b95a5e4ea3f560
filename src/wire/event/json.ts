// SPDX-License-Identifier: MIT
// The JSON form of a notification, for HTTP, WebSockets and records:
//
//   {"attributes": [{"name": "OBJNAME", "type": "string", "value": "prog0"}, ...]}
//
// What JSON has no number for is text: every int64, and a real64 that is no number, infinite or -0.
// Opaque bytes are base64. The order of attributes is kept. Reading is strict: what has a key too
// many, a number out of range or base64 with spare bits is refused, so that one notification has
// one meaning.
import { utf8Length } from "../../core/text.ts";
import { decodeBase64, encodeBase64 } from "../base64.ts";
import { countFields, fieldsOf } from "../json-fields.ts";
import { notificationJsonBytesMax } from "./limits.ts";
import type { Attribute, AttributeValue, Notification, NotificationFault } from "./notification.ts";
import { findNotificationFault } from "./notification.ts";

export interface JsonNotification {
  readonly attributes: readonly JsonAttribute[];
}

export interface JsonAttribute {
  readonly name: string;
  readonly type: AttributeValue["kind"];
  readonly value: string | number;
}

export type ParsedNotification =
  | { readonly kind: "notification"; readonly notification: Notification }
  | ({ readonly kind: "refused" } & NotificationFault);

export function formatNotification(notification: Notification): string {
  return JSON.stringify(toJsonNotification(notification));
}

/** Never throws, whatever the text is. */
export function parseNotification(text: string): ParsedNotification {
  const bytes = utf8Length(text);
  if (bytes > notificationJsonBytesMax) {
    const rule = `at most ${notificationJsonBytesMax}; put the data in a file`;
    return refused("too-large", `a notification of ${bytes} bytes of JSON: ${rule}`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refused("invalid", "this is not JSON; send one object with attributes");
  }
  return fromJsonNotification(value);
}

export function toJsonNotification({ attributes }: Notification): JsonNotification {
  return {
    attributes: attributes.map(({ name, value }) => {
      return { name, type: value.kind, value: toJsonValue(value) };
    }),
  };
}

/** Reads what `JSON.parse` gave. */
export function fromJsonNotification(json: unknown): ParsedNotification {
  const fields = fieldsOf(json, ["attributes"]);
  const list = fields?.get("attributes");
  if (!Array.isArray(list)) {
    return refused("invalid", "a notification is an object with one key, attributes, a list");
  }
  const attributes: Attribute[] = [];
  for (const [index, item] of list.entries()) {
    const attribute = fromJsonAttribute(item);
    if (attribute === undefined) {
      const rule = 'write {"name", "type", "value"}, the value as the type asks';
      return refused("invalid", `attribute ${index + 1} cannot be read; ${rule}`);
    }
    attributes.push(attribute);
  }
  const fault = findNotificationFault({ attributes });
  if (fault !== undefined) return { kind: "refused", ...fault };
  return { kind: "notification", notification: { attributes } };
}

function toJsonValue(value: AttributeValue): string | number {
  switch (value.kind) {
    case "int32":
    case "string":
      return value.value;
    case "int64":
      return String(value.value);
    case "real64":
      return isPlain(value.value) ? value.value : formatUnusual(value.value);
    case "opaque":
      return encodeBase64(value.value);
  }
}

function isPlain(value: number): boolean {
  return Number.isFinite(value) && !Object.is(value, -0);
}

function formatUnusual(value: number): string {
  return value === 0 ? "-0" : String(value);
}

const unusualNumbers: ReadonlyMap<unknown, number> = new Map(
  [-0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].map((value) => [
    formatUnusual(value),
    value,
  ]),
);

function fromJsonAttribute(json: unknown): Attribute | undefined {
  // As fieldsOf does, without a map for each: there are a dozen and more in a notification.
  if (typeof json !== "object" || json === null || countFields(json) !== 3) return undefined;
  if (!("name" in json && "type" in json && "value" in json)) return undefined;
  const { name, type } = json;
  if (typeof name !== "string") return undefined;
  const value = fromJsonValue(type, json.value);
  return value === undefined ? undefined : { name, value };
}

function fromJsonValue(type: unknown, value: unknown): AttributeValue | undefined {
  switch (type) {
    case "int32":
      return typeof value === "number" && Object.is(value, value | 0)
        ? { kind: "int32", value }
        : undefined;
    case "int64":
      return fromInt64Text(value);
    case "real64": {
      const number = unusualNumbers.get(value) ?? value;
      return typeof number === "number" ? { kind: "real64", value: number } : undefined;
    }
    case "string":
      return typeof value === "string" ? { kind: "string", value } : undefined;
    case "opaque": {
      const bytes = typeof value === "string" ? decodeBase64(value) : undefined;
      return bytes === undefined ? undefined : { kind: "opaque", value: bytes };
    }
    default:
      return undefined;
  }
}

function fromInt64Text(value: unknown): AttributeValue | undefined {
  if (typeof value !== "string" || !/^(?:0|-?[1-9][0-9]{0,18})$/.test(value)) return undefined;
  const number = BigInt(value);
  return number === BigInt.asIntN(64, number) ? { kind: "int64", value: number } : undefined;
}

function refused(code: NotificationFault["code"], message: string): ParsedNotification {
  return { kind: "refused", code, message };
}

// SPDX-License-Identifier: MIT
// A notification: an ordered list of typed attributes, and the address tuple that part of them
// form. Owns how one is made, read, changed and checked. What is authenticated and how is in
// authentication.ts; who gets it, in subscription.ts. [EMULAB-EVENTS 1.1, 1.2]
import { assert } from "../../core/assert.ts";
import { utf8Length } from "../../core/text.ts";
import { attributeNameBytesMax, attributesMax, notificationBytesMax } from "./limits.ts";

/** Names that the protocol gives a meaning. [EMULAB-EVENTS 1.2, 1.3] */
export const attributeNames = {
  version: "___VERSION___",
  site: "SITE",
  expt: "EXPT",
  group: "GROUP",
  host: "HOST",
  objtype: "OBJTYPE",
  objname: "OBJNAME",
  eventtype: "EVENTTYPE",
  timeline: "TIMELINE",
  scheduler: "SCHEDULER",
  sender: "___SENDER___",
  args: "ARGS",
  timeSeconds: "time_sec",
  timeMicroseconds: "time_usec",
  token: "TOKEN",
  hmac: "__hmac__",
  /** Muster's own, in place of `__hmac__`: see authentication.ts. */
  authentication: "__auth__",
} as const;

/** What an unset field is on the wire: a literal, never a pattern. [EMULAB-EVENTS 1.4] */
export const unsetField = "*";

/** The value of `___VERSION___`. */
export const notificationVersion = "1.0";

export type AttributeValue =
  | { readonly kind: "int32"; readonly value: number }
  | { readonly kind: "int64"; readonly value: bigint }
  | { readonly kind: "real64"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "opaque"; readonly value: Uint8Array };

export interface Attribute {
  readonly name: string;
  readonly value: AttributeValue;
}

/** Attributes in the order they were put; names are unique. The order counts for the old HMAC. */
export interface Notification {
  readonly attributes: readonly Attribute[];
}

/**
 * Where a notification goes, or what a subscriber asks for. An unset field of a notification is
 * written as `*`; an unset field of a subscription matches everything. In a subscription a field
 * may be a list, parted by commas or spaces.
 */
export interface Address {
  readonly site?: string;
  /** `pid/eid` */
  readonly expt?: string;
  readonly group?: string;
  /** Control address of the node it is for. */
  readonly host?: string;
  readonly objtype?: string;
  readonly objname?: string;
  readonly eventtype?: string;
  /** Timeline or sequence to append to. */
  readonly timeline?: string;
  /**
   * Of a subscription alone: a list of event types that it does without, whatever the rest says. An
   * agent hears its orders, and not what the scheduler says of its objects to others.
   */
  readonly exceptEventtypes?: string;
  /** 1: for the scheduler, to hold until its time; 0: for whoever is to act now. */
  readonly scheduler: 0 | 1;
}

/** A field of the tuple that is text. */
export type AddressField = Exclude<keyof Address, "scheduler" | "exceptEventtypes">;

/** The text fields in the order in which notifications and expressions have them. */
export const addressFields: readonly AddressField[] = [
  "site",
  "expt",
  "group",
  "host",
  "objtype",
  "objname",
  "eventtype",
  "timeline",
];

export interface CreateNotificationOptions {
  /** IPv4 address of the sender. */
  readonly sender: string;
  /** `2004`: as the library of the first release wrote it, without version and timeline. */
  readonly layout: "2011" | "2004";
  /** The caller's own, behind those of the address. */
  readonly extra: readonly Attribute[];
}

/**
 * Makes a notification with its attributes in the order of the old library. [EMULAB-EVENTS 1.2]
 *
 * @example
 * createNotification(
 *   { expt: "p/e", objtype: "PROGRAM", objname: "prog0", eventtype: "START", scheduler: 0 },
 *   { sender: "192.0.2.1", layout: "2011", extra: [textAttribute("ARGS", "TIMEOUT=5")] },
 * );
 */
export function createNotification(
  address: Address,
  { sender, layout, extra }: CreateNotificationOptions,
): Notification {
  const is2004 = layout === "2004";
  const attributes: Attribute[] = [];
  if (!is2004) attributes.push(textAttribute(attributeNames.version, notificationVersion));
  for (const field of addressFields) {
    if (is2004 && field === "timeline") continue;
    attributes.push(textAttribute(attributeNames[field], address[field] ?? unsetField));
  }
  attributes.push(int32Attribute(attributeNames.scheduler, address.scheduler));
  attributes.push(textAttribute(attributeNames.sender, sender), ...extra);
  return { attributes };
}

/** The tuple of a notification; what is `*` or missing is unset. */
export function addressOf(notification: Notification): Address {
  const set = addressFields
    .map((field) => [field, getText(notification, attributeNames[field])] as const)
    .filter(([, value]) => value !== undefined && value !== unsetField);
  const scheduler = getInt32(notification, attributeNames.scheduler) === 1 ? 1 : 0;
  return { ...Object.fromEntries(set), scheduler };
}

export function textAttribute(name: string, value: string): Attribute {
  return { name, value: { kind: "string", value } };
}

/** @throws AssertionError for what is no signed integer of 32 bits. */
export function int32Attribute(name: string, value: number): Attribute {
  assert(value === (value | 0), `${name} must be an integer of 32 bits`);
  return { name, value: { kind: "int32", value } };
}

/** @throws AssertionError for what has more than 64 bits. */
export function int64Attribute(name: string, value: bigint): Attribute {
  assert(value === BigInt.asIntN(64, value), `${name} must be an integer of 64 bits`);
  return { name, value: { kind: "int64", value } };
}

export function real64Attribute(name: string, value: number): Attribute {
  return { name, value: { kind: "real64", value } };
}

export function opaqueAttribute(name: string, value: Uint8Array): Attribute {
  return { name, value: { kind: "opaque", value } };
}

/** The typed getters: undefined when there is no such attribute, or it has another type. */
export function getText(notification: Notification, name: string): string | undefined {
  const value = getValue(notification, name);
  return value?.kind === "string" ? value.value : undefined;
}

export function getInt32(notification: Notification, name: string): number | undefined {
  const value = getValue(notification, name);
  return value?.kind === "int32" ? value.value : undefined;
}

export function getInt64(notification: Notification, name: string): bigint | undefined {
  const value = getValue(notification, name);
  return value?.kind === "int64" ? value.value : undefined;
}

export function getReal64(notification: Notification, name: string): number | undefined {
  const value = getValue(notification, name);
  return value?.kind === "real64" ? value.value : undefined;
}

export function getOpaque(notification: Notification, name: string): Uint8Array | undefined {
  const value = getValue(notification, name);
  return value?.kind === "opaque" ? value.value : undefined;
}

export function getValue(notification: Notification, name: string): AttributeValue | undefined {
  return notification.attributes.find((attribute) => attribute.name === name)?.value;
}

/**
 * Puts an attribute in the place of the one with its name, or behind the last. An authentication
 * that is there stays and is void from then on: who changes a notification authenticates it anew.
 */
export function withAttribute(notification: Notification, put: Attribute): Notification {
  const { attributes } = notification;
  const index = attributes.findIndex(({ name }) => name === put.name);
  return { attributes: index < 0 ? [...attributes, put] : attributes.with(index, put) };
}

export function withoutAttribute(notification: Notification, name: string): Notification {
  return { attributes: notification.attributes.filter((attribute) => attribute.name !== name) };
}

/** A time as notifications carry it: seconds since 1970 and microseconds. */
export interface FiringTime {
  readonly seconds: number;
  readonly microseconds: number;
}

/**
 * Turns a notification into a request to the scheduler: SCHEDULER is taken out and put again
 * behind the last, then the two times. [EMULAB-EVENTS 1.9]
 */
export function toScheduleRequest(notification: Notification, at: FiringTime): Notification {
  const put = [
    int32Attribute(attributeNames.scheduler, 1),
    int32Attribute(attributeNames.timeSeconds, at.seconds),
    int32Attribute(attributeNames.timeMicroseconds, at.microseconds),
  ];
  const names = put.map(({ name }) => name);
  const kept = notification.attributes.filter(({ name }) => !names.includes(name));
  return { attributes: [...kept, ...put] };
}

/** The firing time of a request; undefined when it has none. */
export function firingTimeOf(notification: Notification): FiringTime | undefined {
  const seconds = getInt32(notification, attributeNames.timeSeconds);
  const microseconds = getInt32(notification, attributeNames.timeMicroseconds);
  return seconds === undefined || microseconds === undefined
    ? undefined
    : { seconds, microseconds };
}

/** Bytes of all names and values together; the JSON form and other framings add to it. */
export function notificationBytes({ attributes }: Notification): number {
  let bytes = 0;
  for (const { name, value } of attributes) bytes += utf8Length(name) + valueBytes(value);
  return bytes;
}

export function valueBytes(value: AttributeValue): number {
  switch (value.kind) {
    case "int32":
      return 4;
    case "int64":
    case "real64":
      return 8;
    case "string":
      return utf8Length(value.value);
    case "opaque":
      return value.value.length;
  }
}

export interface NotificationFault {
  readonly code: "invalid" | "too-large";
  /** For people: what is wrong and what to do instead. */
  readonly message: string;
}

/** What keeps a notification from being sent, or undefined. Every door asks this. */
export function findNotificationFault({ attributes }: Notification): NotificationFault | undefined {
  if (attributes.length > attributesMax) {
    return tooLarge(
      `${attributes.length} attributes`,
      `at most ${attributesMax}; put them in ARGS`,
    );
  }
  const names = new Set<string>();
  for (const { name, value } of attributes) {
    if (names.has(name)) return invalid(`attribute ${quoted(name)} is there twice; put it once`);
    names.add(name);
    const fault = findNameFault(name) ?? findValueFault(name, value);
    if (fault !== undefined) return fault;
  }
  const bytes = notificationBytes({ attributes });
  if (bytes <= notificationBytesMax) return undefined;
  return tooLarge(`${bytes} bytes`, `at most ${notificationBytesMax}; put the data in a file`);
}

function findNameFault(name: string): NotificationFault | undefined {
  if (name === "") return invalid("an attribute has no name; give it one");
  if (!isCleanText(name)) {
    return invalid(`the attribute name ${quoted(name)} is not text; use letters and digits`);
  }
  if (utf8Length(name) <= attributeNameBytesMax) return undefined;
  return tooLarge("an attribute name", `at most ${attributeNameBytesMax} bytes; shorten it`);
}

function findValueFault(name: string, value: AttributeValue): NotificationFault | undefined {
  if (value.kind === "string" && !isCleanText(value.value)) {
    return invalid(`${quoted(name)} has a NUL or half a character; send it as opaque`);
  }
  if (value.kind === "int32" && value.value !== (value.value | 0)) {
    return invalid(`${quoted(name)} is no integer of 32 bits; send it as int64 or real64`);
  }
  if (value.kind === "int64" && value.value !== BigInt.asIntN(64, value.value)) {
    return invalid(`${quoted(name)} has more than 64 bits; send it as string`);
  }
  return undefined;
}

/** Strings end at a NUL on the old wire, and half a surrogate pair has no bytes. */
function isCleanText(value: string): boolean {
  return !value.includes("\0") && value.isWellFormed();
}

function quoted(name: string): string {
  return JSON.stringify(name.slice(0, 64));
}

function invalid(message: string): NotificationFault {
  return { code: "invalid", message };
}

function tooLarge(what: string, rule: string): NotificationFault {
  return { code: "too-large", message: `${what} in a notification: ${rule}` };
}

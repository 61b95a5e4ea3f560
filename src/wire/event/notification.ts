// SPDX-License-Identifier: MIT
// A notification: an ordered list of typed attributes, and the address tuple that part of them
// form. [EMULAB-EVENTS 1.1, 1.2] What is authenticated and how is in authentication.ts; who gets
// it, in subscription.ts.

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
} as const;

/** What an unset field is on the wire: a literal, never a pattern. [EMULAB-EVENTS 1.4] */
export const unsetField = "*";

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
  /** 1: for the scheduler, to hold until its time; 0: for whoever is to act now. */
  readonly scheduler: 0 | 1;
}

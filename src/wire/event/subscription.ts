// SPDX-License-Identifier: MIT
// What a subscriber asks for and whether a notification is that. Every bus decides by `matches`
// alone; whatever sorts subscriptions beforehand (an index, subjects of NATS) may only let more
// through. [EMULAB-EVENTS 1.4]
//
//   M1. `*` is a name like any other, on both sides: nothing here is a pattern.
//   M2. A field that is set and missing from the notification does not match; one that is not set
//       matches anything.
//   M3. The scheduler's flag always counts, unless everything is asked for.
import { utf8Length } from "../../core/text.ts";
import { expressionBytesMax } from "./limits.ts";
import type { Address, AddressField, Notification } from "./notification.ts";
import { addressFields, attributeNames } from "./notification.ts";

/** A subscription, read once. */
export interface Filter {
  /** In the order of `addressFields`; only fields that are set. */
  readonly clauses: readonly Clause[];
  /** Event types that it does without. */
  readonly except: ReadonlySet<string>;
  /** Undefined: everything is asked for, scheduled or not. */
  readonly scheduler: 0 | 1 | undefined;
}

export interface Clause {
  readonly field: AddressField;
  /** Any of these; never empty. */
  readonly names: ReadonlySet<string>;
}

export interface Refused {
  readonly kind: "refused";
  readonly code: "invalid" | "too-large";
  readonly message: string;
}

export type ParsedFilter = { readonly kind: "filter"; readonly filter: Filter } | Refused;

/** Reads the lists of a subscription; undefined asks for everything. */
export function parseFilter(address: Address | undefined): ParsedFilter {
  if (address === undefined) return { kind: "filter", filter: everything };
  const clauses: Clause[] = [];
  let bytes = 0;
  for (const field of addressFields) {
    const list = address[field];
    if (list === undefined) continue;
    bytes += utf8Length(list);
    const names = new Set(splitNames(list));
    if (names.size === 0) return refused(`${attributeNames[field]} is an empty list; leave it out`);
    if (list.includes("\0")) return refused(`${attributeNames[field]} has a NUL; take it out`);
    clauses.push({ field, names });
  }
  const exceptions = address.exceptEventtypes ?? "";
  bytes += utf8Length(exceptions);
  // The old library has the same bound on its text for the same lists.
  if (bytes > expressionBytesMax) return tooLong(bytes);
  return {
    kind: "filter",
    filter: { clauses, except: new Set(splitNames(exceptions)), scheduler: address.scheduler },
  };
}

const everything: Filter = { clauses: [], except: new Set(), scheduler: undefined };

/** Names of a list, parted by commas and spaces. */
export function splitNames(list: string): readonly string[] {
  return list.split(/[, ]/).filter((name) => name !== "");
}

export function matches(filter: Filter, notification: Notification): boolean {
  const key = keyOf(notification);
  if (filter.scheduler !== undefined && filter.scheduler !== key.scheduler) return false;
  if (isExcepted(filter, key)) return false;
  return filter.clauses.every(({ field, names }) => {
    const value = key[field];
    return value !== undefined && names.has(value);
  });
}

export function isExcepted({ except }: Filter, { eventtype }: MatchKey): boolean {
  return except.size > 0 && eventtype !== undefined && except.has(eventtype);
}

/** What of a notification subscriptions look at. */
export type MatchKey = { readonly [field in AddressField]: string | undefined } & {
  readonly scheduler: number | undefined;
};

/** One walk over the attributes, for who compares with many filters. */
export function keyOf({ attributes }: Notification): MatchKey {
  const key: Record<AddressField, string | undefined> = { ...noFields };
  let scheduler: number | undefined;
  for (const { name, value } of attributes) {
    const field = fieldOfAttribute.get(name);
    if (field !== undefined) {
      if (value.kind === "string") key[field] = value.value;
    } else if (name === attributeNames.scheduler && value.kind === "int32") {
      scheduler = value.value;
    }
  }
  return { ...key, scheduler };
}

const noFields: Record<AddressField, undefined> = {
  site: undefined,
  expt: undefined,
  group: undefined,
  host: undefined,
  objtype: undefined,
  objname: undefined,
  eventtype: undefined,
  timeline: undefined,
};

const fieldOfAttribute: ReadonlyMap<string, AddressField> = new Map(
  addressFields.map((field) => [attributeNames[field], field]),
);

function refused(message: string): Refused {
  return { kind: "refused", code: "invalid", message };
}

function tooLong(bytes: number): Refused {
  const message = `a subscription of ${bytes} bytes: at most ${expressionBytesMax}; make it several`;
  return { kind: "refused", code: "too-large", message };
}

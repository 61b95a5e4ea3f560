// SPDX-License-Identifier: MIT
// Which subscriptions a notification matches, without asking each. Subscriptions that set the same
// fields have the same shape; per shape a map leads from the values of these fields to the
// subscriptions. A notification costs one look-up per shape, and experiments have a handful.
//
//   X1. `find` gives exactly what `matches` says, each once.
//   X2. What is removed leaves nothing behind.
import type { AddressField, Notification } from "../wire/event/notification.ts";
import { addressFields } from "../wire/event/notification.ts";
import type { Clause, Filter, MatchKey } from "../wire/event/subscription.ts";
import { isExcepted, keyOf } from "../wire/event/subscription.ts";

/** Keys one subscription may have; beyond, its longest list is compared name by name. */
const keysPerSubscriptionMax = 256;

interface Entry<T> {
  readonly item: T;
  readonly filter: Filter;
  /** Clauses that are not part of the key. */
  readonly rest: readonly Clause[];
}

interface Shape<T> {
  readonly fields: readonly AddressField[];
  readonly buckets: Map<string, Set<Entry<T>>>;
}

/** What `add` gives, to take it out again. */
export interface IndexHandle {
  remove(): void;
}

export class SubscriptionIndex<T> {
  /** By the names of the fields, without which shapes that are alike would be looked up twice. */
  readonly #shapes = new Map<string, Shape<T>>();
  readonly #everything = new Set<T>();

  add(filter: Filter, item: T): IndexHandle {
    const { scheduler } = filter;
    if (scheduler === undefined) {
      this.#everything.add(item);
      return { remove: () => this.#everything.delete(item) };
    }
    const { inKey, rest } = splitClauses(filter.clauses);
    const name = inKey.map(({ field }) => field).join();
    const shape = this.#shapes.get(name) ?? {
      fields: inKey.map(({ field }) => field),
      buckets: new Map(),
    };
    this.#shapes.set(name, shape);
    const entry: Entry<T> = { item, filter, rest };
    const keys = keysOf(scheduler, inKey);
    for (const key of keys) addTo(shape.buckets, key, entry);
    return { remove: () => this.#remove(name, keys, entry) };
  }

  /** Calls `visit` for each subscription that the notification matches. */
  find(notification: Notification, visit: (item: T) => void): void {
    const values = keyOf(notification);
    for (const item of this.#everything) visit(item);
    for (const { fields, buckets } of this.#shapes.values()) {
      const key = keyIn(fields, values);
      if (key === undefined) continue;
      for (const { item, filter, rest } of buckets.get(key) ?? []) {
        if (isExcepted(filter, values)) continue;
        if (rest.every(({ field, names }) => names.has(values[field] ?? ""))) visit(item);
      }
    }
  }

  #remove(name: string, keys: readonly string[], entry: Entry<T>): void {
    const shape = this.#shapes.get(name);
    for (const key of keys) {
      const bucket = shape?.buckets.get(key);
      bucket?.delete(entry);
      if (bucket?.size === 0) shape?.buckets.delete(key);
    }
    if (shape?.buckets.size === 0) this.#shapes.delete(name);
  }
}

/** Takes the longest lists out of the key until there are few enough keys. */
function splitClauses(clauses: readonly Clause[]): {
  readonly inKey: readonly Clause[];
  readonly rest: readonly Clause[];
} {
  let inKey = clauses;
  const rest: Clause[] = [];
  while (inKey.reduce((count, { names }) => count * names.size, 1) > keysPerSubscriptionMax) {
    const longest = inKey.reduce((a, b) => (b.names.size > a.names.size ? b : a));
    rest.push(longest);
    inKey = inKey.filter((clause) => clause !== longest);
  }
  const order = (clause: Clause): number => addressFields.indexOf(clause.field);
  return { inKey: [...inKey].sort((a, b) => order(a) - order(b)), rest };
}

/** No name has a NUL, so that two lists of values never have one key. */
function keysOf(scheduler: number, clauses: readonly Clause[]): readonly string[] {
  let keys: readonly string[] = [String(scheduler)];
  for (const { names } of clauses) {
    keys = keys.flatMap((key) => [...names].map((name) => `${key}\0${name}`));
  }
  return keys;
}

function keyIn(fields: readonly AddressField[], values: MatchKey): string | undefined {
  let key = String(values.scheduler);
  for (const field of fields) {
    const value = values[field];
    if (value === undefined) return undefined;
    key += `\0${value}`;
  }
  return key;
}

function addTo<T>(buckets: Map<string, Set<T>>, key: string, entry: T): void {
  const bucket = buckets.get(key);
  if (bucket === undefined) buckets.set(key, new Set([entry]));
  else bucket.add(entry);
}

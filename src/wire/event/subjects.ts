// SPDX-License-Identifier: MIT
// The address tuple as a subject of NATS, so that the broker does most of the matching. Pure; the
// bus that uses it calls `matches` on what arrives, because long names and long lists are left to
// the receiver.
//
//   J1. What a filter matches comes through exactly one of the filter's subjects.
//   J2. Different values give different tokens, unless they agree in their first
//       `subjectTokenCharsMax` characters.
//
// A subject is `PREFIX.SCHEDULER.EXPT.OBJTYPE.OBJNAME.EVENTTYPE.HOST.TIMELINE.GROUP.SITE`.
import { encodeUtf8 } from "../bytes.ts";
import { subjectsPerSubscriptionMax, subjectTokenCharsMax } from "./limits.ts";
import type { AddressField, Notification } from "./notification.ts";
import type { Filter } from "./subscription.ts";
import { keyOf } from "./subscription.ts";

/** From what splits the stream most to what is hardly ever set. */
const tokenOrder: readonly AddressField[] = [
  "expt",
  "objtype",
  "objname",
  "eventtype",
  "host",
  "timeline",
  "group",
  "site",
];

/** A token of NATS that stands for any one token. */
const anyToken = "*";
// An escape is % and two hexadecimal digits, so these are the tokens of no value.
const missingToken = "%none";
const emptyToken = "%empty";
const cutMark = "%more";

/** Where a notification is published. */
export function formatSubject(prefix: string, notification: Notification): string {
  const key = keyOf(notification);
  const scheduler = key.scheduler === undefined ? missingToken : String(key.scheduler);
  return [prefix, scheduler, ...tokenOrder.map((field) => formatToken(key[field]))].join(".");
}

/** What a subscriber listens to. The subjects do not overlap: nothing comes twice. */
export function formatSubjectFilters(prefix: string, filter: Filter): readonly string[] {
  if (filter.scheduler === undefined) return [`${prefix}.>`];
  let heads: readonly string[] = [`${prefix}.${filter.scheduler}`];
  for (const field of tokenOrder) {
    const names = filter.clauses.find((clause) => clause.field === field)?.names ?? [];
    const tokens = new Set([...names].map(formatToken));
    const isExact = tokens.size > 0 && heads.length * tokens.size <= subjectsPerSubscriptionMax;
    const next = isExact ? [...tokens] : [anyToken];
    heads = heads.flatMap((head) => next.map((token) => `${head}.${token}`));
  }
  return heads;
}

/** One subject through which everything comes that a filter matches, and more: lists are `*`. */
export function formatCoveringSubject(prefix: string, filter: Filter): string {
  const { scheduler } = filter;
  if (scheduler === undefined) return `${prefix}.>`;
  const tokens = tokenOrder.map((field) => {
    const names = filter.clauses.find((clause) => clause.field === field)?.names;
    const [name] = names ?? [];
    return names?.size === 1 ? formatToken(name) : anyToken;
  });
  return [prefix, scheduler, ...tokens].join(".");
}

/** One value as a token: letters, digits, `_`, `-`, `/`, `:`; the rest as `%` and two digits. */
export function formatToken(value: string | undefined): string {
  if (value === undefined) return missingToken;
  if (value === "") return emptyToken;
  let token = "";
  for (const byte of encodeUtf8(value)) {
    const char = String.fromCharCode(byte);
    const part = /[\w/:-]/.test(char) ? char : `%${hex(byte >> 4)}${hex(byte & 15)}`;
    if (token.length + part.length > subjectTokenCharsMax) return token + cutMark;
    token += part;
  }
  return token;
}

function hex(digit: number): string {
  return "0123456789ABCDEF"[digit] ?? "";
}

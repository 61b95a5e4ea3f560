// SPDX-License-Identifier: MIT
// What is asked of a scheduler about the events that it holds: list, cancel, edit, pause, resume,
// replay. Owns their form in notifications, in both directions, and that of the answers; what they
// do is the core's (core/agenda). Muster's own: no old program knows the object type. Pure.
import type { EventInstant } from "../../core/agenda/commands.ts";
import type { EventDescription } from "../../core/description.ts";
import { fieldsOf } from "../json-fields.ts";
import { type FormattedArgs, findArg, formatArgs, getArg, getIntegerArg } from "./args.ts";
import { attributeNames, getText, type Notification } from "./notification.ts";

/** OBJTYPE and OBJNAME of these requests; no object of an experiment has such a name. */
export const controlAddress = { objtype: "AGENDA", objname: "__agenda" } as const;

/** Holds a page of a list, as JSON. */
export const listAttribute = "MUSTER_EVENTS";

export type ControlRequest =
  /** @property after the `next` of the page before; 0 for the first. */
  | { readonly kind: "list"; readonly after: number }
  | { readonly kind: "cancel"; readonly id: number }
  | {
      readonly kind: "edit";
      readonly id: number;
      readonly at?: EventInstant;
      readonly args?: string;
    }
  | { readonly kind: "pause" | "resume" | "replay" };

/** What became of a request that was not refused; RESULT of its answer. */
export const controlResults = [
  "cancelled",
  "edited",
  "already-fired",
  "paused",
  "resumed",
  "replayed",
  "listed",
] as const;
export type ControlResult = (typeof controlResults)[number];

/** One event, as it is listed. */
export interface ListedEvent extends EventDescription {
  /** The end of its arguments is left out. */
  readonly argsCut: boolean;
}

export interface EventListPage {
  readonly events: readonly ListedEvent[];
  /** All events that the scheduler holds. */
  readonly total: number;
  /** `after` of the next page; null when this is the last. */
  readonly next: number | null;
  readonly paused: boolean;
  /** Event time, microseconds since time 0; null before it. */
  readonly nowUs: number | null;
}

export interface ControlAnswer {
  readonly result: ControlResult;
  /** Event time at a pause or its end, microseconds since time 0. */
  readonly eventUs: number | undefined;
  readonly page: EventListPage | undefined;
}

/** EVENTTYPE and ARGS of a request. */
export function formatControl(request: ControlRequest): {
  readonly eventtype: string;
  readonly args: FormattedArgs;
} {
  return { eventtype: request.kind.toUpperCase(), args: formatArgs(itemsOf(request)) };
}

export type ParsedControl = ControlRequest | { readonly kind: "refused"; readonly message: string };

export function parseControl(eventtype: string, args: string): ParsedControl {
  const kind = eventtype.toLowerCase();
  switch (kind) {
    case "list":
      return { kind, after: getIntegerArg(args, "AFTER") ?? 0 };
    case "pause":
    case "resume":
    case "replay":
      return { kind };
    case "cancel":
    case "edit": {
      const id = getIntegerArg(args, "ID");
      if (id === undefined) return refused("it names no event; set ID to its number in the list");
      return kind === "cancel" ? { kind, id } : parseEdit(id, args);
    }
    default:
      return refused(`${eventtype} is nothing that a scheduler does; see docs/reference/events.md`);
  }
}

/** Items of the ARGS of an answer. */
export function formatControlAnswer(result: ControlResult, eventUs?: number): string {
  return `RESULT=${result}${eventUs === undefined ? "" : ` EVENT_US=${eventUs}`}`;
}

/** Undefined for what is no answer to such a request. */
export function parseControlAnswer(notification: Notification): ControlAnswer | undefined {
  const args = getText(notification, attributeNames.args) ?? "";
  const said = getArg(args, "RESULT");
  const result = controlResults.find((known) => known === said);
  if (result === undefined) return undefined;
  const eventUs = getIntegerArg(args, "EVENT_US");
  const list = getText(notification, listAttribute);
  if (list === undefined) return { result, eventUs, page: undefined };
  const page = parsePage(list);
  return page === undefined ? undefined : { result, eventUs, page };
}

function itemsOf(request: ControlRequest): [string, string][] {
  switch (request.kind) {
    case "list":
      return [["AFTER", String(request.after)]];
    case "cancel":
      return [["ID", String(request.id)]];
    case "edit": {
      const items: [string, string][] = [["ID", String(request.id)]];
      const { at, args } = request;
      if (at?.kind === "now") items.push(["IN", "0"]);
      else if (at !== undefined) items.push([at.kind === "in" ? "IN" : "AT", String(at.us)]);
      if (args !== undefined) items.push(["ARGS", args]);
      return items;
    }
    case "pause":
    case "resume":
    case "replay":
      return [];
  }
}

function parseEdit(id: number, args: string): ParsedControl {
  const changed = findArg(args, "ARGS");
  if (changed.kind === "malformed") return refused(changed.message);
  const inUs = getIntegerArg(args, "IN");
  const atUs = getIntegerArg(args, "AT");
  const at = instantOf("in", inUs) ?? instantOf("at", atUs);
  if (at === undefined && changed.kind === "absent") {
    return refused("it changes nothing; set IN or AT, in microseconds, or ARGS");
  }
  return {
    ...{ kind: "edit", id },
    ...(at === undefined ? {} : { at }),
    ...(changed.kind === "found" ? { args: changed.value } : {}),
  };
}

function instantOf(kind: "in" | "at", us: number | undefined): EventInstant | undefined {
  return us === undefined ? undefined : { kind, us };
}

function parsePage(text: string): EventListPage | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  const page = fieldsOf(json, ["events", "total", "next", "paused", "nowUs"]);
  const events = page?.get("events");
  const [total, next, paused, nowUs] = ["total", "next", "paused", "nowUs"].map((k) =>
    page?.get(k),
  );
  const isPage =
    Array.isArray(events) && isInteger(total) && isInteger(next ?? 0) && isInteger(nowUs ?? 0);
  if (!isPage || typeof paused !== "boolean" || !events.every(isListed)) return undefined;
  return json as EventListPage;
}

function isListed(json: unknown): boolean {
  const fields = fieldsOf(json, [...eventTexts, "id", "plannedUs", "on", "within", "argsCut"]);
  if (fields === undefined) return false;
  const isText = (key: string): boolean => typeof fields.get(key) === "string";
  const isTextOrNull = (key: string): boolean => isText(key) || fields.get(key) === null;
  return (
    eventTexts.every(isText) &&
    isInteger(fields.get("id")) &&
    isInteger(fields.get("plannedUs") ?? 0) &&
    ["on", "within"].every(isTextOrNull) &&
    typeof fields.get("argsCut") === "boolean"
  );
}

const eventTexts = ["object", "type", "event", "args", "state"] as const;

function isInteger(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function refused(message: string): ParsedControl {
  return { kind: "refused", message };
}

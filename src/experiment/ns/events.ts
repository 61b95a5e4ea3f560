// SPDX-License-Identifier: MIT
// `$ns at`, sequences, timelines and groups: splits event texts and records events.
// [EMULAB-NS 7, 8]

import { timelineEventsMax } from "../limits.ts";
import { TclError, TclLimitError } from "../tcl/error.ts";
import { parseList } from "../tcl/list.ts";
import { originFrom } from "../tcl/origin.ts";
import { parseSubstitutions } from "../tcl/parser.ts";
import type { Command } from "../tcl/script.ts";
import { type NsContext, NsFault } from "./context.ts";
import { planEvent } from "./event-words.ts";
import { type Call, type MethodTable, method, quantity, word } from "./method.ts";
import type { EventRecord, GroupObject, SequenceObject, TimelineObject } from "./objects.ts";
import { parseRelativeTime } from "./units.ts";

interface When {
  readonly timeText: string;
  readonly atUs: number | "swapout";
}

/** Reads the time of an event. @throws NsFault `NS_TIME` */
function whenOf(text: string, index: number): When {
  if (text === "swapout") return { timeText: "0", atUs: "swapout" };
  const read = quantity(parseRelativeTime(text), "NS_TIME", index, text);
  return { timeText: read.text, atUs: read.us };
}

/**
 * Splits an event text into events. The old system cuts at every semicolon; otherwise those inside
 * braces and quotes belong to their word, and an empty piece is no event.
 */
export function splitEvents(text: string, compat: boolean): string[] {
  if (compat) return text.split(";");
  const pieces: string[] = [];
  let depth = 0;
  let inQuotes = false;
  let start = 0;
  for (let i = 0; i < text.length; i += 1) {
    const ch = text[i];
    if (ch === "\\") i += 1;
    else if (ch === '"' && depth === 0) inQuotes = !inQuotes;
    else if (ch === "{" && !inQuotes) depth += 1;
    else if (ch === "}" && !inQuotes) depth -= 1;
    else if (ch === ";" && depth <= 0 && !inQuotes) {
      pieces.push(text.slice(start, i));
      start = i + 1;
    }
  }
  pieces.push(text.slice(start));
  return pieces.filter((piece) => piece.trim() !== "");
}

/** Reads one event; undefined for a comment. @throws NsFault */
function readEvent(
  context: NsContext,
  text: string,
  when: When,
  offset: number,
  site: Command,
): EventRecord | undefined {
  const words = parseList(text);
  const name = word(words, 0);
  if (name.startsWith("#")) return undefined;
  if (words.length < 2) {
    throw new NsFault("NS_EVENT", `Missing event type for ${name}`, {
      within: name,
      hint: "An event is an object and what happens to it, such as: $link0 down",
    });
  }
  const object = context.objects.get(name);
  if (object === undefined) {
    throw new NsFault("NS_EVENT_OBJECT", `no object named "${name}" for this event`, {
      within: name,
      hint: hintAtObject(context, name, words),
    });
  }
  const plan = planEvent(context, object, words, site);
  return context.countEvent({ ...when, ...plan, modelArgs: plan.modelArgs, offset });
}

function hintAtObject(context: NsContext, name: string, words: readonly string[]): string {
  if (context.interp.exists(name)) return `Did you mean $${name}?`;
  if (name.startsWith("$")) {
    return `In braces ${name} stays as it is; write the event in quotes: "${words.join(" ")}".`;
  }
  const [, link] = /^(.+)-[^-]+$/.exec(name) ?? [];
  if (link !== undefined && context.objects.get(link)?.kind === "link") {
    return `Events of NS files are for all of ${link}; muster link set --node changes one end.`;
  }
  return "Make the object before its events.";
}

/** Runs `read`, reporting a fault at the word of the command it is in, or inside that word. */
function reporting(context: NsContext, site: Command, index: number, read: () => void): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof TclError) || error instanceof TclLimitError) throw error;
    // [EMULAB-NS 7] What is no list ends the file there.
    if (context.options.compat && !(error instanceof NsFault)) throw error;
    // Placing and wording a finding costs far more than reading the event did.
    context.interp.step(50);
    if (error.details.silent === true) return;
    const { within, hint } = error.details;
    const details = {
      word: error.details.within === undefined ? (error.details.word ?? index) : index,
      ...(within === undefined ? {} : { within }),
      ...(hint === undefined ? {} : { hint }),
      ...(error.offset < 0 ? {} : { offset: error.offset }),
    };
    context.report(site, error.code, error.message, details);
  }
}

function record(
  context: NsContext,
  target: EventRecord[],
  event: EventRecord | undefined,
  what: string,
): void {
  if (event === undefined) return;
  if (target !== context.events && target.length >= timelineEventsMax) {
    throw new TclLimitError("NS_EVENTS", `Too many events in one ${what}!`, {
      hint: `A sequence or timeline has at most ${timelineEventsMax} events.`,
    });
  }
  target.push(event);
}

/** `at time "event; event"` of the simulator and of timelines. */
export function addEventsAt(
  context: NsContext,
  site: Command,
  argv: readonly string[],
  target: EventRecord[],
): string {
  const when = whenOf(word(argv, 2), 2);
  const offset = context.interp.offsetOf(site, site.words[3]);
  const text = word(argv, 3);
  const pieces = splitEvents(text, context.options.compat);
  if (!context.options.compat && pieces.length !== text.split(";").length) {
    const message = "splits the text at every semicolon, within braces and at the end, too";
    context.differs(site, message, { word: 3 });
  }
  for (const piece of pieces) {
    reporting(context, site, 3, () => {
      record(context, target, readEvent(context, piece, when, offset, site), "timeline");
    });
  }
  return "";
}

/** Makes a sequence from the lines of a body, substituted where it is written. */
export function createSequence(
  context: NsContext,
  site: Command,
  body: string,
  index: number,
): SequenceObject {
  const sequence = context.add({
    kind: "sequence" as const,
    name: context.nextName("tbseq-seq"),
    isNamed: false,
    offset: context.offsetOf(site),
    events: [],
    onError: undefined,
  });
  const origin = context.interp.originOf(site, index);
  let start = 0;
  for (const line of body.split("\n")) {
    const trimmed = line.trim();
    const at = originFrom(origin, start + line.length - line.trimStart().length);
    start += line.length + 1;
    if (trimmed === "" || trimmed.startsWith("#")) continue;
    const offset = at[0]?.source ?? context.offsetOf(site);
    reporting(context, site, index, () => {
      const { parts, fault } = parseSubstitutions(trimmed, at);
      if (fault !== undefined) throw new TclError(fault.code, fault.message, { offset });
      const text = context.interp.substitute(parts, at);
      try {
        appendStep(context, sequence.events, text, offset, site);
      } catch (error) {
        if (error instanceof TclError && error.offset < 0) error.offset = offset;
        throw error;
      }
    });
  }
  return sequence;
}

/**
 * A sequence whose second body runs when a step of the first one fails: the second is a sequence of
 * its own, named after the first.
 */
export function createCatchingSequence(
  context: NsContext,
  site: Command,
  argv: readonly string[],
): SequenceObject {
  const sequence = createSequence(context, site, word(argv, 2), 2);
  const index = argv.length > 4 ? 4 : 3;
  sequence.onError = createSequence(context, site, word(argv, index), index);
  return sequence;
}

function appendStep(
  context: NsContext,
  events: EventRecord[],
  text: string,
  offset: number,
  site: Command,
): void {
  const when: When = { timeText: "", atUs: 0 };
  record(context, events, readEvent(context, text, when, offset, site), "sequence");
}

/** Makes an empty timeline. */
export function createTimeline(context: NsContext, site: Command): TimelineObject {
  return context.add({
    kind: "timeline",
    name: context.nextName("tbtl-tl"),
    isNamed: false,
    offset: context.offsetOf(site),
    events: [],
  });
}

/** Makes an event group with these members. */
export function createGroup(context: NsContext, site: Command): GroupObject {
  return context.add({
    kind: "group",
    name: context.nextClassName("EventGroup"),
    isNamed: false,
    offset: context.offsetOf(site),
    members: [],
  });
}

/** Adds members to a group; all must be of one kind. */
export function addMembers(
  context: NsContext,
  site: Command,
  group: GroupObject,
  names: readonly string[],
  index: number,
): void {
  names.forEach((name, at) => {
    const place = { word: index + at, within: name };
    const member = context.objects.get(name);
    if (member === undefined || member.kind === "group" || member.kind === "null") {
      context.report(
        site,
        "NS_GROUP",
        `[${group.name} add ${name}] not an object for a group`,
        place,
      );
      return;
    }
    const first = group.members[0];
    if (first !== undefined && first.kind !== member.kind) {
      const message = `[${group.name} add ${name}] All members must be of the same type!`;
      context.report(site, "NS_GROUP", message, place);
      return;
    }
    if (!group.members.includes(member)) group.members.push(member);
  });
}

/** Methods of sequences. */
export const sequenceMethods: MethodTable<SequenceObject> = new Map([
  method<SequenceObject>("append", "event", 1, 1, ({ context, self, argv, site }) => {
    reporting(context, site, 2, () => {
      const offset = context.interp.offsetOf(site, site.words[2]);
      appendStep(context, self.events, word(argv, 2), offset, site);
    });
    return "";
  }),
]);

/** Methods of timelines. */
export const timelineMethods: MethodTable<TimelineObject> = new Map([
  method<TimelineObject>("at", "time event", 2, 2, ({ context, self, argv, site }) =>
    addEventsAt(context, site, argv, self.events),
  ),
]);

function members({ self }: Call<GroupObject>): string {
  return self.members.map(({ name }) => name).join(" ");
}

/** Methods of groups. */
export const groupMethods: MethodTable<GroupObject> = new Map([
  method<GroupObject>("add", "object ?object ...?", 1, Number.POSITIVE_INFINITY, (call) => {
    addMembers(call.context, call.site, call.self, call.argv.slice(2), 2);
    return "";
  }),
  method<GroupObject>("members", "", 0, 0, members),
]);

// SPDX-License-Identifier: MIT
// What events do, both ways: the words of a document and the type, event and arguments that the
// event system carries. The printer uses `planAction` to see whether short words say it all.

import { presetQueue } from "../link-shape.ts";
import type { Program, QueueShape } from "../model.ts";
import { formatDuration } from "./quantities.ts";
import { isQueueSayable } from "./queues.ts";
import type { PathShape } from "./read-links.ts";
import { defaultArgs } from "./read-programs.ts";

/** Kinds of objects that take events by words. */
export type ActionKind = "program" | "link" | "node" | "sequence" | "timeline" | "simulator";

/** Words for each kind of object; in upper case they are the events. */
export const verbs: Readonly<Record<ActionKind, readonly string[]>> = {
  program: ["start", "run", "stop", "kill", "modify"],
  link: ["up", "down", "modify", "create", "clear", "reset"],
  node: ["reboot", "reload", "snapshot", "setdest"],
  sequence: ["start", "run", "reset"],
  timeline: ["start", "run", "reset"],
  simulator: [
    "terminate",
    "halt",
    "stoprun",
    "swapout",
    "message",
    "log",
    "report",
    "snapshot",
    "reset",
    "modify",
  ],
};

/** Old words for the same events. */
export const aliases: ReadonlyMap<string, string> = new Map([["terminate", "HALT"]]);

/** The event a word means. */
export function eventOf(verb: string): string {
  return aliases.get(verb) ?? verb.toUpperCase();
}

/** What a document says besides object and verb. */
export interface ActionWords {
  readonly args?: string | undefined;
  readonly signal?: string | undefined;
  readonly message?: string | undefined;
  readonly set?: LinkChange | undefined;
}

/** New values of a link. */
export interface LinkChange extends PathShape {
  readonly queue?: Partial<QueueShape> | undefined;
}

/** The arguments of an event, as they are carried. */
export function argsOf(verb: string, words: ActionWords, program: Program | undefined): string {
  if (words.args !== undefined) return words.args;
  if (words.signal !== undefined) return `SIGNAL=${words.signal}`;
  if (words.message !== undefined) return words.message;
  if (words.set !== undefined) return linkArgs(words.set);
  const starts = verb === "start" || verb === "run";
  return starts && program !== undefined ? defaultArgs(program) : "";
}

/**
 * Bandwidth in kilobits, times in milliseconds, shares as probabilities; of a queue its length,
 * whose unit comes first, and the figures of RED. [EMULAB-NS 7, EMULAB-EVENTS 5.1]
 */
function linkArgs(change: LinkChange): string {
  const { queue = {} } = change;
  const { limit, limitUnit } = queue;
  const unit = limitUnit === "bytes" ? 1 : 0;
  const parts = [
    ...shapeKeys.map(([key, field, one, suffix]) => word(key, change[field], one, suffix)),
    limit === undefined ? "" : `QUEUE-IN-BYTES=${unit} LIMIT=${limit}`,
    ...queueKeys.map(([key, field]) => word(key, queue[field])),
  ];
  return parts.filter((part) => part !== "").join(" ");
}

function word(key: string, value: number | undefined, one = 1, suffix = ""): string {
  return value === undefined ? "" : `${key}=${value / one}${suffix}`;
}

type ShapeKey = readonly [key: string, field: keyof PathShape, one: number, suffix: string];

const shapeKeys: readonly ShapeKey[] = [
  ["BANDWIDTH", "bandwidthBps", 1_000, ""],
  ["DELAY", "delayUs", 1_000, "ms"],
  ["PLR", "loss", 1, ""],
  ["JITTER", "jitterUs", 1_000, "ms"],
  ["DUPLICATE", "duplicate", 1, ""],
  ["REORDER", "reorder", 1, ""],
];

type QueueKey = "minThreshold" | "maxThreshold" | "averageWeight" | "dropOneIn";

const queueKeys: readonly (readonly [key: string, field: QueueKey])[] = [
  ["THRESH", "minThreshold"],
  ["MAXTHRESH", "maxThreshold"],
  ["LINTERM", "dropOneIn"],
  ["Q_WEIGHT", "averageWeight"],
];

/** The change that arguments of a link event ask for, or undefined when they are anything else. */
export function linkChangeOf(args: string): LinkChange | undefined {
  const said = new Map(args.split(" ").map(splitWord));
  const limit = figureOf(said.get("LIMIT"));
  const limitUnit = said.get("QUEUE-IN-BYTES") === "1" ? "bytes" : "packets";
  const queue: Partial<QueueShape> = {
    ...(limit === undefined ? {} : { limit, limitUnit }),
    ...figuresOf(said, queueKeys),
  };
  const shape: PathShape = figuresOf(said, shapeKeys);
  const change = Object.keys(queue).length === 0 ? shape : { ...shape, queue };
  return args !== "" && linkArgs(change) === args && isSayable(change) ? change : undefined;
}

function splitWord(text: string): [key: string, value: string] {
  const at = text.indexOf("=");
  return [text.slice(0, at), text.slice(at + 1)];
}

type AnyKey = readonly [key: string, field: string, one?: number, suffix?: string];

function figuresOf(
  said: ReadonlyMap<string, string>,
  keys: readonly AnyKey[],
): Readonly<Record<string, number>> {
  const figures = keys.flatMap(([key, field, one]) => {
    const figure = figureOf(said.get(key), one);
    return figure === undefined ? [] : [[field, figure] as const];
  });
  return Object.fromEntries(figures);
}

function figureOf(text = "", one = 1): number | undefined {
  const [, digits] = /^([0-9.]{1,20}(?:e-[0-9]{1,3})?)(?:ms)?$/.exec(text) ?? [];
  if (digits === undefined) return undefined;
  return one === 1 ? Number(digits) : Math.round(Number(digits) * one);
}

function isSayable({ queue, loss = 0, duplicate = 0, reorder = 0 }: LinkChange): boolean {
  const areShares = Math.max(loss, duplicate, reorder) <= 1;
  return areShares && isQueueSayable({ ...presetQueue, ...queue });
}

/** A time for people, also of the end of the experiment. */
export function formatAt(atUs: number | "swapout"): string {
  return atUs === "swapout" ? "swapout" : formatDuration(atUs);
}

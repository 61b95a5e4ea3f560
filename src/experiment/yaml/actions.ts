// SPDX-License-Identifier: MIT
// What events do, both ways: the words of a document and the type, event and arguments that the
// event system carries. The printer uses `planAction` to see whether short words say it all.

import { presetQueue, shareOf, wholeOf } from "../link-shape.ts";
import type { Link, Program, QueueShape } from "../model.ts";
import { formatDuration } from "../quantities.ts";
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

/** What a link event is for: all of a LAN, links and LANs in one group, or anything else. */
export type LinkScope = "lan" | "mixed" | "ways";

/** The scope of an event for links of these kinds; an end of one has none. */
export function scopeOf(kinds: readonly (Link["kind"] | undefined)[]): LinkScope {
  if (!kinds.includes("lan")) return "ways";
  return kinds.every((kind) => kind === "lan") ? "lan" : "mixed";
}

/** What words of an event are about, where the same words become other arguments. */
export interface ActionObject {
  readonly program?: Program | undefined;
  readonly scope?: LinkScope | undefined;
}

/** The arguments of an event, as they are carried. */
export function argsOf(verb: string, words: ActionWords, object: ActionObject = {}): string {
  const { program, scope = "ways" } = object;
  if (words.args !== undefined) return words.args;
  if (words.signal !== undefined) return `SIGNAL=${words.signal}`;
  if (words.message !== undefined) return words.message;
  if (words.set !== undefined) return linkArgs(words.set, scope);
  const starts = verb === "start" || verb === "run";
  return starts && program !== undefined ? defaultArgs(program) : "";
}

/**
 * Words are meant from node to node; the arguments of a whole LAN are for each way of each member,
 * of which a packet meets two. Where only some of the objects are LANs, `PIPE=path` says so much.
 */
function linkArgs(change: LinkChange, scope: LinkScope): string {
  if (scope === "lan") return wayArgs(shareOf(change, unrounded));
  const isShared = sharedKeys.some((key) => change[key] !== undefined);
  return `${scope === "mixed" && isShared ? pathWord : ""}${wayArgs(change)}`;
}

const unrounded = (value: number): number => value;
const pathWord = "PIPE=path ";
const sharedKeys = ["delayUs", "jitterUs", "loss", "duplicate", "reorder"] as const;

/**
 * Bandwidth in kilobits, times in milliseconds, shares as probabilities; of a queue its length,
 * whose unit comes first, and the figures of RED. [EMULAB-NS 7, EMULAB-EVENTS 5.1]
 */
function wayArgs(change: LinkChange): string {
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
export function linkChangeOf(args: string, scope: LinkScope): LinkChange | undefined {
  const plain = scope === "mixed" && args.startsWith(pathWord) ? args.slice(pathWord.length) : args;
  const said = new Map(plain.split(" ").map(splitWord));
  const limit = figureOf(said.get("LIMIT"));
  const limitUnit = said.get("QUEUE-IN-BYTES") === "1" ? "bytes" : "packets";
  const queue: Partial<QueueShape> = {
    ...(limit === undefined ? {} : { limit, limitUnit }),
    ...figuresOf(said, queueKeys),
  };
  const parts = scope === "lan" ? 2 : 1;
  const shape = wholeShape(figuresOf(said, shapeKeys, parts), parts);
  const change = Object.keys(queue).length === 0 ? shape : { ...shape, queue };
  return args !== "" && linkArgs(change, scope) === args && isSayable(change) ? change : undefined;
}

/** Shares of two members as those of the path. Times have been read so. */
function wholeShape(shape: PathShape, parts: 1 | 2): PathShape {
  if (parts === 1) return shape;
  const shares = (["loss", "duplicate", "reorder"] as const).flatMap((key) => {
    const share = shape[key];
    return share === undefined ? [] : [[key, wholeOf(share)] as const];
  });
  return { ...shape, ...Object.fromEntries(shares) };
}

function splitWord(text: string): [key: string, value: string] {
  const at = text.indexOf("=");
  return [text.slice(0, at), text.slice(at + 1)];
}

type AnyKey = readonly [key: string, field: string, one?: number, suffix?: string];

function figuresOf(
  said: ReadonlyMap<string, string>,
  keys: readonly AnyKey[],
  parts = 1,
): Readonly<Record<string, number>> {
  const figures = keys.flatMap(([key, field, one]) => {
    // Times of both parts are whole microseconds, where those of one need not be.
    const factor = one !== 1 && key !== "BANDWIDTH" ? (one ?? 1) * parts : one;
    const figure = figureOf(said.get(key), factor);
    return figure === undefined ? [] : [[field, figure] as const];
  });
  return Object.fromEntries(figures);
}

function figureOf(text = "", one = 1): number | undefined {
  const [, digits] = /^([0-9.]{1,25}(?:e-[0-9]{1,3})?)(?:ms)?$/.exec(text) ?? [];
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

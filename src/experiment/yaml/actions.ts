// SPDX-License-Identifier: MIT
// What events do, both ways: the words of a document and the type, event and arguments that the
// event system carries. The printer uses `planAction` to see whether short words say it all.

import type { Program } from "../model.ts";
import { formatDuration } from "./quantities.ts";
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
export interface LinkChange {
  readonly bandwidthBps?: number | undefined;
  readonly delayUs?: number | undefined;
  readonly loss?: number | undefined;
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

/** Bandwidth in kilobits, delay in milliseconds, loss as a probability. [EMULAB-NS 7] */
function linkArgs({ bandwidthBps, delayUs, loss }: LinkChange): string {
  const parts: string[] = [];
  if (bandwidthBps !== undefined) parts.push(`BANDWIDTH=${bandwidthBps / 1000}`);
  if (delayUs !== undefined) parts.push(`DELAY=${delayUs / 1000}ms`);
  if (loss !== undefined) parts.push(`PLR=${loss}`);
  return parts.join(" ");
}

/** The change that arguments of a link event ask for, or undefined when they are anything else. */
export function linkChangeOf(args: string): LinkChange | undefined {
  const match =
    /^(?:BANDWIDTH=([0-9.]{1,15}))? ?(?:DELAY=([0-9.]{1,15})ms)? ?(?:PLR=([0-9.e-]{1,30}))?$/.exec(
      args,
    );
  if (match === null || args === "") return undefined;
  const [, bandwidth, delay, loss] = match;
  const change = {
    bandwidthBps: bandwidth === undefined ? undefined : Math.round(Number(bandwidth) * 1000),
    delayUs: delay === undefined ? undefined : Math.round(Number(delay) * 1000),
    loss: loss === undefined ? undefined : Number(loss),
  };
  return linkArgs(change) === args && (change.loss ?? 0) <= 1 ? change : undefined;
}

/** A time for people, also of the end of the experiment. */
export function formatAt(atUs: number | "swapout"): string {
  return atUs === "swapout" ? "swapout" : formatDuration(atUs);
}

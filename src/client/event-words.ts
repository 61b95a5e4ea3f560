// SPDX-License-Identifier: MIT
// What the words of a command line mean as an event: the experiment, the verb and its arguments, as
// `tevc` reads them. [EMULAB-EVENTS 3] Pure. Not the time (event-time.ts).
import { utf8Length } from "../core/text.ts";
import { eventTypes } from "../wire/event/names.ts";
import { eventLimits } from "./event-limits.ts";

/** The event type that a word names: upper-cased, SET is MODIFY. Undefined: there is none such. */
export function parseEventWord(word: string): string | undefined {
  const upper = word.toUpperCase();
  if (upper === "SET") return "MODIFY";
  return eventTypes.includes(upper) ? upper : undefined;
}

/**
 * ARGS of the words after the event: `key=value` gets its key in capitals, without one `_` at its
 * end, and a blank behind it; any other word stands as it is, without a blank, so that two of them
 * fuse. A value is not quoted again: one with blanks is safe as the last `COMMAND=` only.
 */
export function formatEventArguments(words: readonly string[]): string {
  return words
    .map((word) => {
      const equals = word.indexOf("=");
      if (equals === -1) return word;
      const key = word.slice(0, equals).toUpperCase().replace(/_$/, "");
      return `${key}=${word.slice(equals + 1)} `;
    })
    .join("");
}

/** What keeps the name of an object or its ARGS from being sent; undefined when nothing does. */
export function describeOversize(objname: string, args: string): string | undefined {
  const { objectNameBytesMax, argumentsBytesMax } = eventLimits;
  if (utf8Length(objname) > objectNameBytesMax) {
    const size = `${utf8Length(objname)} bytes and at most ${objectNameBytesMax} are possible`;
    return `The name of the object has ${size} (objectNameBytesMax); check the order of the arguments`;
  }
  if (utf8Length(args) <= argumentsBytesMax) return undefined;
  const size = `${utf8Length(args)} bytes and at most ${argumentsBytesMax} are possible`;
  return `The arguments of the event have ${size} (argumentsBytesMax); put them into a file that the program reads`;
}

/** The two names of `pid/eid`; undefined when it is something else. */
export function splitExperiment(
  text: string,
): { readonly pid: string; readonly eid: string } | undefined {
  const [, pid, eid] = /^([^/]+)\/([^/]+)$/.exec(text) ?? [];
  return pid === undefined || eid === undefined ? undefined : { pid, eid };
}

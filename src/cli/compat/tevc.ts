// SPDX-License-Identifier: MIT
// The program tevc: hands an event to the scheduler of an experiment. [EMULAB-EVENTS 3]
// Here are the order of the checks, and what is read of the machine: key, clock, time zone.
import { parseEventTime } from "../../client/event-time.ts";
import { parseEventWord } from "../../client/event-words.ts";
import { readKey } from "./event-key.ts";
import { type Exit, performExit } from "./exit.ts";
import { localCalendar, wallTime } from "./local-calendar.ts";
import { failureCode, parseTevcArguments } from "./tevc-arguments.ts";

function main(args: readonly string[]): Exit {
  const given = parseTevcArguments(args);
  if (given.kind === "exit") return given;
  if (given.kind === "control" && process.getuid?.() !== 0) {
    return fail("Only root may send a control event; become root, or leave out -c");
  }
  if (given.kind === "schedule") {
    const key = readKey(given, process.env);
    if (!("key" in key)) return key;
  }
  if (
    given.kind === "schedule" &&
    parseEventTime(given.time, wallTime(), localCalendar) === undefined
  ) {
    return fail(`Invalid time: ${given.time}; it is now, +SECONDS or [[[[yy]mm]dd]HH]MMss`);
  }
  if (parseEventWord(given.event) === undefined) {
    return fail(`Unknown event: ${given.event.toUpperCase()}`);
  }
  return fail("tevc (NOT_YET): there is no bus to send it to yet; put the event into the file");
}

function fail(text: string): Exit {
  return { kind: "exit", code: failureCode, stderr: `${text}\n` };
}

performExit(main(process.argv.slice(2)));

// SPDX-License-Identifier: MIT
// What the types of objects understand, and which of their events complete later. Owns the two
// tables and nothing else; a type that is in neither may be told anything and is never waited for.
// [EMULAB-EVENTS 1.8, 2.8]
import type { AgendaEvent } from "./commands.ts";

const understood: Readonly<Record<string, readonly string[]>> = {
  PROGRAM: ["START", "RUN", "STOP", "KILL", "HALT", "MODIFY", "RELOAD"],
  SEQUENCE: ["START", "RUN", "RESET", "CLEAR"],
  TIMELINE: ["START", "RUN", "RESET", "CLEAR"],
  LINK: ["UP", "DOWN", "MODIFY", "RESET", "CREATE", "CLEAR"],
  LINKTRACE: ["START", "STOP", "KILL", "SNAPSHOT", "RELOAD"],
  LINKTEST: ["START", "STOP", "KILL"],
  TRAFGEN: ["START", "STOP", "RESET", "MODIFY"],
  NODE: ["REBOOT", "RELOAD", "SNAPSHOT", "SETDEST", "MODIFY"],
  CONSOLE: ["START", "STOP"],
  SIMULATOR: [
    ...["HALT", "SWAPOUT", "STOPRUN", "NSESWAP", "MESSAGE", "LOG", "DEBUG"],
    ...["REPORT", "SNAPSHOT", "RESET", "MODIFY"],
  ],
  SLOTHD: ["START", "STOP", "RESET", "REPORT"],
  CANARYD: ["START", "STOP", "RESET", "REPORT"],
  NSE: ["NSEEVENT"],
  TIME: ["START"],
};

const completesLater: Readonly<Record<string, readonly string[]>> = {
  PROGRAM: ["RUN", "HALT", "RELOAD"],
  SEQUENCE: ["RUN", "HALT", "RELOAD"],
  TIMELINE: ["RUN", "HALT", "RELOAD"],
  SIMULATOR: ["RESET", "REPORT", "MODIFY", "SNAPSHOT", "LOG"],
  LINKTEST: ["START"],
  LINK: ["RESET"],
  LINKTRACE: ["SNAPSHOT"],
  NODE: ["REBOOT", "RELOAD", "SETDEST", "SNAPSHOT"],
};

/** Whether a sequence waits for the completion of this event. [EMULAB-EVENTS 2.8 table] */
export function waitsForCompletion({ type, event }: Pick<AgendaEvent, "type" | "event">): boolean {
  return Object.hasOwn(completesLater, type) && (completesLater[type]?.includes(event) ?? false);
}

/** Events the type understands; undefined for a type that may be told anything. */
export function eventsOf(type: string): readonly string[] | undefined {
  return Object.hasOwn(understood, type) ? understood[type] : undefined;
}

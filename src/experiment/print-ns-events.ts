// SPDX-License-Identifier: MIT
// Events as the words of `$ns at`: the reverse of ns/event-words.ts. An event it does not know is
// undefined; one that it would change is found by reading the text back.

import type { Experiment, PlannedEvent } from "./model.ts";
import { nsReference, nsWord } from "./print-ns-words.ts";
import { plain } from "./quantities.ts";
import { defaultArgs } from "./yaml/read-programs.ts";

/** Seconds with their fraction, exactly. */
export function formatSeconds(us: number): string {
  return plain(us, -6);
}

/** The text of an event as one word of a command; undefined when there are no words for it. */
export function nsEvent(event: PlannedEvent, experiment: Experiment): string | undefined {
  const words = wordsOf(event, experiment);
  if (words === undefined) return undefined;
  const [object = "", ...rest] = words;
  // A variable reads best; in braces nothing is substituted, so there the name itself stands.
  const isSimple = rest.every((word) => /^[-A-Za-z0-9_.=:/]+$/.test(word));
  const name = nsReference(object);
  if (isSimple && !name.startsWith("${")) return `"${[name, ...rest].join(" ")}"`;
  return nsWord(words.map(listElement).join(" "));
}

/** A word of a list. */
function listElement(text: string): string {
  if (text === "") return "{}";
  return /^[-A-Za-z0-9_./:=+,%@]+$/.test(text) ? text : nsWord(text);
}

const simple: Readonly<Record<string, readonly string[]>> = {
  SEQUENCE: ["START", "RUN", "RESET"],
  TIMELINE: ["START", "RUN", "RESET"],
  LINK: ["UP", "DOWN", "CREATE", "CLEAR", "RESET"],
};

function wordsOf(event: PlannedEvent, experiment: Experiment): string[] | undefined {
  const { object, type, event: name, args } = event;
  if (args === "" && simple[type]?.includes(name) === true) {
    if (object === "__all_lans") return [experiment.simulator, "reset-lans"];
    return [object, name.toLowerCase()];
  }
  switch (type) {
    case "PROGRAM":
      return programWords(event, experiment);
    case "LINK":
      return name === "MODIFY" ? linkWords(object, args) : undefined;
    case "NODE":
      return nodeWords(event);
    case "SIMULATOR":
      return simulatorWords(event);
    case "LINKTRACE":
      return [object.replace(/-tracemon$/, ""), "trace", name.toLowerCase()];
    case "LINKTEST": {
      const level = /^STARTAT=1 STOPAT=(\w+)$/.exec(args)?.[1];
      return level === undefined ? undefined : [experiment.simulator, "linktest", "-stopat", level];
    }
    case "SLOTHD": {
      const seconds = /^DURATION=(\S+)$/.exec(args)?.[1];
      return seconds === undefined ? undefined : [experiment.simulator, "trace-for", seconds];
    }
    default:
      return undefined;
  }
}

function programWords(event: PlannedEvent, { programs }: Experiment): string[] | undefined {
  const { object, event: name, args } = event;
  if (name === "STOP") return args === "" ? [object, "stop"] : undefined;
  if (name === "KILL") {
    const signal = /^SIGNAL=(\S+)$/.exec(args)?.[1];
    return signal === undefined ? undefined : [object, "kill", signal];
  }
  const verbs = new Map([
    ["START", "start"],
    ["RUN", "run"],
    ["MODIFY", "set"],
  ]);
  const verb = verbs.get(name);
  if (verb === undefined) return undefined;
  const program = programs.find((one) => one.name === object);
  if (args === "" || (program !== undefined && args === defaultArgs(program))) {
    return [object, verb];
  }
  const match =
    /^(?:DIR=\{(.*?)\} ?)?(?:EXPECTED_EXIT_CODE=(\S+) ?)?(?:TAG=(\S+) ?)?(?:TIMEOUT=\{(.*?)\} ?)?(?:COMMAND=(.*))?$/s.exec(
      args,
    );
  if (match === null) return undefined;
  const options = ["-dir", "-expected-exit-code", "-tag", "-timeout", "-command"];
  return [
    object,
    verb,
    ...options.flatMap((option, index) => {
      const value = match[index + 1];
      return value === undefined ? [] : [option, value];
    }),
  ];
}

function linkWords(object: string, args: string): string[] | undefined {
  const match = /^(BANDWIDTH|DELAY|PLR)=(\S+)$/.exec(args);
  const [, key, value = ""] = match ?? [];
  switch (key) {
    case "BANDWIDTH":
      return [object, "bandwidth", value === "0" ? "*" : `${value}kb`, "duplex"];
    case "DELAY":
      return [object, "delay", value];
    case "PLR":
      return [object, "plr", value];
    default:
      return undefined;
  }
}

function nodeWords({ object, event, args }: PlannedEvent): string[] | undefined {
  const image = /^IMAGE=(\S+)$/.exec(args)?.[1];
  switch (event) {
    case "REBOOT":
      return args === "" ? [object, "reboot"] : undefined;
    case "SNAPSHOT":
      return image === undefined ? undefined : [object, "snapshot-to", image];
    case "RELOAD":
      if (args === "") return [object, "reload"];
      return image === undefined ? undefined : [object, "reload", "-image", image];
    case "SETDEST": {
      const match = /^X=(\S+) Y=(\S+) SPEED=(\S+)(?: ORIENTATION=(\S+))?$/.exec(args);
      if (match === null) return undefined;
      const [, x = "", y = "", speed = "", turn] = match;
      return [
        object,
        "setdest",
        x,
        y,
        speed,
        ...(turn === undefined ? [] : ["-orientation", turn]),
      ];
    }
    default:
      return undefined;
  }
}

const simulatorWordsByEvent: ReadonlyMap<string, string> = new Map([
  ["HALT ", "terminate"],
  ["SWAPOUT ", "swapout"],
  ["STOPRUN ", "stoprun"],
  ["SNAPSHOT LOGHOLE_ARGS='-s'", "snapshot"],
  ["RESET ASPECT=LOGHOLE", "cleanlogs"],
  ["MODIFY mode=stabilize", "stabilize"],
]);

function simulatorWords({ object, event, args }: PlannedEvent): string[] | undefined {
  const fixed = simulatorWordsByEvent.get(`${event} ${args}`);
  if (fixed !== undefined) return [object, fixed];
  if (event === "MESSAGE" || event === "LOG") return [object, event.toLowerCase(), args];
  if (event !== "REPORT") return undefined;
  const match = /^(?:ARCHIVE=\{(.*?)\} ?)?(?:DIGESTER=\{(.*?)\})?$/.exec(args);
  if (match === null) return undefined;
  const [, archive, digester] = match;
  return [
    object,
    "report",
    ...(archive === undefined ? [] : ["-archive", archive]),
    ...(digester === undefined ? [] : ["-digester", digester]),
  ];
}

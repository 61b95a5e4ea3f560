// SPDX-License-Identifier: MIT
// What the words of an event say: object, sub-command, arguments to event type and argument text.
// [EMULAB-NS 7] One function for each kind of object; each returns a plan or throws an NsFault.

import { closest } from "../suggest.ts";
import type { Command } from "../tcl/script.ts";
import { type NsContext, NsFault } from "./context.ts";
import { linkDelay } from "./link.ts";
import { quantity, word } from "./method.ts";
import type {
  ApplicationObject,
  GroupObject,
  LinkObject,
  NsObject,
  ProgramObject,
  QueueObject,
} from "./objects.ts";
import { parseBandwidth, parseDelay, parseRelativeTime } from "./units.ts";

/** An event without its time and place. */
export interface EventPlan {
  readonly vnode: string;
  readonly vname: string;
  readonly objectType: string;
  readonly eventType: string;
  readonly args: string;
  readonly modelArgs?: string;
}

/** The words of one event, `words[0]` the object and `words[1]` the sub-command. */
interface EventCall {
  readonly context: NsContext;
  /** Where the text of the event stands, for notes about it. */
  readonly site: Command;
  readonly words: readonly string[];
}

type Simple = Readonly<Record<string, string>>;

function unknownEvent(what: string, words: readonly string[], known: readonly string[]): NsFault {
  const near = closest(word(words, 1), known);
  const list = `${what} have ${known.join(", ")}.`;
  return new NsFault("NS_EVENT", `unknown event "${word(words, 1)}" for ${words[0]}`, {
    within: word(words, 1),
    hint: near === undefined ? list : `Did you mean "${near}"? ${list}`,
  });
}

function needWords(words: readonly string[], count: number, usage: string): void {
  if (words.length >= count) return;
  const [object, command] = words;
  throw new NsFault("NS_EVENT_ARGUMENTS", `the event "${command}" of ${object} needs more words`, {
    within: command ?? "",
    hint: `Write: ${object} ${usage}`,
  });
}

const sequenceEvents: Simple = { start: "START", run: "RUN", reset: "RESET" };

function simple(
  what: string,
  known: Simple,
  words: readonly string[],
  rest: Omit<EventPlan, "eventType" | "args">,
): EventPlan {
  const eventType = Object.hasOwn(known, word(words, 1)) ? known[word(words, 1)] : undefined;
  if (eventType === undefined) throw unknownEvent(what, words, Object.keys(known));
  return { ...rest, eventType, args: "" };
}

const cbrFields: Simple = {
  packetSize_: "PACKETSIZE",
  rate_: "RATE",
  interval_: "INTERVAL",
  iptos_: "IPTOS",
};

function applicationEvent(call: EventCall, self: ApplicationObject): EventPlan {
  const { words } = call;
  const vnode = self.agent?.node?.name ?? "";
  if (self.family !== "cbr") {
    return { vnode, vname: self.name, ...nseEvent(words) };
  }
  return { vnode, vname: self.name, ...cbrEvent(call) };
}

function nseEvent(words: readonly string[]): Omit<EventPlan, "vnode" | "vname"> {
  return { objectType: "NSE", eventType: "NSEEVENT", args: `$${words.join(" ")}` };
}

function cbrEvent({ context, words }: EventCall): Omit<EventPlan, "vnode" | "vname"> {
  const base = { objectType: "TRAFGEN" };
  if (word(words, 1) !== "set") {
    const known = { start: "START", stop: "STOP", reset: "RESET", set: "MODIFY" };
    const { eventType } = simple("Traffic generators", known, words, {
      vnode: "",
      vname: "",
      ...base,
    });
    return { ...base, eventType, args: "" };
  }
  needWords(words, 4, "set packetSize_|rate_|interval_|iptos_ value");
  const field = Object.hasOwn(cbrFields, word(words, 2)) ? cbrFields[word(words, 2)] : undefined;
  if (field === undefined) {
    const hint = `Fields are ${Object.keys(cbrFields).join(", ")}.`;
    const message = `no event can set ${word(words, 2)} of ${words[0]}`;
    throw new NsFault("NS_EVENT_ARGUMENTS", message, { within: word(words, 2), hint });
  }
  const value = field === "RATE" ? eventBandwidth(context, word(words, 3)) : word(words, 3);
  return { ...base, eventType: "MODIFY", args: `${field}=${value}` };
}

function eventBandwidth(context: NsContext, text: string): string {
  const kbps = quantity(parseBandwidth(text, context.options.compat), "NS_BANDWIDTH", 0, text);
  const least = context.options.catalogue.bandwidthMinKbps;
  if (text !== "*" && kbps < least) {
    const hint = `The least is ${least} kb; a number without a unit is bits a second.`;
    const message = `Bandwidth of ${kbps} Kbs is too low.`;
    throw new NsFault("NS_BANDWIDTH", message, { within: text, hint });
  }
  return `${kbps}`;
}

const linkEvents: Simple = {
  create: "CREATE",
  clear: "CLEAR",
  reset: "RESET",
  up: "UP",
  down: "DOWN",
};
const linkModifiers = ["bandwidth", "delay", "plr", "trace"];

function linkEvent(call: EventCall, self: LinkObject): EventPlan {
  const { context, words } = call;
  const base = { vnode: "", vname: self.name, objectType: "LINK" };
  self.mustDelay = true;
  switch (word(words, 1)) {
    case "bandwidth": {
      // [EMULAB-NS 7] The word after the value, normally `duplex`, is asked for and ignored.
      needWords(words, context.options.compat ? 4 : 3, "bandwidth 10Mb duplex");
      const args = `BANDWIDTH=${eventBandwidth(context, word(words, 2))}`;
      return { ...base, eventType: "MODIFY", args };
    }
    case "delay":
      needWords(words, 3, "delay 10ms");
      if (/[A-Za-z]/.test(word(words, 2))) {
        // The value goes through as it stands; one without a unit is milliseconds to its reader.
        checkedDelay(context, word(words, 2));
        warnOfUnit(call, word(words, 2));
      }
      return { ...base, eventType: "MODIFY", args: `DELAY=${word(words, 2)}` };
    case "plr": {
      needWords(words, 3, "plr 0.05");
      const text = word(words, 2);
      const value = Number(text);
      if (text === "" || !(value >= 0 && value <= 1)) {
        const hint = "A loss is a probability between 0 and 1.";
        throw new NsFault("NS_LOSS", `"${text}" is not a valid loss rate`, { within: text, hint });
      }
      return { ...base, eventType: "MODIFY", args: `PLR=${text}` };
    }
    case "trace":
      return traceEvent(words, `${self.name}-tracemon`);
    default: {
      const known = Object.hasOwn(linkEvents, word(words, 1));
      if (!known)
        throw unknownEvent("Links", words, [...Object.keys(linkEvents), ...linkModifiers]);
      return simple("Links", linkEvents, words, base);
    }
  }
}

function checkedDelay(context: NsContext, text: string): void {
  try {
    linkDelay(context, text, 0);
  } catch (error) {
    if (!(error instanceof NsFault)) throw error;
    throw new NsFault(error.code, error.message, { ...error.details, within: text });
  }
}

/** [EMULAB-NS 7] Who obeys reads milliseconds and passes over what stands behind the number. */
function warnOfUnit({ context, words, site }: EventCall, text: string): void {
  const meant = parseDelay(text);
  const ms = Number.parseFloat(text);
  if (!meant.ok || text.endsWith("ms") || meant.value === ms) return;
  const message = `this event makes the delay ${ms} ms, and not ${text}: events pass over units`;
  const hint = `Write $${words[0]} delay ${meant.value}ms, or ${ms}ms if that is meant.`;
  context.warn(site, "NS_EVENT_DELAY_UNIT", message, { within: text, hint });
}

function traceEvent(words: readonly string[], vname: string): EventPlan {
  const known: Simple = { start: "START", stop: "STOP", kill: "KILL", snapshot: "SNAPSHOT" };
  needWords(words, 3, `trace ${Object.keys(known).join("|")}`);
  const rest = { vnode: "", vname, objectType: "LINKTRACE" };
  return simple("Traces", known, [word(words, 0), ...words.slice(2)], rest);
}

const queueEventFields: Simple = {
  limit_: "LIMIT",
  thresh_: "THRESH",
  maxthresh_: "MAXTHRESH",
  linterm_: "LINTERM",
  q_weight_: "Q_WEIGHT",
  "queue-in-bytes_": "QUEUE-IN-BYTES",
};

function queueEvent({ context, words, site }: EventCall, self: QueueObject): EventPlan {
  const vname = `${self.link?.name ?? ""}-${self.node?.name ?? ""}`;
  if (word(words, 1) === "trace") return traceEvent(words, `${vname}-tracemon`);
  if (word(words, 1) !== "set") throw unknownEvent("Queues", words, ["set", "trace"]);
  needWords(words, 4, "set limit_ 50");
  const field = word(words, 2);
  const key = Object.hasOwn(queueEventFields, field) ? queueEventFields[field] : undefined;
  if (key === undefined) {
    const hint = `Fields are ${Object.keys(queueEventFields).join(", ")}.`;
    const message = `no event can set ${field} of ${words[0]}`;
    throw new NsFault("NS_EVENT_ARGUMENTS", message, { within: field, hint });
  }
  if (self.link?.isLan === true) {
    if (context.options.compat) {
      throw new NsFault("NS_LAN_QUEUE", `Unknown: ${self.link.name} mustdelay`, {
        within: field,
        hint: "Without --compat queues of LANs take events.",
      });
    }
    context.differs(site, "refuses events for the queues of a LAN", { within: word(words, 0) });
  }
  if (self.link !== undefined) self.link.mustDelay = true;
  const args = `${key}=${word(words, 3)}`;
  return { vnode: "", vname, objectType: "LINK", eventType: "MODIFY", args };
}

function nodeEvent({ words }: EventCall, name: string): EventPlan {
  const base = { vnode: "", vname: name, objectType: "NODE" };
  switch (word(words, 1)) {
    case "reboot":
      return { ...base, eventType: "REBOOT", args: "" };
    case "snapshot-to":
      needWords(words, 3, "snapshot-to IMAGE");
      return { ...base, eventType: "SNAPSHOT", args: `IMAGE=${word(words, 2)}` };
    case "reload": {
      const image = optionValues(words, 2, ["-image"]).get("-image");
      return { ...base, eventType: "RELOAD", args: image === undefined ? "" : `IMAGE=${image}` };
    }
    case "setdest": {
      needWords(words, 5, "setdest x y speed ?-orientation d?");
      const turn = optionValues(words, 5, ["-orientation"]).get("-orientation");
      const [x, y, speed] = words.slice(2, 5);
      const orientation = turn === undefined ? "" : ` ORIENTATION=${turn}`;
      return { ...base, eventType: "SETDEST", args: `X=${x} Y=${y} SPEED=${speed}${orientation}` };
    }
    default:
      throw unknownEvent("Nodes", words, ["reboot", "snapshot-to", "reload", "setdest"]);
  }
}

function optionValues<K extends string>(
  words: readonly string[],
  from: number,
  names: readonly K[],
): ReadonlyMap<K, string> {
  const found = new Map<K, string>();
  for (let i = from; i < words.length; i += 2) {
    const name = names.find((known) => known === words[i]);
    if (name === undefined || i + 1 >= words.length) {
      const why =
        name === undefined ? `bad option '${words[i]}'` : `the option ${name} has no value`;
      const message = `${why}, should be one of: ${names.join(", ")}`;
      throw new NsFault("NS_OPTION", message, { within: word(words, i) });
    }
    found.set(name, word(words, i + 1));
  }
  return found;
}

const programOptions = ["-command", "-dir", "-timeout", "-expected-exit-code", "-tag"] as const;

/** Programs and groups of programs; a group has no command of its own. */
function programEvent(words: readonly string[], vnode: string, self?: ProgramObject): EventPlan {
  const base = { vnode, vname: word(words, 0), objectType: "PROGRAM" };
  switch (word(words, 1)) {
    case "stop":
      return { ...base, eventType: "STOP", args: "" };
    case "kill":
      needWords(words, 3, "kill TERM");
      return { ...base, eventType: "KILL", args: `SIGNAL=${word(words, 2)}` };
    case "start":
    case "run":
    case "set":
      break;
    default:
      throw unknownEvent("Programs", words, ["start", "run", "stop", "kill", "set"]);
  }
  const given = optionValues(words, 2, programOptions);
  const eventType = word(words, 1) === "set" ? "MODIFY" : word(words, 1).toUpperCase();
  const command = given.get("-command");
  const preset = self === undefined || self.command === "" ? undefined : self.command;
  const args = programArguments(given, command ?? preset);
  const inner = command ?? self?.innerCommand;
  if (inner === undefined) return { ...base, eventType, args };
  return { ...base, eventType, args, modelArgs: programArguments(given, inner) };
}

function programArguments(
  given: ReadonlyMap<(typeof programOptions)[number], string>,
  command: string | undefined,
): string {
  let text = "";
  const dir = given.get("-dir");
  if (dir !== undefined) text += `DIR={${dir}} `;
  const code = given.get("-expected-exit-code");
  if (code !== undefined) text += `EXPECTED_EXIT_CODE=${code} `;
  const tag = given.get("-tag");
  if (tag !== undefined) text += `TAG=${tag} `;
  const timeout = given.get("-timeout");
  if (timeout !== undefined) {
    const read = parseRelativeTime(timeout);
    if (!read.ok) {
      const message = `-timeout value is not a relative time: ${timeout}`;
      throw new NsFault("NS_TIME", message, { within: timeout, hint: read.hint });
    }
    text += `TIMEOUT={${read.value.text}} `;
  }
  // [EMULAB-NS 7] COMMAND is last and unquoted: it takes the rest of the line.
  return command === undefined ? text.trimEnd() : `${text}COMMAND=${command}`;
}

function consoleEvent(words: readonly string[]): EventPlan {
  const base = { vnode: "*", vname: word(words, 0), objectType: "CONSOLE" };
  if (word(words, 1) === "start") return { ...base, eventType: "START", args: "" };
  if (word(words, 1) !== "stop") throw unknownEvent("Consoles", words, ["start", "stop"]);
  needWords(words, 3, "stop FILE");
  return { ...base, eventType: "STOP", args: `FILE=${word(words, 2)}` };
}

const simulatorEvents: Readonly<Record<string, readonly [eventType: string, args: string]>> = {
  halt: ["HALT", ""],
  terminate: ["HALT", ""],
  swapout: ["SWAPOUT", ""],
  stoprun: ["STOPRUN", ""],
  snapshot: ["SNAPSHOT", "LOGHOLE_ARGS='-s'"],
  cleanlogs: ["RESET", "ASPECT=LOGHOLE"],
  stabilize: ["MODIFY", "mode=stabilize"],
};

/** Levels are latency, routing, loss, bandwidth; the last one is run only when asked for. */
function linktestStop({ context, words, site }: EventCall): string {
  const given = optionValues(words, 2, ["-bw", "-stopat"]);
  const stop = given.get("-stopat") ?? "3";
  if (context.options.compat || !["1", "true", "yes"].includes(given.get("-bw") ?? "")) return stop;
  context.differs(site, "ignores -bw: no bandwidth is measured", { within: "-bw" });
  return given.has("-stopat") ? stop : "4";
}

function simulatorEvent(call: EventCall): EventPlan {
  const { context, words } = call;
  const base = { vnode: "*", vname: word(words, 0), objectType: "SIMULATOR" };
  const fixed = Object.hasOwn(simulatorEvents, word(words, 1))
    ? simulatorEvents[word(words, 1)]
    : undefined;
  if (fixed !== undefined) return { ...base, eventType: fixed[0], args: fixed[1] };
  const text = words.slice(2).join(" ");
  switch (word(words, 1)) {
    case "msg":
    case "message":
      return { ...base, eventType: "MESSAGE", args: text };
    case "log":
      return { ...base, eventType: "LOG", args: text };
    case "report": {
      const given = optionValues(words, 2, ["-archive", "-digester"]);
      const parts = (["-archive", "-digester"] as const).flatMap((name) => {
        const value = given.get(name);
        return value === undefined ? [] : [`${name.slice(1).toUpperCase()}={${value}}`];
      });
      return { ...base, eventType: "REPORT", args: parts.join(" ") };
    }
    case "trace-for": {
      needWords(words, 3, "trace-for SECONDS");
      const args = `DURATION=${word(words, 2)}`;
      return { vnode: "*", vname: "slothd", objectType: "SLOTHD", eventType: "START", args };
    }
    case "linktest": {
      const args = `STARTAT=1 STOPAT=${linktestStop(call)}`;
      return { vnode: "*", vname: "linktest", objectType: "LINKTEST", eventType: "START", args };
    }
    case "reset-lans":
      return { ...base, vname: "__all_lans", objectType: "LINK", eventType: "RESET", args: "" };
    case "bandwidth": {
      needWords(words, 3, "bandwidth 10Mb duplex");
      const args = `BANDWIDTH=${eventBandwidth(context, word(words, 2))}`;
      return { ...base, vname: "", objectType: "LINK", eventType: "MODIFY", args };
    }
    default: {
      const others = ["message", "log", "report", "trace-for", "linktest", "reset-lans"];
      throw unknownEvent("The simulator", words, [...Object.keys(simulatorEvents), ...others]);
    }
  }
}

function groupEvent(call: EventCall, self: GroupObject): EventPlan {
  const { context, words } = call;
  const first = self.members[0];
  if (first === undefined) {
    throw new NsFault("NS_EMPTY_GROUP", `the group ${self.name} has no members`, {
      within: self.name,
      hint: `Add some before: $${self.name} add $object ...`,
    });
  }
  switch (first.kind) {
    case "program":
      return programEvent(words, "*");
    case "console":
      return consoleEvent(words);
    case "node":
      return nodeEvent(call, self.name);
    case "application":
      context.warn(
        call.site,
        "NS_GROUP",
        "events for groups of traffic generators reach all nodes",
        {
          within: self.name,
        },
      );
      return { vnode: "", vname: self.name, ...cbrEvent(call) };
    case "link": {
      if (context.options.compat) {
        throw new NsFault("NS_EVENT", "[make_event] otype was empty", { within: self.name });
      }
      const { site } = call;
      context.differs(site, "refuses events for groups of links", { within: self.name });
      for (const member of self.members) if (member.kind === "link") member.mustDelay = true;
      return { ...linkEvent(call, first), vname: self.name };
    }
    default:
      throw new NsFault("NS_EVENT", `no events for a group of ${first.kind} objects`, {
        within: self.name,
      });
  }
}

/** What the words of one event mean. @throws NsFault */
export function planEvent(
  context: NsContext,
  object: NsObject,
  words: readonly string[],
  site: Command,
): EventPlan {
  const call: EventCall = { context, words, site };
  switch (object.kind) {
    case "application":
      return applicationEvent(call, object);
    case "agent":
      return { vnode: object.node?.name ?? "", vname: object.name, ...nseEvent(words) };
    case "sequence":
    case "timeline": {
      const objectType = object.kind.toUpperCase();
      const what = object.kind === "sequence" ? "Sequences" : "Timelines";
      return simple(what, sequenceEvents, words, { vnode: "", vname: object.name, objectType });
    }
    case "link":
      return linkEvent(call, object);
    case "queue":
      return queueEvent(call, object);
    case "node":
      return nodeEvent(call, object.name);
    case "program": {
      const vnode = typeof object.node === "object" ? object.node.name : (object.node ?? "");
      return programEvent(words, vnode, object);
    }
    case "console":
      return consoleEvent(words);
    case "simulator":
      return simulatorEvent(call);
    case "group":
      return groupEvent(call, object);
    default:
      throw new NsFault("NS_EVENT", `${object.name} takes no events`, { within: object.name });
  }
}

// SPDX-License-Identifier: MIT
// Prints events: by words where they give the same event again, else by type and arguments.

import type { BarrierWait, Experiment, PlannedEvent } from "../model.ts";
import { formatDuration } from "../quantities.ts";
import {
  type ActionKind,
  type ActionObject,
  argsOf,
  eventOf,
  type LinkScope,
  linkChangeOf,
  scopeOf,
  verbs,
} from "./actions.ts";
import type { PlainList, PlainValue } from "./emit.ts";
import { objectNamePattern } from "./fields.ts";
import { printChanges } from "./print-links.ts";
import { printQueue } from "./queues.ts";

type Pairs = (readonly [key: string, value: PlainValue])[];

/** Prints lists of events of one experiment. */
export type EventPrinter = (events: readonly PlannedEvent[], kind: "event" | "step") => PlainList;

export function printEvents(experiment: Experiment): EventPrinter {
  const kinds = kindsOf(experiment);
  const scopes = scopesOf(experiment);
  const programs = new Map(experiment.programs.map((program) => [program.name, program]));
  const print = (event: PlannedEvent, kind: "event" | "step"): PlainValue => {
    const pairs: Pairs = kind === "event" ? printTime(event) : [];
    const isItself = event.object === experiment.simulator && !kinds.has("experiment");
    const words = printWords(event, kinds.get(event.object), {
      program: programs.get(event.object),
      scope: scopes.get(event.object),
    });
    if (words === undefined) {
      pairs.push(["target", event.object], ["type", event.type], ["do", event.event]);
      if (event.args !== "") pairs.push(["args", event.args]);
    } else pairs.push(["target", isItself ? "experiment" : event.object], ...words);
    return { map: pairs };
  };
  return (events, kind) => ({ list: events.map((event) => print(event, kind)) });
}

function kindsOf(experiment: Experiment): ReadonlyMap<string, ActionKind> {
  const kinds = new Map<string, ActionKind>();
  for (const { name, members } of experiment.links) {
    for (const { node } of members) kinds.set(`${name}-${node}`, "link");
  }
  kinds.set(experiment.simulator, "simulator");
  const all: readonly (readonly [ActionKind, readonly { readonly name: string }[]])[] = [
    ["node", experiment.nodes],
    ["link", experiment.links],
    ["program", experiment.programs],
    ["sequence", experiment.sequences],
    ["timeline", experiment.timelines],
  ];
  for (const [kind, objects] of all) for (const { name } of objects) kinds.set(name, kind);
  for (const { name, members } of experiment.groups) {
    const kind = kinds.get(members[0] ?? "");
    if (kind !== undefined) kinds.set(name, kind);
  }
  return kinds;
}

function scopesOf({ links, groups }: Experiment): ReadonlyMap<string, LinkScope> {
  const kinds = new Map(links.map(({ name, kind }) => [name, kind]));
  const named = [...links.map(({ name }) => ({ name, members: [name] })), ...groups];
  return new Map(
    named.map(({ name, members }) => [name, scopeOf(members.map((one) => kinds.get(one)))]),
  );
}

function printTime({ atUs, on }: PlannedEvent): Pairs {
  const pairs: Pairs = [];
  if (atUs === "swapout") pairs.push(["at", "swapout"]);
  else if (on === undefined || atUs !== 0) pairs.push(["at", formatDuration(atUs)]);
  if (on !== undefined) pairs.push(["when", printWait(on)]);
  return pairs;
}

function printWords(
  event: PlannedEvent,
  kind: ActionKind | undefined,
  { program, scope = "ways" }: ActionObject,
): Pairs | undefined {
  if (kind === undefined || event.type !== kind.toUpperCase()) return undefined;
  const verb = verbs[kind].find((word) => eventOf(word) === event.event);
  if (verb === undefined) return undefined;
  const { args } = event;
  const pairs: Pairs = [["do", verb]];
  const isDefault = argsOf(verb, {}, { program }) === args;
  const needsWords = verb === "kill" || (kind === "link" && verb === "modify");
  if (isDefault && !needsWords) return pairs;
  const signal = args.startsWith("SIGNAL=") ? args.slice(7) : "";
  if (verb === "kill" && kind === "program" && new RegExp(objectNamePattern).test(signal)) {
    pairs.push(["signal", signal]);
  } else if (kind === "simulator" && (verb === "message" || verb === "log")) {
    pairs.push(["message", args]);
  } else {
    const change = kind === "link" && verb === "modify" ? printChange(args, scope) : undefined;
    pairs.push(change === undefined ? ["args", args] : ["set", { map: change }]);
  }
  return pairs;
}

function printChange(args: string, scope: LinkScope): Pairs | undefined {
  const change = linkChangeOf(args, scope);
  if (change === undefined) return undefined;
  const { queue, ...shape } = change;
  const length = queue === undefined ? [] : [["queue", printQueue(queue)] as const];
  return [...printChanges(shape), ...length];
}

/** `barrier start crossed`. */
export function printWait({ barrier, outcome }: BarrierWait): string {
  return `barrier ${barrier} ${outcome}`;
}

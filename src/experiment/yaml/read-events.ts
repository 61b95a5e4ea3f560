// SPDX-License-Identifier: MIT
// Events of a document: the main list, sequences, timelines and the groups they are for.

import { timelineEventsMax } from "../limits.ts";
import type {
  EventGroup,
  EventSequence,
  EventTimeline,
  PlannedEvent,
  SourcePosition,
} from "../model.ts";
import { closest } from "../suggest.ts";
import {
  type ActionKind,
  type ActionWords,
  argsOf,
  eventOf,
  type LinkScope,
  scopeOf,
  verbs,
} from "./actions.ts";
import { durationOf, type ObjectKind, type ReadContext } from "./context.ts";
import { queueChangeIn } from "./queues.ts";
import { pathIn } from "./read-links.ts";
import { readWait } from "./read-programs.ts";
import {
  child,
  type DocumentNode,
  entryOf,
  type MapEntry,
  type ScalarNode,
  textOf,
  textsOf,
} from "./tree.ts";

const groupable: readonly ObjectKind[] = ["program", "node", "link"];
const targets: readonly ObjectKind[] = [
  "program",
  "link",
  "node",
  "sequence",
  "timeline",
  "group",
  "simulator",
];

/** Declares what events can be for: groups, sequences, timelines, and the experiment itself. */
export function declareTargets(context: ReadContext, tree: DocumentNode): void {
  const named: readonly (readonly [key: string, kind: ObjectKind])[] = [
    ["groups", "group"],
    ["sequences", "sequence"],
    ["timelines", "timeline"],
  ];
  for (const [section, kind] of named) {
    for (const { key, keyAt } of entriesOf(tree, section)) context.declare(key, kind, keyAt);
  }
  const simulator = child(tree, "simulator");
  context.simulator = textOf(simulator) ?? "ns";
  context.declare(context.simulator, "simulator", simulator?.at ?? tree.at);
}

function entriesOf(tree: DocumentNode, section: string): readonly MapEntry[] {
  const value = child(tree, section);
  return value?.kind === "map" ? value.entries : [];
}

/** The groups, and the kind of the members of each. */
export interface Groups {
  readonly list: readonly EventGroup[];
  readonly kinds: ReadonlyMap<string, ObjectKind>;
  readonly scopes: ReadonlyMap<string, LinkScope>;
}

export function readGroups(context: ReadContext, tree: DocumentNode): Groups {
  const kinds = new Map<string, ObjectKind>();
  const list = entriesOf(tree, "groups").map(({ key, value }): EventGroup => {
    const members = new Set<string>();
    for (const reference of textsOf(value)) {
      for (const name of context.resolve(reference, groupable, `group ${key}`)) {
        const kind = context.kindOf(name) ?? "node";
        const first = kinds.get(key) ?? kind;
        kinds.set(key, first);
        if (first !== kind) {
          const message = `group ${key}: ${name} is a ${kind}, and the others are not`;
          const hint = "All members of a group are of one kind.";
          context.findings.error(reference.at, "YAML_GROUP", message, hint);
        }
        members.add(name);
      }
    }
    return { name: key, members: [...members] };
  });
  const scopes = new Map(
    list.map(({ name, members }) => [
      name,
      scopeOf(members.map((one) => context.linkKinds.get(one))),
    ]),
  );
  return { list, kinds, scopes };
}

/** Reads the main events, then sequences and timelines. */
export function readEvents(
  context: ReadContext,
  tree: DocumentNode,
  groups: Groups,
): { readonly sequences: EventSequence[]; readonly timelines: EventTimeline[] } {
  const main = child(tree, "events");
  for (const item of main?.kind === "list" ? main.items : []) {
    context.events.push(...readEvent(context, item, groups, "event"));
  }
  const sequences = entriesOf(tree, "sequences").map(({ key, value, keyAt }) => {
    return { name: key, steps: readList(context, value, groups, "step", keyAt) };
  });
  const timelines = entriesOf(tree, "timelines").map(({ key, value, keyAt }) => {
    return { name: key, events: readList(context, value, groups, "event", keyAt) };
  });
  return { sequences, timelines };
}

function readList(
  context: ReadContext,
  value: DocumentNode,
  groups: Groups,
  kind: "event" | "step",
  at: SourcePosition,
): PlannedEvent[] {
  const items = value.kind === "list" ? value.items : [];
  const events = items.flatMap((item) => readEvent(context, item, groups, kind));
  if (events.length > timelineEventsMax) {
    const message = `a sequence or timeline has at most ${timelineEventsMax} events`;
    context.findings.error(at, "YAML_LIMIT", message, "Split it into several.");
  }
  return events;
}

function readEvent(
  context: ReadContext,
  item: DocumentNode,
  groups: Groups,
  kind: "event" | "step",
): PlannedEvent[] {
  const target = child(item, "target");
  const verb = child(item, "do");
  if (item.kind !== "map" || context.isFull) return [];
  const when = child(item, "at");
  const on = readWait(context, child(item, "when"));
  if (
    kind === "event" &&
    entryOf(item, "at") === undefined &&
    entryOf(item, "when") === undefined
  ) {
    const hint = "Add at: 10s, or when: barrier NAME crossed.";
    context.findings.error(startOf(item), "YAML_MISSING", "an event needs a time", hint);
  }
  if (target?.kind !== "text" || verb?.kind !== "text") return [];
  const atUs = textOf(when) === "swapout" ? "swapout" : (durationOf(when) ?? 0);
  const names = targetsOf(context, item, target, kind);
  return names.flatMap((name): PlannedEvent[] => {
    const plan = planOf(context, item, { name, verb, groups });
    if (plan === undefined) return [];
    const index = context.nextEvent(item.at);
    const wait = on === undefined ? {} : { on };
    return [{ index, atUs, ...plan, ...wait, at: target.at }];
  });
}

function startOf(item: DocumentNode): SourcePosition {
  return (item.kind === "map" ? item.entries[0]?.keyAt : undefined) ?? item.at;
}

/** The objects an event is for. A group of nodes or programs is one event for each. */
function targetsOf(
  context: ReadContext,
  item: DocumentNode,
  target: ScalarNode,
  kind: "event" | "step",
): readonly string[] {
  if (child(item, "type") !== undefined) return [target.text];
  const isItself = target.text === "experiment" && context.kindOf("experiment") === undefined;
  if (isItself) return [context.simulator];
  if (context.isLinkEnd(target.text)) return [target.text];
  const names = context.resolve(target, targets, "target");
  if (kind === "step" && names.length > 1) {
    const hint = "Name a group of them under groups, and make that the target.";
    const message = `a step is for one object, and "${target.text}" is ${names.length}`;
    context.findings.error(target.at, "YAML_STEP", message, hint);
  }
  return names;
}

interface Call {
  readonly name: string;
  readonly verb: ScalarNode;
  readonly groups: Groups;
}

type Plan = Pick<PlannedEvent, "object" | "type" | "event" | "args">;

function planOf(context: ReadContext, item: DocumentNode, call: Call): Plan | undefined {
  const { name, verb, groups } = call;
  const words = wordsOf(item);
  const scope = groups.scopes.get(name) ?? scopeOf([context.linkKinds.get(name)]);
  const type = textOf(child(item, "type"));
  if (type !== undefined) {
    return { object: name, type, event: eventOf(verb.text), args: argsOf("", words, { scope }) };
  }
  const known = context.kindOf(name);
  const kind = known === "group" ? groups.kinds.get(name) : known;
  // Y2: what has no kind was found fault with where it is made or named.
  if (kind === undefined || kind === "group" || kind === "barrier") return undefined;
  checkVerb(context, verb, kind);
  checkWords(context, item, verb.text, kind);
  const args = argsOf(verb.text, words, { program: context.programNames.get(name), scope });
  return { object: name, type: kind.toUpperCase(), event: eventOf(verb.text), args };
}

function wordsOf(item: DocumentNode): ActionWords {
  const set = child(item, "set");
  return {
    args: textOf(child(item, "args")),
    signal: textOf(child(item, "signal")),
    message: textOf(child(item, "message")),
    set:
      set === undefined ? undefined : { ...pathIn(set), queue: queueChangeIn(child(set, "queue")) },
  };
}

function checkVerb({ findings }: ReadContext, verb: ScalarNode, kind: ActionKind): void {
  if (verbs[kind].includes(verb.text)) return;
  const near = closest(verb.text, verbs[kind]);
  const all = `Known: ${verbs[kind].join(", ")}.`;
  const hint = near === undefined ? all : `Did you mean "${near}"? ${all}`;
  const what = kind === "simulator" ? "the experiment" : `a ${kind}`;
  findings.error(verb.at, "YAML_VERB", `nothing called "${verb.text}" happens to ${what}`, hint);
}

/** Words that go with one verb only, and the one way to say each thing. */
function checkWords(
  { findings }: ReadContext,
  item: DocumentNode,
  verb: string,
  kind: ActionKind,
): void {
  const uses: readonly (readonly [key: string, fits: boolean, where: string])[] = [
    ["set", kind === "link" && verb === "modify", "do: modify of a link"],
    ["signal", kind === "program" && verb === "kill", "do: kill of a program"],
    ["message", kind === "simulator" && /^(?:message|log)$/.test(verb), "do: message or do: log"],
  ];
  let given = entryOf(item, "args") === undefined ? 0 : 1;
  for (const [key, fits, where] of uses) {
    const entry = entryOf(item, key);
    if (entry === undefined) continue;
    given += 1;
    const message = `"${key}" goes with ${where}`;
    if (!fits) findings.error(entry.keyAt, "YAML_WORDS", message, "Remove it, or change do.");
    else if (given > 1)
      findings.error(entry.keyAt, "YAML_WORDS", `"${key}" and "args" say the same`);
  }
  const { at } = child(item, "do") ?? item;
  if (verb === "kill" && given === 0) {
    findings.error(at, "YAML_MISSING", "kill needs a signal", "Add signal: TERM.");
  } else if (kind === "link" && verb === "modify" && given === 0) {
    findings.error(at, "YAML_MISSING", "modify needs new values", "Add set: { delay: 20ms }.");
  }
}

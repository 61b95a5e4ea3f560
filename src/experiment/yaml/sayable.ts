// SPDX-License-Identifier: MIT
// What of an experiment a YAML file has words for, and what not: NS files say more than YAML files
// about traffic, and queues that nothing can make. Pure.
import { isSameQueue, presetQueue } from "../link-shape.ts";
import type {
  Diagnostic,
  EventSequence,
  Experiment,
  Link,
  LinkMember,
  PlannedEvent,
  SourcePosition,
} from "../model.ts";
import { linkCostMax } from "./limits.ts";
import { isQueueSayable } from "./queues.ts";

export interface SayablePart {
  /** The experiment without what is lost, and without the events for that. */
  readonly experiment: Experiment;
  /** One error for each thing that is lost, at its place. */
  readonly lost: readonly Diagnostic[];
}

export function sayableInYaml(experiment: Experiment): SayablePart {
  const { links, traffic = [], groups, events, sequences, timelines } = experiment;
  const lost = [
    ...links.flatMap(lostOfLink),
    ...traffic.map(({ name, at }) => lostThing(at, `the generated traffic of ${name}`)),
    ...sequences.flatMap(lostOfSequence),
  ];
  const gone = goneWith(new Set(traffic.map(({ name }) => name)), groups);
  const isKept = ({ object }: PlannedEvent): boolean => !gone.has(object);
  const { traffic: _traffic, ...rest } = experiment;
  return {
    lost,
    experiment: {
      ...rest,
      links: links.map((link) => ({
        ...withSayableCost(link),
        members: link.members.map(withSayableQueue).map(withSayableTrace),
      })),
      groups: groups
        .filter(({ name }) => !gone.has(name))
        .map((group) => ({ ...group, members: group.members.filter((name) => !gone.has(name)) })),
      events: events.filter(isKept),
      sequences: sequences.map(({ name, steps }) => ({ name, steps: steps.filter(isKept) })),
      timelines: timelines.map((line) => ({ ...line, events: line.events.filter(isKept) })),
    },
  };
}

/** These names, and the groups that would be empty without them. */
function goneWith(names: ReadonlySet<string>, groups: Experiment["groups"]): ReadonlySet<string> {
  const empty = groups.filter(
    ({ members }) => members.length > 0 && members.every((member) => names.has(member)),
  );
  return new Set([...names, ...empty.map(({ name }) => name)]);
}

function lostOfLink({ name, members, cost, at }: Link): Diagnostic[] {
  const queued = members.filter((member) => !hasWordsFor(member)).map(({ node }) => node);
  return [
    ...(queued.length === 0
      ? []
      : [lostThing(at, `the queues of ${name} (at ${queued.join(", ")})`)]),
    ...(members.some(({ trace }) => trace?.inDatabase === true)
      ? [lostThing(at, `that ${name} is traced into a database`)]
      : []),
    ...(isCostSayable(cost) ? [] : [lostThing(at, `that ${name} costs ${cost}`)]),
  ];
}

function isCostSayable(cost = 1): boolean {
  return Number.isSafeInteger(cost) && cost <= linkCostMax;
}

function withSayableCost(link: Link): Link {
  const { cost: _cost, ...rest } = link;
  return isCostSayable(link.cost) ? link : rest;
}

function hasWordsFor({ queue }: LinkMember): boolean {
  // One that only differs in what the model does not hold is no other queue.
  return queue === undefined || (isQueueSayable(queue) && !isSameQueue(queue, presetQueue));
}

function withSayableQueue(member: LinkMember): LinkMember {
  if (hasWordsFor(member)) return member;
  const { queue: _queue, ...rest } = member;
  return rest;
}

function withSayableTrace(member: LinkMember): LinkMember {
  if (member.trace?.inDatabase === undefined) return member;
  const { inDatabase: _inDatabase, ...trace } = member.trace;
  return { ...member, trace };
}

function lostOfSequence({ name, onError, steps }: EventSequence): Diagnostic[] {
  const at = steps[0]?.at;
  if (onError === undefined || at === undefined) return [];
  return [lostThing(at, `that ${onError} runs when ${name} fails`)];
}

function lostThing(at: SourcePosition, what: string): Diagnostic {
  const message = `a YAML file cannot say ${what}`;
  const hint = "Add --lossy to convert the rest.";
  return { severity: "error", code: "YAML_CANNOT_SAY", message, at, hint };
}

// SPDX-License-Identifier: MIT
// The shape of every command that an edge of another process may give, and of a session's. Who may
// give which is not checked here, and what the core refuses by itself is not refused here.
import type { AgendaEvent, BarrierCondition, EventTerms } from "../core/agenda/commands.ts";
import type { RosterMember, TreeOrder } from "../core/barriers/commands.ts";
import type { Deadline, RosterRules } from "../core/barriers/rules.ts";
import type {
  CountNews,
  CountReport,
  RosterNews,
  StateReport,
  TreeMessage,
} from "../core/barriers/tree-messages.ts";
import { errorCodes } from "../core/code.ts";
import type { Command, Participant, PublishedArrival, TopicCommand } from "../core/command.ts";
import type { TopicPublish } from "../wire/link/frames.ts";
import {
  type Check,
  either,
  isAbsent,
  isAmount,
  isCount,
  isFields,
  isFlag,
  isNumber,
  isPositive,
  isText,
  listOf,
  oneOf,
  optional,
  type ShapeCheck,
  shape,
} from "./shape.ts";

const isParticipant = shape({
  address: isText,
  node: either(isText, isAbsent),
  name: either(isText, isAbsent),
} satisfies Record<keyof Participant, Check>);

const arrival: Readonly<Record<string, Check>> = {
  scope: isText,
  barrier: isText,
  connection: isCount,
  who: isParticipant,
  error: isAmount,
  timeoutUs: either(isAmount, isAbsent),
  leadUs: either(isAmount, isAbsent),
  // Who knows the key of an arrival gets its outcome: keys are given by this server's own edges.
  key: isAbsent,
};

const isBarrierKind = oneOf("count", "state", "quorum", "roster");
export const isBarrierPlace: Check = (value) => shape({ name: isText, kind: isBarrierKind })(value);
const end = { scope: isText, error: isCount, reason: optional(isText) };
const endOne = {
  ...{ ...end, barrier: isText },
  ...{ barrierKind: optional(isBarrierKind), connection: optional(isCount) },
};

const place = { scope: isText, barrier: isText, connection: isCount };
const peer = { scope: isText, connection: isCount, peer: isText };
const isDeadline = shape({
  since: oneOf("opening", "first-arrival", "last-arrival"),
  us: isAmount,
} satisfies Record<keyof Deadline, Check>);
const isQuorum = either(
  shape({ kind: oneOf("percent"), percent: isAmount }),
  shape({ kind: oneOf("count"), count: isAmount }),
);
const areMembers = listOf(
  shape({
    ...{ name: isText, group: optional(isText), at: optional(isText) },
  } satisfies Record<keyof RosterMember, Check>),
);
const areRules = shape({
  phases: isAmount,
  whenDead: oneOf("fail", "shrink", "wait"),
  whenLate: oneOf("pass", "refuse", "next"),
  deadline: optional(isDeadline),
} satisfies Record<keyof RosterRules, Check>);
const about = { barrier: isText, key: isCount };
const ending = {
  ...{ ...about, outcome: oneOf("failed", "cancelled", "timeout") },
  ...{ error: isCount, reason: isText, controller: isText },
};
const part = { barrier: isText, round: isCount };
const isBarrierOutcome = oneOf("crossed", "failed", "timeout", "cancelled");
const isErrorCode = oneOf(...Object.keys(errorCodes));
const isCountReport = shape({
  ...{ ...part, count: isNumber, expected: isNumber, waiting: isCount, error: isCount },
  ...{ last: oneOf("came", "left", "timed-out"), hasCome: isFlag },
  ...{ deadline: optional(isDeadline), nodes: listOf(isText) },
} satisfies Record<keyof CountReport, Check>);
const isStateReport = shape({
  ...{ barrier: isText, signals: isCount, nodes: listOf(isText) },
  wants: listOf(shape({ target: isNumber, waiting: isCount, error: isCount })),
} satisfies Record<keyof StateReport, Check>);
const areRosterNews = listOf(
  shape({
    ...{ ...about, missing: listOf(isText), phase: optional(isCount), changes: optional(isCount) },
  } satisfies Record<keyof RosterNews, Check>),
);
const orders: ReadonlySet<string> = new Set<TreeOrder["kind"]>([
  ...(["count-change", "cancel", "fail", "cancel-all"] as const),
  ...(["roster-open", "roster-change", "roster-dead"] as const),
]);
/** What the root of a tree may be asked to do is what an edge may ask its core. */
const isOrder: Check = (value) =>
  isFields(value) && orders.has(String(value["kind"])) && complaintOf(value) === undefined;
const treeMessages: Readonly<Record<TreeMessage["kind"], Check>> = {
  init: shape({ ...about, quorum: isQuorum }),
  change: shape({ ...about, quorum: isQuorum, changes: optional(isCount) }),
  released: shape({ ...about, error: isCount }),
  ended: shape(ending),
  initialised: shape(about),
  reached: shape({ ...about, error: isCount, changes: optional(isCount) }),
  unreached: shape(about),
  failed: shape(ending),
  "count-ended": shape({
    ...{ ...part, upTo: isCount, generation: isCount, outcome: isBarrierOutcome },
    ...{ error: isCount, reason: isText, expected: isNumber, missing: listOf(isText) },
  }),
  news: shape({
    counts: listOf(
      shape({
        ...{ ...part, settled: isCount, generation: isCount, count: isNumber, expected: isNumber },
        error: isCount,
        missing: listOf(isText),
      } satisfies Record<keyof CountNews, Check>),
    ),
    rosters: optional(areRosterNews),
  }),
  "roster-open": shape({
    ...{ ...about, generation: isCount, phase: isPositive, members: areMembers },
    ...{ rules: areRules, isWhole: isFlag },
  }),
  "roster-change": shape({ ...about, add: areMembers, remove: listOf(isText) }),
  "roster-dead": shape({ participant: isText, reason: isText, unlessArrived: isFlag }),
  "roster-crossed": shape({ ...about, phase: isPositive, error: isCount, isOver: isFlag }),
  "roster-ended": shape({
    ...{ ...about, outcome: oneOf("failed", "cancelled", "timeout"), error: isCount },
    ...{ reason: isText, missing: listOf(isText) },
  }),
  "roster-opened": shape(about),
  "roster-complete": shape({
    ...{ ...about, phase: isPositive, error: isCount, size: isCount, changes: isCount },
  }),
  "roster-incomplete": shape({ ...about, phase: isPositive }),
  "roster-failed": shape({ ...about, outcome: oneOf("failed", "timeout"), reason: isText }),
  "roster-left": shape({ ...about, names: listOf(isText) }),
  "roster-lost": shape({ ...about, reason: isText }),
  "roster-news": shape({ rosters: areRosterNews }),
  answer: shape({ id: isCount, refusal: optional(shape({ code: isErrorCode, message: isText })) }),
  report: shape({ counts: listOf(isCountReport), states: optional(listOf(isStateReport)) }),
  "state-told": shape({
    ...{ barrier: isText, report: isCount, first: isCount, value: isCount },
    ends: listOf(
      shape({ target: isNumber, outcome: isBarrierOutcome, error: isCount, reason: isText }),
    ),
  }),
  "count-failed": shape({ ...part, reason: isText }),
  ask: shape({ id: isCount, order: (value) => isOrder(value) }),
};
const isTreeMessage: Check = (value) => {
  if (!isFields(value)) return false;
  const kind = String(value["kind"]);
  return Object.hasOwn(treeMessages, kind) && treeMessages[kind as TreeMessage["kind"]](value);
};

const areTerms = shape({
  toleranceUs: optional(isCount),
  whenLate: optional(oneOf("fire", "skip")),
  deadlineUs: optional(isCount),
} satisfies Record<keyof EventTerms, Check>);
const isEvent = shape({
  ...{ id: isNumber, object: isText, type: isText, event: isText, args: isText },
  terms: optional(areTerms),
} satisfies Record<keyof AgendaEvent, Check>);
const isCondition = shape({
  barrier: isText,
  outcome: isBarrierOutcome,
} satisfies Record<keyof BarrierCondition, Check>);
const areTimed = listOf(shape({ atUs: isCount, event: isEvent, on: optional(isCondition) }));
const isInstant = either(
  shape({ kind: oneOf("now") }),
  shape({ kind: oneOf("in", "at"), us: isNumber, stampUs: optional(isNumber) }),
);
const isAgent = shape({ name: isText, type: isText, node: isText });
const isGroup = shape({ name: isText, members: listOf(isText) });
const isTimeline = shape({ name: isText, events: areTimed });
const isSequence = shape({ name: isText, steps: areTimed, onError: optional(isText) });
const request = { scope: isText, request: isCount };
const answer = { scope: isText, token: isCount };

/**
 * What the core's own side appends; topics are for edges beside the store that their messages lie
 * in.
 */
type HostCommand =
  | ("detach" | "attached" | "seen" | "digest" | "snapshot" | "reached" | "version" | "limits")
  | "refuse"
  | TopicCommand["kind"];

/** Every command an edge of another process may send. */
const commandChecks: Readonly<Record<Exclude<Command["kind"], HostCommand>, ShapeCheck>> = {
  "count-init": shape({
    ...{ ...arrival, count: isAmount, waits: isFlag, deadline: optional(isDeadline) },
  }),
  "count-wait": shape(arrival),
  leave: shape({ connection: isCount }),
  "state-signal": shape({ ...place, who: isParticipant, key: isAbsent }),
  "state-wait": shape({ ...arrival, target: isAmount }),
  "state-signal-and-wait": shape({ ...arrival, target: isAmount }),
  "quorum-init": shape({
    ...{ ...place, who: isParticipant, quorum: isQuorum, echo: oneOf("automatic", "explicit") },
    ...{ deadline: optional(isDeadline), once: isAbsent },
  }),
  "quorum-wait": shape(arrival),
  "quorum-echo": shape(place),
  "quorum-change": shape({ ...place, quorum: isQuorum }),
  "peer-register": shape(peer),
  "peer-deregister": shape(peer),
  "peers-set": shape({ scope: isText, connection: isCount, count: isAmount }),
  "roster-open": shape({
    ...{ ...place, who: isParticipant, members: areMembers, rules: areRules },
    once: isAbsent,
  }),
  "roster-arrive": shape({ ...arrival, phase: optional(isAmount) }),
  "roster-change": shape({ ...place, add: areMembers, remove: listOf(isText) }),
  "roster-dead": shape({
    ...{ scope: isText, participant: isText, reason: isText, connection: optional(isCount) },
    unlessArrived: optional(isFlag),
  }),
  "count-change": shape({ ...place, expected: isAmount }),
  "tree-join": shape({
    ...{ scope: isText, name: isText, peer: isText },
    ...{ side: oneOf("parent", "child"), life: isCount },
    claim: optional(shape({ life: isCount, term: isCount, origin: optional(isCount) })),
  }),
  "tree-meet": shape({
    ...{ scope: isText, from: isText, life: isCount, received: isCount },
    ...{ receivedOf: optional(isCount), speaks: optional(isCount) },
  }),
  "tree-message": shape({ scope: isText, from: isText, number: isCount, message: isTreeMessage }),
  "tree-acknowledge": shape({ scope: isText, from: isText, number: isCount }),
  "tree-leave": shape({ scope: isText, peer: isText, reason: optional(isText) }),
  "cancel-all": shape({ ...end, barrierKind: optional(isBarrierKind) }),
  cancel: shape(endOne),
  fail: shape({ ...endOne, reason: isText }),
  "open-scope": shape({ scope: isText, nodes: listOf(isText) }),
  "close-scope": shape({ scope: isText, error: isCount }),
  "barrier-told": shape({
    ...{ scope: isText, barrier: isText, outcome: isBarrierOutcome, origin: optional(isText) },
  }),
  "agenda-load": shape({
    scope: isText,
    agents: listOf(isAgent),
    groups: listOf(isGroup),
    main: areTimed,
    ...{ timelines: listOf(isTimeline), sequences: listOf(isSequence) },
    origin: optional(isText),
  }),
  "agenda-start": shape({ scope: isText, inUs: optional(isCount), origin: optional(isText) }),
  "agenda-replay": shape({
    ...{ scope: isText, inUs: optional(isCount) },
    ...{ request: optional(isCount), origin: optional(isText) },
  }),
  "agenda-halt": shape({ scope: isText }),
  "agenda-pause": shape({ ...request, origin: optional(isText) }),
  "agenda-resume": shape({ ...request, origin: optional(isText) }),
  "agenda-schedule": shape({
    ...request,
    ...{ object: isText, event: isText, args: isText, at: isInstant },
    ...{ on: optional(isCondition), timeline: optional(isText), terms: optional(areTerms) },
    origin: optional(isText),
  }),
  "agenda-cancel": shape({ ...request, id: isNumber, origin: optional(isText) }),
  "agenda-edit": shape({
    ...{ ...request, id: isNumber, at: optional(isInstant), args: optional(isText) },
    origin: optional(isText),
  }),
  "agenda-amend": shape({
    ...request,
    ...{ agents: listOf(isAgent), groups: listOf(isGroup), removed: listOf(isText) },
    ...{ timelines: listOf(isTimeline), sequences: listOf(isSequence) },
    main: shape({
      ...{ dropped: listOf(isNumber), changed: areTimed, added: areTimed, fromNow: areTimed },
    }),
    origin: optional(isText),
  }),
  "agenda-fired": shape({
    ...{ ...answer, firedStampUs: isNumber, skewUs: optional(isNumber), outcome: isText },
  }),
  "agenda-complete": shape({
    ...{ ...answer, error: isNumber, member: optional(isText), text: optional(isText) },
    unknown: optional(isFlag),
  }),
  "agenda-revoked": shape({ ...answer, fired: isFlag }),
  "agenda-agents": shape({
    ...{ scope: isText, objects: listOf(isText), state: oneOf("up", "down"), reason: isText },
    by: optional(shape({ agent: isText, life: isText })),
  }),
  "agenda-take-errors": shape(request),
  // What lives in the process of a server is made there, and nobody else is a server.
  attach: shape({
    ...{ leaseUs: either(isPositive, isAbsent) },
    ...{ as: isAbsent, offers: isAbsent, behind: isAbsent },
  }),
  "end-edge": shape({}),
};

const publishedArrival = {
  ...{ barrier: isText, who: isParticipant, error: isAmount, target: isAmount },
  ...{ timeoutUs: either(isAmount, isAbsent), leadUs: either(isAmount, isAbsent) },
  kind: oneOf("state-wait", "state-signal-and-wait"),
} satisfies Record<keyof PublishedArrival, Check>;

/** What a session may say besides: messages travel with it, and are stored by the door. */
export const sessionChecks: Readonly<Record<string, ShapeCheck>> = {
  ...commandChecks,
  "topic-publish": shape({
    ...{ ...place, barrier: isAbsent, topic: isText, message: isText },
    arrival: optional(shape(publishedArrival)),
  } satisfies Record<Exclude<keyof TopicPublish, "kind"> | "barrier", Check>),
};

export const isCommands: Check = listOf((command) => complaintOf(command) === undefined);

/** Whether the core knows a command of this shape from an edge. */
export function isCommand(command: unknown): command is Exclude<Command, { kind: "detach" }> {
  return complaintOf(command) === undefined;
}

/** @returns what is wrong with what should be a command. */
export function complaintOf(
  command: unknown,
  checks: Readonly<Record<string, ShapeCheck>> = commandChecks,
): string | undefined {
  if (!isFields(command)) return "a command is a JSON object";
  const kind = String(command["kind"]);
  const check = Object.hasOwn(checks, kind) ? checks[kind] : undefined;
  if (check === undefined) return `there is no command ${JSON.stringify(kind.slice(0, 64))}`;
  const field = check.wrongField(command);
  return field === undefined ? undefined : `${kind}: ${field} is missing, or not of its kind`;
}

// SPDX-License-Identifier: MIT
// Checks frames of an edge before anything is made of them. What goes into the log is read again at
// every restart, so a command of the wrong shape must not get there: the core would refuse to
// start.
import type { AgendaEvent, BarrierCondition, EventTerms } from "../core/agenda/commands.ts";
import type { RosterMember, TreeOrder } from "../core/barriers/commands.ts";
import type { Deadline, RosterRules } from "../core/barriers/rules.ts";
import type {
  CountNews,
  CountReport,
  StateReport,
  TreeMessage,
} from "../core/barriers/tree-messages.ts";
import { type ErrorCode, errorCodes } from "../core/code.ts";
import type {
  Command,
  Participant,
  PublishedArrival,
  Refuse,
  TopicCommand,
} from "../core/command.ts";
import type { Limits } from "../core/limits.ts";
import { limitMessage } from "../core/limits.ts";
import { utf8Length } from "../core/text.ts";
import { actionOf } from "../wire/link/command-action.ts";
import type { BatchFrame, EdgeCommand, EdgeFrame, TopicPublish } from "../wire/link/frames.ts";
import { FrameError } from "../wire/link/frames.ts";
import type { Role } from "../wire/link/roles.ts";
import { mayDo } from "../wire/link/roles.ts";

type Fields = Readonly<Record<string, unknown>>;
type Check = (value: unknown) => boolean;

/**
 * What an edge of another process may say: everything; or what a sync server has to say about one
 * scope (programs of an experiment live beside its sync server, so it is not trusted further); or
 * what the role of a session's token allows, in its scope or in any; or what carries the link to
 * the sub-controller of a name.
 */
export type EdgeRights =
  | { readonly kind: "all" }
  | { readonly kind: "sync"; readonly scope: string }
  | { readonly kind: "child"; readonly name: string }
  | { readonly kind: "session"; readonly role: Role; readonly scope?: string };

interface Sender {
  readonly rights: EdgeRights;
}

/**
 * @param sender who this link belongs to, once it has said so.
 * @throws FrameError when the frame is not one an edge sends, or not one that this edge may send.
 */
export function checkEdgeFrame(
  frame: unknown,
  limits: Limits,
  sender: Sender | undefined,
): EdgeFrame {
  if (!isFields(frame)) throw new FrameError("a frame is not a JSON object");
  const { rights } = sender ?? {};
  if (rights?.kind === "session" && frame["kind"] === "batch" && isBatch(frame, limits)) {
    return checkSessionBatch(frame as unknown as BatchFrame, limits, rights);
  }
  const named = String(frame["kind"]);
  const isGood = Object.hasOwn(frameChecks, named) && frameChecks[named]?.(frame, limits) === true;
  if (!isGood) {
    throw new FrameError(`a frame of a wrong shape (kind ${JSON.stringify(named.slice(0, 64))})`);
  }
  const checked = frame as unknown as EdgeFrame;
  if (sender === undefined) return checked;
  if (isOfFeed(checked)) {
    if (sender.rights.kind !== "session") {
      throw new FrameError("subscriptions are for sessions", "rights");
    }
    if (checked.kind === "subscribe") checkListening(checked.scope, sender.rights);
    return checked;
  }
  const { kind } = sender.rights;
  const isLook = checked.kind === "describe" || checked.kind === "list-events";
  if ((checked.kind === "list-events" && kind === "sync") || (isLook && kind === "child")) {
    throw new FrameError(`a look that this edge may not take (${checked.kind})`, "rights");
  }
  if (checked.kind === "describe" || checked.kind === "list-events")
    checkLook(checked.scope, sender.rights);
  if (checked.kind === "batch") {
    for (const command of checked.commands) checkRight(command, sender.rights);
  }
  return checked;
}

function isOfFeed({ kind }: EdgeFrame): boolean {
  return kind === "subscribe" || kind === "taken" || kind === "unsubscribe";
}

/**
 * Anybody writes clients of sessions: one bad value is answered with an error and costs no other
 * wait.
 */
function checkSessionBatch(frame: BatchFrame, limits: Limits, rights: EdgeRights): BatchFrame {
  const commands = frame.commands.map((command) => admitCommand(command, limits));
  for (const command of commands) {
    if (!isWithin(command, limits)) throw new FrameError("a lease or an address is too long");
    if (command.kind !== "refuse") checkRight(command, rights);
  }
  return { kind: "batch", number: frame.number, commands };
}

/** An incarnation of an edge is its own affair; so are its waiters, in its scope. */
const syncCommands: ReadonlySet<EdgeCommand["kind"]> = new Set([
  ...(["attach", "end-edge", "count-init", "count-wait", "leave", "cancel-all"] as const),
  // A name of the experiment's file may be a barrier of another kind (syncd/members.ts).
  ...(["roster-arrive", "quorum-wait"] as const),
]);

/** A carrier of a link speaks for its own sub-controller, in every scope. */
const childCommands: ReadonlySet<EdgeCommand["kind"]> = new Set([
  ...(["attach", "end-edge", "tree-join", "tree-meet", "tree-message"] as const),
  ...(["tree-acknowledge", "tree-leave"] as const),
]);

/** The controller that a command is about; undefined when it claims to be another's parent. */
function nameOfLink(command: EdgeCommand): string | undefined {
  switch (command.kind) {
    case "tree-join":
      return command.side === "child" ? command.peer : undefined;
    case "tree-leave":
      return command.peer;
    case "tree-meet":
    case "tree-message":
    case "tree-acknowledge":
      return command.from;
    default:
      return undefined;
  }
}

function checkRight(command: EdgeCommand, rights: EdgeRights): void {
  if (!mayGive(command.kind, rights)) {
    const whose = rights.kind === "session" ? `role ${rights.role}` : "this edge";
    throw new FrameError(`a command that ${whose} may not give (${command.kind})`, "rights");
  }
  if ("scope" in command) checkScope(command.scope, rights);
  const isOwn = command.kind === "attach" || command.kind === "end-edge";
  if (rights.kind === "child" && !isOwn && nameOfLink(command) !== rights.name) {
    throw new FrameError("a link that is not this edge's", "rights");
  }
  if (rights.kind !== "sync" || command.kind !== "cancel-all") return;
  if (command.barrierKind !== "count") {
    throw new FrameError("a sync server may end barriers of its own kind only", "rights");
  }
}

function mayGive(kind: EdgeCommand["kind"], rights: EdgeRights): boolean {
  switch (rights.kind) {
    case "all":
      return true;
    case "sync":
      return syncCommands.has(kind);
    case "child":
      return childCommands.has(kind);
    case "session": {
      const action = actionOf(kind);
      return action === "own" || (action !== undefined && mayDo(rights.role, action));
    }
  }
}

function checkLook(scope: string, rights: EdgeRights): void {
  if (rights.kind === "session" && !mayDo(rights.role, "look")) {
    throw new FrameError(`role ${rights.role} may not look at barriers`, "rights");
  }
  checkScope(scope, rights);
}

function checkListening(scope: string, rights: EdgeRights): void {
  if (rights.kind === "session" && !mayDo(rights.role, "listen")) {
    throw new FrameError(`role ${rights.role} may not listen to topics`, "rights");
  }
  checkScope(scope, rights);
}

function checkScope(scope: string, rights: EdgeRights): void {
  if (rights.kind === "all" || rights.kind === "child") return;
  if (rights.scope === undefined || scope === rights.scope) return;
  throw new FrameError("a scope that is not this edge's", "rights");
}

const isText: Check = (value) => typeof value === "string";
const isFlag: Check = (value) => typeof value === "boolean";
const isNumber: Check = (value) => Number.isSafeInteger(value);
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
/** The core refuses one that is no integer: that arrival, and not the whole edge. */
const isAmount: Check = (value) => Number.isFinite(value);
const isPositive: Check = (value) => isCount(value) && value !== 0;
const isAbsent: Check = (value) => value === undefined;
const isFields = (value: unknown): value is Fields => typeof value === "object" && value !== null;

function listOf(check: Check): Check {
  return (value) => Array.isArray(value) && value.every(check);
}

function either(a: Check, b: Check): Check {
  return (value) => a(value) || b(value);
}

/** A check of an object, which can also say which of its fields is wrong. */
interface ShapeCheck extends Check {
  readonly wrongField: (value: Fields) => string | undefined;
}

function shape(checks: Readonly<Record<string, Check>>): ShapeCheck {
  const rows = Object.entries(checks);
  const wrongField = (value: Fields): string | undefined => {
    for (const [name, check] of rows) if (!check(value[name])) return name;
    return undefined;
  };
  const check = (value: unknown) => isFields(value) && wrongField(value) === undefined;
  return Object.assign(check, { wrongField });
}

const frameChecks: Readonly<Record<string, (frame: Fields, limits: Limits) => boolean>> = {
  hello: (frame, limits) =>
    shape({ format: isNumber, secret: either(isText, isAbsent), incarnation: isCount })(frame) &&
    shape({ nonce: either(isText, isAbsent), proof: either(isText, isAbsent) })(frame) &&
    shape({ edge: isText, acknowledged: isCount, seen: isCount })(frame) &&
    utf8Length(String(frame["edge"])) <= limits.nameBytesMax,
  batch: (frame, limits) =>
    shape({ number: isCount, commands: isCommands })(frame) &&
    (frame["commands"] as readonly Command[]).every((command) => isWithin(command, limits)) &&
    (frame["commands"] as readonly Command[]).length <= limits.entryCommandsMax,
  seen: (frame) => isCount(frame["sequence"]),
  clock: (frame) => isCount(frame["id"]),
  subscribe: shape({
    ...{ id: isCount, scope: isText, topic: isText },
    after: (value) => isCount(value) || isAbsent(value),
  }),
  taken: shape({ id: isCount, number: isCount }),
  unsubscribe: shape({ id: isCount }),
  "list-events": (frame) =>
    isCount(frame["id"]) && isText(frame["scope"]) && isCount(frame["after"]),
  describe: (frame) =>
    shape({ id: isCount, scope: isText, barrier: either(isText, isAbsent) })(frame) &&
    (isAbsent(frame["after"]) || isBarrierPlace(frame["after"])) &&
    (isAbsent(frame["max"]) || isCount(frame["max"])),
};

/** Bounds that the core does not check: what is beyond them must not reach the log. */
function isWithin(command: EdgeCommand, limits: Limits): boolean {
  if (command.kind === "attach") return (command.leaseUs ?? 1) <= limits.edgeLeaseUsMax;
  if (command.kind === "topic-publish") {
    const address = command.arrival?.who.address ?? "";
    return utf8Length(address) <= limits.nameBytesMax;
  }
  if (!("who" in command)) return true;
  return utf8Length(command.who.address) <= limits.nameBytesMax;
}

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
};

const optional = (check: Check): Check => either(check, isAbsent);
const oneOf =
  (...words: readonly unknown[]): Check =>
  (value) =>
    words.includes(value);

const isBarrierKind = oneOf("count", "state", "quorum", "roster");
const isBarrierPlace: Check = (value) => shape({ name: isText, kind: isBarrierKind })(value);
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
const areRosterNews = listOf(shape({ ...about, missing: listOf(isText) }));
const orders: ReadonlySet<string> = new Set<TreeOrder["kind"]>([
  ...(["count-change", "cancel", "fail", "cancel-all"] as const),
  ...(["roster-open", "roster-change", "roster-dead"] as const),
]);
/** What the root of a tree may be asked to do is what an edge may ask its core. */
const isOrder: Check = (value) =>
  isFields(value) && orders.has(String(value["kind"])) && complaintOf(value) === undefined;
const treeMessages: Readonly<Record<TreeMessage["kind"], Check>> = {
  init: shape({ ...about, quorum: isQuorum }),
  change: shape({ ...about, quorum: isQuorum }),
  released: shape({ ...about, error: isCount }),
  ended: shape(ending),
  initialised: shape(about),
  reached: shape({ ...about, error: isCount }),
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
  | ("detach" | "attached" | "seen" | "digest" | "snapshot" | "reached" | "version" | "refuse")
  | TopicCommand["kind"];

/** Every command an edge of another process may send. */
const commandChecks: Readonly<Record<Exclude<Command["kind"], HostCommand>, ShapeCheck>> = {
  "count-init": shape({
    ...{ ...arrival, count: isAmount, waits: isFlag, deadline: optional(isDeadline) },
  }),
  "count-wait": shape(arrival),
  leave: shape({ connection: isCount }),
  "state-signal": shape({ ...place, who: isParticipant }),
  "state-wait": shape({ ...arrival, target: isAmount }),
  "state-signal-and-wait": shape({ ...arrival, target: isAmount }),
  "quorum-init": shape({
    ...{ ...place, who: isParticipant, quorum: isQuorum, echo: oneOf("automatic", "explicit") },
    deadline: optional(isDeadline),
  }),
  "quorum-wait": shape(arrival),
  "quorum-echo": shape(place),
  "quorum-change": shape({ ...place, quorum: isQuorum }),
  "peer-register": shape(peer),
  "peer-deregister": shape(peer),
  "peers-set": shape({ scope: isText, connection: isCount, count: isAmount }),
  "roster-open": shape({ ...place, who: isParticipant, members: areMembers, rules: areRules }),
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
  attach: shape({ leaseUs: either(isPositive, isAbsent), as: isAbsent, offers: isAbsent }),
  "end-edge": shape({}),
};

const publishedArrival = {
  ...{ barrier: isText, who: isParticipant, error: isAmount, target: isAmount },
  ...{ timeoutUs: either(isAmount, isAbsent), leadUs: either(isAmount, isAbsent) },
  kind: oneOf("state-wait", "state-signal-and-wait"),
} satisfies Record<keyof PublishedArrival, Check>;

/** What a session may say besides: messages travel with it, and are stored by the door. */
const sessionChecks: Readonly<Record<string, ShapeCheck>> = {
  ...commandChecks,
  "topic-publish": shape({
    ...{ ...place, barrier: isAbsent, topic: isText, message: isText },
    arrival: optional(shape(publishedArrival)),
  } satisfies Record<Exclude<keyof TopicPublish, "kind"> | "barrier", Check>),
};

const isCommands: Check = listOf((command) => complaintOf(command) === undefined);

/** Whether the core knows a command of this shape from an edge. */
export function isCommand(command: unknown): command is Exclude<Command, { kind: "detach" }> {
  return complaintOf(command) === undefined;
}

/** @returns what is wrong with what should be a command. */
function complaintOf(
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

/** A batch in which only single commands can be wrong: whoever sent it is answered, and goes on. */
function isBatch(frame: Fields, { entryCommandsMax }: Limits): boolean {
  const { number, commands } = frame as { readonly number?: unknown; readonly commands?: unknown };
  return isCount(number) && Array.isArray(commands) && commands.length <= entryCommandsMax;
}

/** What stands in the log in place of a command that was refused at the door. */
export function refuse(command: unknown, code: ErrorCode, message: string): Refuse {
  const named = isFields(command) ? command["connection"] : undefined;
  const connection = isCount(named) ? (named as number) : 0;
  return { kind: "refuse", connection, code, message };
}

/** A session's `attach` is its handshake: one that is wrong ends it, as a wrong hello does. */
function admitCommand(command: unknown, limits: Limits): EdgeCommand {
  const complaint = complaintOf(command, sessionChecks);
  if (complaint === undefined) return admitMessage(command as EdgeCommand, limits);
  if (isFields(command) && command["kind"] === "attach") throw new FrameError(complaint);
  return refuse(command, "invalid", `${complaint}; see docs/reference/session.md`);
}

/** A message is checked before it is stored: what cannot be read must not get into a topic. */
function admitMessage(command: EdgeCommand, limits: Limits): EdgeCommand {
  if (command.kind !== "topic-publish") return command;
  if (utf8Length(command.message) > limits.messageBytesMax) {
    const what = `the message is too long: ${limitMessage(limits, "messageBytesMax")}`;
    return refuse(command, "limit", what);
  }
  try {
    JSON.parse(command.message);
    return command;
  } catch {
    return refuse(command, "invalid", "topic-publish: message is not JSON");
  }
}

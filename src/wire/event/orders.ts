// SPDX-License-Identifier: MIT
// What a scheduler and its agents say to each other about one event, as notifications: the order to
// obey it at an instant, its taking back, and the agent's reports. An order is an event of the old
// protocol with attributes of Muster's own behind it, so that an old agent obeys it as it always
// did; the reports are event types that no old program knows. [EMULAB-EVENTS 1.3, 2.8]
//
//   O1. `MUSTER_FIRE` names an order, and its parts for the members of a group, in one experiment
//       for ever. TOKEN does not: senders choose it, and two of them may choose the same.
import { formatCompletionArgs, getIntegerArg, parseCompletionArgs } from "./args.ts";
import {
  type Address,
  type Attribute,
  attributeNames,
  createNotification,
  firingTimeOf,
  getInt32,
  getInt64,
  getText,
  int32Attribute,
  int64Attribute,
  type Notification,
  textAttribute,
} from "./notification.ts";

/** Attributes that only Muster knows. */
export const orderAttributes = {
  fire: "MUSTER_FIRE",
  /** Instant on the monotonic clock that `clock` names, microseconds. */
  due: "MUSTER_DUE",
  clock: "MUSTER_CLOCK",
  /** Later than this many microseconds it is not obeyed at all. Absent: it is obeyed whenever. */
  skipAfter: "MUSTER_SKIP_AFTER",
  firedAt: "MUSTER_FIRED_AT",
  outcome: "MUSTER_OUTCOME",
  /**
   * Of FIRED, where the work is over as well: its completion, and why when OUTCOME does not say.
   */
  error: "MUSTER_ERROR",
  why: "MUSTER_WHY",
  /** `LIST` of what an agent serves. */
  objects: "MUSTER_OBJECTS",
  /** Which start of an agent; of an order, the only one that is to obey. */
  life: "MUSTER_LIFE",
  /** Of ALIVE: how often in this life orders may have been lost to it. Absent: never. */
  gaps: "MUSTER_GAPS",
  sentAt: "MUSTER_T0",
  heardAt: "MUSTER_T1",
  answeredAt: "MUSTER_T2",
} as const;

/** Event types of the reports and questions between agents and their scheduler. */
export const orderTypes = {
  /** Scheduler to agent: forget it, unless it has fired. */
  revoke: "REVOKE",
  /** Agent to scheduler: whether it had. */
  revoked: "REVOKED",
  /** Agent to scheduler: it took effect. */
  fired: "FIRED",
  /** Agent to scheduler: it is there, or goes. */
  alive: "ALIVE",
  /** Agent to scheduler and back: how do the clocks stand to each other? */
  clock: "CLOCK",
  complete: "COMPLETE",
} as const;

/** Who says it, and about which experiment. */
export interface OrderSender {
  /** `pid/eid` */
  readonly experiment: string;
  /** IPv4 address. */
  readonly sender: string;
}

export interface Order {
  readonly fire: number;
  /** TOKEN: the sender's own, or the number of the order. */
  readonly token: number;
  readonly objtype: string;
  readonly objname: string;
  readonly eventtype: string;
  readonly args: string;
  readonly due: OrderInstant;
  readonly skipAfterUs: number | undefined;
  /** Only this life of the agent is to obey: it may have obeyed already. Undefined for any. */
  readonly life?: string | undefined;
}

/** One instant, on two clocks: a wall clock that is set moves nothing for who knows the other. */
export interface OrderInstant {
  /** Microseconds since 1970, of the scheduler's wall clock. */
  readonly wallUs: number;
  /** Undefined for an order of an old scheduler. */
  readonly monotonic: { readonly us: number; readonly clock: string } | undefined;
}

/** @param host control address of the object's node, or `*` */
export function formatOrder(order: Order, host: string, by: OrderSender): Notification {
  const { fire, token, objtype, objname, eventtype, args, due, skipAfterUs, life } = order;
  const seconds = Math.trunc(due.wallUs / 1_000_000);
  const extra = [
    textAttribute(attributeNames.args, args),
    int32Attribute(attributeNames.token, token),
    int32Attribute(attributeNames.timeSeconds, seconds),
    int32Attribute(attributeNames.timeMicroseconds, due.wallUs - seconds * 1_000_000),
    int32Attribute(orderAttributes.fire, fire),
    ...(due.monotonic === undefined
      ? []
      : [
          int64Attribute(orderAttributes.due, BigInt(due.monotonic.us)),
          textAttribute(orderAttributes.clock, due.monotonic.clock),
        ]),
    ...(skipAfterUs === undefined
      ? []
      : [int64Attribute(orderAttributes.skipAfter, BigInt(skipAfterUs))]),
    ...(life === undefined ? [] : [textAttribute(orderAttributes.life, life)]),
  ];
  return note({ host, objtype, objname, eventtype, scheduler: 0 }, extra, by);
}

/** Undefined for what says no token: nobody waits for an answer to it. */
export function parseOrder(notification: Notification): Order | undefined {
  const token = getInt32(notification, attributeNames.token);
  const time = firingTimeOf(notification);
  const text = (name: string): string => getText(notification, name) ?? "";
  if (token === undefined) return undefined;
  const dueUs = microseconds(notification, orderAttributes.due);
  return {
    fire: getInt32(notification, orderAttributes.fire) ?? token,
    token,
    objtype: text(attributeNames.objtype),
    objname: text(attributeNames.objname),
    eventtype: text(attributeNames.eventtype),
    args: text(attributeNames.args),
    due: {
      wallUs: time === undefined ? 0 : time.seconds * 1_000_000 + time.microseconds,
      monotonic:
        dueUs === undefined ? undefined : { us: dueUs, clock: text(orderAttributes.clock) },
    },
    skipAfterUs: microseconds(notification, orderAttributes.skipAfter),
    life: getText(notification, orderAttributes.life),
  };
}

/** What an agent says of one object's part of an order. */
export interface Report {
  readonly fire: number;
  readonly token: number;
  readonly objtype: string;
  readonly objname: string;
}

export interface FiredFacts {
  /** On the clock that the order named. */
  readonly firedUs: number;
  /** As in the order, for who has not seen it. */
  readonly dueUs: number | undefined;
  readonly outcome: string;
  /** The work is over too, and nothing else is said of that. Not to an old scheduler. */
  readonly completed?: CompletionFacts | undefined;
}

export interface CompletionFacts {
  readonly error: number;
  /** Why it failed, for people, or `ignored: WHY`; `""` when nobody said. */
  readonly why: string;
}

export function formatFired(
  report: Report,
  { firedUs, dueUs, outcome, completed }: FiredFacts,
  by: OrderSender,
): Notification {
  const extra = [
    textAttribute(attributeNames.args, ` CTOKEN=${report.token} FIREDUS=${firedUs}`),
    int32Attribute(orderAttributes.fire, report.fire),
    ...(dueUs === undefined ? [] : [int64Attribute(orderAttributes.due, BigInt(dueUs))]),
    int64Attribute(orderAttributes.firedAt, BigInt(firedUs)),
    textAttribute(orderAttributes.outcome, outcome),
    ...(completed === undefined ? [] : [int32Attribute(orderAttributes.error, completed.error)]),
    ...(completed === undefined || completed.why === whyOf(outcome)
      ? []
      : [textAttribute(orderAttributes.why, completed.why)]),
  ];
  return note(toScheduler(report, orderTypes.fired), extra, by);
}

/** What a completion says besides its number; `""` when there is nothing to say. */
export function whyOf(outcome: string): string {
  if (isIgnored(outcome)) return outcome;
  return /^(?:failed|unknown): (.*)/s.exec(outcome)?.[1] ?? "";
}

/** Whether nothing was done, which is no error. */
export function isIgnored(why: string): boolean {
  return why.startsWith("ignored: ");
}

export function formatCompletion(
  report: Report,
  { error, why }: CompletionFacts,
  by: OrderSender,
): Notification {
  const { fire, token } = report;
  const extra = [
    textAttribute(attributeNames.args, formatCompletionArgs({ error, token })),
    int32Attribute(orderAttributes.fire, fire),
    ...(why === "" ? [] : [textAttribute(orderAttributes.outcome, why)]),
  ];
  return note(toScheduler(report, orderTypes.complete), extra, by);
}

export function formatRevoke(report: Report, host: string, by: OrderSender): Notification {
  const { fire, token, objtype, objname } = report;
  const extra = [
    textAttribute(attributeNames.args, ` CTOKEN=${token}`),
    int32Attribute(attributeNames.token, token),
    int32Attribute(orderAttributes.fire, fire),
  ];
  const eventtype = orderTypes.revoke;
  return note({ host, objtype, objname, eventtype, scheduler: 0 }, extra, by);
}

export function formatRevoked(report: Report, hadFired: boolean, by: OrderSender): Notification {
  const extra = [
    textAttribute(attributeNames.args, ` CTOKEN=${report.token} FIRED=${hadFired ? 1 : 0}`),
    int32Attribute(orderAttributes.fire, report.fire),
    textAttribute(orderAttributes.outcome, hadFired ? "fired" : "revoked"),
  ];
  return note(toScheduler(report, orderTypes.revoked), extra, by);
}

/** A report of an agent, read. */
export type AgentReport =
  | (Named & {
      readonly kind: "fired";
      readonly fire: number;
      readonly firedUs: number;
      /** Undefined when the agent does not say. */
      readonly dueUs: number | undefined;
      readonly outcome: string;
      /** Undefined when it is said later. */
      readonly completed: CompletionFacts | undefined;
      readonly token: number;
    })
  | (Named & { readonly kind: "revoked"; readonly fire: number; readonly hadFired: boolean })
  | (Named & {
      readonly kind: "complete";
      /** Undefined from an agent that knows tokens only. */
      readonly fire: number | undefined;
      readonly token: number;
      readonly error: number;
      readonly why: string;
    })
  | { readonly kind: "alive"; readonly alive: Alive }
  | { readonly kind: "clock"; readonly agent: string; readonly sentUs: number };

interface Named {
  readonly objname: string;
}

/** Undefined for what is no report, or one that cannot be read. */
export function parseReport(notification: Notification): AgentReport | undefined {
  const text = (name: string): string => getText(notification, name) ?? "";
  const objname = text(attributeNames.objname);
  const fire = getInt32(notification, orderAttributes.fire);
  const outcome = text(orderAttributes.outcome);
  switch (text(attributeNames.eventtype)) {
    case orderTypes.fired: {
      const firedUs = microseconds(notification, orderAttributes.firedAt);
      if (fire === undefined || firedUs === undefined) return undefined;
      const dueUs = microseconds(notification, orderAttributes.due);
      const token = getIntegerArg(text(attributeNames.args), "CTOKEN") ?? fire;
      const error = getInt32(notification, orderAttributes.error);
      const why = getText(notification, orderAttributes.why) ?? whyOf(outcome);
      const completed = error === undefined ? undefined : { error, why };
      return { kind: "fired", objname, fire, firedUs, dueUs, outcome, completed, token };
    }
    case orderTypes.revoked:
      if (fire === undefined) return undefined;
      return { kind: "revoked", objname, fire, hadFired: outcome === "fired" };
    case orderTypes.complete: {
      // What is missing is taken to be 0 and no token. [EMULAB-EVENTS 2.9]
      const { error = 0, token = -1 } = parseCompletionArgs(text(attributeNames.args)) ?? {};
      return { kind: "complete", objname, fire, token, error, why: outcome };
    }
    case orderTypes.alive: {
      const objects = text(orderAttributes.objects)
        .split(" ")
        .filter((name) => name !== "");
      const isGoing = outcome === "going";
      const life = text(orderAttributes.life);
      const gaps = getInt32(notification, orderAttributes.gaps) ?? 0;
      return { kind: "alive", alive: { agent: objname, life, objects, isGoing, gaps } };
    }
    case orderTypes.clock: {
      const sentUs = microseconds(notification, orderAttributes.sentAt);
      return sentUs === undefined ? undefined : { kind: "clock", agent: objname, sentUs };
    }
    default:
      return undefined;
  }
}

/** An agent says which objects obey through it. */
export interface Alive {
  /** Its own name, unique in the experiment. */
  readonly agent: string;
  /** Another one after each start of it: what it had before is gone with the life before. */
  readonly life: string;
  readonly objects: readonly string[];
  /** It says so for the last time. */
  readonly isGoing: boolean;
  /** How often in this life the bus had forgotten what it was to hear, orders perhaps. */
  readonly gaps: number;
}

export function formatAlive(alive: Alive, by: OrderSender): Notification {
  const { agent, life, objects, isGoing, gaps } = alive;
  const address = { objname: agent, eventtype: orderTypes.alive, scheduler: 1 } as const;
  const extra = [
    textAttribute(orderAttributes.objects, objects.join(" ")),
    textAttribute(orderAttributes.life, life),
    textAttribute(orderAttributes.outcome, isGoing ? "going" : "here"),
    ...(gaps === 0 ? [] : [int32Attribute(orderAttributes.gaps, gaps)]),
  ];
  return note(address, extra, by);
}

export function formatClockQuestion(agent: string, sentUs: number, by: OrderSender): Notification {
  const address = { objname: agent, eventtype: orderTypes.clock, scheduler: 1 } as const;
  return note(address, [int64Attribute(orderAttributes.sentAt, BigInt(sentUs))], by);
}

/** An exchange of times; those of the scheduler are on the clock that it names. */
export interface ClockAnswer {
  readonly clock: string;
  readonly sentUs: number;
  readonly heardUs: number;
  readonly answeredUs: number;
}

export function formatClockAnswer(
  agent: string,
  answer: ClockAnswer,
  by: OrderSender,
): Notification {
  const address = { objname: agent, eventtype: orderTypes.clock, scheduler: 0 } as const;
  const { clock, sentUs, heardUs, answeredUs } = answer;
  const extra = [
    textAttribute(orderAttributes.clock, clock),
    int64Attribute(orderAttributes.sentAt, BigInt(sentUs)),
    int64Attribute(orderAttributes.heardAt, BigInt(heardUs)),
    int64Attribute(orderAttributes.answeredAt, BigInt(answeredUs)),
  ];
  return note(address, extra, by);
}

export function parseClockAnswer(notification: Notification): ClockAnswer | undefined {
  const clock = getText(notification, orderAttributes.clock);
  const sentUs = microseconds(notification, orderAttributes.sentAt);
  const heardUs = microseconds(notification, orderAttributes.heardAt);
  const answeredUs = microseconds(notification, orderAttributes.answeredAt);
  if (clock === undefined || sentUs === undefined) return undefined;
  if (heardUs === undefined || answeredUs === undefined) return undefined;
  return { clock, sentUs, heardUs, answeredUs };
}

function toScheduler({ objtype, objname }: Report, eventtype: string): NoteAddress {
  return { objtype, objname, eventtype, scheduler: 1 };
}

type NoteAddress = Omit<Address, "expt">;

function note(
  address: NoteAddress,
  extra: readonly Attribute[],
  { experiment: expt, sender }: OrderSender,
): Notification {
  return createNotification({ ...address, expt }, { sender, layout: "2011", extra });
}

/** A number that others may have made: what is no exact integer is not there. */
function microseconds(notification: Notification, name: string): number | undefined {
  const value = getInt64(notification, name);
  if (value === undefined) return undefined;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : undefined;
}

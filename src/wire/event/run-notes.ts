// SPDX-License-Identifier: MIT
// What a run and its scheduler say to each other when they are two processes: questions of the run,
// and what the scheduler's log says of each event, as notifications. Pure; who numbers questions
// and who remembers what was told, is elsewhere.
//
//   N1. What is told has a place: the number of the entry in the scheduler's log, and of the part.
//       A scheduler that comes back tells the same at the same places, so that a listener that
//       knows the last one takes in each thing once.
import type { BarrierCondition } from "../../core/agenda/commands.ts";
import type { Answer, ErrorRecord } from "../../core/agenda/effects.ts";
import type { EdgeEffect, ObservedEffect } from "../../core/effect.ts";
import {
  attributeNames,
  createNotification,
  getInt32,
  getInt64,
  getText,
  int32Attribute,
  int64Attribute,
  type Notification,
  textAttribute,
} from "./notification.ts";
import type { OrderSender } from "./orders.ts";

export const runNoteTypes = {
  /** Scheduler to run: what an entry of its log has brought about. */
  told: "TOLD",
  /** Run to scheduler: drop what is planned or under way. */
  halt: "HALT",
  /** Run to scheduler: the errors since they were last taken. */
  errors: "ERRORS",
  /** Run to scheduler: tell when all that came before this is in the log. */
  mark: "MARK",
  /** Run to scheduler: change the agenda, as the command says that it carries. */
  change: "CHANGE",
  /** Run to scheduler: a barrier has ended. */
  barrier: "BARRIER",
} as const;

const attributes = {
  entry: "MUSTER_ENTRY",
  part: "MUSTER_PART",
  pending: "MUSTER_PENDING",
  effects: "MUSTER_EFFECTS",
  question: "MUSTER_QUESTION",
  barrier: "MUSTER_BARRIER",
  outcome: "MUSTER_OUTCOME",
  command: "MUSTER_COMMAND",
} as const;

/** The name under which a scheduler is spoken to; no object has it. */
export const runNoteObject = "__scheduler";

export type QuestionKind = "halt" | "errors" | "mark" | "change";

export interface RunQuestion {
  readonly kind: QuestionKind;
  /** Positive; its answer carries it. */
  readonly number: number;
  /** For `change`: a command of the agenda as JSON, without scope and request. */
  readonly command?: string;
}

const questionKinds: ReadonlyMap<string, QuestionKind> = new Map([
  [runNoteTypes.halt, "halt"],
  [runNoteTypes.errors, "errors"],
  [runNoteTypes.mark, "mark"],
  [runNoteTypes.change, "change"],
]);

export function formatQuestion(
  { kind, number, command }: RunQuestion,
  by: OrderSender,
): Notification {
  const { experiment: expt, sender } = by;
  const address = { expt, objname: runNoteObject, eventtype: runNoteTypes[kind], scheduler: 1 };
  const extra = [
    int32Attribute(attributes.question, number),
    ...(command === undefined ? [] : [textAttribute(attributes.command, command)]),
  ];
  return createNotification({ ...address, scheduler: 1 }, { sender, layout: "2011", extra });
}

/** Undefined for what is none. */
export function parseQuestion(notification: Notification): RunQuestion | undefined {
  const number = getInt32(notification, attributes.question);
  const kind = questionKinds.get(getText(notification, attributeNames.eventtype) ?? "");
  if (getText(notification, attributeNames.objname) !== runNoteObject) return undefined;
  if (number === undefined || number < 1 || kind === undefined) return undefined;
  const command = getText(notification, attributes.command);
  return { kind, number, ...(command === undefined ? {} : { command }) };
}

const outcomes = ["crossed", "failed", "timeout", "cancelled"] as const;

export function formatBarrierEnd(
  { barrier, outcome }: BarrierCondition,
  { experiment: expt, sender }: OrderSender,
): Notification {
  const address = { expt, objname: runNoteObject, eventtype: runNoteTypes.barrier } as const;
  const extra = [
    textAttribute(attributes.barrier, barrier),
    textAttribute(attributes.outcome, outcome),
  ];
  return createNotification({ ...address, scheduler: 1 }, { sender, layout: "2011", extra });
}

/** Undefined for what is none. */
export function parseBarrierEnd(notification: Notification): BarrierCondition | undefined {
  if (getText(notification, attributeNames.objname) !== runNoteObject) return undefined;
  if (getText(notification, attributeNames.eventtype) !== runNoteTypes.barrier) return undefined;
  const barrier = getText(notification, attributes.barrier);
  const outcome = outcomes.find((one) => one === getText(notification, attributes.outcome));
  return barrier === undefined || outcome === undefined ? undefined : { barrier, outcome };
}

/**
 * The errors that were asked for, what was said to a change, or that the place of a mark is
 * reached.
 */
export interface QuestionAnswered {
  readonly kind: "question-answered";
  readonly number: number;
  readonly errors: readonly ErrorRecord[];
  readonly dropped: number;
  /** Whatever the agenda said. */
  readonly answer: Answer;
}

export type ToldEffect = Extract<
  EdgeEffect | ObservedEffect | QuestionAnswered,
  { readonly kind: ToldKind }
>;

const toldKinds = [
  ...["time-started", "fire", "agenda-idle", "error-report", "refused", "agenda-answer"],
  "question-answered",
  ...["event-fired", "event-accepted", "event-cancelled", "agenda-problem"],
] as const satisfies readonly string[];
type ToldKind =
  | "time-started"
  | "fire"
  | "agenda-idle"
  | "error-report"
  | "refused"
  | "agenda-answer"
  | "question-answered"
  | "event-fired"
  | "event-accepted"
  | "event-cancelled"
  | "agenda-problem";

export function isTold(
  effect: EdgeEffect | ObservedEffect | QuestionAnswered,
): effect is ToldEffect {
  return (toldKinds as readonly string[]).includes(effect.kind);
}

export interface Told {
  readonly entry: number;
  /** 0, 1, ... of the same entry. */
  readonly part: number;
  /** When the entry was written, in the clock of the log's stamps. */
  readonly stampUs: number;
  /** Events that have not fired. */
  readonly pending: number;
  readonly effects: readonly ToldEffect[];
}

export function formatTold(told: Told, { experiment: expt, sender }: OrderSender): Notification {
  const { entry, part, stampUs, pending, effects } = told;
  const address = { expt, objname: runNoteObject, eventtype: runNoteTypes.told } as const;
  const extra = [
    int64Attribute(attributes.entry, BigInt(entry)),
    int32Attribute(attributes.part, part),
    int32Attribute(attributes.pending, pending),
    textAttribute(attributes.effects, JSON.stringify({ stampUs, effects })),
  ];
  return createNotification({ ...address, scheduler: 0 }, { sender, layout: "2011", extra });
}

/** Undefined for what is none, or cannot be read. */
export function parseTold(notification: Notification): Told | undefined {
  const entry = getInt64(notification, attributes.entry);
  const part = getInt32(notification, attributes.part);
  const pending = getInt32(notification, attributes.pending);
  const text = getText(notification, attributes.effects);
  if (getText(notification, attributeNames.eventtype) !== runNoteTypes.told) return undefined;
  if (entry === undefined || part === undefined || pending === undefined || text === undefined) {
    return undefined;
  }
  const body = parseBody(text);
  return body === undefined ? undefined : { entry: Number(entry), part, pending, ...body };
}

/** Programs that have the key can say what they like, as long as nobody falls over it. */
function parseBody(text: string): Pick<Told, "stampUs" | "effects"> | undefined {
  try {
    const { stampUs, effects } = JSON.parse(text) as Partial<Told>;
    if (typeof stampUs !== "number" || !Array.isArray(effects)) return undefined;
    return effects.every(isReadable) ? { stampUs, effects } : undefined;
  } catch {
    return undefined;
  }
}

function isReadable(effect: unknown): effect is ToldEffect {
  if (typeof effect !== "object" || effect === null) return false;
  const { kind, ...fields } = effect as Record<string, unknown> & { kind?: unknown };
  const types = typeof kind === "string" ? fieldTypes.get(kind) : undefined;
  return types?.every(([name, is]) => is(fields[name])) ?? false;
}

type Check = (value: unknown) => boolean;
const number: Check = (value) => typeof value === "number" && Number.isFinite(value);
const numberOrNull: Check = (value) => value === null || number(value);
const string: Check = (value) => typeof value === "string";
const named: Check = (value) =>
  typeof value === "object" && value !== null && "kind" in value && string(value.kind);
const errors: Check = (value) => Array.isArray(value) && value.every((one) => isObject(one));
const isObject = (value: unknown): boolean => typeof value === "object" && value !== null;
const event: Check = (value) => {
  if (!isObject(value)) return false;
  const { id, ...texts } = value as Record<string, unknown>;
  return number(id) && ["object", "type", "event", "args"].every((name) => string(texts[name]));
};

/** The fields that a listener looks at. */
const fieldTypes: ReadonlyMap<string, readonly (readonly [string, Check])[]> = new Map<
  ToldKind,
  readonly (readonly [string, Check])[]
>([
  [
    "time-started",
    [
      ["scope", string],
      ["zeroStampUs", number],
    ],
  ],
  ["fire", [["scope", string]]],
  ["agenda-idle", [["scope", string]]],
  [
    "error-report",
    [
      ["scope", string],
      ["object", string],
      ["error", number],
      ["errors", errors],
    ],
  ],
  [
    "agenda-answer",
    [
      ["scope", string],
      ["answer", named],
    ],
  ],
  [
    "refused",
    [
      ["connection", number],
      ["message", string],
    ],
  ],
  [
    "question-answered",
    [
      ["number", number],
      ["errors", errors],
      ["dropped", number],
      ["answer", named],
    ],
  ],
  [
    "event-fired",
    [
      ...([
        ["scope", string],
        ["event", event],
        ["item", number],
        ["plannedUs", number],
      ] as const),
      ...([
        ["firedStampUs", number],
        ["latenessUs", number],
        ["skewUs", number],
        ["outcome", string],
      ] as const),
    ],
  ],
  [
    "event-accepted",
    [
      ["scope", string],
      ["event", event],
      ["plannedUs", number],
    ],
  ],
  [
    "event-cancelled",
    [
      ...([
        ["scope", string],
        ["event", event],
        ["item", number],
      ] as const),
      ...([
        ["plannedUs", numberOrNull],
        ["by", string],
        ["why", string],
      ] as const),
    ],
  ],
  ["agenda-problem", [["text", string]]],
]);

// SPDX-License-Identifier: MIT
// Asks the scheduler of an experiment about the events that it holds: lists them, all pages of it,
// cancels, edits, pauses, resumes, replays. Owns what is asked and what the answers mean; how one
// is asked and heard is event-request.ts's.
import {
  type ControlAnswer,
  type ControlRequest,
  type ControlResult,
  controlAddress,
  formatControl,
  type ListedEvent,
  parseControlAnswer,
} from "../wire/event/control.ts";
import { type SendOptions, type SendOutcome, sendEvent } from "./event-request.ts";
import type { EventTime } from "./event-time.ts";

export interface ControlOptions
  extends Pick<SendOptions, "bus" | "credentials" | "runtime" | "sender" | "interrupt" | "onAway"> {
  /** `pid/eid` */
  readonly experiment: string;
  /** The wall clock, for the time of the request. */
  readonly now: () => EventTime;
}

/** What keeps a scheduler from doing what it was asked, and what it refuses. */
export type ControlFailure = Exclude<
  SendOutcome,
  { kind: "published" | "accepted" | "completed" | "ignored" | "timeout" }
>;

export type ControlOutcome =
  | {
      readonly kind: "done";
      readonly result: ControlResult;
      /** Event time at a pause or its end, microseconds since time 0. */
      readonly eventUs: number | undefined;
    }
  | ControlFailure;

export interface EventList {
  /** In the order of time; those that wait for a barrier last. */
  readonly events: readonly ListedEvent[];
  readonly paused: boolean;
  /** Event time, microseconds since time 0; null before it. */
  readonly nowUs: number | null;
}

export type ListOutcome = { readonly kind: "listed"; readonly list: EventList } | ControlFailure;

/** Never rejects for what the bus does. */
export async function controlEvents(
  options: ControlOptions,
  request: Exclude<ControlRequest, { kind: "list" }>,
): Promise<ControlOutcome> {
  const asked = await ask(options, request);
  if (asked.kind !== "answer") return asked;
  const { result, eventUs } = asked.answer;
  return { kind: "done", result, eventUs };
}

/** All events that the scheduler holds. Never rejects for what the bus does. */
export async function listEvents(options: ControlOptions): Promise<ListOutcome> {
  const events: ListedEvent[] = [];
  let after = 0;
  for (;;) {
    const asked = await ask(options, { kind: "list", after });
    if (asked.kind !== "answer") return asked;
    const { page } = asked.answer;
    if (page === undefined) return unreadable;
    events.push(...page.events);
    const { next, paused, nowUs } = page;
    // Pages go on: a scheduler that says otherwise would keep us for ever.
    if (next === null || next <= after) {
      return { kind: "listed", list: { events: events.toSorted(byTime), paused, nowUs } };
    }
    after = next;
  }
}

const unreadable = {
  kind: "refused",
  code: "unreadable",
  message: "its answer cannot be read; is it of another version?",
} as const;

async function ask(
  { experiment, now, ...options }: ControlOptions,
  control: ControlRequest,
): Promise<{ readonly kind: "answer"; readonly answer: ControlAnswer } | ControlFailure> {
  const { eventtype, args } = formatControl(control);
  if (args.kind === "refused") return { kind: "refused", code: "invalid", message: args.message };
  let answer: ControlAnswer | undefined;
  const outcome = await sendEvent({
    ...options,
    request: { experiment, ...controlAddress, eventtype, args: args.text, at: now() },
    asks: true,
    waits: false,
    onAccepted: (_token, notification) => {
      answer = parseControlAnswer(notification);
    },
  });
  switch (outcome.kind) {
    case "published":
    case "accepted":
    case "completed":
    case "ignored":
    case "timeout":
      return answer === undefined ? unreadable : { kind: "answer", answer };
    default:
      return outcome;
  }
}

function byTime(a: ListedEvent, b: ListedEvent): number {
  const [at, other] = [a.plannedUs ?? Infinity, b.plannedUs ?? Infinity];
  return at === other ? a.id - b.id : at < other ? -1 : 1;
}

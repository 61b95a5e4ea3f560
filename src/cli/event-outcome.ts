// SPDX-License-Identifier: MIT
// What became of an event that was sent, as a sentence for people. Pure.

import type { ControlFailure } from "../client/event-control.ts";
import { eventClientTime } from "../client/event-limits.ts";
import type { EventRequest, SendOutcome } from "../client/event-request.ts";
import { unreachable } from "../core/assert.ts";

/** What is said of a wait that takes long. */
export function describeSlow({ objname, eventtype }: EventRequest, option: string): string {
  const seconds = eventClientTime.warnAfterMs / 1000;
  const rule =
    "nobody completes stop, kill, up, down or modify, or any event of a traffic generator";
  return `${objname} ${eventtype} is not completed after ${seconds} s, and may never be: ${rule}; ${option} gives up`;
}

/** Why a scheduler did not do what it was asked, and what to do next. */
export function describeFailure(outcome: ControlFailure, experiment: string): string {
  switch (outcome.kind) {
    case "refused":
      return `the scheduler of ${experiment} refuses: ${outcome.message} (${outcome.code})`;
    case "no-scheduler":
      return `no scheduler has ${notCome(experiment, outcome)} do it`;
    case "no-answer": {
      const seconds = eventClientTime.answerMs / 1000;
      return `the scheduler of ${experiment} has not answered in ${seconds} s, and may have done it or not; list the events to see`;
    }
    case "failed":
      return outcome.code === "unavailable"
        ? `it may have been asked or not: ${outcome.message}`
        : `it was not asked: ${outcome.message}`;
    case "cancelled":
      return "the wait was ended; what was asked is not taken back";
    default:
      return unreachable(outcome);
  }
}

/** Later it refuses what it hears. */
const mayStill = "One that is back within a minute of the request may still";

/** What is said at once when no scheduler listens. */
export function describeAway(experiment: string, withinMs: number): string {
  const seconds = inSeconds({ withinMs });
  return `no scheduler listens for ${experiment} now; one that is back within ${seconds} s takes the request`;
}

function notCome(experiment: string, waited: { readonly withinMs: number }): string {
  const when = `come for ${experiment} in ${inSeconds(waited)} s`;
  return `${when}; is the experiment up? ${mayStill}`;
}

function inSeconds({ withinMs }: { readonly withinMs: number }): number {
  return withinMs / 1_000;
}

export interface OutcomeFacts {
  readonly request: EventRequest;
  /** How long the completion was waited for; undefined: for ever. */
  readonly timeoutS: number | undefined;
}

/** What happened, and what to do next where it is not what was wanted. */
export function describeOutcome(outcome: SendOutcome, { request, timeoutS }: OutcomeFacts): string {
  const { experiment, objname, eventtype } = request;
  const event = `${objname} ${eventtype}`;
  switch (outcome.kind) {
    case "published":
      return `${event} was handed to the bus; nobody says what becomes of it`;
    case "accepted": {
      const { token, id } = outcome;
      const names = [
        ...(id === undefined ? [] : [`, event ${id}`]),
        ...(token === undefined ? [] : [`, token ${token}`]),
      ];
      return `${event} is accepted by the scheduler of ${experiment}${names.join("")}`;
    }
    case "refused":
      return `${event} is refused by the scheduler of ${experiment}: ${outcome.message} (${outcome.code})`;
    case "no-scheduler":
      return `no scheduler has taken ${event}: none has ${notCome(experiment, outcome)} fire it`;
    case "no-answer": {
      const seconds = eventClientTime.answerMs / 1000;
      return `${event} is without an answer after ${seconds} s and may fire or not; see logs/event-sched.log of ${experiment}`;
    }
    case "completed": {
      const { error, why = "" } = outcome;
      if (error === 0) return `${event} is completed`;
      // That of whoever refuses to obey; nothing has come of it that had an error of its own.
      if (error === -1 && why !== "") return `${event} could not be obeyed: ${why}`;
      return `${event} is completed with error ${error}${why === "" ? "" : `: ${why}`}`;
    }
    case "ignored":
      return `${event} is ignored: ${outcome.why}`;
    case "timeout":
      return `${event} is not completed after ${timeoutS} s; it goes on, and nobody waits for it any more`;
    case "failed":
      return outcome.code === "unavailable"
        ? `${event} may have been sent or not: ${outcome.message}`
        : `${event} was not sent: ${outcome.message}`;
    case "cancelled":
      return `${event}: the wait was ended; what was sent is not taken back`;
  }
}

// SPDX-License-Identifier: MIT
// What people ask of a scheduler about the events that it holds: they are read here, given to the
// core as commands, and answered with what the core says. Owns the requests that are not answered
// yet; what cancelling, editing and the rest do is the core's.
//
//   C1. Each request is answered once, under the identity that it carries, and `cancelled` or
//       `already-fired` is what the core has heard from whoever performs the event (W1).
//   C2. What changes something is in the log with its place on the bus, so that it counts once,
//       whatever becomes of the scheduler. A list changes nothing and is not in the log.

import type { Answer } from "../core/agenda/effects.ts";
import { unreachable } from "../core/assert.ts";
import type { Command } from "../core/command.ts";
import type { EventDescription, EventPage } from "../core/description.ts";
import { utf8Length } from "../core/text.ts";
import type { Clock } from "../host/clock.ts";
import {
  type ControlRequest,
  type ControlResult,
  controlAddress,
  formatControlAnswer,
  type ListedEvent,
  listAttribute,
  parseControl,
} from "../wire/event/control.ts";
import {
  type Attribute,
  attributeNames,
  getText,
  type Notification,
  textAttribute,
} from "../wire/event/notification.ts";
import { eventsLimits } from "./events-limits.ts";
import { formatOrigin, type RequestOrigin } from "./request-origin.ts";
import type { SenderAnswers } from "./sender-answers.ts";

export interface ControlRequestsOptions {
  /** Scope of the agenda. */
  readonly scope: string;
  readonly clock: Clock;
  readonly answers: SenderAnswers;
  readonly submit: (command: Command) => void;
  readonly list: (after: number) => Promise<EventPage>;
  /** Another number for each request to the core. */
  readonly nextRequest: () => number;
  /** What a scheduler before this one has not answered. */
  readonly recalled: readonly (readonly [number, RequestOrigin])[];
  readonly onWarning: (text: string) => void;
}

export class ControlRequests {
  readonly #options: ControlRequestsOptions;
  readonly #open: Map<number, RequestOrigin>;

  constructor(options: ControlRequestsOptions) {
    this.#options = options;
    this.#open = new Map(options.recalled);
  }

  /** @returns false for what is something else, of which nothing was done. */
  take(notification: Notification, origin: RequestOrigin): boolean {
    if (getText(notification, attributeNames.objtype) !== controlAddress.objtype) return false;
    const eventtype = getText(notification, attributeNames.eventtype) ?? "";
    const parsed = parseControl(eventtype, getText(notification, attributeNames.args) ?? "");
    if (parsed.kind === "refused") {
      this.#refuse(origin, { code: "invalid", message: parsed.message });
    } else if (parsed.kind === "list") {
      this.#list(parsed.after, origin);
    } else {
      const { nextRequest, submit } = this.#options;
      const number = nextRequest();
      this.#open.set(number, origin);
      submit(this.#commandOf(parsed, number, origin));
    }
    return true;
  }

  isOpen(question: string | undefined): boolean {
    return [...this.#open.values()].some((origin) => origin.question === question);
  }

  /** @returns false for the answer to something else. */
  answered(number: number, answer: Answer): boolean {
    const origin = this.#open.get(number);
    if (origin === undefined) return false;
    this.#open.delete(number);
    switch (answer.kind) {
      case "refused":
        this.#refuse(origin, answer);
        break;
      case "paused":
      case "resumed":
        this.#say(origin, answer.kind, { eventUs: answer.eventUs });
        break;
      case "cancelled":
      case "edited":
      case "already-fired":
      case "replayed":
        this.#say(origin, answer.kind);
        break;
      default:
        break;
    }
    return true;
  }

  #commandOf(
    asked: Exclude<ControlRequest, { kind: "list" }>,
    request: number,
    asker: RequestOrigin,
  ): Command {
    const facts = { scope: this.#options.scope, request, origin: formatOrigin(asker) };
    switch (asked.kind) {
      case "cancel":
        return { kind: "agenda-cancel", ...facts, id: asked.id };
      case "edit": {
        const { kind: _, ...changes } = asked;
        return { kind: "agenda-edit", ...facts, ...changes };
      }
      case "pause":
        return { kind: "agenda-pause", ...facts };
      case "resume":
        return { kind: "agenda-resume", ...facts };
      case "replay":
        return { kind: "agenda-replay", ...facts };
      default:
        return unreachable(asked);
    }
  }

  #list(after: number, origin: RequestOrigin): void {
    const { list, clock, onWarning } = this.#options;
    const tell = (page: EventPage): void => {
      const text = JSON.stringify(fitPage(page, clock.nowUs()));
      this.#say(origin, "listed", { extra: [textAttribute(listAttribute, text)] });
    };
    list(after).then(tell, (error: unknown) => {
      const message = `cannot list the events: ${error}`;
      onWarning(message);
      this.#refuse(origin, { code: "unavailable", message });
    });
  }

  #say(
    origin: RequestOrigin,
    result: ControlResult,
    { eventUs, extra = [] }: { eventUs?: number; extra?: readonly Attribute[] } = {},
  ): void {
    const args = formatControlAnswer(result, eventUs);
    this.#options.answers.accepted(controlAddress, origin, args, extra);
  }

  #refuse(
    origin: RequestOrigin,
    refusal: { readonly code: string; readonly message: string },
  ): void {
    this.#options.answers.refused(controlAddress.objname, origin, refusal);
  }
}

/** As many events as a notification can carry, at least one, and what time it is for them. */
function fitPage(page: EventPage, clockUs: number): object {
  const { total, paused } = page;
  const events: ListedEvent[] = [];
  let bytes = 0;
  for (const event of page.events.map(cutArgs)) {
    bytes += utf8Length(JSON.stringify(event));
    if (events.length > 0 && bytes > eventsLimits.listPageBytesMax) break;
    events.push(event);
  }
  const isCut = events.length < page.events.length;
  const next = isCut ? (events.at(-1)?.id ?? null) : page.next;
  const sinceUs = paused ? 0 : clockUs - page.stampUs;
  const nowUs = page.nowUs === null ? null : page.nowUs + sinceUs;
  return { events, total, next, paused, nowUs };
}

function cutArgs(event: EventDescription): ListedEvent {
  const { args } = event;
  const argsCut = args.length > eventsLimits.listedArgsCharsMax;
  return {
    ...event,
    args: argsCut ? args.slice(0, eventsLimits.listedArgsCharsMax) : args,
    argsCut,
  };
}

// SPDX-License-Identifier: MIT
// A scheduler's side of the talk with a run in another process: tells over the bus what its log
// says of each event, and answers the run's questions. Owns the numbers of questions in the log;
// what is told how is wire/event/run-notes.ts.
//
//   W1. What the log holds is told, also what a scheduler before this one had no time to tell: all
//       of it is told again, at the same places (N1).
import type { AgendaAnswer } from "../core/agenda/effects.ts";
import type { Command, LogEntry } from "../core/command.ts";
import type { Applied, EdgeEffect } from "../core/effect.ts";
import type { Notification } from "../wire/event/notification.ts";
import type { OrderSender } from "../wire/event/orders.ts";
import {
  formatTold,
  isTold,
  parseQuestion,
  type QuestionAnswered,
  type Told,
  type ToldEffect,
} from "../wire/event/run-notes.ts";
import { eventsLimits } from "./events-limits.ts";

export interface LogTellerOptions {
  /** Name of the scheduler's edge: what is addressed to it is told. */
  readonly edge: string;
  readonly by: OrderSender;
  /** Events that have not fired. */
  readonly pending: () => number;
}

/** Requests with greater numbers are the run's; those of senders count up from 1. */
export const firstQuestion = 0x4000_0000;

export class LogTeller {
  readonly #options: LogTellerOptions;
  #held: Notification[] | undefined = [];
  #publish: (notification: Notification) => void = () => undefined;

  constructor(options: LogTellerOptions) {
    this.#options = options;
  }

  /** An observer of the host, from before it reads its log. W1. */
  readonly see = (logged: LogEntry, { addressed, observed }: Applied): void => {
    const own = addressed.filter(({ edge }) => edge === this.#options.edge);
    const told = own.map(({ effect }) => answerOf(effect) ?? effect);
    const starts = told.filter(({ kind }) => kind === "time-started");
    const rest = told.filter(({ kind }) => kind !== "time-started");
    // When time 0 was comes before what fired after it; that all is over comes last.
    const effects = [...starts, ...observed, ...rest].filter(isTold);
    const { sequence: entry, stampUs } = logged;
    partsOf(effects).forEach((part, index) => {
      this.#tell({ entry, part: index, stampUs, effects: part });
    });
  };

  /** The bus is there: what was held is told, and from now on everything at once. */
  begin(publish: (notification: Notification) => void): void {
    this.#publish = publish;
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const notification of held) publish(notification);
  }

  /** What the core is to be asked for a question of the run; undefined when it is none. */
  commandFor(notification: Notification): Command | undefined {
    const question = parseQuestion(notification);
    if (question === undefined) return undefined;
    const { experiment: scope } = this.#options.by;
    const request = firstQuestion + question.number;
    switch (question.kind) {
      case "halt":
        return { kind: "agenda-halt", scope };
      case "errors":
        return { kind: "agenda-take-errors", scope, request };
      case "mark":
        // No event has this number: the refusal says that the log has come so far.
        return { kind: "agenda-cancel", scope, request, id: 0 };
    }
  }

  #tell(told: Omit<Told, "pending">): void {
    const { by, pending } = this.#options;
    const notification = formatTold({ ...told, pending: pending() }, by);
    if (this.#held === undefined) this.#publish(notification);
    else this.#held.push(notification);
  }
}

function answerOf(effect: EdgeEffect): QuestionAnswered | undefined {
  if (effect.kind !== "agenda-answer" || effect.request < firstQuestion) return undefined;
  const { answer }: AgendaAnswer = effect;
  const number = effect.request - firstQuestion;
  const none = { errors: [], dropped: 0 };
  const { errors, dropped } = answer.kind === "errors" ? answer : none;
  return { kind: "question-answered", number, errors, dropped };
}

/** Few enough for one notification each. The same entry always gives the same parts. */
function partsOf(effects: readonly ToldEffect[]): readonly (readonly ToldEffect[])[] {
  const { toldPerNotificationMax: size } = eventsLimits;
  const parts: ToldEffect[][] = [];
  for (let at = 0; at < effects.length; at += size) parts.push(effects.slice(at, at + size));
  return parts;
}

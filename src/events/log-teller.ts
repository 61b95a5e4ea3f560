// SPDX-License-Identifier: MIT
// A scheduler's side of the talk with a run in another process: tells over the bus what its log
// says of each event, and answers the run's questions. Owns the numbers of questions in the log;
// what is told how is wire/event/run-notes.ts.
//
//   W1. What the log holds is told, also what a scheduler before this one had no time to tell: all
//       of it is told again, at the same places (N1).
//   W2. That nothing is planned is told of what was started, and not between two epochs: a run ends
//       then.
import type { AgendaAmend } from "../core/agenda/commands.ts";
import type { AgendaAnswer } from "../core/agenda/effects.ts";
import type { Command, LogEntry } from "../core/command.ts";
import type { Applied, EdgeEffect } from "../core/effect.ts";
import { isCommand } from "../host/command-shapes.ts";
import type { Notification } from "../wire/event/notification.ts";
import type { OrderSender } from "../wire/event/orders.ts";
import {
  formatTold,
  isTold,
  parseBarrierEnd,
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
  /** Events that have not fired, and do not wait for a barrier. */
  readonly pending: () => number;
  /** What the clock of this machine shows at a stamp of the log; the same when absent. */
  readonly toOwn?: (stampUs: number) => number;
}

/** Requests with greater numbers are the run's; those of senders count up from 1. */
export const firstQuestion = 0x4000_0000;

export class LogTeller {
  readonly #options: LogTellerOptions;
  #held: Told[] | undefined = [];
  /** An agenda was loaded, and its time not started. */
  #isBetween = false;
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
    const effects = [...starts, ...observed, ...rest].filter(isTold).filter(this.#counts(logged));
    const { sequence: entry, stampUs } = logged;
    partsOf(effects).forEach((part, index) => {
      this.#tell({ entry, part: index, stampUs, effects: part });
    });
  };

  /** W2. By the log alone, so that it is the same when it is read again. */
  #counts({ entry }: LogEntry): (effect: ToldEffect) => boolean {
    const { experiment } = this.#options.by;
    const given = entry.batches.flatMap(({ commands }) => commands);
    this.#isBetween ||= given.some(
      (command) => command.kind === "agenda-load" && command.scope === experiment,
    );
    return (effect) => {
      if (effect.kind === "time-started" && effect.scope === experiment) this.#isBetween = false;
      return effect.kind !== "agenda-idle" || effect.scope !== experiment || !this.#isBetween;
    };
  }

  /** The bus is there: what was held is told, and from now on everything at once. */
  begin(publish: (notification: Notification) => void): void {
    this.#publish = publish;
    const held = this.#held ?? [];
    this.#held = undefined;
    // How the clocks stand to each other is known from here on, and not while the log is read.
    for (const told of held) publish(this.#format(told));
  }

  /**
   * What the core is to be asked for a word of the run; undefined when it is none.
   * @param origin of it, as the log keeps it: what must not be done twice has it
   */
  commandsFor(notification: Notification, origin: () => string): readonly Command[] | undefined {
    const { experiment: scope } = this.#options.by;
    const end = parseBarrierEnd(notification);
    if (end !== undefined) return [{ kind: "barrier-told", scope, ...end, origin: origin() }];
    const question = parseQuestion(notification);
    if (question === undefined) return undefined;
    const request = firstQuestion + question.number;
    switch (question.kind) {
      case "halt":
        return [{ kind: "agenda-halt", scope }];
      case "errors":
        return [{ kind: "agenda-take-errors", scope, request }];
      case "mark":
        return [notAsked(scope, request)];
      case "change":
        return [readChange(question.command ?? "", { scope, request, origin: origin() })];
    }
  }

  #tell(told: Omit<Told, "pending">): void {
    const whole = { ...told, pending: this.#options.pending() };
    if (this.#held === undefined) this.#publish(this.#format(whole));
    else this.#held.push(whole);
  }

  #format(told: Told): Notification {
    const { by, toOwn } = this.#options;
    if (toOwn === undefined) return formatTold(told, by);
    const stampUs = toOwn(told.stampUs);
    return formatTold({ ...told, stampUs, effects: told.effects.map(stampedBy(toOwn)) }, by);
  }
}

/** No event has this number: the refusal says that the log has come so far. */
function notAsked(scope: string, request: number): Command {
  return { kind: "agenda-cancel", scope, request, id: 0 };
}

/** Programs that have the key can send what they like: only what is whole reaches the log. */
function readChange(
  text: string,
  { scope, request, origin }: Pick<AgendaAmend, "scope" | "request"> & { readonly origin: string },
): Command {
  const none = notAsked(scope, request);
  try {
    const command: unknown = { ...(JSON.parse(text) as object), scope, request, origin };
    const isChange = isCommand(command) && /^agenda-(?:amend|cancel|edit)$/.test(command.kind);
    return isChange ? command : none;
  } catch {
    return none;
  }
}

function answerOf(effect: EdgeEffect): QuestionAnswered | undefined {
  if (effect.kind !== "agenda-answer" || effect.request < firstQuestion) return undefined;
  const { answer }: AgendaAnswer = effect;
  const number = effect.request - firstQuestion;
  const none = { errors: [], dropped: 0 };
  const { errors, dropped } = answer.kind === "errors" ? answer : none;
  return { kind: "question-answered", number, errors, dropped, answer };
}

/** What an effect says of instants, by another clock. */
function stampedBy(toOwn: (stampUs: number) => number): (effect: ToldEffect) => ToldEffect {
  const own = ([key, value]: [string, unknown]): [string, unknown] =>
    key.endsWith("StampUs") && typeof value === "number" ? [key, toOwn(value)] : [key, value];
  return (effect) => Object.fromEntries(Object.entries(effect).map(own)) as unknown as ToldEffect;
}

/** Few enough for one notification each. The same entry always gives the same parts. */
function partsOf(effects: readonly ToldEffect[]): readonly (readonly ToldEffect[])[] {
  const { toldPerNotificationMax: size } = eventsLimits;
  const parts: ToldEffect[][] = [];
  for (let at = 0; at < effects.length; at += size) parts.push(effects.slice(at, at + size));
  return parts;
}

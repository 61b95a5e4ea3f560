// SPDX-License-Identifier: MIT
// What the run itself asks of its agendas, and the answers. An edge of its own, so that its numbers
// are nobody else's. Every question gets an answer: when the edge goes, those that are open are
// answered as refused.
import type { AgendaCommand, BarrierCondition } from "../core/agenda/commands.ts";
import type { AgendaAnswer, Answer, ErrorReport, EventDone } from "../core/agenda/effects.ts";
import type { BarrierTold } from "../core/command.ts";
import type { EdgeEffect } from "../core/effect.ts";
import type { CoreLink, EdgeHandler } from "../host/core-link.ts";
import type { AmendParts } from "./run-agenda.ts";

export type TakenErrors = Pick<ErrorReport, "errors" | "dropped">;

function answerOf(answer: AgendaAnswer | EventDone | undefined): Answer | undefined {
  return answer?.kind === "agenda-answer" ? answer.answer : undefined;
}

type Link = Pick<CoreLink, "submit" | "close">;
type Connect = (edge: string, handler: EdgeHandler) => Link;

const noErrors: TakenErrors = { errors: [], dropped: 0 };

export class AgendaRequests {
  readonly #connect: Connect;
  #link: Link | undefined;
  readonly #open = new Map<number, (answer: AgendaAnswer | EventDone | undefined) => void>();
  #last = 0;
  #isClosed = false;

  constructor(connect: Connect) {
    this.#connect = connect;
  }

  /** Drops what is planned or under way. */
  halt(scope: string): void {
    this.#submit({ kind: "agenda-halt", scope });
  }

  /** Fires an event now. Resolves when it has completed, or was refused. */
  async fireNow(scope: string, object: string, event: string): Promise<void> {
    const at = { kind: "now" } as const;
    await this.#ask((request) => ({
      ...{ kind: "agenda-schedule", scope, request, object, event, args: "", at },
    }));
  }

  /** Undefined when it does not answer. */
  async amend(scope: string, parts: AmendParts): Promise<Answer | undefined> {
    return answerOf(
      await this.#ask((request) => ({ kind: "agenda-amend", scope, request, ...parts })),
    );
  }

  /** Takes back an event, by its number. Undefined when the agenda does not answer. */
  async cancel(scope: string, id: number): Promise<Answer | undefined> {
    return answerOf(await this.#ask((request) => ({ kind: "agenda-cancel", scope, request, id })));
  }

  /** @param atUs since time 0. Undefined when the agenda does not answer. */
  async edit(
    scope: string,
    id: number,
    { atUs, args }: { readonly atUs: number; readonly args: string },
  ): Promise<Answer | undefined> {
    const at = { kind: "at", us: atUs } as const;
    return answerOf(
      await this.#ask((request) => ({ kind: "agenda-edit", scope, request, id, at, args })),
    );
  }

  /** The errors of an agenda since they were last taken; none when it does not answer. */
  async takeErrors(scope: string): Promise<TakenErrors> {
    const answer = await this.#ask((request) => ({ kind: "agenda-take-errors", scope, request }));
    if (answer?.kind !== "agenda-answer" || answer.answer.kind !== "errors") return noErrors;
    const { errors, dropped } = answer.answer;
    return { errors, dropped };
  }

  /** Tells an agenda how a barrier has ended. Resolves when it knows, or there is none. */
  async tellBarrier(scope: string, end: BarrierCondition): Promise<void> {
    this.#submit({ kind: "barrier-told", scope, ...end });
    await this.mark(scope);
  }

  /** Resolves when an agenda knows all that it was told before, or there is none. */
  async mark(scope: string): Promise<void> {
    // No event has this number: that is the answer, in its turn.
    await this.cancel(scope, 0);
  }

  /** Nothing is answered any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#giveUp();
    await this.#link?.close();
  }

  /** @returns whether it is taken. */
  #submit(command: AgendaCommand | BarrierTold): boolean {
    if (this.#isClosed) return false;
    this.#link ??= this.#connect("run-requests", {
      onEffects: (effects) => {
        for (const effect of effects) this.#hear(effect);
      },
      onClosed: () => this.#giveUp(),
    });
    return this.#link.submit(command);
  }

  #hear(effect: EdgeEffect): void {
    if (effect.kind !== "agenda-answer" && effect.kind !== "event-done") return;
    // That an event was accepted is not the end of it.
    if (effect.kind === "agenda-answer" && effect.answer.kind === "accepted") return;
    this.#settle(effect.request, effect);
  }

  #ask(command: (request: number) => AgendaCommand): Promise<AgendaAnswer | EventDone | undefined> {
    if (this.#isClosed) return Promise.resolve(undefined);
    this.#last += 1;
    const request = this.#last;
    return new Promise((resolve) => {
      this.#open.set(request, resolve);
      if (!this.#submit(command(request))) this.#settle(request, undefined);
    });
  }

  #giveUp(): void {
    for (const request of [...this.#open.keys()]) this.#settle(request, undefined);
  }

  #settle(request: number, answer: AgendaAnswer | EventDone | undefined): void {
    const resolve = this.#open.get(request);
    this.#open.delete(request);
    resolve?.(answer);
  }
}

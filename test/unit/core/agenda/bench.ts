// SPDX-License-Identifier: MIT
// A core with one agenda, driven from outside as edges do: a performer "p" that loads it and two
// others that ask. Scope and request numbers are filled in.
import type {
  AgendaAgent,
  AgendaCommand,
  AgendaEvent,
  AgendaLoad,
  AgendaSchedule,
  EventInstant,
  TimedEvent,
} from "../../../../src/core/agenda/commands.ts";
import type { Answer, Fire } from "../../../../src/core/agenda/effects.ts";
import type { Applied, EdgeEffect, ObservedEffect } from "../../../../src/core/effect.ts";
import type { Limits } from "../../../../src/core/limits.ts";
import { CoreDriver, effectsOf } from "../../../../src/testing/core-driver.ts";

export const second = 1_000_000;
/** How far ahead of its instant an event is sent out, by default. */
export const aheadUs = 500_000;

export function event(object: string, type = "LINK", name = "UP", args = ""): AgendaEvent {
  return { id: 0, object, type, event: name, args };
}
export const run = (object: string): AgendaEvent => event(object, "PROGRAM", "RUN");
export const start = (object: string, type: "SEQUENCE" | "TIMELINE"): AgendaEvent =>
  event(object, type, "START");
export const at = (atUs: number, what: AgendaEvent): TimedEvent => ({ atUs, event: what });
export const steps = (...events: readonly AgendaEvent[]): readonly TimedEvent[] =>
  events.map((what) => at(0, what));
export const agent = (name: string, type = "PROGRAM"): AgendaAgent => ({ name, type, node: "n" });
export const now: EventInstant = { kind: "now" };
export const within = (us: number): EventInstant => ({ kind: "in", us });

export function load(parts: Partial<Omit<AgendaLoad, "kind">> = {}): AgendaLoad {
  const empty = { agents: [], groups: [], main: [], timelines: [], sequences: [] };
  return { kind: "agenda-load", scope: "s", ...empty, ...parts };
}

type Unscoped<T> = T extends AgendaCommand ? Omit<T, "scope" | "request"> : never;
export type Ask = Unscoped<AgendaCommand>;

export class AgendaBench {
  readonly core: CoreDriver;
  #request = 0;

  constructor(limits: Partial<Limits> = {}) {
    this.core = new CoreDriver(limits);
  }

  /** Loads and starts. */
  begin(parts: Partial<Omit<AgendaLoad, "kind">> = {}): Applied {
    return this.core.send("p", load(parts), { kind: "agenda-start", scope: "s" });
  }

  /** A command of an edge, `p` unless told; requests are numbered 1, 2, 3, ... */
  send(ask: Ask, edge = "p"): Applied {
    this.#request += 1;
    const command = { ...ask, scope: "s", request: this.#request } as AgendaCommand;
    return this.core.send(edge, command);
  }

  /** The answer to a request. */
  ask(ask: Ask, edge = "p"): Answer | undefined {
    return answers(this.send(ask, edge))[0];
  }

  schedule(
    object: string,
    name: string,
    more: Partial<Omit<AgendaSchedule, "kind">> = {},
    edge = "q",
  ): Applied {
    return this.send(
      { kind: "agenda-schedule", object, event: name, args: "", at: now, ...more },
      edge,
    );
  }

  complete(token: number, error = 0, more: { member?: string; text?: string } = {}): Applied {
    return this.send({ kind: "agenda-complete", token, error, ...more });
  }

  fired(token: number, latenessUs = 0, outcome = "done"): Applied {
    const firedStampUs = (this.#dueStamps.get(token) ?? this.core.stampUs) + latenessUs;
    return this.send({ kind: "agenda-fired", token, firedStampUs, outcome });
  }

  revoked(token: number, fired: boolean): Applied {
    return this.send({ kind: "agenda-revoked", token, fired });
  }

  /** Remembers what was sent out, so that `fired` knows when it was due. */
  note(applied: Applied): Applied {
    for (const { token, dueStampUs } of effectsOf(applied, "fire")) {
      this.#dueStamps.set(token, dueStampUs);
    }
    return applied;
  }

  readonly #dueStamps = new Map<number, number>();
}

export const fires = (applied: Applied): readonly Fire[] => effectsOf(applied, "fire");
/** Objects of the events that were sent out. */
export const sent = (applied: Applied): readonly string[] =>
  fires(applied).map(({ event: { object } }) => object);
export const tokens = (applied: Applied): readonly number[] =>
  fires(applied).map(({ token }) => token);
export const planned = (applied: Applied): readonly number[] =>
  fires(applied).map(({ plannedUs }) => plannedUs);
export const idles = (applied: Applied): number => effectsOf(applied, "agenda-idle").length;
export const answers = (applied: Applied): readonly Answer[] =>
  effectsOf(applied, "agenda-answer").map(({ answer }) => answer);
export const done = (applied: Applied): readonly string[] =>
  effectsOf(applied, "event-done").map(({ id, error, text }) => `${id} ${error} ${text}`.trim());

export function seen<K extends ObservedEffect["kind"]>(
  applied: Applied,
  kind: K,
): readonly Extract<ObservedEffect, { kind: K }>[] {
  return applied.observed.filter(
    (effect): effect is Extract<ObservedEffect, { kind: K }> => effect.kind === kind,
  );
}
/** Sequences, timelines and groups that ended, as `NAME ERROR`; the main timeline left out. */
export const ended = (applied: Applied): readonly string[] =>
  seen(applied, "object-ended")
    .filter(({ name }) => !name.startsWith("__"))
    .map(({ name, error }) => `${name} ${error}`);

export type { EdgeEffect };

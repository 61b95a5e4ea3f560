// SPDX-License-Identifier: MIT
// What a scheduler knew before it died, read from its log while that is replayed: requests that are
// not answered for good, orders that are out, and the place on the bus. Decides nothing; the core
// does the same as in the first life, and this looks on.
import type { AgendaAgents, AgendaOrder, AgendaRequest } from "../core/agenda/commands.ts";
import type { EventDone, Fire, ObjectCompleted, Revoke } from "../core/agenda/effects.ts";
import type { Batch, Command, LogEntry } from "../core/command.ts";
import type { AddressedEffect, Applied, EdgeEffect, ObservedEffect } from "../core/effect.ts";
import type { BusPlace } from "../wire/event/bus.ts";
import { noncesMax } from "../wire/event/limits.ts";
import type { RecalledAgent } from "./agent-roll.ts";
import { eventsLimits } from "./events-limits.ts";
import { firstQuestion } from "./log-teller.ts";
import { completionToken, objectsOf, type RecalledOrder } from "./open-orders.ts";
import { isProgramStart } from "./open-requests.ts";
import { parseOrigin, type RequestOrigin } from "./request-origin.ts";

export interface RecalledRequest {
  readonly object: string;
  readonly event: string;
  readonly origin: RequestOrigin;
  readonly objectType: string | undefined;
}

export interface Recalled {
  /** Of the edge whose life goes on, and the last entry of the log that is in this. */
  readonly incarnation: number;
  readonly seenSequence: number;
  /** Whether the agenda was loaded, and whether its time was started. */
  readonly isLoaded: boolean;
  readonly isStarted: boolean;
  /** Behind which requests may not have been taken in; undefined when no agenda was loaded. */
  readonly place: BusPlace | undefined;
  readonly lastRequest: number;
  readonly requests: readonly (readonly [number, RecalledRequest])[];
  /** Requests about events, that are not answered (control-requests.ts). */
  readonly controls: readonly (readonly [number, RequestOrigin])[];
  /** Occurrence -> request. */
  readonly items: readonly (readonly [number, number])[];
  readonly orders: readonly RecalledOrder[];
  /** Orders that are over (T3 of open-orders.ts). */
  readonly over: readonly number[];
  readonly revokes: readonly Revoke[];
  /** Completions that may not have been told. */
  readonly finished: readonly Finished[];
  /** Refusals that may not have been told. */
  readonly refused: readonly Refused[];
  /** Who has asked that time starts, and whether it has. */
  readonly startQuestions: readonly RequestOrigin[];
  readonly hasTimeStarted: boolean;
  /** Stamps of the last requests that were taken. */
  readonly stamps: readonly string[];
  /** Agents that have said that they are there. */
  readonly agents: readonly RecalledAgent[];
  /** Objects of others, of which an older log does not say who they were. */
  readonly objects: readonly string[];
}

/**
 * What counts in a new epoch: numbers that must not be given again, and what was taken before.
 * Nobody waits for anything any more.
 */
export function forNewEpoch(recalled: Recalled): Recalled {
  const none = { requests: [], controls: [], items: [], orders: [], revokes: [] };
  const told = { finished: [], refused: [] };
  const begun = { isLoaded: false, isStarted: false, startQuestions: [], hasTimeStarted: false };
  return { ...recalled, ...none, ...told, ...begun, place: undefined };
}

interface Finished {
  readonly request: Pick<RecalledRequest, "object" | "objectType">;
  readonly token: number;
  readonly error: number;
  readonly why: string;
}

interface Refused {
  readonly object: string;
  readonly origin: RequestOrigin;
  readonly refusal: { readonly code: string; readonly message: string };
}

/**
 * How many of the last completions are told again, and of refusals: more were not on their way at
 * once.
 */
const finishedMax = 256;

interface Order {
  readonly fire: Fire;
  readonly unfired: Set<string>;
  readonly uncompleted: Set<string>;
  firedUs: number;
}

export class SchedulerRecall {
  readonly #edge: string;
  #incarnation = 0;
  #lastBatch = 0;
  #takenCommands = 0;
  #seenSequence = 0;
  #isLoaded = false;
  #isStarted = false;
  #place: BusPlace | undefined;
  #lastRequest = 0;
  readonly #startQuestions: RequestOrigin[] = [];
  #hasTimeStarted = false;
  #stamps: string[] = [];
  readonly #requests = new Map<number, RecalledRequest>();
  readonly #controls = new Map<number, RequestOrigin>();
  readonly #items = new Map<number, number>();
  /** By token. */
  readonly #orders = new Map<number, Order>();
  /** Occurrence -> token of its last order. */
  readonly #orderOf = new Map<number, number>();
  readonly #revokes = new Map<number, Revoke>();
  readonly #finished: Finished[] = [];
  readonly #refused: Refused[] = [];
  #over: number[] = [];
  readonly #agents = new Map<string, RecalledAgent>();
  readonly #objects = new Set<string>();

  /** @param edge name of the scheduler's edge */
  constructor(edge: string) {
    this.#edge = edge;
  }

  /** An observer of the host, from before it reads its log until it has. */
  readonly see = ({ sequence, entry }: LogEntry, { addressed, observed }: Applied): void => {
    this.#seenSequence = sequence;
    for (const batch of entry.batches) {
      if (batch.edge !== this.#edge) continue;
      for (const command of this.#counted(batch)) this.#given(command);
    }
    for (const { edge, effect } of addressed satisfies readonly AddressedEffect[]) {
      if (edge === this.#edge) this.#told(effect);
    }
    for (const effect of observed) this.#observed(effect);
  };

  /**
   * What the core takes of a batch, by its rule: one that is out of turn, because the log refused
   * the one before, comes again, and with it what it says of the place on the bus.
   */
  #counted({ incarnation, number, from = 0, more, commands }: Batch): readonly Command[] {
    if (incarnation !== this.#incarnation) {
      if (number !== 1 || from > 0) return [];
      this.#incarnation = incarnation;
      this.#lastBatch = 0;
      this.#takenCommands = 0;
    }
    if (number !== this.#lastBatch + 1 || from > this.#takenCommands) return [];
    const fresh = commands.slice(Math.max(0, this.#takenCommands - from));
    this.#takenCommands = more ? Math.max(this.#takenCommands, from + commands.length) : 0;
    if (!more) this.#lastBatch = number;
    return fresh;
  }

  /** Undefined when the log has nothing of a scheduler. */
  recalled(): Recalled | undefined {
    if (this.#incarnation === 0) return undefined;
    return {
      ...{ incarnation: this.#incarnation, seenSequence: this.#seenSequence },
      ...{ isLoaded: this.#isLoaded, isStarted: this.#isStarted },
      ...{ place: this.#place, lastRequest: this.#lastRequest },
      ...{ finished: this.#finished, refused: this.#refused },
      requests: [...this.#requests],
      controls: [...this.#controls],
      items: [...this.#items],
      ...{ orders: [...this.#orders.values()], over: this.#over },
      revokes: [...this.#revokes.values()],
      ...{ agents: [...this.#agents.values()], objects: [...this.#objects] },
      ...{ startQuestions: this.#startQuestions, hasTimeStarted: this.#hasTimeStarted },
      stamps: this.#stamps,
    };
  }

  #given(command: Command): void {
    switch (command.kind) {
      case "agenda-load":
        this.#isLoaded = true;
        this.#place = parseOrigin(command.origin)?.place ?? this.#place;
        return;
      case "agenda-amend":
      case "barrier-told": {
        const origin = parseOrigin(command.origin);
        if (origin !== undefined) this.#taken(origin);
        return;
      }
      case "agenda-start":
        this.#isStarted = true;
        this.#startAsked(parseOrigin(command.origin));
        return;
      case "agenda-schedule":
        this.#asked(command);
        return;
      case "agenda-cancel":
      case "agenda-edit":
      case "agenda-pause":
      case "agenda-resume":
      case "agenda-replay":
        this.#isStarted ||= command.kind === "agenda-replay";
        this.#askedAbout(command);
        return;
      case "agenda-agents":
        this.#agentsChanged(command);
        return;
      case "agenda-fired":
      case "agenda-complete":
      case "agenda-revoked":
        this.#reported(command);
        return;
      default:
        return;
    }
  }

  #agentsChanged({ objects, state, by }: AgendaAgents): void {
    for (const name of objects) this.#objects.delete(name);
    for (const { agent, objects: own } of [...this.#agents.values()]) {
      if (own.some((name) => objects.includes(name))) this.#agents.delete(agent);
    }
    if (state === "down") return;
    if (by !== undefined) this.#agents.set(by.agent, { ...by, objects });
    else for (const name of objects) this.#objects.add(name);
  }

  #asked(command: AgendaRequest & { kind: "agenda-schedule" }): void {
    const { request, object, event } = command;
    this.#lastRequest = Math.max(this.#lastRequest, request);
    const origin = parseOrigin(command.origin);
    if (origin === undefined) return;
    this.#taken(origin);
    this.#requests.set(request, { object, event, origin, objectType: undefined });
  }

  #askedAbout({
    request = 0,
    origin: text,
  }: {
    readonly request?: number;
    readonly origin?: string;
  }): void {
    const origin = parseOrigin(text);
    if (origin !== undefined) this.#taken(origin);
    // Those of a run have numbers of their own, and their answers are told to it again.
    if (request >= firstQuestion) return;
    this.#lastRequest = Math.max(this.#lastRequest, request);
    if (origin !== undefined) this.#controls.set(request, origin);
  }

  #startAsked(origin: RequestOrigin | undefined): void {
    if (origin === undefined) return;
    this.#taken(origin);
    this.#startQuestions.push(origin);
  }

  #taken({ place, stamp }: RequestOrigin): void {
    this.#place = place;
    this.#stamps.push(stamp);
    if (this.#stamps.length > 2 * noncesMax) this.#stamps = this.#stamps.slice(-noncesMax);
  }

  #reported(
    command: AgendaOrder & { kind: "agenda-fired" | "agenda-complete" | "agenda-revoked" },
  ): void {
    if (command.kind === "agenda-revoked") {
      this.#revokes.delete(command.token);
      if (!command.fired) this.#orders.delete(command.token);
      return;
    }
    const order = this.#orders.get(command.token);
    if (order === undefined) return;
    if (command.kind === "agenda-fired") {
      order.unfired.clear();
      order.firedUs = command.firedStampUs;
      return;
    }
    for (const name of command.member === undefined ? objectsOf(order.fire) : [command.member]) {
      order.uncompleted.delete(name);
      order.unfired.delete(name);
    }
    if (order.uncompleted.size === 0) this.#orders.delete(command.token);
  }

  #told(effect: EdgeEffect): void {
    switch (effect.kind) {
      case "fire": {
        const names = objectsOf(effect);
        const parts = { unfired: new Set(names), uncompleted: new Set(names), firedUs: 0 };
        this.#orders.set(effect.token, { fire: effect, ...parts });
        this.#orderOf.set(effect.item, effect.token);
        const number = this.#items.get(effect.item);
        const request = number === undefined ? undefined : this.#requests.get(number);
        if (number === undefined || request === undefined) return;
        this.#requests.set(number, { ...request, objectType: effect.event.type });
        return;
      }
      case "time-started":
        this.#hasTimeStarted = true;
        return;
      case "revoke":
        this.#revokes.set(effect.token, effect);
        return;
      case "agenda-answer":
        this.#controls.delete(effect.request);
        if (effect.answer.kind === "accepted" || effect.answer.kind === "appended") {
          this.#items.set(effect.answer.id, effect.request);
        } else if (effect.answer.kind === "refused") {
          this.#refuse(effect.request, effect.answer);
        }
        return;
      case "event-done":
        this.#finish(effect);
        return;
      case "object-completed":
        this.#objectCompleted(effect);
        return;
      default:
        return;
    }
  }

  #objectCompleted(done: ObjectCompleted): void {
    const { item, object, objectType, error, text: why } = done;
    const number = this.#items.get(item);
    const request = number === undefined ? undefined : this.#requests.get(number);
    if (request?.origin.token !== undefined) return;
    const token = done.token === 0 ? completionToken(item) : done.token;
    keepLast(this.#finished, { request: { object, objectType }, token, error, why });
  }

  #finish({ request: number, id, error, text: why }: EventDone): void {
    const request = this.#requests.get(number);
    this.#requests.delete(number);
    this.#items.delete(id);
    const token = request?.origin.token;
    // Its start is over, not the program.
    if (request === undefined || token === undefined || (isProgramStart(request) && error === 0)) {
      this.#endOrder(id, false);
      return;
    }
    this.#endOrder(id, true);
    keepLast(this.#finished, { request, token, error, why });
  }

  /** @param isTold its sender is told by the log: nothing that agents say again is to be told */
  #endOrder(item: number, isTold: boolean): void {
    const token = this.#orderOf.get(item);
    if (token === undefined || !(isTold || this.#orders.has(token))) return;
    this.#over.push(token);
    const { ordersMax } = eventsLimits;
    if (this.#over.length > 2 * ordersMax) this.#over = this.#over.slice(-ordersMax);
  }

  /** Whoever waits for it with a token has not heard of it, if the scheduler died just then. */
  #refuse(number: number, refusal: Refused["refusal"]): void {
    const request = this.#requests.get(number);
    if (request === undefined) return;
    this.#requests.delete(number);
    keepLast(this.#refused, { object: request.object, origin: request.origin, refusal });
  }

  /** What is over for the core is over for the scheduler. */
  #observed(effect: ObservedEffect): void {
    if (effect.kind !== "event-completed") return;
    this.#orders.delete(effect.token);
    this.#orderOf.delete(effect.item);
    this.#revokes.delete(effect.token);
  }
}

/** The last `finishedMax`. */
function keepLast<Row>(rows: Row[], row: Row): void {
  rows.push(row);
  if (rows.length > finishedMax) rows.shift();
}

// SPDX-License-Identifier: MIT
// Agenda: the planned events of one scope, and those that come later. Owns what fires when, what
// waits for what, and who is told; performing an event is the business of the edge that loaded the
// agenda, which answers each `fire`. The invariants are with the files that keep them: A1-A4, A6 in
// runs.ts, A7 in dispatch.ts, A8-A10 in completion.ts, W1 in withdrawal.ts, G1-G3 in state.ts.
//
//   A5. `idle` is said once, when nothing is due, out or running but what waits for barriers; and
//       again when something has been and is over.
//
// What leads to something else goes through two queues, that of completions and that of instants,
// and not through calls: a long chain of events is a loop and not a deep stack. Completions come
// first, so that a step and what it leads to belong to one instant.
import type { EventDescription, EventPage } from "../description.ts";
import { amend } from "./amend.ts";
import type {
  AgendaAgents,
  AgendaLoad,
  AgendaOrder,
  AgendaRequest,
  BarrierCondition,
} from "./commands.ts";
import { completed, deadlinePassed, fired, refuseAnswer, settle } from "./completion.ts";
import { dispatch } from "./dispatch.ts";
import { builtIn } from "./object-table.ts";
import { barrierEnded } from "./placing.ts";
import { cancel, edit, schedule } from "./requests.ts";
import { endDue, haltRuns, nobody, startSequence, startTimeline } from "./runs.ts";
import type { AgendaPort } from "./state.ts";
import { AgendaState, isOut, refusedError } from "./state.ts";
import type { AgendaSnapshot, Item, Performer, Sender } from "./types.ts";
import { revoked, tellSender, withdraw } from "./withdrawal.ts";

export class Agenda {
  readonly #state: AgendaState;

  constructor(scope: string) {
    this.#state = new AgendaState(scope);
  }

  /** Edge and incarnation that loaded the agenda and performs its events. */
  get performer(): Performer | undefined {
    return this.#state.performer;
  }

  /** @returns how many events the load has, so that the caller can hold it against its limit. */
  static sizeOf(load: AgendaLoad): number {
    let size = load.main.length;
    for (const { events } of load.timelines) size += events.length;
    for (const { steps } of load.sequences) size += steps.length;
    return size;
  }

  load(load: AgendaLoad, performer: Performer, port: AgendaPort): void {
    if (this.performer !== undefined) this.stop("another agenda was loaded", port);
    const state = this.#state;
    state.performer = performer;
    for (const text of state.objects.load(load)) {
      port.observe({ kind: "agenda-problem", scope: state.scope, text });
    }
    state.reserveNumbers(state.objects.events());
  }

  /** Any command but `agenda-load`. @param edge whoever gives it. */
  apply(command: AgendaOrder | AgendaRequest, edge: Performer, port: AgendaPort): void {
    const state = this.#state;
    if (state.performer === undefined) {
      const request = numberOf(command);
      if (request !== undefined) refuseRequest(state, port, { edge, request });
      return;
    }
    if (isRequest(command)) this.#request(command, { edge, request: command.request }, port);
    else this.#obey(command, edge, port);
    this.#work(port);
  }

  /** The timer of the queue is due. */
  queueDue(port: AgendaPort): void {
    this.#state.queueTimer = 0;
    this.#work(port);
  }

  /** The completion of an item has not come. */
  deadlineDue(id: number, port: AgendaPort): void {
    const item = this.#state.items.get(id);
    if (item === undefined) return;
    deadlinePassed(this.#state, port, item);
    this.#work(port);
  }

  /** A barrier of the scope has ended; said once per generation (D8). */
  barrierEnded(on: BarrierCondition, port: AgendaPort): void {
    if (this.performer === undefined) return;
    barrierEnded(this.#state, port, on);
    this.#work(port);
  }

  /** Nothing fires any more; whoever waits is told, and another agenda may be loaded. */
  stop(why: string, port: AgendaPort): void {
    const state = this.#state;
    this.#end(why, port);
    for (const id of [...state.appended.keys()]) state.dropAppended(port, id, why);
    state.unused.clear();
    state.performer = undefined;
    state.pausedUs = undefined;
  }

  /** Nothing is planned or under way any more. */
  #end(why: string, port: AgendaPort): void {
    const state = this.#state;
    for (const item of state.items.values()) {
      if (item.revoke !== null) {
        for (const { sender } of item.revoke.askers) {
          tellSender(state, port, sender, { kind: "refused", code: "unavailable", message: why });
        }
      }
      if (item.sender === null) continue;
      const { edge, request } = item.sender;
      const facts = { scope: state.scope, request, id: item.id, error: refusedError, text: why };
      port.tell(edge, { kind: "event-done", ...facts });
    }
    this.#clear(port);
  }

  /** Events not fired yet, those of them that wait for barriers, and the next, `inUs` from now. */
  outlook(nowUs: number): {
    readonly pending: number;
    readonly waiting: number;
    readonly next:
      | { readonly object: string; readonly event: string; readonly inUs: number }
      | undefined;
  } {
    const state = this.#state;
    const eventUs = state.eventUs(nowUs);
    let pending = 0;
    let waiting = 0;
    let next: Item | undefined;
    for (const item of state.items.values()) {
      const isAhead = item.state === "queued" || (isOut(item) && item.dueUs > eventUs);
      if (isAhead && (next === undefined || item.dueUs < next.dueUs)) next = item;
      if (item.state === "waiting") waiting += 1;
      if (isAhead || item.state === "waiting") pending += 1;
    }
    for (const run of state.runs.values()) {
      if (run.kind !== "sequence") continue;
      pending += Math.max(0, (state.objects.sequence(run.name)?.steps.length ?? 0) - run.next);
    }
    if (next === undefined) return { pending, waiting, next };
    const { object, event } = next.event;
    return { pending, waiting, next: { object, event, inUs: next.dueUs - eventUs } };
  }

  /** @param after the last number of the page before, 0 for the first page. */
  list(
    { after, max }: { readonly after: number; readonly max: number },
    now: { readonly nowUs: number; readonly stampUs: number },
  ): EventPage {
    const state = this.#state;
    const left = [...state.items.values()].filter(({ id }) => id > after);
    const shown = left.sort((a, b) => a.id - b.id).slice(0, max);
    const events = shown.map((item) => describeItem(state, item));
    const next = left.length > max ? (events.at(-1)?.id ?? null) : null;
    const nowUs = state.zeroUs === undefined ? null : state.plannedUs(state.eventUs(now.nowUs));
    const paused = state.pausedUs !== undefined;
    return { events, total: state.items.size, next, paused, nowUs, stampUs: now.stampUs };
  }

  /** Rows for the digest: everything that decides what fires next. */
  rows(): readonly string[] {
    return this.#state.rows();
  }

  capture(): AgendaSnapshot {
    return this.#state.capture();
  }

  restore(snapshot: AgendaSnapshot): void {
    this.#state.restore(snapshot);
  }

  #obey(command: AgendaOrder, edge: Performer, port: AgendaPort): void {
    const state = this.#state;
    switch (command.kind) {
      case "agenda-start":
        if (!state.started) this.#start(command.inUs ?? 0, port);
        return;
      case "agenda-replay":
        this.#forget(port);
        this.#start(command.inUs ?? 0, port);
        if (command.request !== undefined) {
          const sender = { edge, request: command.request };
          tellSender(state, port, sender, { kind: "replayed" });
        }
        return;
      case "agenda-halt":
        haltRuns(state, port);
        return;
      case "agenda-agents":
        this.#changeAgents(command);
        return;
      case "agenda-fired":
        fired(state, port, command);
        return;
      case "agenda-complete":
        completed(state, port, command);
        return;
      case "agenda-revoked": {
        const item = state.itemOfToken(command.token);
        if (item) revoked(state, port, item, command.fired);
        else refuseAnswer(state, port, command.token, "nothing was asked back under this token");
        return;
      }
    }
  }

  #request(command: AgendaRequest, sender: Sender, port: AgendaPort): void {
    const state = this.#state;
    switch (command.kind) {
      case "agenda-schedule":
        schedule(state, port, command, sender);
        return;
      case "agenda-cancel":
        cancel(state, port, command, sender);
        return;
      case "agenda-edit":
        edit(state, port, command, sender);
        return;
      case "agenda-amend":
        amend(state, port, command, sender);
        return;
      case "agenda-pause":
      case "agenda-resume":
        this.#pause(command.kind === "agenda-pause", port);
        tellSender(state, port, sender, {
          kind: command.kind === "agenda-pause" ? "paused" : "resumed",
          eventUs: state.plannedUs(state.eventUs(port.nowUs)),
        });
        return;
      case "agenda-take-errors": {
        const { errors, errorsDropped: dropped } = state;
        state.errors = [];
        state.errorsDropped = 0;
        tellSender(state, port, sender, { kind: "errors", errors, dropped });
        return;
      }
    }
  }

  /** `__ns_sequence`, and behind it time 0; at once, when that sequence has no steps. */
  #start(inUs: number, port: AgendaPort): void {
    const state = this.#state;
    const atUs = state.eventUs(port.nowUs) + inUs;
    state.started = true;
    const isEmpty = state.objects.sequence(builtIn.sequence)?.steps.length === 0;
    // Time 0 may lie ahead, so that what is due then can be sent out before.
    if (isEmpty) startTimeline(state, port, builtIn.timeline, atUs, nobody);
    else startSequence(state, port, builtIn.sequence, atUs, nobody);
  }

  /** Ends an epoch: everything but what was loaded and added, and who is down, is gone. */
  #forget(port: AgendaPort): void {
    const state = this.#state;
    for (const item of state.items.values()) {
      if (item.state !== "armed" || state.performer === undefined) continue;
      const { token } = item;
      port.tell(state.performer, { kind: "revoke", scope: state.scope, token });
    }
    this.#end("the events are replayed from the beginning", port);
    state.pausedUs = undefined;
    state.reserveNumbers(state.objects.events());
  }

  /** G3. Events that are out and not due are asked back, to be sent out again later. */
  #pause(isPause: boolean, port: AgendaPort): void {
    const state = this.#state;
    const eventUs = state.eventUs(port.nowUs);
    if (!isPause) {
      if (state.pausedUs !== undefined) state.shiftUs = port.nowUs - state.pausedUs;
      state.pausedUs = undefined;
      return;
    }
    if (state.pausedUs !== undefined) return;
    state.pausedUs = eventUs;
    for (const item of [...state.items.values()]) {
      if (item.state !== "armed" || item.dueUs <= eventUs) continue;
      withdraw(state, port, item, { purpose: "hold", why: "" });
    }
  }

  /** What an agent that is down was doing will not complete. */
  #changeAgents({ objects, state: change, reason }: AgendaAgents): void {
    const state = this.#state;
    const down = new Set(objects);
    for (const name of objects) state.objects.setDown(name, change === "up" ? undefined : reason);
    if (change === "up") return;
    for (const item of state.items.values()) {
      if (!isOut(item)) continue;
      const { object } = item.event;
      if (item.missing === null) {
        if (down.has(object)) state.complete(item.id, refusedError, `${object} is down: ${reason}`);
        continue;
      }
      for (const name of item.missing) {
        if (!down.has(name)) continue;
        state.complete(item.id, refusedError, `${name} is down: ${reason}`, name);
      }
    }
  }

  /** The end of every call from outside. */
  #work(port: AgendaPort): void {
    const state = this.#state;
    let hasDispatched = false;
    for (;;) {
      if (state.done.length > 0) {
        const batch = state.done.splice(0);
        for (const done of batch) settle(state, port, done);
        continue;
      }
      if (state.pausedUs !== undefined) break;
      const eventUs = state.eventUs(port.nowUs);
      const place = state.queue.takeDue(hasDispatched ? alongUs(state, port, eventUs) : eventUs);
      if (place === undefined) break;
      hasDispatched = true;
      const run = state.runs.get(-place.subject);
      const item = state.items.get(place.subject);
      if (run !== undefined) endDue(state, port, run);
      else if (item !== undefined) dispatch(state, port, item);
    }
    state.startsAtOnce = 0;
    this.#setTimer(port);
    if (!state.isQuiet() || state.idleSaid || state.performer === undefined) return;
    state.idleSaid = true;
    const waitingFor = [...state.waiting.keys()];
    port.tell(state.performer, { kind: "agenda-idle", scope: state.scope, waitingFor });
  }

  #setTimer(port: AgendaPort): void {
    const state = this.#state;
    const nextUs = state.pausedUs === undefined ? state.queue.nextDueUs() : undefined;
    const dueUs = nextUs === undefined ? undefined : nextUs + state.shiftUs;
    if (state.queueTimer !== 0 && state.queueTimerUs === dueUs) return;
    if (state.queueTimer !== 0) port.clearTimer(state.queueTimer);
    state.queueTimer = dueUs === undefined ? 0 : port.setTimer(dueUs, 0);
    state.queueTimerUs = dueUs ?? 0;
  }

  #clear(port: AgendaPort): void {
    const state = this.#state;
    for (const item of [...state.items.values()]) state.dropItem(item, port);
    for (const run of [...state.runs.values()]) state.dropRun(run);
    if (state.queueTimer !== 0) port.clearTimer(state.queueTimer);
    state.queueTimer = 0;
    state.queueTimerUs = 0;
    state.outcomes.clear();
    state.cancelled.clear();
    state.errors = [];
    state.errorsDropped = 0;
    state.zeroUs = undefined;
    state.started = false;
    state.idleSaid = false;
  }
}

/**
 * Up to when the next place may leave the queue once something has: an entry, a delivery and a
 * message for each of many events cost more than the events. What the agenda performs itself, and
 * what is behind that, waits until it is due.
 */
function alongUs(state: AgendaState, port: AgendaPort, eventUs: number): number {
  const first = state.queue.first();
  const item = first === undefined ? undefined : state.items.get(first.subject);
  const isSentAhead = first !== undefined && item !== undefined && first.dueUs < item.dueUs;
  return isSentAhead ? eventUs + port.limits.dispatchTogetherUs : eventUs;
}

const requests: ReadonlySet<(AgendaOrder | AgendaRequest)["kind"]> = new Set([
  ...(["agenda-schedule", "agenda-cancel", "agenda-edit", "agenda-take-errors"] as const),
  ...(["agenda-pause", "agenda-resume", "agenda-amend"] as const),
]);

/** By kind, and not by what else a command carries: it may come from another process. */
function isRequest(command: AgendaOrder | AgendaRequest): command is AgendaRequest {
  return requests.has(command.kind);
}

/** Under which whoever gave the command wants an answer. */
function numberOf(command: AgendaOrder | AgendaRequest): number | undefined {
  return isRequest(command) || command.kind === "agenda-replay" ? command.request : undefined;
}

function refuseRequest(state: AgendaState, port: AgendaPort, sender: Sender): void {
  const message = `${state.scope} has no events now; start the experiment first`;
  tellSender(state, port, sender, { kind: "refused", code: "unknown", message });
}

function describeItem(state: AgendaState, item: Item): EventDescription {
  const { object, type, event, args } = item.event;
  const run = state.runs.get(item.run);
  return {
    ...{ id: item.id, object, type, event, args, state: item.state },
    plannedUs: item.on === null ? state.plannedUs(item.dueUs) : null,
    on: item.on === null ? null : `${item.on.outcome} ${item.on.barrier}`,
    within: run === undefined || run.name === builtIn.timeline ? null : run.name,
  };
}

// SPDX-License-Identifier: MIT
// Requests about events that were not planned, or no longer as planned: schedule, cancel, edit.
// Each is answered to whoever asked, at once or, for an event that is out, when its performer has
// answered; a refusal says why and what to do. [EMULAB-EVENTS 2.7, 9 faults 1, 12, 13]
import type { Refusal } from "../refusal.ts";
import { invalid, overLimit } from "../refusal.ts";
import { utf8Length } from "../text.ts";
import type {
  AgendaCancel,
  AgendaEdit,
  AgendaEvent,
  AgendaSchedule,
  EventInstant,
} from "./commands.ts";
import { dispatchNow } from "./dispatch.ts";
import { place } from "./placing.ts";
import { addToRuns } from "./runs.ts";
import type { AgendaPort, AgendaState } from "./state.ts";
import type { Item, Sender } from "./types.ts";
import { tellSender, withdraw } from "./withdrawal.ts";

/** Takes in an event, or says why not. */
export function schedule(
  state: AgendaState,
  port: AgendaPort,
  command: AgendaSchedule,
  sender: Sender,
): void {
  const refusal = scheduleRefusal(state, port, command);
  if (refusal !== undefined) {
    tellSender(state, port, sender, { kind: "refused", ...refusal });
    return;
  }
  const { object, event, args, timeline, at, on, terms } = command;
  const target = state.objects.resolve(object);
  const type = "type" in target ? target.type : "";
  const made: AgendaEvent = {
    ...{ id: 0, object, type, event, args },
    ...(terms === undefined ? {} : { terms }),
  };
  const condition = on === undefined ? {} : { on };
  if (timeline !== undefined) {
    const id = state.nextNumber();
    const timed = { atUs: at.kind === "now" ? 0 : at.us, event: { ...made, id }, ...condition };
    state.reserveNumbers([timed.event]);
    state.appended.set(id, sender);
    tellSender(state, port, sender, { kind: "appended", id });
    const facts = { scope: state.scope, item: id, event: timed.event, parent: timeline };
    const sinceZeroUs = state.plannedUs(state.eventUs(port.nowUs));
    port.observe({
      kind: "event-accepted",
      ...facts,
      parent: "",
      plannedUs: sinceZeroUs + timed.atUs,
    });
    state.objects.append(timeline, timed);
    addToRuns(state, port, timeline, timed);
    return;
  }
  const nowUs = state.eventUs(port.nowUs);
  const dueUs = instant(state, port, at);
  const item = state.addItem(made, dueUs, { sender });
  tellSender(state, port, sender, { kind: "accepted", id: item.id });
  const facts = { scope: state.scope, item: item.id, event: item.event, parent: "" };
  port.observe({ kind: "event-accepted", ...facts, plannedUs: state.plannedUs(dueUs) });
  if (at.kind === "now" && on === undefined) dispatchNow(state, port, item);
  // An outcome of the past does not count: the event was not there to wait for it.
  else place(state, port, item, { atUs: dueUs - nowUs, ...condition }, Infinity);
}

export function cancel(
  state: AgendaState,
  port: AgendaPort,
  command: AgendaCancel,
  sender: Sender,
): void {
  const item = existing(state, port, command.id, sender);
  if (item === undefined) return;
  const asker = { sender, answer: "cancelled" } as const;
  withdraw(state, port, item, { purpose: "cancel", why: "it was cancelled", asker });
}

export function edit(
  state: AgendaState,
  port: AgendaPort,
  command: AgendaEdit,
  sender: Sender,
): void {
  const item = existing(state, port, command.id, sender);
  if (item === undefined) return;
  const { at, args } = command;
  const refusal =
    (at === undefined ? undefined : instantRefusal(state, at)) ?? argsRefusal(port, args ?? "");
  if (refusal !== undefined) {
    tellSender(state, port, sender, { kind: "refused", ...refusal });
    return;
  }
  withdraw(state, port, item, {
    ...{ purpose: "hold", why: "", asker: { sender, answer: "edited" } },
    ...(at === undefined ? {} : { dueUs: instant(state, port, at) }),
    ...(args === undefined ? {} : { event: { ...item.event, args } }),
  });
}

function existing(
  state: AgendaState,
  port: AgendaPort,
  id: number,
  sender: Sender,
): Item | undefined {
  const item = state.items.get(id);
  if (item !== undefined) return item;
  if (state.unused.has(id)) {
    const message = `event ${id} is not planned yet: what it is a part of has not come to it`;
    tellSender(state, port, sender, { kind: "refused", code: "invalid", message });
    return undefined;
  }
  if (state.cancelled.has(id)) {
    const message = `event ${id} was cancelled before`;
    tellSender(state, port, sender, { kind: "refused", code: "invalid", message });
    return undefined;
  }
  // No number is given twice, so one that is not waiting and below the last was there.
  if (Number.isSafeInteger(id) && id > 0 && id <= state.lastItem) {
    tellSender(state, port, sender, { kind: "already-fired" });
  } else {
    const message = `there is no event ${id}; list the events to see their numbers`;
    tellSender(state, port, sender, { kind: "refused", code: "unknown", message });
  }
  return undefined;
}

function scheduleRefusal(
  state: AgendaState,
  port: AgendaPort,
  command: AgendaSchedule,
): Refusal | undefined {
  const { objects } = state;
  const { object, event, args, at, timeline, on } = command;
  const refusal =
    objects.refusal(object, event) ??
    (timeline === undefined ? undefined : objects.timelineRefusal(timeline)) ??
    argsRefusal(port, args) ??
    termsRefusal(command);
  if (refusal !== undefined) return refusal;
  if (on !== undefined && utf8Length(on.barrier) > port.limits.nameBytesMax) {
    return overLimit(port.limits, "nameBytesMax", "the barrier's name is too long");
  }
  // In a timeline an instant is an offset, so time need not have started.
  const wrongInstant = timeline === undefined ? instantRefusal(state, at) : offsetRefusal(at);
  if (wrongInstant !== undefined) return wrongInstant;
  const size = timeline === undefined ? state.items.size : objects.size;
  const isFull = size >= port.limits.eventsPerScopeMax;
  return isFull ? overLimit(port.limits, "eventsPerScopeMax", "too many events") : undefined;
}

function instantRefusal(state: AgendaState, at: EventInstant): Refusal | undefined {
  if (at.kind === "at" && state.zeroUs === undefined) {
    return invalid("time 0 has not come, so an instant means nothing yet; ask for `in` instead");
  }
  return at.kind === "in" ? offsetRefusal(at) : undefined;
}

/** A time that is negative is a mistake of whoever asks. [EMULAB-EVENTS 9 fault 12] */
function offsetRefusal(at: EventInstant): Refusal | undefined {
  if (at.kind === "now" || at.us >= 0) return undefined;
  return invalid(`an event cannot be due ${at.us} us from its start; write 0 or more`);
}

function argsRefusal({ limits }: AgendaPort, args: string): Refusal | undefined {
  if (utf8Length(args) <= limits.eventArgsBytesMax) return undefined;
  return overLimit(limits, "eventArgsBytesMax", "the arguments of the event are too long");
}

function termsRefusal({ terms = {} }: AgendaSchedule): Refusal | undefined {
  const { toleranceUs = 0, deadlineUs = 1 } = terms;
  if (toleranceUs >= 0 && deadlineUs > 0) return undefined;
  return invalid("a tolerance must be 0 or more, a deadline more than 0 us");
}

/** Event time; what is past is due at once. */
function instant(state: AgendaState, port: AgendaPort, at: EventInstant): number {
  const nowUs = state.eventUs(port.nowUs);
  if (at.kind === "now") return nowUs;
  if (at.kind === "in") {
    const inUs = at.stampUs === undefined ? at.us : at.stampUs - port.stampUs;
    return nowUs + Math.max(0, inUs);
  }
  return Math.max(nowUs, (state.zeroUs ?? nowUs) + at.us);
}

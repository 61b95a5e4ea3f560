// SPDX-License-Identifier: MIT
// Completions: what an event that fired, was refused or was cancelled means for the group, the
// sequence and the sender that wait for it, and for the record of errors.
//
//   A8. An item completes once; a member of a group counts once. [EMULAB-EVENTS 9 fault 20]
//   A9. The error of a group is the worst of its members: the largest magnitude, and of -1 and 1
//       the -1, so that a program that could not start is not lost. [EMULAB-EVENTS 9 faults 19, 20]
//   A10. A completion that is not a success is recorded, also -1; one of a sequence or group that
//        nobody waits for asks for an error report. [EMULAB-EVENTS 2.9]
import type { AgendaComplete, AgendaFired } from "./commands.ts";
import { instantKnown, typeOf } from "./placing.ts";
import { haltedText, stepDone, stepOn } from "./runs.ts";
import type { AgendaPort, AgendaState, Done } from "./state.ts";
import { refusedError } from "./state.ts";
import type { Item } from "./types.ts";
import { revoked, revokeLost } from "./withdrawal.ts";

/** The performer says that an event fired. */
export function fired(state: AgendaState, port: AgendaPort, command: AgendaFired): void {
  const { token, firedStampUs, skewUs = 0, outcome } = command;
  const item = state.itemOfToken(token);
  if (item === undefined || item.state === "fired") {
    refuseAnswer(state, port, token, item === undefined ? unknownToken : "it has fired already");
    return;
  }
  revoked(state, port, item, true);
  item.state = "fired";
  const latenessUs = firedStampUs - item.dueStampUs;
  const toleranceUs = item.event.terms?.toleranceUs ?? port.limits.eventToleranceUs;
  port.observe({
    ...{ kind: "event-fired", scope: state.scope, item: item.id, event: item.event, token },
    ...{ plannedUs: state.plannedUs(item.dueUs), firedStampUs, latenessUs, skewUs },
    ...{ late: latenessUs > toleranceUs, outcome },
  });
  if (outcome !== "skipped") return;
  const late = `${latenessUs} us late, more than the ${toleranceUs} us it tolerates`;
  state.complete(item.id, refusedError, `${item.event.object} was skipped: ${late}`);
}

/** The performer says that an event, or a member of its group, completed. */
export function completed(state: AgendaState, port: AgendaPort, command: AgendaComplete): void {
  const { token, member = null, unknown = false } = command;
  const item = state.itemOfToken(token);
  const isTwice = member !== null && item !== undefined && !item.missing?.has(member);
  if (item === undefined || isTwice) {
    refuseAnswer(state, port, token, isTwice ? `${member} is not awaited` : unknownToken);
    return;
  }
  // A completion is the proof that it fired.
  revoked(state, port, item, true);
  const text = command.text ?? (unknown ? "nobody knows whether it happened" : "");
  state.complete(item.id, unknown ? refusedError : command.error, text, member);
}

/** The completion of an item has not come in time. */
export function deadlinePassed(state: AgendaState, port: AgendaPort, item: Item): void {
  item.deadlineTimer = 0;
  const max = port.limits.namesInReportMax;
  const names = [...(item.missing ?? [item.event.object])];
  const more = names.length > max ? ` and ${names.length - max} more` : "";
  const missing = names.slice(0, max).join(", ") + more;
  const text = `no completion within the time allowed; missing: ${missing}`;
  revokeLost(state, port, item, text);
  state.complete(item.id, refusedError, text);
}

/** Acts on one completion. */
export function settle(state: AgendaState, port: AgendaPort, done: Done): void {
  const item = state.items.get(done.item);
  if (item === undefined) return;
  if (done.member === null) {
    finish(state, port, item, done);
    return;
  }
  const isFirst = isNobodyOver(state, item);
  if (!item.missing?.delete(done.member)) return; // A8
  const { object, type } = { object: done.member, type: typeOf(state, item) };
  if (done.error !== 0 && done.how === "completed") {
    record(state, port, { object, type, token: item.token, error: done.error, text: done.text });
  }
  if (worse(item.worst, done.error) !== item.worst) {
    item.worst = done.error;
    item.worstText = done.text;
  } else if (item.worst === 0 && (isFirst || !isIgnored(done.text))) {
    // Where all members ignore it, nothing was done; where one did something, that is the answer.
    item.worstText = isIgnored(done.text) ? done.text : "";
  }
  if (item.missing.size > 0) return;
  finish(state, port, item, { ...done, error: item.worst, text: item.worstText });
}

function isNobodyOver(state: AgendaState, { event, missing }: Item): boolean {
  const target = state.objects.resolve(event.object);
  return target.kind === "group" && missing?.size === target.members.length;
}

/** `ignored: WHY`, as performers say it. */
function isIgnored(text: string): boolean {
  return text.startsWith("ignored: ");
}

function finish(state: AgendaState, port: AgendaPort, item: Item, done: Done): void {
  const { scope } = state;
  const { object } = item.event;
  const isGroup = state.objects.resolve(object).kind === "group";
  // A9, for a group that its performer completes as a whole when members have done so alone.
  const error = worse(item.worst, done.error);
  const text = error === done.error ? done.text : item.worstText;
  const wasWaiting = item.state === "waiting";
  state.dropItem(item, port);
  if (wasWaiting) instantKnown(state, item);
  const facts = { scope, item: item.id, event: item.event };
  if (done.how === "cancelled") {
    state.noteCancelled(item.id, port);
    const plannedUs = wasWaiting ? null : state.plannedUs(item.dueUs);
    const by = text === haltedText ? "halt" : "request";
    port.observe({ kind: "event-cancelled", ...facts, plannedUs, by, why: text });
  } else port.observe({ kind: "event-completed", ...facts, token: item.token, error, text });
  if (isGroup)
    port.observe({ kind: "object-ended", scope, objectType: "GROUP", name: object, error });
  if (error !== 0 && done.how === "completed") {
    record(state, port, { object, type: typeOf(state, item), token: item.token, error, text });
  }
  const isOwn = item.state === "running" && item.token === 0;
  if (done.how === "completed" && (isGroup || isOwn) && state.performer !== undefined) {
    const objectType = isGroup ? "GROUP" : typeOf(state, item);
    const about = { scope, item: item.id, object, objectType, token: item.token, error, text };
    port.tell(state.performer, { kind: "object-completed", ...about });
  }
  if (item.sender !== null) {
    const { edge, request } = item.sender;
    port.tell(edge, { kind: "event-done", scope, request, id: item.id, error, text });
  }
  const run = state.sequenceRun(item.run);
  if (run?.current === item.id) {
    if (item.waiter !== 0) stepDone(state, port, run, error, text);
    // A step that is not waited for and never fired, because it was cancelled.
    else stepOn(state, port, run);
  } else if (
    error !== 0 &&
    done.how === "completed" &&
    (isGroup || typeOf(state, item) === "SEQUENCE")
  ) {
    report(state, port, object, error);
  }
}

/** A10. The records go with the report, as REPORT takes them too. */
function report(state: AgendaState, port: AgendaPort, object: string, error: number): void {
  const { scope, performer, errors, errorsDropped: dropped } = state;
  state.errors = [];
  state.errorsDropped = 0;
  if (performer === undefined) return;
  port.tell(performer, { kind: "error-report", scope, object, error, errors, dropped });
}

function record(state: AgendaState, port: AgendaPort, entry: AgendaState["errors"][number]): void {
  if (state.errors.length >= port.limits.errorRecordsPerScopeMax) {
    state.errors.shift();
    state.errorsDropped += 1;
  }
  state.errors.push(entry);
}

/** A9. */
function worse(a: number, b: number): number {
  const sizeA = a < 0 ? -a : a;
  const sizeB = b < 0 ? -b : b;
  if (sizeA !== sizeB) return sizeA > sizeB ? a : b;
  return a < b ? a : b;
}

const unknownToken = "no event is out under this token: it has completed, or its epoch is over";

export function refuseAnswer(
  { scope }: AgendaState,
  port: AgendaPort,
  token: number,
  why: string,
): void {
  port.observe({ kind: "answer-refused", scope, token, why });
}

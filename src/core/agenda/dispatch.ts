// SPDX-License-Identifier: MIT
// What is done about an item when its time has come: sequences and timelines are performed here,
// everything else is sent out to the performer, ahead of its instant, with that instant (D8).
//
//   A7. An event whose object is unknown, down or does not understand it completes with -1 and says
//       why; nothing is dropped in silence. [EMULAB-EVENTS 9 fault 1]
import type { AgendaEvent } from "./commands.ts";
import { enqueueDue } from "./placing.ts";
import { nobody, resetRuns, startSequence, startTimeline, stepOn } from "./runs.ts";
import type { AgendaPort, AgendaState } from "./state.ts";
import { refusedError } from "./state.ts";
import type { Item } from "./types.ts";

/** The item has left the queue, or never was in it. */
export function dispatch(state: AgendaState, port: AgendaPort, item: Item): void {
  const { object, type } = item.event;
  const target = state.objects.resolve(object);
  switch (target.kind) {
    case "single":
      if (isOwn(target.type)) performHere(state, port, item, target.type, undefined);
      else send(state, port, item, undefined);
      break;
    case "group":
      if (isOwn(target.type)) performHere(state, port, item, target.type, target.members);
      else send(state, port, item, target.members);
      break;
    case "unusable":
      refuse(state, port, item, target.why);
      break;
    case "unknown":
      refuse(state, port, item, `there is no ${word(type)} ${object}`);
      break;
  }
  const run = state.sequenceRun(item.run);
  if (run?.current !== item.id || item.waiter !== 0) return;
  // A step that is not waited for: the next one counts from when this one is due.
  run.lastUs = item.dueUs;
  stepOn(state, port, run);
}

/** An event that is wanted now fires now, also while event time stands still. */
export function dispatchNow(state: AgendaState, port: AgendaPort, item: Item): void {
  if (state.pausedUs === undefined) enqueueDue(state, port, item);
  else dispatch(state, port, item);
}

function word(type: string): string {
  if (type === "SEQUENCE") return "sequence";
  return type === "TIMELINE" ? "timeline" : "object";
}

function isOwn(type: string): boolean {
  return type === "SEQUENCE" || type === "TIMELINE";
}

function send(
  state: AgendaState,
  port: AgendaPort,
  item: Item,
  members: readonly string[] | undefined,
): void {
  const { scope, performer, objects } = state;
  if (performer === undefined) {
    refuse(state, port, item, "nobody performs the events of this experiment");
    return;
  }
  const names = members ?? [item.event.object];
  const up = names.filter((name) => objects.whyDown(name) === undefined);
  if (up.length === 0) {
    const [name = ""] = names;
    refuse(state, port, item, `${name} cannot obey now: ${objects.whyDown(name)}`);
    return;
  }
  state.giveToken(item);
  item.state = "armed";
  item.dueStampUs = state.stampOf(item.dueUs, port);
  if (members !== undefined) {
    item.missing = new Set(members);
    for (const name of members) {
      const why = objects.whyDown(name);
      if (why === undefined) continue;
      state.complete(item.id, refusedError, `${name} cannot obey now: ${why}`, name);
    }
  }
  const { limits } = port;
  const terms = item.event.terms ?? {};
  const aheadUs = Math.max(0, item.dueUs - state.eventUs(port.nowUs));
  const deadlineUs = terms.deadlineUs ?? limits.completionDeadlineUs;
  item.deadlineTimer = port.setTimer(port.nowUs + aheadUs + deadlineUs, item.id);
  const plannedUs = state.plannedUs(item.dueUs);
  port.tell(performer, {
    ...{ kind: "fire", scope, token: item.token, item: item.id, event: item.event },
    ...{ members: members === undefined ? [] : up, plannedUs, dueStampUs: item.dueStampUs },
    toleranceUs: terms.toleranceUs ?? limits.eventToleranceUs,
    whenLate: terms.whenLate ?? "fire",
  });
  const facts = { scope, item: item.id, event: item.event, token: item.token, plannedUs };
  port.observe({ kind: "event-dispatched", ...facts, dueStampUs: item.dueStampUs });
}

function performHere(
  state: AgendaState,
  port: AgendaPort,
  item: Item,
  type: string,
  members: readonly string[] | undefined,
): void {
  const { event } = item;
  item.state = "running";
  item.dueStampUs = state.stampOf(item.dueUs, port);
  if (members !== undefined) item.missing = new Set(members);
  const refusals: string[] = [];
  for (const name of members ?? [event.object]) {
    const member = members === undefined ? null : name;
    const why = command(state, port, item, { type, name, member, event });
    if (why === undefined) continue;
    refusals.push(why);
    state.complete(item.id, refusedError, why, member);
  }
  sayFired(state, port, item, refusals[0] === undefined ? "done" : `failed: ${refusals[0]}`);
  const deadlineUs = event.terms?.deadlineUs;
  // Without one of its own it ends by the deadlines of its parts.
  if (deadlineUs !== undefined)
    item.deadlineTimer = port.setTimer(port.nowUs + deadlineUs, item.id);
}

/** @returns why it was refused, if it was. */
function command(
  state: AgendaState,
  port: AgendaPort,
  item: Item,
  order: {
    readonly type: string;
    readonly name: string;
    readonly member: string | null;
    readonly event: AgendaEvent;
  },
): string | undefined {
  const { type, name, member } = order;
  switch (order.event.event) {
    case "START":
    case "RUN": {
      const start = type === "SEQUENCE" ? startSequence : startTimeline;
      return start(state, port, name, item.dueUs, { ...nobody, item: item.id, member });
    }
    case "RESET":
      resetRuns(state, port, name);
      break;
    case "CLEAR":
      for (const { event } of state.objects.clear(name)) {
        state.dropAppended(port, event.id, `${name} was cleared`);
      }
      break;
    default:
      return `a ${word(type)} knows no ${order.event.event}`;
  }
  state.complete(item.id, 0, "", member);
  return undefined;
}

function refuse(state: AgendaState, port: AgendaPort, item: Item, why: string): void {
  item.state = "running";
  item.dueStampUs = state.stampOf(item.dueUs, port);
  sayFired(state, port, item, `failed: ${why}`);
  state.complete(item.id, refusedError, why);
}

function sayFired(state: AgendaState, port: AgendaPort, item: Item, outcome: string): void {
  const latenessUs = port.stampUs - item.dueStampUs;
  const toleranceUs = item.event.terms?.toleranceUs ?? port.limits.eventToleranceUs;
  port.observe({
    ...{ kind: "event-fired", scope: state.scope, item: item.id, event: item.event, token: 0 },
    ...{ plannedUs: state.plannedUs(item.dueUs), firedStampUs: port.stampUs, latenessUs },
    ...{ skewUs: 0, late: latenessUs > toleranceUs, outcome },
  });
}

// SPDX-License-Identifier: MIT
// Another plan for an agenda that runs: which objects there are, what their timelines and sequences
// hold, and what else the main timeline is to bring. Owns what may be changed while it runs and the
// numbers of what is new; what is planned already is the business of requests.ts.
//
//   M1. It is done whole or not at all, and a refusal names what stands in the way.
//   M2. A timeline or sequence that runs is not changed: steps that it has passed could not be told
//       from those to come.
import { invalid, overLimit, type Refusal } from "../refusal.ts";
import type { AgendaAmend, TimedEvent } from "./commands.ts";
import { addLate } from "./runs.ts";
import type { AgendaPort, AgendaState } from "./state.ts";
import type { Sender } from "./types.ts";
import { tellSender } from "./withdrawal.ts";

/** Makes the change, or says why not. */
export function amend(
  state: AgendaState,
  port: AgendaPort,
  command: AgendaAmend,
  sender: Sender,
): void {
  const refusal = amendRefusal(state, port, command);
  if (refusal !== undefined) {
    tellSender(state, port, sender, { kind: "refused", ...refusal });
    return;
  }
  const first = state.lastItem + 1;
  const numbered = numberAmend(command, first);
  const eventUs = state.plannedUs(state.eventUs(port.nowUs));
  const added = [
    ...numbered.main.added,
    ...numbered.main.fromNow.map((one) => later(one, eventUs)),
  ];
  for (const name of namesOf(command)) {
    for (const { event } of state.objects.stepsOf(name)) {
      state.dropAppended(port, event.id, `${name} was changed`);
    }
  }
  for (const text of state.objects.amend(numbered, added)) {
    port.observe({ kind: "agenda-problem", scope: state.scope, text });
  }
  state.reserveNumbers(newEvents({ ...numbered, main: { ...numbered.main, added, fromNow: [] } }));
  tellSender(state, port, sender, { kind: "amended", first, eventUs });
  // Before time 0 the main timeline plans them as it starts.
  if (state.zeroUs === undefined) return;
  for (const timed of added) addLate(state, port, timed);
}

/** The same with the numbers that its new events get, in the order of `newEvents`. */
export function numberAmend(command: AgendaAmend, first: number): AgendaAmend {
  let next = first;
  const numbered = (timed: TimedEvent): TimedEvent => {
    if (timed.event.id !== 0) return timed;
    next += 1;
    return { ...timed, event: { ...timed.event, id: next - 1 } };
  };
  const { main, sequences, timelines } = command;
  const added = main.added.map(numbered);
  return {
    ...command,
    main: { ...main, added, fromNow: main.fromNow.map(numbered) },
    sequences: sequences.map((one) => ({ ...one, steps: one.steps.map(numbered) })),
    timelines: timelines.map((one) => ({ ...one, events: one.events.map(numbered) })),
  };
}

function newEvents({ main, sequences, timelines }: AgendaAmend): TimedEvent["event"][] {
  const all = [
    ...[...main.added, ...main.fromNow],
    ...sequences.flatMap(({ steps }) => steps),
    ...timelines.flatMap(({ events }) => events),
  ];
  return all.map(({ event }) => event);
}

/** Behind a barrier an offset counts from that, whenever it ends. */
function later(timed: TimedEvent, us: number): TimedEvent {
  return timed.on === undefined ? { ...timed, atUs: timed.atUs + us } : timed;
}

/** Timelines and sequences that will not be as they were. */
function namesOf({ timelines, sequences, removed }: AgendaAmend): readonly string[] {
  return [...[...timelines, ...sequences].map(({ name }) => name), ...removed];
}

/** M1, M2. */
function amendRefusal(
  state: AgendaState,
  { limits }: AgendaPort,
  command: AgendaAmend,
): Refusal | undefined {
  const running = new Set([...state.runs.values()].map(({ name }) => name));
  const busy = namesOf(command).find((name) => running.has(name));
  if (busy !== undefined) {
    const what = state.objects.sequence(busy) === undefined ? "timeline" : "sequence";
    return invalid(`${what} ${busy} is running; it can be changed when it has ended`);
  }
  const { main } = command;
  const added = main.added.length + main.fromNow.length;
  const freed = namesOf(command).reduce((n, name) => n + state.objects.stepsOf(name).length, 0);
  const defined = state.objects.size - freed - main.dropped.length + newEvents(command).length;
  const isFull = Math.max(defined, state.items.size + added) > limits.eventsPerScopeMax;
  return isFull ? overLimit(limits, "eventsPerScopeMax", "too many events") : undefined;
}

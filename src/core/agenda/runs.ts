// SPDX-License-Identifier: MIT
// Timelines and sequences that run: how they start, step, end and are reset. Owns what becomes of a
// run; does not own what becomes of the events in it (dispatch.ts, completion.ts).
//
//   A1. Events of a timeline are due at its start plus their offset, whenever that is noticed.
//   A2. A step that completes later holds the next step until its completion.
//   A3. A step that completes with an error ends its sequence with that error, once the sequence
//       for errors has run if there is one.
//   A4. A sequence that runs is not started again: the request completes with -1 and the run goes
//       on as it was. A timeline that is started again runs twice, as it always did.
//   A6. A timeline completes at the instant of its last event, not when that event's work ends.
//       [EMULAB-EVENTS 2.8 TIMELINE]
import { overLimit } from "../refusal.ts";
import type { TimedEvent } from "./commands.ts";
import { waitsForCompletion } from "./event-types.ts";
import { builtIn } from "./object-table.ts";
import { place } from "./placing.ts";
import type { AgendaPort, AgendaState } from "./state.ts";
import { refusedError } from "./state.ts";
import type { Item, Owner, Run, SequenceRun, TimelineRun } from "./types.ts";
import { withdraw } from "./withdrawal.ts";

/** Why everything is taken back at the end. */
export const haltedText = "the agenda was halted";

export const nobody: Owner = { item: 0, member: null, failedRun: 0 };

/** @returns why it was refused; undefined when it runs, or has run already. */
export function startTimeline(
  state: AgendaState,
  port: AgendaPort,
  name: string,
  startUs: number,
  owner: Owner,
): string | undefined {
  const events = state.objects.timeline(name);
  if (events === undefined) return `there is no timeline ${name}`;
  const isMain = name === builtIn.timeline;
  // What was loaded has its room; what starts later takes it from what is left.
  const room = port.limits.eventsPerScopeMax - state.items.size;
  if (!isMain && events.length > room) return `there is no room for the events of ${name}`;
  const refusal = countStart(state, port);
  if (refusal !== undefined) return refusal;
  state.lastRun += 1;
  const run: TimelineRun = {
    ...{ kind: "timeline", id: state.lastRun, name, owner, startUs },
    ...{ lastUs: startUs, unknown: 0, endOrder: 0 },
  };
  state.addRun(run);
  if (isMain && state.zeroUs === undefined) startTime(state, port, startUs);
  sayStarted(state, port, run);
  for (const timed of events) addToTimeline(state, port, run, timed);
  if (run.unknown === 0) state.enqueueEnd(run, run.lastUs);
  return undefined;
}

/** @returns why it was refused; undefined when it runs, or has run already. */
export function startSequence(
  state: AgendaState,
  port: AgendaPort,
  name: string,
  startUs: number,
  owner: Owner,
): string | undefined {
  const sequence = state.objects.sequence(name);
  if (sequence === undefined) return `there is no sequence ${name}`;
  if (state.sequenceRuns.has(name)) return `sequence ${name} is already active`;
  const refusal = countStart(state, port);
  if (refusal !== undefined) return refusal;
  state.lastRun += 1;
  const run: SequenceRun = {
    ...{ kind: "sequence", id: state.lastRun, name, owner, startUs },
    ...{ next: 0, lastUs: startUs, current: 0, endOrder: 0, failed: null },
  };
  state.addRun(run);
  sayStarted(state, port, run);
  stepOn(state, port, run);
  return undefined;
}

/** Queues the next step, or ends the sequence when there is none. */
export function stepOn(state: AgendaState, port: AgendaPort, run: SequenceRun): void {
  const timed = state.objects.sequence(run.name)?.steps[run.next];
  run.current = 0;
  if (timed === undefined) {
    if (run.lastUs > state.eventUs(port.nowUs)) state.enqueueEnd(run, run.lastUs);
    else endRun(state, port, run, 0, "");
    return;
  }
  run.next += 1;
  const target = state.objects.resolve(timed.event.object);
  const type = "type" in target ? target.type : timed.event.type;
  const waits = waitsForCompletion({ type, event: timed.event.event });
  const dueUs = run.lastUs + timed.atUs;
  const item = state.addItem(timed.event, dueUs, { run: run.id, waiter: waits ? run.id : 0 });
  run.current = item.id;
  place(state, port, item, timed, run.startUs);
}

/** A2, A3. The step the sequence waits for has completed. */
export function stepDone(
  state: AgendaState,
  port: AgendaPort,
  run: SequenceRun,
  error: number,
  text: string,
): void {
  run.lastUs = state.eventUs(port.nowUs);
  if (error === 0) {
    stepOn(state, port, run);
    return;
  }
  run.current = 0;
  run.failed = { error, text };
  const onError = state.objects.sequence(run.name)?.onError;
  const owner = { ...nobody, failedRun: run.id };
  const refused =
    onError === undefined || startSequence(state, port, onError, run.lastUs, owner) !== undefined;
  if (refused) endRun(state, port, run, error, text);
}

/** A place in the queue says that a run has come to its end. */
export function endDue(state: AgendaState, port: AgendaPort, run: Run): void {
  run.endOrder = 0;
  endRun(state, port, run, 0, "");
}

/** Adds an event to the runs of a timeline that have not passed its place. */
export function addToRuns(
  state: AgendaState,
  port: AgendaPort,
  name: string,
  timed: TimedEvent,
): void {
  for (const run of [...state.runs.values()]) {
    if (run.kind !== "timeline" || run.name !== name) continue;
    const hasPassed = run.startUs + timed.atUs < state.eventUs(port.nowUs);
    if (timed.on === undefined && hasPassed) continue;
    if (run.endOrder !== 0) state.queue.remove(run.endOrder);
    run.endOrder = 0;
    addToTimeline(state, port, run, timed);
    if (run.unknown === 0) state.enqueueEnd(run, run.lastUs);
  }
}

/**
 * Plans an event that has come into the main timeline behind its start; what is over is due now.
 */
export function addLate(state: AgendaState, port: AgendaPort, timed: TimedEvent): void {
  const nowUs = state.eventUs(port.nowUs);
  const dueUs = Math.max(nowUs, (state.zeroUs ?? nowUs) + timed.atUs);
  const main = [...state.runs.values()].find(({ name }) => name === builtIn.timeline);
  const run = state.timelineRun(main?.id ?? 0);
  const item = state.addItem(timed.event, dueUs, { run: run?.id ?? 0 });
  // An outcome of the past does not count: the event was not there to wait for it.
  place(state, port, item, timed, Infinity);
  if (run === undefined) return;
  if (run.endOrder !== 0) state.queue.remove(run.endOrder);
  run.endOrder = 0;
  countInstant(run, item);
  if (run.unknown === 0) state.enqueueEnd(run, run.lastUs);
}

/**
 * RESET: all runs of the name end with -1, with what they have planned, what they have sent out and
 * not fired, and the runs they have started. What has fired goes on. [EMULAB-EVENTS 9 fault 13]
 */
export function resetRuns(state: AgendaState, port: AgendaPort, name: string): void {
  const ended = [...state.runs.values()].filter((run) => run.name === name);
  for (let run = ended.pop(); run !== undefined; run = ended.pop()) {
    if (!state.runs.has(run.id)) continue;
    const why = `${run.name} was reset`;
    for (const item of [...state.items.values()]) {
      if (item.run !== run.id) continue;
      if (item.state === "running") ended.push(...runsOf(state, item));
      withdraw(state, port, item, { purpose: "cancel", why });
    }
    for (const inner of state.runs.values()) {
      if (inner.owner.failedRun === run.id) ended.push(inner);
    }
    cancelRun(state, port, run, why);
  }
}

/** Everything that runs ends, and everything that has not fired is taken back. */
export function haltRuns(state: AgendaState, port: AgendaPort): void {
  const why = haltedText;
  for (const run of [...state.runs.values()]) cancelRun(state, port, run, why);
  for (const item of [...state.items.values()]) {
    withdraw(state, port, item, { purpose: "cancel", why });
  }
}

/** Drops a run because somebody wants it: no failure, but not a success either. */
function cancelRun(state: AgendaState, port: AgendaPort, run: Run, why: string): void {
  state.dropRun(run);
  sayEnded(state, port, run, refusedError);
  const { item, member } = run.owner;
  if (item !== 0) state.cancel(item, why, member);
}

/** Ends a run, and the failed sequences it has cleaned up for. */
function endRun(
  state: AgendaState,
  port: AgendaPort,
  ended: Run,
  error: number,
  text: string,
): void {
  let run: Run | undefined = ended;
  let result = { error, text };
  while (run !== undefined) {
    state.dropRun(run);
    sayEnded(state, port, run, result.error);
    const { item, member, failedRun }: Owner = run.owner;
    if (item !== 0) state.complete(item, result.error, result.text, member);
    if (run.name === builtIn.sequence && result.error === 0 && state.zeroUs === undefined) {
      startTimeline(state, port, builtIn.timeline, state.eventUs(port.nowUs), nobody);
    }
    const failed: SequenceRun | undefined = state.sequenceRun(failedRun);
    run = failed;
    result = failed?.failed ?? result;
  }
}

/** The runs that an event has started and that have not ended. */
function runsOf(state: AgendaState, item: Item): readonly Run[] {
  return [...state.runs.values()].filter(({ owner }) => owner.item === item.id);
}

function startTime(state: AgendaState, port: AgendaPort, startUs: number): void {
  state.zeroUs = startUs;
  state.started = true;
  state.epoch += 1;
  const zeroStampUs = state.stampOf(startUs, port);
  const { scope, epoch, performer } = state;
  if (performer) port.tell(performer, { kind: "time-started", scope, epoch, zeroStampUs });
}

function addToTimeline(
  state: AgendaState,
  port: AgendaPort,
  run: TimelineRun,
  timed: TimedEvent,
): void {
  const item = state.addItem(timed.event, run.startUs + timed.atUs, { run: run.id });
  place(state, port, item, timed, run.startUs);
  countInstant(run, item);
}

function countInstant(run: TimelineRun, item: Item): void {
  if (item.state === "waiting") run.unknown += 1;
  else if (item.dueUs > run.lastUs) run.lastUs = item.dueUs;
}

/** Without a bound two sequences that start each other would keep the core busy for ever. */
function countStart(state: AgendaState, { limits }: AgendaPort): string | undefined {
  if (state.startsAtOnce >= limits.startsAtOnceMax) {
    const what = "too many sequences and timelines start each other at one instant";
    return overLimit(limits, "startsAtOnceMax", what).message;
  }
  state.startsAtOnce += 1;
  return undefined;
}

function sayStarted(state: AgendaState, port: AgendaPort, run: Run): void {
  const objectType = run.kind === "sequence" ? "SEQUENCE" : "TIMELINE";
  const startStampUs = state.stampOf(run.startUs, port);
  const { scope } = state;
  port.observe({ kind: "object-started", scope, objectType, name: run.name, startStampUs });
}

function sayEnded(state: AgendaState, port: AgendaPort, run: Run, error: number): void {
  const objectType = run.kind === "sequence" ? "SEQUENCE" : "TIMELINE";
  const { scope } = state;
  port.observe({ kind: "object-ended", scope, objectType, name: run.name, error });
}

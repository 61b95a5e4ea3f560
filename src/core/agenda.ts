// SPDX-License-Identifier: MIT
// Agenda: the planned events of one scope. The main timeline, named timelines and sequences whose
// steps wait for each other. Owns what fires when; performing an event is the business of the edge
// that loaded the agenda, which answers each `fire` with a completion.
//
//   A1. Events of one timeline fire in (time, source) order, never early.
//   A2. A step of a sequence that completes later holds the next step until its completion.
//   A3. A step that completes with an error ends its sequence with that error.
//   A4. A sequence or timeline that runs is not started again; the request completes with -1.
//   A5. `idle` is said once, when nothing is running, due or waiting for completion.
//
// Runs that end let the run that waits for them go on. That goes through a queue and not through
// calls, so that a long chain of steps that end at once is a loop and not a deep stack.
import type { AgendaEvent, AgendaLoad, TimedEvent } from "./command.ts";

/** Sequences and timelines may start each other only this deep in one instant. */
const nestingMax = 200;
/**
 * Runs started in one instant. Without it a few sequences that start each other many times each
 * would keep the core busy for ever.
 */
const startsAtOnceMax = 100_000;
/** The completion of an event that was refused. */
export const refusedCompletion = -1;

/** What the agenda needs from the machine around it. */
export interface AgendaPort {
  readonly nowUs: number;
  setTimer(dueUs: number, entry: number): number;
  clearTimer(id: number): void;
  fire(token: number, event: AgendaEvent, plannedUs: number): void;
  /** A sequence or timeline was started here, or refused; the performer has no part in it. */
  started(event: AgendaEvent, plannedUs: number, refused: boolean): void;
  sequenceEnded(name: string, error: number): void;
  idle(): void;
}

interface TimelineRun {
  readonly kind: "timeline";
  readonly id: number;
  readonly name: string;
  readonly events: readonly TimedEvent[];
  readonly startUs: number;
  next: number;
  timer: number;
  /** The run whose step waits for this one, 0 for none. */
  readonly parent: number;
}

interface SequenceRun {
  readonly kind: "sequence";
  readonly id: number;
  readonly name: string;
  readonly steps: readonly AgendaEvent[];
  next: number;
  readonly parent: number;
}

type Run = TimelineRun | SequenceRun;

/** Everything that decides what fires next, as plain data. */
export interface AgendaSnapshot {
  readonly performer: { readonly edge: string; readonly incarnation: number } | null;
  readonly startedUs: number | null;
  readonly main: readonly TimedEvent[];
  readonly timelines: readonly (readonly [string, readonly TimedEvent[]])[];
  readonly sequences: readonly (readonly [string, readonly AgendaEvent[]])[];
  readonly runs: readonly Run[];
  readonly pending: readonly (readonly [number, number])[];
  readonly lastRun: number;
  readonly lastToken: number;
}

/** The main timeline in the table of runs; no user object can have this name. */
const mainName = "";

const completesLater: Readonly<Record<string, readonly string[]>> = {
  PROGRAM: ["RUN", "HALT", "RELOAD"],
  SEQUENCE: ["RUN", "HALT", "RELOAD"],
  TIMELINE: ["RUN", "HALT", "RELOAD"],
  SIMULATOR: ["RESET", "REPORT", "MODIFY", "SNAPSHOT", "LOG"],
  LINKTEST: ["START"],
  LINK: ["RESET"],
  LINKTRACE: ["SNAPSHOT"],
  NODE: ["REBOOT", "RELOAD", "SETDEST", "SNAPSHOT"],
};

/** Whether a sequence waits for the completion of this event. [EMULAB-NSFILE 8 waiting] */
export function waitsForCompletion(event: AgendaEvent): boolean {
  return completesLater[event.type]?.includes(event.event) ?? false;
}

export class Agenda {
  readonly scope: string;
  /** Edge and incarnation that loaded the agenda and performs its events. */
  performer: { readonly edge: string; readonly incarnation: number } | undefined;
  startedUs: number | undefined;
  #main: readonly TimedEvent[] = [];
  #timelines = new Map<string, readonly TimedEvent[]>();
  #sequences = new Map<string, readonly AgendaEvent[]>();
  readonly #runs = new Map<number, Run>();
  readonly #runByName = new Map<string, number>();
  /** Fired events without completion yet: token -> run that waits for it, 0 for none. */
  readonly #pending = new Map<number, number>();
  #lastRun = 0;
  #lastToken = 0;
  #depth = 0;
  #startsAtOnce = 0;
  /** Runs whose step is done, in order; empty between the calls of this class. */
  readonly #done: { readonly run: number; readonly error: number }[] = [];

  constructor(scope: string) {
    this.scope = scope;
  }

  /** @returns how many events the load has, so that the caller can hold it against its limit. */
  static sizeOf(load: AgendaLoad): number {
    let size = load.main.length;
    for (const { events } of load.timelines) size += events.length;
    for (const { steps } of load.sequences) size += steps.length;
    return size;
  }

  load(load: AgendaLoad): void {
    this.#main = inOrder(load.main);
    this.#timelines = new Map(load.timelines.map(({ name, events }) => [name, inOrder(events)]));
    this.#sequences = new Map(load.sequences.map(({ name, steps }) => [name, steps]));
  }

  start(port: AgendaPort): void {
    if (this.startedUs !== undefined) return;
    this.startedUs = port.nowUs;
    this.#startTimeline(mainName, this.#main, 0, port);
    this.#settle(port);
  }

  /** Nothing fires any more; another load may start from the beginning. */
  stop(port: AgendaPort): void {
    for (const run of this.#runs.values()) {
      if (run.kind === "timeline" && run.timer !== 0) port.clearTimer(run.timer);
    }
    this.#runs.clear();
    this.#runByName.clear();
    this.#pending.clear();
    this.startedUs = undefined;
    this.performer = undefined;
  }

  /** The timer of a timeline is due. */
  timerDue(runId: number, port: AgendaPort): void {
    const run = this.#runs.get(runId);
    if (run?.kind !== "timeline") return;
    run.timer = 0;
    this.#advanceTimeline(run, port);
    this.#settle(port);
  }

  /** A fired event completed. Unknown tokens (repeats, other epochs) are ignored. */
  complete(token: number, error: number, port: AgendaPort): void {
    const waiting = this.#pending.get(token);
    if (waiting === undefined) return;
    this.#pending.delete(token);
    if (waiting !== 0) this.#done.push({ run: waiting, error });
    this.#settle(port);
  }

  /** Events not fired yet, and the next of them. */
  outlook(): {
    readonly pending: number;
    readonly next: { readonly event: AgendaEvent; readonly dueUs: number } | undefined;
  } {
    let pending = 0;
    let next: { event: AgendaEvent; dueUs: number } | undefined;
    for (const run of this.#runs.values()) {
      if (run.kind === "sequence") {
        pending += run.steps.length - run.next;
        continue;
      }
      pending += run.events.length - run.next;
      const timed = run.events[run.next];
      if (timed === undefined) continue;
      const dueUs = run.startUs + timed.atUs;
      if (next === undefined || dueUs < next.dueUs) next = { event: timed.event, dueUs };
    }
    return { pending, next };
  }

  /** Rows for the digest: everything that decides what fires next. */
  rows(): readonly string[] {
    const rows = [`agenda ${this.scope} ${this.startedUs} ${this.#lastRun} ${this.#lastToken}`];
    for (const run of this.#runs.values()) {
      const since = run.kind === "timeline" ? run.startUs : "-";
      rows.push(`run ${this.scope} ${run.id} ${run.name} ${run.next} ${run.parent} ${since}`);
    }
    for (const [token, run] of this.#pending) rows.push(`pending ${this.scope} ${token} ${run}`);
    return rows;
  }

  capture(): AgendaSnapshot {
    return {
      performer: this.performer ?? null,
      startedUs: this.startedUs ?? null,
      main: this.#main,
      timelines: [...this.#timelines],
      sequences: [...this.#sequences],
      runs: [...this.#runs.values()].map((run) => ({ ...run })),
      pending: [...this.#pending],
      lastRun: this.#lastRun,
      lastToken: this.#lastToken,
    };
  }

  restore(snapshot: AgendaSnapshot): void {
    this.performer = snapshot.performer ?? undefined;
    this.startedUs = snapshot.startedUs ?? undefined;
    this.#main = snapshot.main;
    this.#timelines = new Map(snapshot.timelines);
    this.#sequences = new Map(snapshot.sequences);
    for (const run of snapshot.runs) this.#add({ ...run });
    for (const [token, run] of snapshot.pending) this.#pending.set(token, run);
    this.#lastRun = snapshot.lastRun;
    this.#lastToken = snapshot.lastToken;
  }

  #startTimeline(
    name: string,
    events: readonly TimedEvent[],
    parent: number,
    port: AgendaPort,
  ): void {
    this.#lastRun += 1;
    const run: TimelineRun = {
      kind: "timeline",
      id: this.#lastRun,
      name,
      events,
      startUs: port.nowUs,
      next: 0,
      timer: 0,
      parent,
    };
    this.#add(run);
    this.#advanceTimeline(run, port);
  }

  #advanceTimeline(run: TimelineRun, port: AgendaPort): void {
    for (let timed = run.events[run.next]; timed !== undefined; timed = run.events[run.next]) {
      const dueUs = run.startUs + timed.atUs;
      if (dueUs > port.nowUs) {
        run.timer = port.setTimer(dueUs, run.id);
        return;
      }
      run.next += 1;
      this.#dispatch(timed.event, dueUs, 0, port);
      // What this event set going goes on before the next event of the same instant.
      this.#drain(port);
    }
    this.#finish(run, 0, port);
  }

  #startSequence(
    name: string,
    steps: readonly AgendaEvent[],
    parent: number,
    port: AgendaPort,
  ): void {
    this.#lastRun += 1;
    const run: SequenceRun = { kind: "sequence", id: this.#lastRun, name, steps, next: 0, parent };
    this.#add(run);
    this.#advanceSequence(run, port);
  }

  /** Fires steps until one has to be waited for, or the sequence ends. */
  #advanceSequence(run: SequenceRun, port: AgendaPort): void {
    for (let step = run.steps[run.next]; step !== undefined; step = run.steps[run.next]) {
      run.next += 1;
      const waits = waitsForCompletion(step);
      this.#dispatch(step, port.nowUs, waits ? run.id : 0, port);
      // A step that was refused or ended at once has already moved or ended the run.
      if (waits) return;
    }
    this.#finish(run, 0, port);
  }

  #dispatch(event: AgendaEvent, dueUs: number, waiting: number, port: AgendaPort): void {
    const starts = event.event === "START" || event.event === "RUN";
    if (starts && (event.type === "SEQUENCE" || event.type === "TIMELINE")) {
      this.#startNamed(event, dueUs - (this.startedUs ?? 0), waiting, port);
      return;
    }
    this.#lastToken += 1;
    this.#pending.set(this.#lastToken, waiting);
    port.fire(this.#lastToken, event, dueUs - (this.startedUs ?? 0));
  }

  #startNamed(event: AgendaEvent, plannedUs: number, waiting: number, port: AgendaPort): void {
    const steps = event.type === "SEQUENCE" ? this.#sequences.get(event.object) : undefined;
    const events = event.type === "TIMELINE" ? this.#timelines.get(event.object) : undefined;
    const tooMany = this.#depth >= nestingMax || this.#startsAtOnce >= startsAtOnceMax;
    const refused = this.#runByName.has(event.object) || tooMany;
    const isUnknown = steps === undefined && events === undefined;
    port.started(event, plannedUs, refused || isUnknown);
    if (refused || isUnknown) {
      if (event.type === "SEQUENCE") port.sequenceEnded(event.object, refusedCompletion);
      if (waiting !== 0) this.#done.push({ run: waiting, error: refusedCompletion });
      return;
    }
    this.#startsAtOnce += 1;
    this.#depth += 1;
    if (steps !== undefined) this.#startSequence(event.object, steps, waiting, port);
    else if (events !== undefined) this.#startTimeline(event.object, events, waiting, port);
    this.#depth -= 1;
  }

  /** Lets the runs go on whose step is done (A2, A3). */
  #drain(port: AgendaPort): void {
    for (let done = this.#done.shift(); done !== undefined; done = this.#done.shift()) {
      const run = this.#runs.get(done.run);
      if (run?.kind !== "sequence") continue;
      if (done.error !== 0) this.#finish(run, done.error, port);
      else this.#advanceSequence(run, port);
    }
  }

  #finish(run: Run, error: number, port: AgendaPort): void {
    this.#runs.delete(run.id);
    this.#runByName.delete(run.name);
    if (run.kind === "timeline" && run.timer !== 0) port.clearTimer(run.timer);
    if (run.kind === "sequence") port.sequenceEnded(run.name, error);
    if (run.parent !== 0) this.#done.push({ run: run.parent, error });
  }

  #add(run: Run): void {
    this.#runs.set(run.id, run);
    this.#runByName.set(run.name, run.id);
  }

  /** The end of every call from outside. */
  #settle(port: AgendaPort): void {
    this.#drain(port);
    this.#startsAtOnce = 0;
    if (this.#runs.size === 0 && this.#pending.size === 0) port.idle();
  }
}

/** By time; equal times keep source order (`sort` is stable). */
function inOrder(events: readonly TimedEvent[]): readonly TimedEvent[] {
  return [...events].sort((a, b) => a.atUs - b.atUs);
}

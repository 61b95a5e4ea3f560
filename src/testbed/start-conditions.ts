// SPDX-License-Identifier: MIT
// Programs that start when others have ended as expected (`after` of an experiment file). In the
// agenda each is an event that waits for a barrier that nobody but the run ends; here is when that
// is, and which programs can never start any more. A program that waits for a barrier of the file
// alone waits for that one, and is no business of this file. Pure.
//
//   S1. A program is named as ready once, when all that it waits for has happened.
//   S2. A program that waits for one that failed is named as lost, once, and all that wait for it.
import type { BarrierCondition } from "../core/agenda/commands.ts";
import { defaultArgs } from "../experiment/index.ts";
import type { Experiment, PlannedEvent, Program, StartCondition } from "../experiment/model.ts";

/** What the agenda calls the conditions of a program. No barrier of a file has a space. */
export function startBarrierOf(program: string): string {
  return `the start of ${program}`;
}

/** The experiment with an event for each program that starts on conditions. */
export function withStarts(experiment: Experiment): Experiment {
  const { programs, events, sequences, timelines } = experiment;
  const all = [
    ...events,
    ...sequences.flatMap(({ steps }) => steps),
    ...timelines.flatMap((timeline) => timeline.events),
  ];
  let last = all.reduce((most, { index }) => Math.max(most, index), -1);
  const starts = programs.flatMap((program): PlannedEvent[] => {
    const { name: object, startWhen } = program;
    if (startWhen === undefined) return [];
    last += 1;
    const { delayUs: atUs, at } = startWhen;
    const event = { index: last, atUs, object, type: "PROGRAM", event: "START" };
    return [{ ...event, args: defaultArgs(program), on: { ...waitOf(object, startWhen), at }, at }];
  });
  return starts.length === 0 ? experiment : { ...experiment, events: [...events, ...starts] };
}

function waitOf(program: string, { after, on }: StartCondition): BarrierCondition {
  if (on !== undefined && after.length === 0) return { barrier: on.barrier, outcome: on.outcome };
  return { barrier: startBarrierOf(program), outcome: "crossed" };
}

interface Waiting {
  readonly name: string;
  /** Programs that have not ended as expected yet. */
  readonly after: Set<string>;
  /** Null when it has ended so, or is not waited for. */
  on: BarrierCondition | null;
  isOver: boolean;
}

export class StartConditions {
  readonly #byProgram = new Map<string, Waiting[]>();
  readonly #byBarrier = new Map<string, Waiting[]>();

  constructor(programs: readonly Program[]) {
    for (const { name, startWhen } of programs) {
      if (startWhen === undefined || startWhen.after.length === 0) continue;
      const { on = null } = startWhen;
      const after = new Set(startWhen.after.map(({ program }) => program));
      const waiting: Waiting = { name, after, on, isOver: false };
      for (const program of after) add(this.#byProgram, program, waiting);
      if (on !== null) add(this.#byBarrier, on.barrier, waiting);
    }
  }

  /** It has ended as expected. @returns the programs that start now (S1) */
  passed(program: string): readonly string[] {
    const waiting = this.#byProgram.get(program) ?? [];
    for (const { after } of waiting) after.delete(program);
    return ready(waiting);
  }

  /** A barrier has ended. @returns the programs that start now (S1) */
  barrierEnded({ barrier, outcome }: BarrierCondition): readonly string[] {
    const waiting = this.#byBarrier.get(barrier) ?? [];
    for (const one of waiting) if (one.on?.outcome === outcome) one.on = null;
    return ready(waiting);
  }

  /** It has ended otherwise. @returns the programs that never start (S2) */
  failed(program: string): readonly string[] {
    const lost: string[] = [];
    const gone = [program];
    for (let name = gone.shift(); name !== undefined; name = gone.shift()) {
      for (const waiting of this.#byProgram.get(name) ?? []) {
        if (waiting.isOver || !waiting.after.has(name)) continue;
        waiting.isOver = true;
        lost.push(waiting.name);
        gone.push(waiting.name);
      }
    }
    return lost;
  }
}

function ready(waiting: readonly Waiting[]): readonly string[] {
  const now = waiting.filter(({ after, on, isOver }) => !isOver && after.size === 0 && on === null);
  for (const one of now) one.isOver = true;
  return now.map(({ name }) => name);
}

function add(map: Map<string, Waiting[]>, name: string, waiting: Waiting): void {
  const list = map.get(name);
  if (list === undefined) map.set(name, [waiting]);
  else list.push(waiting);
}

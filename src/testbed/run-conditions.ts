// SPDX-License-Identifier: MIT
// What waits in a run for something else than time: programs for others, programs and events for
// barriers; and what it means when a barrier of the file ends otherwise than by being crossed.
//
//   C1. While the agenda has not heard of something that may set an event going, the run does not
//       end for having nothing to do.
//   C2. A run in which a program can never start ends at once, and says which and why.
//   C3. A program that the file starts once, and that has ended, is dead for the barriers where it
//       is a member, has not come and has nothing on the way.

import type { Participant } from "../core/command.ts";
import type { ScopeDescription } from "../core/description.ts";
import type { BarrierClosed } from "../core/effect.ts";
import type { Experiment, PlannedEvent } from "../experiment/model.ts";
import type { Host } from "../host/host.ts";
import type { ShaperHealth } from "../network/link-report.ts";
import type { AgendaRequests } from "./agenda-requests.ts";
import { DeclaredBarriers } from "./declared-barriers.ts";
import { programPassed } from "./record/verdict.ts";
import { joinNames } from "./record/words.ts";
import type { RunDoor } from "./run-door.ts";
import type { ProgramEnded } from "./run-event.ts";
import type { RunOptions } from "./run-options.ts";
import { StartConditions, startBarrierOf } from "./start-conditions.ts";

/** An arrival that left its program before that ended is in the log by then, milliseconds. */
const onTheWayMs = 1_000;

export interface RunConditionsOptions {
  readonly experiment: Experiment;
  readonly scope: string;
  readonly host: Host;
  readonly requests: AgendaRequests;
  readonly run: Pick<RunOptions, "clock" | "logger">;
  /** The run cannot go on. */
  readonly onFailure: (error: { readonly code: string; readonly message: string }) => void;
  /** `isTelling` is false again. */
  readonly onTold: () => void;
}

export class RunConditions {
  readonly #options: RunConditionsOptions;
  readonly #declared: DeclaredBarriers;
  /** Program -> its node. */
  readonly #nodes: ReadonlyMap<string, string>;
  /** Whether anything of the experiment waits for a barrier. */
  readonly #waitsForBarriers: boolean;
  /** Programs that the file starts once: one that has ended does not come any more. */
  readonly #startOnce: ReadonlySet<string>;
  readonly #cancelLast = new Set<() => void>();
  #starts: StartConditions;
  #isStarted = false;
  #telling = 0;
  #door: RunDoor | undefined;
  #stopObserving: () => void = () => undefined;

  constructor(options: RunConditionsOptions) {
    const { experiment, scope, host, onFailure } = options;
    this.#options = options;
    this.#starts = new StartConditions(experiment.programs);
    this.#nodes = new Map(experiment.programs.map(({ name, node }) => [name, node]));
    this.#waitsForBarriers = waitsForBarriers(experiment);
    this.#startOnce = startedOnce(experiment);
    this.#declared = new DeclaredBarriers({
      ...{ scope, barriers: experiment.barriers ?? [], connect: host.connectEdge },
      onRefused: (message) => onFailure({ code: "LIMIT", message }),
    });
  }

  /**
   * @param health of who shapes the links, for the figures of the door
   * @returns how programs find the barriers of the file. @throws Error
   */
  async openDoor(health: () => ShaperHealth | undefined): Promise<RunDoor["environment"]> {
    const { experiment, run, host, scope } = this.#options;
    if ((experiment.barriers ?? []).length === 0) return [];
    // What it needs is loaded by runs that have it, and by no others.
    const { openRunDoor } = await import("./run-door.ts");
    this.#door = await openRunDoor(run, { host, scope, health });
    return this.#door.environment;
  }

  /** Before time 0. */
  open(): void {
    this.#stopObserving = this.#options.host.observe((_entry, { observed }) => {
      for (const effect of observed) {
        if (effect.kind === "barrier-closed") this.#barrierClosed(effect);
      }
    });
    this.#declared.open();
  }

  /** Time 0, or event time has begun again: so does all waiting. */
  timeStarted(): void {
    if (this.#isStarted) {
      this.#starts = new StartConditions(this.#options.experiment.programs);
      this.#forgetLast();
      this.#declared.openAgain();
    }
    this.#isStarted = true;
  }

  /** C1. */
  get isTelling(): boolean {
    return this.#telling > 0;
  }

  /**
   * The state of the scope as it is for who looks whether the run can go on: a barrier that will
   * end by itself is something planned, and who has but a name is at the node of that program.
   * @param pendingEvents planned in all agendas
   */
  describe(state: ScopeDescription, pendingEvents: number): ScopeDescription {
    const { barriers } = state;
    const timed = barriers.filter((one) => this.#declared.isTimed(one)).length;
    const more = timed + (this.isTelling ? 1 : 0);
    const placed = barriers.map((one) => ({ ...one, waiting: one.waiting.map(this.#placed) }));
    return { ...state, barriers: placed, pendingEvents: pendingEvents + more };
  }

  /** A program has ended, and not for a modification or the end of the run. */
  programEnded(ended: ProgramEnded): void {
    if (programPassed(ended)) {
      this.#start(this.#starts.passed(ended.name));
      this.#expectNoMore(ended);
      return;
    }
    this.#declared.memberDied(ended.name, howEnded(ended));
    const lost = this.#starts.failed(ended.name);
    if (lost.length === 0) return;
    const { name, node } = ended;
    const message = `${joinNames(lost)} cannot start: ${name} on ${node} ${howEnded(ended)}`;
    this.#options.onFailure({ code: "DEPENDENCY", message });
  }

  /** C3. */
  #expectNoMore({ name, stopped }: ProgramEnded): void {
    if (!this.#startOnce.has(name)) return;
    const { clock } = this.#options.run;
    // It may have come and left: of that the reason says nothing.
    const reason = stopped ? "was stopped" : "ended before the barrier was crossed";
    this.#cancelLast.add(
      clock.after(onTheWayMs, () => this.#declared.memberDied(name, reason, true)),
    );
  }

  readonly #placed = <T extends { readonly who: Participant }>(waiting: T): T => {
    const node = waiting.who.node ?? this.#nodes.get(waiting.who.name ?? "");
    return node === undefined ? waiting : { ...waiting, who: { ...waiting.who, node } };
  };

  async close(): Promise<void> {
    this.#forgetLast();
    this.#stopObserving();
    await this.#door?.close();
    await this.#declared.close();
  }

  #forgetLast(): void {
    for (const cancel of this.#cancelLast) cancel();
    this.#cancelLast.clear();
  }

  #barrierClosed(closed: BarrierClosed): void {
    const { scope, onFailure } = this.#options;
    if (closed.scope !== scope) return;
    const { barrier, outcome } = closed;
    const declared = this.#declared.of(closed);
    if (declared !== undefined) {
      this.#declared.ended(closed);
      if (outcome !== "crossed" && declared.onFailure === "stop") {
        const message = describeEnd(closed);
        onFailure({ code: "BARRIER_FAILED", message });
      }
    }
    if (this.#waitsForBarriers) {
      this.#tell(() => this.#options.requests.mark(scope));
    }
    this.#start(this.#starts.barrierEnded({ barrier, outcome }));
  }

  #start(programs: readonly string[]): void {
    const { scope, requests } = this.#options;
    for (const name of programs) {
      const end = { barrier: startBarrierOf(name), outcome: "crossed" } as const;
      this.#tell(() => requests.tellBarrier(scope, end));
    }
  }

  /** C1. */
  #tell(tell: () => Promise<void>): void {
    this.#telling += 1;
    void tell().then(() => {
      this.#telling -= 1;
      if (this.#telling === 0) this.#options.onTold();
    });
  }
}

function waitsForBarriers({ programs, events, timelines }: Experiment): boolean {
  const all = [...events, ...timelines.flatMap((timeline) => timeline.events)];
  return (
    programs.some(({ startWhen }) => startWhen?.on !== undefined) ||
    all.some(({ on }) => on !== undefined)
  );
}

function howEnded(ended: ProgramEnded): string {
  const { startError, timedOut, signal, exitCode, expectedExitCode } = ended;
  if (startError !== null) return `could not be started: ${startError}`;
  if (timedOut) return "ran out of its time";
  if (signal !== null) return `was ended by ${signal}`;
  return `exited with ${exitCode}, expected ${expectedExitCode}`;
}

function describeEnd({ barrier, outcome, reason, missing }: BarrierClosed): string {
  const how =
    outcome === "timeout" ? "timed out" : outcome === "failed" ? "failed" : "was cancelled";
  const why = reason === undefined ? "" : `: ${reason}`;
  const who = missing.length === 0 ? "" : `; missing: ${joinNames([...missing])}`;
  return `barrier ${barrier} ${how}${why}${who}`;
}

/** Programs that one event of the file starts, and nothing else of it. */
export function startedOnce(experiment: Experiment): ReadonlySet<string> {
  const { programs, events, sequences, timelines, groups } = experiment;
  const membersOf = new Map(groups.map(({ name, members }) => [name, members]));
  const starts = new Map<string, number>();
  const count = (
    { object, event }: Pick<PlannedEvent, "object" | "event">,
    times: number,
  ): void => {
    if (event !== "START" && event !== "RUN") return;
    for (const name of membersOf.get(object) ?? [object]) {
      starts.set(name, (starts.get(name) ?? 0) + times);
    }
  };
  for (const event of events) count(event, 1);
  // They may run more than once.
  for (const { steps } of sequences) for (const step of steps) count(step, 2);
  for (const timeline of timelines) for (const event of timeline.events) count(event, 2);
  for (const { name, startWhen } of programs) {
    if (startWhen !== undefined) count({ object: name, event: "START" }, 1);
  }
  return new Set(programs.map(({ name }) => name).filter((name) => starts.get(name) === 1));
}

// SPDX-License-Identifier: MIT
// Keeps one scheduler (or what runs beside it) alive: starts it, starts it again when it dies, ends
// it when asked. Decides only; processes, files and the clock are handed in. It stays root (the
// user's scheduler must be ended by others than the user too) and therefore does little else.
//
//   V1. At most one scheduler at a time, and none after `run` has resolved.
//   V2. A scheduler that ended with status 0 wanted to end: it is not started again.
//   V3. One that dies before it has started once is reported, not repeated.
import type { Clock } from "../../host/clock.ts";
import type { LaunchLimits } from "./launch-limits.ts";

/** `new`: event time begins anew. `continue`: go on from the log of the one before. */
export type Epoch = "new" | "continue";

export interface Ending {
  readonly exitCode: number | null;
  readonly signal: string | null;
}

export interface RunningScheduler {
  /** Resolves when it says that it listens; never, when it says nothing. */
  readonly ready: Promise<void>;
  readonly ended: Promise<Ending>;
  /** To all of its process group. */
  signal(name: "SIGTERM" | "SIGKILL"): void;
}

export interface SupervisorWorld {
  /** What is supervised, in words for the log. */
  readonly name: string;
  readonly clock: Clock;
  readonly limits: LaunchLimits;
  start(epoch: Epoch): RunningScheduler;
  /** A line for the log of the scheduler. */
  note(text: string): void;
  /** Called once: how the first start went. */
  report(outcome: StartOutcome): void;
}

export type StartOutcome =
  | { readonly kind: "started" }
  | { readonly kind: "died"; readonly how: string };

/** Why there is no scheduler any more. */
export type SupervisorEnd = "stopped" | "ended" | "died at once" | "gave up";

export class Supervisor {
  readonly #world: SupervisorWorld;
  #stopping = false;
  #scheduler: RunningScheduler | undefined;
  #wake: () => void = () => undefined;

  constructor(world: SupervisorWorld) {
    this.#world = world;
  }

  /** Resolves when there is no scheduler and will be none. */
  async run(epoch: Epoch): Promise<SupervisorEnd> {
    const { clock, limits, name, note, report } = this.#world;
    const first = this.#start(epoch);
    const startedUs = clock.nowUs();
    const early = await this.#untilStarted(first);
    if (this.#stopping) return this.#finish(first);
    if (early !== undefined) {
      first.signal("SIGKILL");
      const how = describeEnding(early);
      note(`${name} ${how} before it had started`);
      report({ kind: "died", how });
      return "died at once";
    }
    report({ kind: "started" });
    let failures = 0;
    for (let scheduler = first, sinceUs = startedUs; ; sinceUs = clock.nowUs()) {
      const ending = await scheduler.ended;
      scheduler.signal("SIGKILL"); // What it has left behind in its group.
      if (this.#stopping) return "stopped";
      if (ending.exitCode === 0) {
        note(`${name} has ended by itself; it is not started again`);
        return "ended";
      }
      if (clock.nowUs() - sinceUs >= limits.steadyMs * 1_000) failures = 0;
      failures += 1;
      const how = describeEnding(ending);
      if (failures > limits.restartsMax) {
        note(`${name} ${how}, ${failures} times in a row; giving up: eventsys_control replay`);
        return "gave up";
      }
      const delayMs = restartDelayMs(failures, limits);
      note(`${name} ${how}; it is started again in ${delayMs / 1_000} s`);
      await this.#pause(delayMs);
      if (this.#stopping) return "stopped";
      scheduler = this.#start("continue");
    }
  }

  /** Ends the scheduler, with force if it must be; `run` resolves then. */
  stop(): void {
    if (this.#stopping) return;
    this.#stopping = true;
    const { clock, limits, name, note } = this.#world;
    note(`${name} is asked to stop`);
    this.#wake();
    const scheduler = this.#scheduler;
    if (scheduler === undefined) return;
    scheduler.signal("SIGTERM");
    const cancel = clock.after(limits.graceMs, () => {
      note(`${name} has not ended within ${limits.graceMs / 1_000} s; it is killed`);
      scheduler.signal("SIGKILL");
    });
    void scheduler.ended.then(cancel);
  }

  #start(epoch: Epoch): RunningScheduler {
    const scheduler = this.#world.start(epoch);
    this.#scheduler = scheduler;
    void scheduler.ended.then(() => {
      this.#scheduler = undefined;
    });
    return scheduler;
  }

  /** @returns how it ended, if it did before it had started. */
  async #untilStarted(scheduler: RunningScheduler): Promise<Ending | undefined> {
    const { clock, limits } = this.#world;
    let cancel = (): void => undefined;
    const old = new Promise<undefined>((resolve) => {
      cancel = clock.after(limits.startMs, () => resolve(undefined));
    });
    const ready = scheduler.ready.then(() => undefined);
    const ending = await Promise.race([scheduler.ended, ready, old]);
    cancel();
    return ending;
  }

  async #finish(scheduler: RunningScheduler): Promise<SupervisorEnd> {
    await scheduler.ended;
    scheduler.signal("SIGKILL");
    this.#world.report({ kind: "died", how: "was stopped while it started" });
    return "stopped";
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#world.clock.after(delayMs, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }
}

function restartDelayMs(failures: number, limits: LaunchLimits): number {
  return Math.min(limits.restartMsMin * 2 ** (failures - 1), limits.restartMsMax);
}

export function describeEnding({ exitCode, signal }: Ending): string {
  return signal === null ? `ended with status ${exitCode}` : `was ended by ${signal}`;
}

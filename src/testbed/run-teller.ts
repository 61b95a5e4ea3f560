// SPDX-License-Identifier: MIT
// Tells whoever watches a run what happens, in times of the run. What happens before time 0 is held
// until time 0 is known, so that everything that is told has a time.
import type { Clock } from "../host/clock.ts";
import type { RunEventBody, RunWatcher } from "./run-event.ts";
import type { TimeBase } from "./time-base.ts";

export class RunTeller {
  readonly #clock: Clock;
  readonly #time: TimeBase;
  readonly #watch: RunWatcher;
  #held: { readonly body: RunEventBody; readonly monotonicUs: number }[] = [];

  constructor(clock: Clock, time: TimeBase, watch: RunWatcher) {
    this.#clock = clock;
    this.#time = time;
    this.#watch = watch;
  }

  say(body: RunEventBody, monotonicUs: number = this.#clock.nowUs()): void {
    if (!this.#time.isSet) this.#held.push({ body, monotonicUs });
    else this.#watch({ ...body, atUs: this.#time.fromMonotonic(monotonicUs) });
  }

  warn(text: string, node: string | null = null): void {
    this.say({ type: "message", level: "warning", node, text });
  }

  /** Time 0 is known. */
  sayHeld(): void {
    const held = this.#held;
    this.#held = [];
    for (const { body, monotonicUs } of held) this.say(rebase(body, this.#time), monotonicUs);
  }
}

/** What was said before time 0 was known carries monotonic times; they are turned now. */
function rebase(body: RunEventBody, time: TimeBase): RunEventBody {
  if (body.type === "run-started") return { ...body, zeroMonotonicUs: time.zeroMonotonicUs };
  if (body.type !== "program-ended") return body;
  return { ...body, startedUs: time.fromMonotonic(body.startedUs) };
}

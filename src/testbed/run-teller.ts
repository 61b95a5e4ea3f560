// SPDX-License-Identifier: MIT
// Tells whoever watches a run what happens, in times of the run. What happens before time 0 is held
// until time 0 is known, so that everything that is told has a time. Who shows a run to people
// hears it at once, too, without a time: set-up may take long.
import type { Clock } from "../host/clock.ts";
import type { EarlyWatch, RunEventBody, RunWatcher } from "./run-event.ts";
import type { TimeBase } from "./time-base.ts";

export interface TellerOptions {
  readonly clock: Clock;
  readonly watch: RunWatcher;
  readonly early?: EarlyWatch | undefined;
}

export class RunTeller {
  readonly #clock: Clock;
  readonly #time: TimeBase;
  readonly #watch: RunWatcher;
  readonly #early: EarlyWatch | undefined;
  #held: { readonly body: RunEventBody; readonly monotonicUs: number }[] = [];

  constructor({ clock, watch, early }: TellerOptions, time: TimeBase) {
    this.#clock = clock;
    this.#time = time;
    this.#watch = watch;
    this.#early = early;
  }

  say(body: RunEventBody, monotonicUs: number = this.#clock.nowUs()): void {
    if (!this.#time.isSet) {
      this.#held.push({ body, monotonicUs });
      this.#early?.said(body);
    } else this.#watch({ ...body, atUs: this.#time.fromMonotonic(monotonicUs) });
  }

  warn(text: string, node: string | null = null): void {
    this.say({ type: "message", level: "warning", node, text });
  }

  /** Time 0 is known. */
  sayHeld(): void {
    const held = this.#held;
    this.#held = [];
    const watch = this.#early?.again ?? this.#watch;
    for (const { body, monotonicUs } of held) {
      watch({ ...rebase(body, this.#time), atUs: this.#time.fromMonotonic(monotonicUs) });
    }
  }
}

/** What was said before time 0 was known carries monotonic times; they are turned now. */
function rebase(body: RunEventBody, time: TimeBase): RunEventBody {
  if (body.type === "run-started") return { ...body, zeroMonotonicUs: time.zeroMonotonicUs };
  if (body.type !== "program-ended") return body;
  return { ...body, startedUs: time.fromMonotonic(body.startedUs) };
}

// SPDX-License-Identifier: MIT
// What a daemon does about the results of old runs, when it was told how long and how much to keep:
// looks for them when it starts and every hour from then on, and says of each that it has removed.
// Which may go is the business of old-runs.ts.
//
//   T1. A run that is under way is never touched, whatever its number.
//   T2. One sweep at a time, which removes at most `runsRemovedMax`; the rest goes with the next.
import type { Cancel, Clock } from "../host/clock.ts";
import { retentionSweepMs } from "./limits.ts";
import {
  findStoredRuns,
  type KeepRules,
  nameRun,
  planRemoval,
  removeRun,
  type StoredRun,
} from "./old-runs.ts";
import type { StateDirectory } from "./state-directory.ts";

export interface RetentionOptions {
  readonly state: StateDirectory;
  readonly rules: KeepRules;
  readonly clock: Pick<Clock, "after" | "wallMs">;
  /** T2. */
  readonly runsRemovedMax: number;
  /** Whether a run with this directory is under way. */
  readonly isUnderWay: (directory: string) => boolean;
  /** A line for each run that went. */
  readonly say: (line: string) => void;
  readonly warn: (line: string) => void;
}

export class Retention {
  readonly #options: RetentionOptions;
  #isClosed = false;
  #cancel: Cancel = () => undefined;
  #sweeping: Promise<void> = Promise.resolve();
  /** Said once: it is not for us to mend, and would be said every hour. */
  #hasWarnedOfSize = false;

  constructor(options: RetentionOptions) {
    this.#options = options;
  }

  start(): void {
    this.#sweeping = this.#sweep().finally(() => {
      if (this.#isClosed) return;
      this.#cancel = this.#options.clock.after(retentionSweepMs, () => this.start());
    });
  }

  /** Resolves when the removal that it is at is over. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancel();
    await this.#sweeping;
  }

  async #sweep(): Promise<void> {
    const { state, rules, clock, runsRemovedMax, isUnderWay } = this.#options;
    const runs = await findStoredRuns(state);
    const planned = planRemoval(runs, rules, clock.wallMs());
    let bytes = runs.reduce((sum, run) => sum + run.bytes, 0);
    let isDone = planned.length <= runsRemovedMax;
    for (const run of planned.slice(0, runsRemovedMax)) {
      if (this.#isClosed) return;
      // T1: asked now, as one may have begun since the plan.
      const isGone = !isUnderWay(run.directory) && (await this.#remove(run));
      if (isGone) bytes -= run.bytes;
      else isDone = false;
    }
    if (isDone) this.#judge(bytes);
  }

  async #remove(run: StoredRun): Promise<boolean> {
    const why = await removeRun(run);
    if (why === undefined) {
      this.#options.say(`removed ${nameRun(run)}, ${run.bytes} bytes`);
      return true;
    }
    this.#options.warn(`cannot remove ${run.directory}: ${why}; remove it by hand`);
    return false;
  }

  /** Whether what stays in any case is more than may be. */
  #judge(bytes: number): void {
    const { bytes: bytesMax = Number.POSITIVE_INFINITY } = this.#options.rules;
    if (bytes <= bytesMax) {
      this.#hasWarnedOfSize = false;
      return;
    }
    if (this.#hasWarnedOfSize) return;
    this.#hasWarnedOfSize = true;
    const message =
      `results that stay in any case have ${bytes} bytes, and --keep-bytes is ${bytesMax}: ` +
      "the last run of each experiment is never removed; remove results by hand, or keep more";
    this.#options.warn(message);
  }
}

// SPDX-License-Identifier: MIT
// Starts of programs that may be asked for again, because the asker was not told what came of them:
// each is made at most once (D7). What a killed agent began and did not report is `unknown`.
import type { Clock } from "../../host/clock.ts";
import { ActionJournal } from "./action-journal.ts";
import { failedError, isCancelled, type ProgramResult, refused } from "./program-result.ts";

/** What is kept of a start: its result and its completion. */
interface KeptResult {
  readonly firedMonotonicUs: number;
  readonly outcome: string;
  readonly error: number;
}

export class StartJournal {
  readonly #journal: ActionJournal<KeptResult>;
  readonly #clock: Clock;
  /** Of this agent's own life, by id. */
  readonly #results = new Map<string, Promise<ProgramResult>>();

  constructor(directory: string, clock: Clock) {
    this.#journal = new ActionJournal(directory);
    this.#clock = clock;
  }

  /** Never rejects. */
  perform(id: string, act: () => Promise<ProgramResult>): Promise<ProgramResult> {
    const known = this.#results.get(id);
    if (known !== undefined) return known;
    const result = this.#performFirst(id, act);
    this.#results.set(id, result);
    return result;
  }

  async #performFirst(id: string, act: () => Promise<ProgramResult>): Promise<ProgramResult> {
    let begun: Awaited<ReturnType<ActionJournal<KeptResult>["begin"]>>;
    try {
      begun = await this.#journal.begin(id);
    } catch (error) {
      const why = `it was not started: its journal cannot be written (${String(error)})`;
      return refused(this.#clock.nowUs(), why);
    }
    if (begun.kind === "done") {
      const { error, ...result } = begun.result;
      return { ...result, done: Promise.resolve(error) };
    }
    if (begun.kind === "unknown") {
      return {
        firedMonotonicUs: this.#clock.nowUs(),
        outcome:
          "unknown: it may have been started before its agent ended; it is not started again",
        done: Promise.resolve(failedError),
      };
    }
    const result = await act();
    const { firedMonotonicUs, outcome, done } = result;
    if (isCancelled(result)) {
      // It has not begun, and may be asked for again. Not forgotten, it would be unknown then.
      await this.#journal.forget(id).catch(() => undefined);
      this.#results.delete(id);
      return result;
    }
    return { firedMonotonicUs, outcome, done: this.#keep(id, { firedMonotonicUs, outcome }, done) };
  }

  /** The completion is on the disk before anybody is told, so that nobody is told another one. */
  async #keep(
    id: string,
    result: Omit<KeptResult, "error">,
    done: Promise<number>,
  ): Promise<number> {
    const error = await done;
    // Not kept, it will be unknown to who asks again: less than is known, but nothing wrong.
    await this.#journal.finish(id, { ...result, error }).catch(() => undefined);
    return error;
  }
}

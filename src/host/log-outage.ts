// SPDX-License-Identifier: MIT
// What is said of a log that does not take entries, or of messages that are not stored: at once
// when it begins, then ever more rarely for as long as it lasts, and when it is over how long it
// was. It is tried again once a second, which nobody wants to read.
import { calmLogger } from "./calm-logger.ts";
import type { Clock } from "./clock.ts";
import type { Logger } from "./logger.ts";

/** Until it is said again, microseconds; doubles each time up to the second value. */
const sayAgainUs = { first: 10_000_000, max: 600_000_000 };

interface OutageWords {
  readonly failed: string;
  readonly taken: string;
}

const logWords: OutageWords = {
  failed: "the log did not take an entry, trying again",
  taken: "the log takes entries again",
};

export class LogOutage {
  readonly #logger: Logger;
  readonly #clock: Pick<Clock, "nowUs">;
  /** When it began and when it is said again; undefined: there is none. */
  #outage: { readonly sinceUs: number; pauseUs: number; nextUs: number } | undefined;

  readonly #words: OutageWords;

  constructor(logger: Logger, clock: Pick<Clock, "nowUs">, words: OutageWords = logWords) {
    this.#words = words;
    // A log that takes every other entry begins and ends as often.
    this.#logger = calmLogger(logger, clock);
    this.#clock = clock;
  }

  /** The log did not take an entry. */
  failed(error: unknown): void {
    const nowUs = this.#clock.nowUs();
    const what = `${this.#words.failed}: ${String(error)}`;
    const outage = this.#outage;
    if (outage === undefined) {
      const pauseUs = sayAgainUs.first;
      this.#outage = { sinceUs: nowUs, pauseUs, nextUs: nowUs + pauseUs };
      this.#logger.log("warn", what);
      return;
    }
    if (nowUs < outage.nextUs) return;
    outage.pauseUs = Math.min(2 * outage.pauseUs, sayAgainUs.max);
    outage.nextUs = nowUs + outage.pauseUs;
    this.#logger.log("warn", `for ${secondsText(nowUs - outage.sinceUs)} now ${what}`);
  }

  /** The log took an entry. */
  taken(): void {
    if (this.#outage === undefined) return;
    const { sinceUs } = this.#outage;
    this.#outage = undefined;
    const lasted = secondsText(this.#clock.nowUs() - sinceUs);
    this.#logger.log("warn", `${this.#words.taken}, after ${lasted}`);
  }
}

/** For people. */
export function secondsText(us: number): string {
  const seconds = us / 1e6;
  return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
}

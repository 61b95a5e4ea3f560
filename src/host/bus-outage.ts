// SPDX-License-Identifier: MIT
// What is said of a bus whose stream does not answer: once when that lasts, and once when it is
// over, with how long it was. A leader that is chosen anew is no outage. Knows meanwhile why nobody
// should be sent here.
import { calmLogger } from "./calm-logger.ts";
import type { Cancel, Clock } from "./clock.ts";
import { secondsText } from "./log-outage.ts";
import type { Logger } from "./logger.ts";

/** What answers again within this time is not told, milliseconds. */
const quietMs = 1_000;

export class BusOutage {
  readonly #what: string;
  readonly #logger: Logger;
  readonly #clock: Pick<Clock, "nowUs" | "after">;
  /** The stream has not answered since; undefined: it does. */
  #silence: { readonly sinceUs: number; readonly cancel: Cancel } | undefined;
  #away: string | undefined;

  /** @param what the bus and its stream, in words */
  constructor(what: string, logger: Logger, clock: Pick<Clock, "nowUs" | "after">) {
    this.#what = what;
    // A stream that comes and goes is told as often.
    this.#logger = calmLogger(logger, clock);
    this.#clock = clock;
  }

  /** Why the bus cannot be used now; undefined while it can. */
  get away(): string | undefined {
    return this.#away;
  }

  /** The stream has not answered. */
  failed(why: string): void {
    if (this.#silence !== undefined) return;
    const cancel = this.#clock.after(quietMs, () => {
      this.#away = `${this.#what} is away`;
      const advice = "senders are told so, and who listens goes on when it is back";
      this.#logger.log("warn", `${this.#away} (${why}); ${advice}`);
    });
    this.#silence = { sinceUs: this.#clock.nowUs(), cancel };
  }

  /** The stream has answered. */
  answered(): void {
    const silence = this.#silence;
    if (silence === undefined) return;
    this.end();
    if (this.#away === undefined) return;
    this.#away = undefined;
    const lasted = secondsText(this.#clock.nowUs() - silence.sinceUs);
    this.#logger.log("warn", `${this.#what} is there again, after ${lasted}`);
  }

  /** Nothing more is told. */
  end(): void {
    this.#silence?.cancel();
    this.#silence = undefined;
  }
}

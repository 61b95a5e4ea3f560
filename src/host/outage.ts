// SPDX-License-Identifier: MIT
// What is said of something that fails again and again: at once when it begins, or when it has
// lasted for a moment; then ever more rarely for as long as it lasts; and when it is over how long
// it was. It is tried again all the time, which nobody wants to read, and it may begin and end as
// often, which is calm, too.
import { calmLogger } from "./calm-logger.ts";
import type { Cancel, Clock } from "./clock.ts";
import type { Logger } from "./logger.ts";

const minuteUs = 60_000_000;

/** How often it is said again. */
export interface OutagePace {
  /** Until it is said again, microseconds; doubles each time up to the second value. */
  readonly againUs: { readonly first: number; readonly max: number };
  /** So many reasons are each said at once; those beyond wait for the next reminder. */
  readonly reasonsMax: number;
  /** How it is said again. */
  readonly still: (failed: OutageWords["failed"], reason: string, lastedUs: number) => string;
}

export const outagePaces: Readonly<Record<"urgent" | "patient", OutagePace>> = {
  /** Everything waits for it. */
  urgent: {
    againUs: { first: 10_000_000, max: 10 * minuteUs },
    reasonsMax: 1,
    still: (failed, reason, us) => `for ${secondsText(us)} now ${failed(reason)}`,
  },
  /** Reasons come from another side, which may make them up, or have several in turn. */
  patient: {
    againUs: { first: minuteUs, max: 60 * minuteUs },
    reasonsMax: 8,
    still: (failed, reason, us) => failed(`${reason} (for ${Math.round(us / minuteUs)} min now)`),
  },
};

export interface OutageWords {
  readonly failed: (reason: string) => string;
  /** Nothing is said of its end when absent. @param lasted for people */
  readonly over?: (lasted: string) => string;
}

export interface OutageOptions {
  readonly clock: Pick<Clock, "nowUs" | "after">;
  readonly logger: Logger;
  readonly words: OutageWords;
  readonly pace: OutagePace;
  /** Of what fails; `warn` when absent. */
  readonly level?: "warn" | "error";
  /** What is over within this time is not said, milliseconds; 0 when absent. */
  readonly quietMs?: number;
}

interface Lasting {
  readonly sinceUs: number;
  /** Reasons that were said; none while it may be over before anybody would notice. */
  readonly said: Set<string>;
  pauseUs: number;
  nextUs: number;
  readonly cancel: Cancel;
}

export class Outage {
  readonly #options: OutageOptions;
  readonly #logger: Logger;
  #lasting: Lasting | undefined;

  constructor(options: OutageOptions) {
    this.#options = options;
    this.#logger = calmLogger(options.logger, options.clock);
  }

  /** Whether it lasts, and that was said. */
  get isSaid(): boolean {
    return this.#lasting !== undefined && this.#lasting.said.size > 0;
  }

  /** It has failed, or still does. */
  failed(reason: string): void {
    const lasting = this.#lasting;
    if (lasting === undefined) {
      this.#begin(reason);
      return;
    }
    const { said, sinceUs } = lasting;
    if (said.size === 0) return;
    const { againUs, reasonsMax, still } = this.#options.pace;
    if (!said.has(reason) && said.size < reasonsMax) {
      this.#say(lasting, reason);
      return;
    }
    const nowUs = this.#options.clock.nowUs();
    if (nowUs < lasting.nextUs) return;
    lasting.pauseUs = Math.min(2 * lasting.pauseUs, againUs.max);
    lasting.nextUs = nowUs + lasting.pauseUs;
    this.#log(still(this.#options.words.failed, reason, nowUs - sinceUs));
  }

  /** It does not fail any more: what fails next is new. */
  over(): void {
    const lasting = this.#lasting;
    if (lasting === undefined) return;
    const isSaid = lasting.said.size > 0;
    this.end();
    const { clock, words } = this.#options;
    if (!isSaid || words.over === undefined) return;
    this.#logger.log("warn", words.over(secondsText(clock.nowUs() - lasting.sinceUs)));
  }

  /** Nothing more is said. */
  end(): void {
    this.#lasting?.cancel();
    this.#lasting = undefined;
  }

  #begin(reason: string): void {
    const { clock, pace, quietMs = 0 } = this.#options;
    const sinceUs = clock.nowUs();
    const { first: pauseUs } = pace.againUs;
    const say = (): void => this.#say(lasting, reason);
    const cancel = quietMs > 0 ? clock.after(quietMs, say) : () => undefined;
    const said = new Set<string>();
    const lasting: Lasting = { sinceUs, said, pauseUs, nextUs: sinceUs + pauseUs, cancel };
    this.#lasting = lasting;
    if (quietMs === 0) say();
  }

  #say({ said }: Lasting, reason: string): void {
    said.add(reason);
    this.#log(this.#options.words.failed(reason));
  }

  #log(text: string): void {
    this.#logger.log(this.#options.level ?? "warn", text);
  }
}

/** For people. */
export function secondsText(us: number): string {
  const seconds = us / 1e6;
  return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
}

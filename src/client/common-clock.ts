// SPDX-License-Identifier: MIT
// The clock that stamps the server's log, as this client knows it: what it says is asked several
// times, the exchange with the shortest way counts, and while somebody means to go by it, it is
// asked again, so that the drift is known.
import { defaultLimits } from "../core/limits.ts";
import {
  type ClockEstimate,
  type ClockSample,
  estimateClock,
  roundTripOf,
  toOwnUs,
} from "../wire/clock-offset.ts";
import type { ClientPlatform } from "./platform.ts";
import { commonClockTime } from "./session-time.ts";

/** How one went together with the others. */
export interface Going {
  /** How much later than the common instant, microseconds; negative for too early. */
  readonly offUs: number;
  /** What cannot be told of that: half of the shortest way to the server and back. */
  readonly errorUs: number;
}

/** Asks what the clock says; undefined when the connection is lost. */
type Ask = (answer: (us: number | undefined) => void) => void;

export class CommonClock {
  readonly #platform: ClientPlatform;
  readonly #ask: Ask;
  #samples: ClockSample[] = [];
  #measuring: Promise<void> | undefined;
  #users = 0;
  #cancelNext: () => void = () => undefined;

  constructor(platform: ClientPlatform, ask: Ask) {
    this.#platform = platform;
    this.#ask = ask;
  }

  /** Whoever means to go by it keeps it until it calls what is returned. */
  keep(): () => void {
    this.#users += 1;
    if (this.#users === 1) this.#askAgain();
    let isKept = true;
    return () => {
      if (!isKept) return;
      isKept = false;
      this.#users -= 1;
      if (this.#users === 0) this.#cancelNext();
    };
  }

  /** Asks as often as it takes to know it; not at all when that is known. */
  measure(): Promise<void> {
    this.#measuring ??= this.#measure(commonClockTime.exchanges - this.#samples.length).finally(
      () => {
        this.#measuring = undefined;
      },
    );
    return this.#measuring;
  }

  /** The connection is another one: perhaps to another machine. */
  forget(): void {
    this.#samples = [];
  }

  /** undefined before the first answer. */
  get estimate(): ClockEstimate | undefined {
    return estimateClock(this.#samples);
  }

  /**
   * What it should take at most to be told something, microseconds: no more than a server allows,
   * whatever an exchange took while the network was down.
   */
  get leadUs(): number {
    const trips = this.#samples.map((sample) => roundTripOf(sample) ?? 0);
    const { leadUsMin, leadTrips } = commonClockTime;
    const leadUs = Math.max(leadUsMin, leadTrips * Math.max(0, ...trips));
    return Math.min(Math.round(leadUs), defaultLimits.togetherLeadUsMax);
  }

  /**
   * Resolves at this instant of the common clock; at once when it is over, or is none: the leads
   * that may be asked for are bounded by `usMax`.
   */
  go(goUs: number, usMax: number): Promise<Going | undefined> {
    const { estimate } = this;
    if (estimate === undefined) return Promise.resolve(undefined);
    const { nowUs, after, spinUntil } = this.#platform;
    const dueUs = toOwnUs(estimate, goUs);
    const leftUs = dueUs - nowUs();
    const { errorUs } = estimate;
    return new Promise((resolve) => {
      const arrive = (): void => {
        if (leftUs <= usMax) spinUntil(dueUs);
        resolve({ offUs: Math.round(nowUs() - dueUs), errorUs: Math.round(errorUs) });
      };
      const sleepMs = (leftUs - commonClockTime.spinUs) / 1_000;
      if (sleepMs <= 0 || leftUs > usMax) arrive();
      else after(sleepMs, arrive);
    });
  }

  async #measure(exchanges: number): Promise<void> {
    for (let at = 0; at < exchanges; at += 1) {
      const sample = await this.#exchange();
      if (sample === undefined) return;
      this.#samples.push(sample);
    }
    this.#samples = this.#samples.slice(-commonClockTime.samplesMax);
  }

  #exchange(): Promise<ClockSample | undefined> {
    const { nowUs } = this.#platform;
    return new Promise((resolve) => {
      const t0 = nowUs();
      this.#ask((us) => {
        resolve(us === undefined ? undefined : { t0, t1: us, t2: us, t3: nowUs() });
      });
    });
  }

  #askAgain(): void {
    this.#cancelNext = this.#platform.after(commonClockTime.againMs, () => {
      this.#measuring ??= this.#measure(commonClockTime.exchangesAgain).finally(() => {
        this.#measuring = undefined;
      });
      if (this.#users > 0) this.#askAgain();
    });
  }
}

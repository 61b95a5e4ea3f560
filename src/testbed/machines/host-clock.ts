// SPDX-License-Identifier: MIT
// How the monotonic clock of a host stands to ours, from exchanges over the link; the best of them
// counts. Another clock has another zero: nothing of a host means anything before the first one.
import type { Clock } from "../../host/clock.ts";
import {
  type ClockSample,
  clockOffsetLimits,
  estimateClock,
  roundTripOf,
} from "../../wire/clock-offset.ts";
import { readClock } from "./agent-plan.ts";
import type { NodeLink } from "./node-link.ts";

/** Exchanges before anything is planned. */
const firstSamples = 8;
/** What a start at an instant needs besides the way there: loops are late by a few ms. */
const marginUs = 20_000;
const aheadUsMax = 400_000;

export class HostClock {
  readonly #link: NodeLink;
  readonly #clock: Clock;
  #samples: ClockSample[] = [];
  #offsetUs = 0;
  #errorUs = 0;

  constructor(link: NodeLink, clock: Clock) {
    this.#link = link;
    this.#clock = clock;
  }

  /** @throws LinkError when the link ends. */
  async compareFirst(): Promise<void> {
    for (let count = 0; count < firstSamples; count += 1) await this.compare();
  }

  /** @throws LinkError when the link ends. */
  async compare(): Promise<void> {
    const t0 = this.#clock.nowUs();
    const answer = readClock(await this.#link.ask({ kind: "clock" }));
    const t3 = this.#clock.nowUs();
    if (answer === undefined) {
      this.#link.end("the other side does not tell its clock");
      return;
    }
    const sample = { t0, t1: answer.receivedUs, t2: answer.answeredUs, t3 };
    this.#samples = [...this.#samples, sample].slice(-clockOffsetLimits.samplesMax);
    const estimate = estimateClock(this.#samples);
    if (estimate === undefined) return;
    const { offsetUs, atUs, driftUsPerSecond, errorUs } = estimate;
    this.#offsetUs = Math.round(offsetUs + ((t3 - atUs) / 1_000_000) * driftUsPerSecond);
    this.#errorUs = errorUs;
  }

  /** An instant of ours, as the host counts. */
  toHost(us: number): number {
    return us + this.#offsetUs;
  }

  /** An instant of the host's, as we count. */
  toOwn(us: number): number {
    return us - this.#offsetUs;
  }

  /** How far off an instant may be. */
  get errorUs(): number {
    return Math.ceil(this.#errorUs);
  }

  /** How long before an instant the host must be told of it. */
  get aheadUs(): number {
    const trips = this.#samples.slice(-firstSamples).map((one) => roundTripOf(one) ?? 0);
    return Math.min(aheadUsMax, marginUs + 2 * Math.max(0, ...trips));
  }
}

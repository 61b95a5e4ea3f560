// SPDX-License-Identifier: MIT
// One line of the log for each step of the clock that stamps entries by more than a second (D2):
// log time moves by two seconds at most, so that durations and leases go on, and instants that were
// asked for by the hour are met later or earlier than who asked believes.
import type { Host } from "./host.ts";
import type { Logger } from "./logger.ts";

const stepUsMin = 1_000_000;

/**
 * A log that is this server's alone is stamped by the clock that it would be compared with: what
 * looks like a step there is a first entry that came late, as one that waits for a lock does.
 * @returns what ends it.
 */
export function warnOfClockSteps(
  host: Pick<Host, "isShared" | "clock" | "observe">,
  logger: Logger,
): () => void {
  if (!host.isShared) return () => undefined;
  const steps = new ClockSteps();
  return host.observe(({ sequence, stampUs }) => {
    const stepUs = steps.note(stampUs, host.clock.nowUs());
    if (stepUs === undefined) return;
    const how = `${stepUs > 0 ? "ahead" : "back"} by ${(Math.abs(stepUs) / 1e6).toFixed(1)} s`;
    const what = `the clock that stamps the log was set ${how}, seen at entry ${sequence}`;
    logger.log("warn", `${what}; durations and leases go on as before`);
  });
}

/**
 * Finds steps by a clock that makes none. Entries come late, never early: so the nearest that a
 * stamp has been to the instant of its arrival is how far the two clocks are apart. A step back
 * that is smaller than the time since the entry before cannot be told from one that was late.
 */
export class ClockSteps {
  #apartUs: number | undefined;
  #lastStampUs = Number.NEGATIVE_INFINITY;

  /** @returns the step in microseconds, forwards positive; undefined when there was none */
  note(stampUs: number, nowUs: number): number | undefined {
    const apartUs = stampUs - nowUs;
    const before = this.#apartUs;
    const isBack = stampUs < this.#lastStampUs - stepUsMin;
    this.#lastStampUs = stampUs;
    if (before === undefined || isBack || apartUs > before) this.#apartUs = apartUs;
    if (before === undefined) return undefined;
    if (isBack || apartUs > before + stepUsMin) return apartUs - before;
    return undefined;
  }
}

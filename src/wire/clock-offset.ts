// SPDX-License-Identifier: MIT
// How a clock elsewhere stands to one's own, from exchanges of four times: sent (own), received and
// answered (theirs), heard (own). The exchange with the shortest way there and back says most: what
// it cannot tell is at most half of that way. Pure.

/** Microseconds; `t0` and `t3` of the own clock, `t1` and `t2` of the other. */
export interface ClockSample {
  readonly t0: number;
  readonly t1: number;
  readonly t2: number;
  readonly t3: number;
}

export interface ClockEstimate {
  /** Theirs minus own, at `atUs` of the own clock. */
  readonly offsetUs: number;
  readonly atUs: number;
  /** Microseconds that theirs gains in a second of the own; 0 until it can be told from noise. */
  readonly driftUsPerSecond: number;
  /** The true offset at `atUs` is no further away than this. */
  readonly errorUs: number;
}

export const clockOffsetLimits = {
  /** Exchanges that are remembered; the oldest go first. */
  samplesMax: 64,
  /** A drift beyond this (0.05 %) is no clock's, but a step or a fault. */
  driftUsPerSecondMax: 500,
} as const;

/** Theirs minus own, as the middle of one exchange says. */
export function offsetOf({ t0, t1, t2, t3 }: ClockSample): number {
  return (t1 - t0 + (t2 - t3)) / 2;
}

/**
 * The way there and back, without the time the other took; undefined for an impossible exchange.
 */
export function roundTripOf({ t0, t1, t2, t3 }: ClockSample): number | undefined {
  const us = t3 - t0 - (t2 - t1);
  return t3 < t0 || t2 < t1 || us < 0 ? undefined : us;
}

/**
 * The best of the samples, carried on by the drift between the best of their older and their newer
 * half. Samples are in the order in which they were taken.
 *
 * @returns undefined when no sample is possible.
 */
export function estimateClock(samples: readonly ClockSample[]): ClockEstimate | undefined {
  const usable = samples
    .slice(-clockOffsetLimits.samplesMax)
    .filter((sample) => roundTripOf(sample) !== undefined);
  const best = shortest(usable);
  if (best === undefined) return undefined;
  const middle = usable.length >> 1;
  return {
    offsetUs: offsetOf(best),
    atUs: middleOf(best),
    driftUsPerSecond: driftBetween(
      shortest(usable.slice(0, middle)),
      shortest(usable.slice(middle)),
    ),
    errorUs: (roundTripOf(best) ?? 0) / 2,
  };
}

/** An instant of the other clock, as the own one shows it. */
export function toOwnUs(estimate: ClockEstimate, theirUs: number): number {
  const { offsetUs, atUs, driftUsPerSecond } = estimate;
  // First without drift: what the drift makes of the difference is far below a microsecond.
  const roughUs = theirUs - offsetUs;
  return roughUs - ((roughUs - atUs) * driftUsPerSecond) / 1_000_000;
}

function shortest(samples: readonly ClockSample[]): ClockSample | undefined {
  let best: ClockSample | undefined;
  for (const sample of samples) {
    const isBetter =
      best === undefined || (roundTripOf(sample) ?? Infinity) < (roundTripOf(best) ?? Infinity);
    if (isBetter) best = sample;
  }
  return best;
}

/** 0 while the difference could be that of the two ways alone. */
function driftBetween(older: ClockSample | undefined, newer: ClockSample | undefined): number {
  if (older === undefined || newer === undefined) return 0;
  const seconds = (middleOf(newer) - middleOf(older)) / 1_000_000;
  const changeUs = offsetOf(newer) - offsetOf(older);
  const doubtUs = ((roundTripOf(newer) ?? 0) + (roundTripOf(older) ?? 0)) / 2;
  if (seconds <= 0 || Math.abs(changeUs) <= doubtUs) return 0;
  const drift = changeUs / seconds;
  return Math.abs(drift) > clockOffsetLimits.driftUsPerSecondMax ? 0 : drift;
}

function middleOf({ t0, t3 }: ClockSample): number {
  return (t0 + t3) / 2;
}

// SPDX-License-Identifier: MIT
// Goal: the offset of another clock is found within the error that is stated, whatever the ways
// there and back take, and its drift when it can be told from noise.
// Method: properties; exchanges are made from a known offset, drift and delays.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type ClockSample,
  clockOffsetLimits,
  estimateClock,
  offsetOf,
  roundTripOf,
  toOwnUs,
} from "../../../src/wire/clock-offset.ts";

interface Exchange {
  readonly atUs: number;
  readonly thereUs: number;
  readonly workUs: number;
  readonly backUs: number;
}

/** What an exchange shows when theirs = own + offset + drift. */
function sampleOf(exchange: Exchange, offsetUs: number, driftUsPerSecond = 0): ClockSample {
  const { atUs, thereUs, workUs, backUs } = exchange;
  const theirs = (own: number): number => own + offsetUs + (own * driftUsPerSecond) / 1_000_000;
  return {
    t0: atUs,
    t1: theirs(atUs + thereUs),
    t2: theirs(atUs + thereUs + workUs),
    t3: atUs + thereUs + workUs + backUs,
  };
}

const exchange = fc.record({
  atUs: fc.nat(1_000_000_000),
  ...{ thereUs: fc.nat(20_000), workUs: fc.nat(5_000), backUs: fc.nat(20_000) },
});
const offset = fc.integer({ min: -1_000_000_000, max: 1_000_000_000 });

describe("estimateClock()", () => {
  it("is within the stated error of the true offset", () => {
    fc.assert(
      fc.property(fc.array(exchange, { minLength: 1 }), offset, (exchanges, offsetUs) => {
        const samples = exchanges
          .toSorted((a, b) => a.atUs - b.atUs)
          .map((one) => sampleOf(one, offsetUs));
        const estimate = estimateClock(samples);
        const shortest = Math.min(
          ...samples
            .slice(-clockOffsetLimits.samplesMax)
            .map((sample) => roundTripOf(sample) ?? Infinity),
        );
        expect(estimate?.errorUs).toBe(shortest / 2);
        const errorUs = Math.abs((estimate?.offsetUs ?? NaN) - offsetUs);
        expect(errorUs).toBeLessThanOrEqual((estimate?.errorUs ?? 0) + 1e-6);
      }),
    );
  });

  it("takes no drift from a clock that has none", () => {
    fc.assert(
      fc.property(fc.array(exchange, { minLength: 2 }), offset, (exchanges, offsetUs) => {
        const sorted = exchanges.toSorted((a, b) => a.atUs - b.atUs);
        const estimate = estimateClock(sorted.map((one) => sampleOf(one, offsetUs)));
        expect(estimate?.driftUsPerSecond).toBe(0);
      }),
    );
  });

  it.each([100, -40])("finds a drift of %i us a second over a minute of exchanges", (drift) => {
    const samples = Array.from({ length: 60 }, (_none, second) =>
      sampleOf(
        { atUs: second * 1_000_000, thereUs: 100 + (second % 7), workUs: 5, backUs: 100 },
        5_000,
        drift,
      ),
    );
    const estimate = estimateClock(samples);
    expect(estimate?.driftUsPerSecond).toBeCloseTo(drift, 0);
    // A minute on, the instant is still found to some microseconds; without drift it would be
    // thousands.
    const ownUs = 120_000_000;
    const theirUs = ownUs + 5_000 + (ownUs * drift) / 1_000_000;
    expect(estimate && Math.abs(toOwnUs(estimate, theirUs) - ownUs)).toBeLessThan(100);
  });

  it("takes a step of the other clock for no drift", () => {
    const exchangeAt = (atUs: number): Exchange => ({ atUs, thereUs: 9, workUs: 0, backUs: 9 });
    const samples = [sampleOf(exchangeAt(0), 0), sampleOf(exchangeAt(1_000_000), 3_600_000_000)];
    expect(estimateClock(samples)?.driftUsPerSecond).toBe(0);
  });

  it("knows nothing without a possible exchange", () => {
    expect(estimateClock([])).toBeUndefined();
    // Heard before it was sent; answered before it was received; faster than no time.
    for (const sample of [
      { t0: 5, t1: 0, t2: 0, t3: 4 },
      { t0: 0, t1: 5, t2: 4, t3: 9 },
      { t0: 0, t1: 0, t2: 9, t3: 4 },
    ]) {
      expect(roundTripOf(sample)).toBeUndefined();
      expect(estimateClock([sample])).toBeUndefined();
    }
  });

  it("forgets all but the last exchanges, at the limit and one past it", () => {
    const { samplesMax } = clockOffsetLimits;
    const good = sampleOf({ atUs: 0, thereUs: 1, workUs: 0, backUs: 1 }, 7);
    const poor = Array.from({ length: samplesMax }, (_none, index) =>
      sampleOf({ atUs: index + 1, thereUs: 500, workUs: 0, backUs: 300 }, 7),
    );
    expect(estimateClock([good, ...poor.slice(1)])?.offsetUs).toBe(7);
    expect(estimateClock([good, ...poor])?.offsetUs).toBe(offsetOf(poor[0] ?? good));
  });
});

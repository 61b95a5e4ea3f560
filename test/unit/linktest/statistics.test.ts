// SPDX-License-Identifier: MIT
// Goal: tails are exact, and what is built on them keeps its promises at the limit and beside it.
// Method: sums of whole numbers for small samples, closed forms for others, properties.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  detectable,
  interval,
  logGamma,
  lowerCritical,
  lowerTail,
  sampleSize,
  upperCritical,
  upperTail,
} from "../../../src/linktest/statistics.ts";

/** P(X >= k) for p = a/b, in whole numbers until the last step. */
function exactUpperTail(n: number, [a, b]: readonly [bigint, bigint], k: number): number {
  let sum = 0n;
  let choose = 1n;
  for (let i = 0; i <= n; i += 1) {
    if (i >= k) sum += choose * a ** BigInt(i) * (b - a) ** BigInt(n - i);
    choose = (choose * BigInt(n - i)) / BigInt(i + 1);
  }
  const scale = 10n ** 40n;
  return Number((sum * scale) / b ** BigInt(n)) / 1e40;
}

const shares = fc.tuple(fc.integer({ min: 1, max: 999 }), fc.constant(1000));

describe("binomial tails", () => {
  it("are those of whole numbers, also far out", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 80 }), shares, fc.nat(81), (n, [a, b], k) => {
        const exact = exactUpperTail(n, [BigInt(a), BigInt(b)], k);
        const computed = upperTail(n, a / b, k);
        expect(Math.abs(computed - exact)).toBeLessThan(1e-12 + 1e-9 * exact);
        if (exact > 1e-25) expect(computed / exact).toBeCloseTo(1, 6);
      }),
    );
  });

  it("of both sides add up to one", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), shares, fc.double(), (n, [a, b], part) => {
        const k = Math.floor(Math.abs(part % 1 || 0) * n);
        const sum = upperTail(n, a / b, k + 1) + lowerTail(n, a / b, k);
        expect(sum).toBeCloseTo(1, 9);
      }),
    );
  });

  it("rest on a gamma function that is right for halves and factorials", () => {
    expect(logGamma(0.5)).toBeCloseTo(Math.log(Math.sqrt(Math.PI)), 12);
    expect(logGamma(6)).toBeCloseTo(Math.log(120), 12);
    expect(logGamma(171)).toBeCloseTo(706.5730622457874, 9);
  });
});

describe("critical counts", () => {
  it("are the first that are rare enough, and one less is not", () => {
    const alphas = fc.constantFrom(0.05, 0.001, 1e-6);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5_000 }), shares, alphas, (n, [a, b], alpha) => {
        const p = a / b;
        const high = upperCritical(n, p, alpha);
        expect(upperTail(n, p, high)).toBeLessThanOrEqual(alpha);
        if (high > 0) expect(upperTail(n, p, high - 1)).toBeGreaterThan(alpha);
        const low = lowerCritical(n, p, alpha);
        expect(lowerTail(n, p, low)).toBeLessThanOrEqual(alpha);
        if (low < n) expect(lowerTail(n, p, low + 1)).toBeGreaterThan(alpha);
      }),
    );
  });
});

describe("sample sizes", () => {
  it.each([0.001, 0.01, 0.05, 0.2])("find a doubled loss of %f with the power asked for", (p0) => {
    const question = { p0, p1: 2 * p0, alpha: 0.005 / 120, power: 0.95 };
    const n = sampleSize(question, 1_000_000) ?? 0;
    const power = (size: number): number =>
      upperTail(size, 2 * p0, upperCritical(size, p0, question.alpha));
    expect(power(n)).toBeGreaterThanOrEqual(0.95);
    // A tenth less would not do.
    expect(power(Math.floor(0.9 * n))).toBeLessThan(0.95);
  });

  it("are undefined above what is allowed, and given at it", () => {
    const question = { p0: 0.01, p1: 0.02, alpha: 1e-4, power: 0.95 };
    const n = sampleSize(question, 100_000) ?? 0;
    const atLimit = sampleSize(question, n) ?? 0;
    expect(atLimit / n).toBeGreaterThan(0.97);
    expect(atLimit).toBeLessThanOrEqual(n);
    expect(sampleSize(question, Math.floor(n / 2))).toBeUndefined();
  });
});

describe("intervals", () => {
  it("end where the sample becomes improbable", () => {
    const [low, high] = interval(1_000, 20, 0.99);
    expect(upperTail(1_000, low, 20)).toBeCloseTo(0.005, 6);
    expect(lowerTail(1_000, high, 20)).toBeCloseTo(0.005, 6);
    expect(interval(10, 0, 0.99)[0]).toBe(0);
    expect(interval(10, 10, 0.99)[1]).toBe(1);
  });

  it("and what can be found are two sides of one count", () => {
    const p = detectable(2_000, 2, 0.95);
    expect(upperTail(2_000, p, 2)).toBeCloseTo(0.95, 6);
    expect(detectable(10, 11, 0.95)).toBe(1);
  });
});

// SPDX-License-Identifier: MIT
// Exact binomial statistics: tails, critical counts, intervals, and how large a sample must be.
// Tails are the regularized incomplete beta function, by its continued fraction, so that they are
// right to about twelve digits also where a normal approximation is off by factors: few losses
// expected, and a tiny share of false alarms allowed.

/** ln(gamma(x)) for x > 0: Stirling's series behind a shift that makes it converge. */
export function logGamma(x: number): number {
  let shift = 0;
  let at = x;
  while (at < 12) {
    shift += Math.log(at);
    at += 1;
  }
  const square = 1 / (at * at);
  const series =
    (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square * (1 / 1680 - square / 1188)))) / at;
  return (at - 0.5) * Math.log(at) - at + 0.5 * Math.log(2 * Math.PI) + series - shift;
}

/** Regularized incomplete beta function, for a and b > 0 and x of 0 to 1. */
export function incompleteBeta(a: number, b: number, x: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const front = Math.exp(
    logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x),
  );
  // The fraction converges quickly on one side of the mean; the other side is its mirror.
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(b, a, 1 - x);
  return (front * betaFraction(a, b, x)) / a;
}

/** Lentz's method. */
function betaFraction(a: number, b: number, x: number): number {
  const tiny = 1e-300;
  const kept = (value: number): number => (Math.abs(value) < tiny ? tiny : value);
  let c = 1;
  let d = 1 / kept(1 - ((a + b) * x) / (a + 1));
  let value = d;
  for (let m = 1; m < 100_000; m += 1) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / kept(1 + even * d);
    c = kept(1 + even / c);
    value *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / kept(1 + odd * d);
    c = kept(1 + odd / c);
    value *= d * c;
    if (Math.abs(d * c - 1) < 1e-14) break;
  }
  return value;
}

/** P(X >= k) where X counts successes of n trials with probability p each. */
export function upperTail(n: number, p: number, k: number): number {
  if (k <= 0) return 1;
  if (k > n) return 0;
  return incompleteBeta(k, n - k + 1, p);
}

/** P(X <= k). */
export function lowerTail(n: number, p: number, k: number): number {
  if (k < 0) return 0;
  if (k >= n) return 1;
  return incompleteBeta(n - k, k + 1, 1 - p);
}

/** The smallest k with P(X >= k) <= alpha; n + 1 where even n of n are not rare enough. */
export function upperCritical(n: number, p: number, alpha: number): number {
  let [low, high] = [0, n + 1];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (upperTail(n, p, middle) <= alpha) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The largest k with P(X <= k) <= alpha; -1 where even none of n are not rare enough. */
export function lowerCritical(n: number, p: number, alpha: number): number {
  let [low, high] = [-1, n];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (lowerTail(n, p, middle) <= alpha) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The smallest p for which P(X >= k) is at least `power`: what k successes or more find. */
export function detectable(n: number, k: number, power: number): number {
  if (k > n) return 1;
  return bisect((p) => upperTail(n, p, k) >= power);
}

/** Clopper and Pearson's interval: covers the true p in at least `confidence` of all samples. */
export function interval(n: number, k: number, confidence: number): readonly [number, number] {
  const alpha = (1 - confidence) / 2;
  const low = k === 0 ? 0 : bisect((p) => upperTail(n, p, k) >= alpha);
  const high = k === n ? 1 : bisect((p) => lowerTail(n, p, k) <= alpha);
  return [low, high];
}

/** The least p of 0 to 1 from which on `holds`. */
function bisect(holds: (p: number) => boolean): number {
  let [low, high] = [0, 1];
  for (let step = 0; step < 60; step += 1) {
    const middle = (low + high) / 2;
    if (holds(middle)) high = middle;
    else low = middle;
  }
  return high;
}

export interface SampleQuestion {
  /** Probability that is asked for. */
  readonly p0: number;
  /** Greater one that has to be told from it. */
  readonly p1: number;
  /** Share of samples of p0 that may be taken for more than p0. */
  readonly alpha: number;
  /** Share of samples of p1 that are to be taken for more than p0. */
  readonly power: number;
}

/**
 * How many trials tell p1 from p0, to one in a hundred; undefined when more than `max` are needed.
 * Between two steps of the critical count the power falls a little, so that the answer is the least
 * one of a grid and not of all numbers.
 */
export function sampleSize(question: SampleQuestion, max: number): number | undefined {
  const { p0, p1, alpha, power } = question;
  const isEnough = (n: number): boolean => upperTail(n, p1, upperCritical(n, p0, alpha)) >= power;
  let high = 16;
  while (high < max && !isEnough(high)) high *= 2;
  if (high >= max) {
    if (!isEnough(max)) return undefined;
    high = max;
  }
  let low = Math.floor(high / 2);
  const grain = Math.max(1, Math.floor(high / 100));
  while (high - low > grain) {
    const middle = Math.floor((low + high) / 2);
    if (isEnough(middle)) high = middle;
    else low = middle;
  }
  return high;
}

// SPDX-License-Identifier: MIT
// How late things were, counted in classes so that a long run costs no more than a short one. Pure.

/** Upper bounds, at most a quarter above the true value. */
export interface LatenessReport {
  readonly count: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
}

/** Four classes for each power of two: a class is at most a quarter wider than its lower bound. */
const classesPerDoubling = 4;

export class LatenessMeter {
  readonly #counts: number[] = [];
  #count = 0;
  #maxUs = 0;

  /** What comes early, which a clock that is read twice can show, counts as in time. */
  add(latenessUs: number): void {
    const us = Math.max(0, Math.trunc(latenessUs));
    const index = classOf(us);
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#count += 1;
    this.#maxUs = Math.max(this.#maxUs, us);
  }

  report(): LatenessReport {
    return {
      count: this.#count,
      p50Us: this.#percentile(50),
      p99Us: this.#percentile(99),
      maxUs: this.#maxUs,
    };
  }

  #percentile(percent: number): number {
    let remaining = Math.ceil((this.#count * percent) / 100);
    for (let index = 0; index < this.#counts.length; index += 1) {
      remaining -= this.#counts[index] ?? 0;
      if (remaining <= 0) return Math.min(upperBound(index), this.#maxUs);
    }
    return this.#maxUs;
  }
}

function classOf(us: number): number {
  if (us < classesPerDoubling) return us;
  const exponent = Math.floor(Math.log2(us));
  const quarter = Math.floor(us / 2 ** (exponent - 2)) - classesPerDoubling;
  return (exponent - 1) * classesPerDoubling + quarter;
}

/** The largest number of the class. */
function upperBound(index: number): number {
  if (index < classesPerDoubling) return index;
  const exponent = Math.floor(index / classesPerDoubling) + 1;
  const quarter = index % classesPerDoubling;
  return (classesPerDoubling + quarter + 1) * 2 ** (exponent - 2) - 1;
}

// SPDX-License-Identifier: MIT
// What the lives of the servers of a simulated cluster are told of limits: each something else, or
// nothing, until all are to be told the same. Draws by itself: what else is drawn does not depend
// on it.
import type { CoreLimits, Limits } from "../../core/limits.ts";
import { Random } from "../../core/random.ts";

export interface UnequalLimitsOptions {
  readonly seed: number;
  readonly isOn: boolean;
  readonly usual: Limits;
  readonly onStruck: () => void;
}

export class UnequalLimits {
  readonly #options: UnequalLimitsOptions;
  readonly #random: Random;
  #isLevel = false;

  constructor(options: UnequalLimitsOptions) {
    this.#options = options;
    this.#random = new Random(options.seed ^ 0x11a17);
  }

  /** For a life that begins. */
  draw(): Partial<CoreLimits> {
    const { isOn, usual, onStruck } = this.#options;
    if (!isOn) return {};
    const { waitersPerBarrierMax } = usual;
    if (this.#isLevel) return { waitersPerBarrierMax };
    onStruck();
    const max = this.#random.pick([0, 3, 6, waitersPerBarrierMax]);
    return max === 0 ? {} : { waitersPerBarrierMax: max };
  }

  /** From here on all are told the usual. @returns whether others were told before */
  level(): boolean {
    this.#isLevel = true;
    return this.#options.isOn;
  }
}

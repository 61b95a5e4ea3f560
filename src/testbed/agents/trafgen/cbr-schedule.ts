// SPDX-License-Identifier: MIT
// When the packets of a constant bit rate are due: one at the start, then one each interval. Late
// packets are caught up with, so that the rate holds over any while; those that are later than the
// bound are lost, and counted as lost in the generator. Pure.
//
//   G1. Packets given out plus packets lost are those whose time has come, as soon as `take` is
//       called often enough; none is given out early.

export interface CbrBounds {
  readonly lateUsMax: number;
  readonly batchPacketsMax: number;
}

export interface DuePackets {
  readonly due: number;
  readonly lost: number;
}

export class CbrSchedule {
  readonly #bounds: CbrBounds;
  #intervalUs: number;
  /** Instant of the packet number 0 at this interval, and how many of them are behind. */
  #baseUs: number;
  #index = 0;
  /** When the last packet was due; undefined before the first. */
  #lastUs: number | undefined;

  constructor(startUs: number, intervalUs: number, bounds: CbrBounds) {
    this.#baseUs = startUs;
    this.#intervalUs = intervalUs;
    this.#bounds = bounds;
  }

  /** When the next packet is due. */
  get nextUs(): number {
    return this.#baseUs + this.#index * this.#intervalUs;
  }

  take(nowUs: number): DuePackets {
    const { lateUsMax, batchPacketsMax } = this.#bounds;
    const lost = this.#countUntil(nowUs - lateUsMax, false);
    this.#index += lost;
    const due = Math.min(batchPacketsMax, this.#countUntil(nowUs, true));
    this.#index += due;
    if (lost + due > 0) this.#lastUs = this.nextUs - this.#intervalUs;
    return { due, lost };
  }

  /** The next packet follows the last one by the new interval, or now if that is over. */
  change(intervalUs: number, nowUs: number): void {
    if (this.#lastUs !== undefined) this.#baseUs = Math.max(this.#lastUs + intervalUs, nowUs);
    this.#index = 0;
    this.#intervalUs = intervalUs;
  }

  /** Packets from the next one on that are due before an instant, or at it. */
  #countUntil(us: number, inclusive: boolean): number {
    const spans = (us - this.nextUs) / this.#intervalUs;
    if (spans < 0) return 0;
    return inclusive ? Math.floor(spans) + 1 : Math.ceil(spans);
  }
}

// SPDX-License-Identifier: MIT
// Random early detection: drops some packets while the average length of the queue grows, so that
// senders slow down before it is full. After the paper of Floyd and Jacobson (1993); "gentle" is
// Floyd's later advice: between the maximum and twice that dropping grows to all instead of at
// once.
import type { Random } from "../../core/random.ts";
import type { QueueShape } from "../../experiment/model.ts";

/** State of one queue. Lengths are in packets, or in bytes where the limit is. */
export class RedAverage {
  #average = 0;
  /** Packets since the last drop, -1 when the average was below the minimum. */
  #sinceDrop = -1;

  get average(): number {
    return this.#average;
  }

  /**
   * One arrival at a queue that holds `length`.
   * @param idleShare how many packets could have been sent while the queue was empty.
   */
  isDropped(queue: QueueShape, length: number, idleShare: number, random: Random): boolean {
    const { averageWeight, dropOneIn } = queue;
    if (length === 0 && idleShare > 0) this.#average *= (1 - averageWeight) ** idleShare;
    this.#average += averageWeight * (length - this.#average);
    const unit = queue.limitUnit === "bytes" ? queue.meanPacketBytes : 1;
    const [min, max] = [queue.minThreshold * unit, queue.maxThreshold * unit];
    if (this.#average < min) {
      this.#sinceDrop = -1;
      return false;
    }
    const base = 1 / dropOneIn;
    let share: number;
    if (this.#average < max) share = (base * (this.#average - min)) / (max - min);
    else if (queue.kind === "gentle-red" && this.#average < 2 * max) {
      share = base + ((1 - base) * (this.#average - max)) / max;
    } else {
      this.#sinceDrop = 0;
      return true;
    }
    this.#sinceDrop += 1;
    // Spreads drops evenly instead of leaving them to chance alone.
    const spread = 1 - this.#sinceDrop * share;
    if (spread > 0 && !random.chance(share / spread)) return false;
    this.#sinceDrop = 0;
    return true;
  }
}

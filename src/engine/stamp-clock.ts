// SPDX-License-Identifier: MIT
// What the clock shows that stamps a log somewhere else. Each entry of ours tells it: the stamp is
// of an instant between sending and the acknowledgement. The one with the shortest way counts,
// among the last few, because clocks drift.
import type { LogClock } from "./log.ts";

/** Entries that are compared, and those whose stamps have not come yet. */
const samplesMax = 16;

interface Sample {
  readonly offsetUs: number;
  readonly wayUs: number;
}

export class StampClock {
  readonly #clock: LogClock;
  readonly #taken = new Map<number, { readonly middleUs: number; readonly wayUs: number }>();
  readonly #stamped = new Map<number, number>();
  #samples: Sample[] = [];

  constructor(clock: LogClock) {
    this.#clock = clock;
  }

  nowUs(): number | undefined {
    let best: Sample | undefined;
    for (const sample of this.#samples) {
      if (best === undefined || sample.wayUs < best.wayUs) best = sample;
    }
    return best && this.#clock.nowUs() + best.offsetUs;
  }

  /** An entry of ours was acknowledged now. */
  taken(sequence: number, sentUs: number): void {
    const nowUs = this.#clock.nowUs();
    const wayUs = nowUs - sentUs;
    this.#taken.set(sequence, { middleUs: sentUs + Math.trunc(wayUs / 2), wayUs });
    this.#compare(sequence);
  }

  /** An entry, of whomever, has come with its stamp. */
  stamped(sequence: number, stampUs: number): void {
    this.#stamped.set(sequence, stampUs);
    this.#compare(sequence);
  }

  /** The stamp may come before the acknowledgement. */
  #compare(sequence: number): void {
    const taken = this.#taken.get(sequence);
    const stampUs = this.#stamped.get(sequence);
    if (taken !== undefined && stampUs !== undefined) {
      this.#samples.push({ offsetUs: stampUs - taken.middleUs, wayUs: taken.wayUs });
      if (this.#samples.length > samplesMax) this.#samples.shift();
      this.#taken.delete(sequence);
      this.#stamped.delete(sequence);
    }
    trim(this.#taken);
    trim(this.#stamped);
  }
}

function trim(map: Map<number, unknown>): void {
  for (const key of map.keys()) {
    if (map.size <= samplesMax) return;
    map.delete(key);
  }
}

// SPDX-License-Identifier: MIT
// Time base of a run: turns log time and the monotonic clock into microseconds since time 0. Log
// time falls behind the clock when the log was quiet for long (D2), so each change of the distance
// between the two is remembered.

interface Distance {
  readonly fromLogUs: number;
  readonly monotonicMinusLogUs: number;
}

export class TimeBase {
  readonly #distances: Distance[] = [];
  #zeroMonotonicUs: number | undefined;

  /** An entry with this stamp set log time to `logUs`. */
  note(stampUs: number, logUs: number): void {
    const monotonicMinusLogUs = stampUs - logUs;
    if (this.#distances.at(-1)?.monotonicMinusLogUs === monotonicMinusLogUs) return;
    this.#distances.push({ fromLogUs: logUs, monotonicMinusLogUs });
  }

  /** This instant is time 0. */
  setZero(monotonicUs: number): void {
    this.#zeroMonotonicUs = monotonicUs;
  }

  /** The instant of time 0; 0 before it is known. */
  get zeroMonotonicUs(): number {
    return this.#zeroMonotonicUs ?? 0;
  }

  get isSet(): boolean {
    return this.#zeroMonotonicUs !== undefined;
  }

  /** Microseconds since time 0; before time 0 is known, since nothing at all. */
  fromMonotonic(monotonicUs: number): number {
    return monotonicUs - (this.#zeroMonotonicUs ?? monotonicUs);
  }

  fromLog(logUs: number): number {
    let distance = this.#distances.at(-1);
    for (let index = this.#distances.length - 1; index >= 0; index -= 1) {
      distance = this.#distances[index];
      if (distance !== undefined && distance.fromLogUs <= logUs) break;
    }
    return this.fromMonotonic(logUs + (distance?.monotonicMinusLogUs ?? 0));
  }
}

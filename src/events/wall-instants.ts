// SPDX-License-Identifier: MIT
// The wall's clock and the monotonic one, as one scheduler compares them.
//
//   W1. One instant of the wall is one instant of the monotonic clock, whenever it is asked for:
//       the wall's clock is read in milliseconds and set a little all the time, so what it says is
//       believed anew only when it is further off than that.
import type { Clock } from "../host/clock.ts";

/** As far as the two clocks may seem to move against each other, microseconds (W1). */
export const wallStepUs = 3_000;

/** Two readings that are further apart, microseconds, are not compared. */
const readingUsMax = 1_000;

export class WallInstants {
  readonly #clock: Pick<Clock, "nowUs" | "wallMs">;
  #offsetUs: number | undefined;

  constructor(clock: Pick<Clock, "nowUs" | "wallMs">) {
    this.#clock = clock;
  }

  /** @param us of the monotonic clock. @returns microseconds since 1970 */
  wallOf(us: number): number {
    const beforeUs = this.#clock.nowUs();
    const seenUs = Math.round(this.#clock.wallMs() * 1_000 - beforeUs);
    const tookUs = this.#clock.nowUs() - beforeUs;
    const offsetUs = this.#offsetUs ?? seenUs;
    // A pause of this process between the two readings is no step of the wall's clock.
    const isStep = tookUs <= readingUsMax && Math.abs(seenUs - offsetUs) > wallStepUs;
    this.#offsetUs = isStep ? seenUs : offsetUs;
    return us + this.#offsetUs;
  }
}

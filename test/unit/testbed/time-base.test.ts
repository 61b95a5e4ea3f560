// SPDX-License-Identifier: MIT
// Goal: log time and the clock are turned into time since time 0, also when log time fell behind.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TimeBase } from "../../../src/testbed/time-base.ts";

describe("TimeBase", () => {
  it("counts from time 0, negative before it", () => {
    const time = new TimeBase();
    expect(time.isSet).toBe(false);
    expect(time.fromMonotonic(5)).toBe(0);
    time.setZero(1_000);
    expect(time.isSet).toBe(true);
    expect(time.zeroMonotonicUs).toBe(1_000);
    expect([time.fromMonotonic(400), time.fromMonotonic(1_500)]).toEqual([-600, 500]);
  });

  it("takes the distance that log time had at that time", () => {
    const time = new TimeBase();
    time.note(1_000, 0);
    time.note(1_100, 100);
    // The log was quiet for long: log time is 3000 behind from here on.
    time.note(5_100, 1_100);
    time.setZero(1_000);
    expect(time.fromLog(50)).toBe(50);
    expect(time.fromLog(100)).toBe(100);
    expect(time.fromLog(1_100)).toBe(4_100);
    expect(time.fromLog(1_200)).toBe(4_200);
  });

  it("gives each entry back the instant of its stamp, for any log", () => {
    const steps = fc.array(fc.tuple(fc.nat(5_000), fc.nat(2_000)), { minLength: 1 });
    fc.assert(
      fc.property(steps, (all) => {
        const time = new TimeBase();
        time.setZero(0);
        let [stampUs, logUs] = [0, 0];
        // Two entries with one log time are told apart by nothing but their order.
        for (const [step, clamp] of all) {
          stampUs += step + 1;
          logUs += Math.min(step, clamp) + 1;
          time.note(stampUs, logUs);
          expect(time.fromLog(logUs)).toBe(stampUs);
        }
      }),
    );
  });
});

// SPDX-License-Identifier: MIT
// Goal: a step of the clock that stamps entries is said once, with its size, and nothing that is
// merely late is taken for one (D2). Method: stamps and arrivals by hand, and at random.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Host } from "../../../src/host/host.ts";
import { ClockSteps, warnOfClockSteps } from "../../../src/host/warn-of-clock-steps.ts";

const second = 1_000_000;
/** How far the two clocks are apart at first. */
const apart = 1_000 * second;

/** Steps in seconds, of entries as [when they were stamped, how late they came, by the offset]. */
function found(rows: readonly (readonly [atS: number, lateS: number, offsetS: number])[]) {
  const steps = new ClockSteps();
  return rows.flatMap(([atS, lateS, offsetS]) => {
    const step = steps.note(apart + (atS + offsetS) * second, (atS + lateS) * second);
    return step === undefined ? [] : [Math.round(step / 100_000) / 10];
  });
}

describe("ClockSteps.note()", () => {
  it("finds a step ahead and one back, each once", () => {
    const ahead = [
      [1, 0, 0],
      [2, 0.1, 0],
      [3, 0, 60],
      [4, 0, 60],
    ] as const;
    expect(found(ahead)).toEqual([60]);
    expect(found([...ahead, [5, 0, 0], [6, 0, 0], [7, 0, 5]])).toEqual([60, -60, 5]);
  });

  it("takes no entry for one that is late, or comes after a long time", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.double({ min: 0, max: 50, noNaN: true }), fc.nat(9_000))),
        (late) => {
          let atS = 0;
          // The first comes as soon as it is stamped.
          const rows = [[0, 0, 0] as const];
          for (const [lateS, gap] of late) {
            atS += gap / 10;
            rows.push([atS, lateS, 0] as never);
          }
          expect(found(rows)).toEqual([]);
        },
      ),
    );
  });

  it("keeps quiet about what is less than a second, and about drift", () => {
    expect(found([...Array(200).keys()].map((at) => [at, 0, at / 100] as const))).toEqual([]);
    expect(found([...Array(200).keys()].map((at) => [at, 0, -at / 100] as const))).toEqual([]);
    expect(
      found([
        [1, 0, 0],
        [2, 0, 0.9],
        [3, 0, 0],
      ]),
    ).toEqual([]);
  });
});

describe("warnOfClockSteps()", () => {
  it("warns of a log of several servers, and not where an entry of one's own was late", () => {
    const warned = [true, false].map((isShared) => {
      const lines: string[] = [];
      let nowUs = 0;
      let observer: Parameters<Host["observe"]>[0] = () => undefined;
      const clock = { nowUs: () => nowUs } as Host["clock"];
      const observe: Host["observe"] = (next) => {
        observer = next;
        return () => undefined;
      };
      warnOfClockSteps({ isShared, clock, observe }, { log: (_, line) => void lines.push(line) });
      for (const [sequence, stampS, atS] of [
        [1, 1, 3],
        [2, 4, 4],
      ] as const) {
        nowUs = atS * second;
        observer({ sequence, stampUs: stampS * second } as never, [] as never);
      }
      return lines;
    });
    expect(warned).toEqual([[expect.stringContaining("set ahead by 2.0 s, seen at entry 2")], []]);
  });
});

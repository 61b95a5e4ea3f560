// SPDX-License-Identifier: MIT
// Goal: what fails for hours fills no file, and who reads of it learns when it began, that it goes
// on, and how long it was; a moment may be left out; reasons of another side are told once each.
// Method: a clock that is set by hand, failures once or twice a second.
import { beforeEach, describe, expect, it } from "vitest";
import { Outage, type OutageOptions, outagePaces } from "../../../src/host/outage.ts";
import { Lines, ManualClock } from "../syncd/harness.ts";

let clock: ManualClock;
let log: Lines;
beforeEach(() => {
  [clock, log] = [new ManualClock(), new Lines()];
});

const words = {
  failed: (why: string): string => `it failed: ${why}`,
  over: (lasted: string): string => `it goes on, after ${lasted}`,
};
function outageOf(more: Partial<OutageOptions> = {}): Outage {
  return new Outage({ clock, logger: log, words, pace: outagePaces.urgent, ...more });
}

/** @returns seconds at which something was said */
function failFor(outage: Outage, seconds: number, reasons: readonly string[]): readonly number[] {
  const startUs = clock.nowUs();
  const saidAt: number[] = [];
  for (let at = 0; at < seconds * reasons.length; at += 1) {
    const before = log.lines.length;
    outage.failed(reasons[at % reasons.length] ?? "");
    if (log.lines.length > before) saidAt.push((clock.nowUs() - startUs) / 1e6);
    clock.advance(1_000 / reasons.length);
  }
  return saidAt;
}

describe("Outage", () => {
  it("says that it began, ever more rarely that it lasts, and how long it was", () => {
    const outage = outageOf();
    outage.over();
    expect([log.lines, outage.isSaid]).toEqual([[], false]);
    const saidAt = failFor(outage, 3_601, ["no broker"]);
    expect(saidAt).toEqual([0, 10, 30, 70, 150, 310, 630, 1_230, 1_830, 2_430, 3_030]);
    expect(log.lines[0]).toBe("it failed: no broker");
    expect(log.lines[3]).toBe("for 70 s now it failed: no broker");
    expect(outage.isSaid).toBe(true);
    outage.over();
    outage.over();
    expect(log.lines.slice(11)).toEqual(["it goes on, after 3601 s"]);
    expect(outage.isSaid).toBe(false);
  });

  it("begins anew with the next one, and one that comes and goes is calm, too", () => {
    const outage = outageOf();
    for (let times = 0; times < 1_000; times += 1) {
      outage.failed("full");
      clock.advance(20);
      outage.over();
    }
    expect(log.lines.slice(0, 3)).toEqual([
      "it failed: full",
      "it goes on, after 0.0 s",
      "it failed: full",
    ]);
    expect(log.lines).toHaveLength(100);
  });

  it("says each of several reasons once, then after 1, 2, 4 minutes, at last once an hour", () => {
    const outage = outageOf({ words: { failed: String }, pace: outagePaces.patient });
    // The servers of one place are called in turn.
    const reasons = ["refused at a", "refused at b"];
    expect(failFor(outage, 8 * 60, reasons)).toEqual([0, 0.5, 60, 180, 420]);
    const reminders = [1, 3, 7].map((minutes) => `refused at a (for ${minutes} min now)`);
    expect(log.lines).toEqual([...reasons, ...reminders]);
    failFor(outage, 4 * 3600, reasons);
    const minutes = log.lines.slice(5).map((text) => Number(/\d+(?= min)/.exec(text)?.[0]));
    expect(minutes).toEqual([15, 31, 63, 123, 183, 243]);
    outage.over();
    expect(log.lines).toHaveLength(11);
    outage.failed("refused at a");
    expect(log.lines.at(-1)).toBe("refused at a");
  });

  it("is not filled with reasons that somebody else makes up", () => {
    const outage = outageOf({ pace: outagePaces.patient });
    for (let at = 0; at < 100; at += 1) outage.failed(`reason ${at}`);
    expect(log.lines).toHaveLength(8);
  });

  it("says nothing of what is over in a moment, where that is no outage", () => {
    const outage = outageOf({ quietMs: 1_000 });
    outage.failed("timeout");
    clock.advance(999);
    outage.failed("another reason");
    expect(outage.isSaid).toBe(false);
    outage.over();
    clock.advance(60_000);
    expect(log.lines).toEqual([]);
    for (const _ of [1, 2]) {
      outage.failed("timeout");
      clock.advance(1_000);
      expect(outage.isSaid).toBe(true);
      for (let second = 1; second < 10; second += 1) {
        outage.failed("another reason");
        clock.advance(1_000);
      }
      outage.over();
      outage.over();
      expect(outage.isSaid).toBe(false);
      expect(log.lines.splice(0)).toEqual(["it failed: timeout", "it goes on, after 10 s"]);
    }
    outage.failed("the last");
    outage.end();
    clock.advance(60_000);
    expect(log.lines).toEqual([]);
    expect(clock.pendingCount).toBe(0);
  });
});

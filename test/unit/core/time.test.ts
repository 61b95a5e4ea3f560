// SPDX-License-Identifier: MIT
// S1 log time and its clamp, S2 deadlines before commands, D2 steps of a clock. Catches: a clamp
// that is missing at either end, and timers expired after the commands of their entry.
import { describe, expect, it } from "vitest";
import { logStepUsMax, tickIntervalUs } from "../../../src/core/limits.ts";
import { CoreDriver, initOnly, releases, wait } from "../../../src/testing/core-driver.ts";

const hourUs = 3_600_000_000;

describe("log time", () => {
  it("S1 log time begins at 0 whatever the first stamp is", () => {
    const core = new CoreDriver();
    core.stampUs = 9e15;
    expect(core.tick(0).nowUs).toBe(0);
  });

  it.each([
    { step: 0, moves: 0 },
    { step: 1, moves: 1 },
    { step: logStepUsMax, moves: logStepUsMax },
    { step: logStepUsMax + 1, moves: logStepUsMax },
    { step: -1, moves: 0 },
  ])("S1 log time moves by $moves when the stamp moves by $step", ({ step, moves }) => {
    const core = new CoreDriver();
    core.tick(0);
    expect(core.tick(step).nowUs).toBe(moves);
  });

  it.each([
    { name: "ahead", step: hourUs },
    { name: "back", step: -hourUs },
  ])("D2 a clock set an hour $name moves log time by at most 2 s", ({ step }) => {
    const core = new CoreDriver();
    core.send("e", wait(1, { timeoutUs: 10_000_000 }));
    core.pass(5_000_000);
    const before = core.service.nowUs;
    expect(releases(core.tick(step))).toEqual([]);
    expect(core.service.nowUs - before).toBeGreaterThanOrEqual(0);
    expect(core.service.nowUs - before).toBeLessThanOrEqual(2_000_000);
    // And from there it goes on as before: the wait still ends, after what is left of it.
    const leftUs = 10_000_000 - core.service.nowUs;
    expect(releases(core.pass(leftUs - 1))).toEqual([]);
    expect(releases(core.tick(1))).toHaveLength(1);
  });

  it("D2 an outage stops log time: no wait and no lease ends because nothing was running", () => {
    const core = new CoreDriver();
    core.send("e", wait(1, { timeoutUs: 3_000_000 }));
    expect(releases(core.tick(24 * hourUs))).toEqual([]);
  });

  it("D2 ticks keep log time at the pace of the stamps", () => {
    const core = new CoreDriver();
    core.tick(0);
    for (let second = 0; second < 3600; second += 1) core.tick(tickIntervalUs);
    expect(core.service.nowUs).toBe(hourUs);
  });
});

describe("deadlines and commands", () => {
  it("S2 the deadline wins when it falls on the entry that would have released the wait", () => {
    const core = new CoreDriver();
    core.send("e", wait(1, { timeoutUs: 1_000_000 }));
    const batch = core.batch("e", [initOnly(2, 1)]);
    expect(releases(core.apply([batch], 1_000_000))).toEqual([[1, "timeout", 0]]);
  });

  it("S2 the command wins one microsecond before", () => {
    const core = new CoreDriver();
    core.send("e", wait(1, { timeoutUs: 1_000_000 }));
    const batch = core.batch("e", [initOnly(2, 1)]);
    expect(releases(core.apply([batch], 999_999))).toEqual([[1, "crossed", 0]]);
  });

  it("S2 deadlines that fall into one entry end in order of their instants, then of setting", () => {
    const core = new CoreDriver();
    core.send("e", wait(1, { timeoutUs: 900 }), wait(2, { timeoutUs: 500 }));
    core.send("e", wait(3, { timeoutUs: 500 }), wait(4, { timeoutUs: 100 }));
    expect(releases(core.tick(1000)).map(([connection]) => connection)).toEqual([4, 2, 3, 1]);
  });

  it("S2 two ticks at one deadline do no harm", () => {
    const core = new CoreDriver();
    core.send("e", wait(1, { timeoutUs: 500 }));
    expect(releases(core.tick(500))).toHaveLength(1);
    expect(core.tick(0).addressed).toEqual([]);
  });

  it("apply() refuses an entry that is not the next one", () => {
    const core = new CoreDriver();
    const entry = { sequence: 2, stampUs: 0, entry: { format: 1, batches: [] } } as const;
    expect(() => core.service.apply(entry)).toThrow("entry 2 after 0");
  });
});

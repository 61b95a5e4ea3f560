// SPDX-License-Identifier: MIT
// Goal: what a traffic generator sends follows the file and its events, and packets come due at the
// rate that was asked for, however irregularly the generator gets its turns.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TrafficFlow } from "../../../src/experiment/model.ts";
import { CbrSchedule } from "../../../src/testbed/agents/trafgen/cbr-schedule.ts";
import { trafficLimits } from "../../../src/testbed/agents/trafgen/traffic-limits.ts";
import {
  applyTrafficArgs,
  initialSettings,
  type TrafficSettings,
} from "../../../src/testbed/agents/trafgen/traffic-settings.ts";

const end = { name: "e", node: "n", port: 1, address: "" };
const flow: TrafficFlow = {
  ...{ name: "cbr0", kind: "cbr", protocol: "udp", source: end, sink: end, packetBytes: 1_000 },
  ...{ rateBps: undefined, intervalSeconds: undefined, tos: undefined },
  at: { file: "a.ns", line: 1, column: 1 },
};

function apply(settings: TrafficSettings, args: string): TrafficSettings {
  const applied = applyTrafficArgs(settings, args);
  if (typeof applied === "string") throw new Error(applied);
  return applied;
}

describe("initialSettings()", () => {
  it("takes a rate, or an interval, or what the old generator took", () => {
    expect(initialSettings({ ...flow, rateBps: 8_000_000 }).intervalUs).toBe(1_000);
    expect(initialSettings({ ...flow, intervalSeconds: 0.5 }).intervalUs).toBe(500_000);
    expect(initialSettings({ ...flow, packetBytes: 0 })).toEqual({
      ...{ packetBytes: 1_024, intervalUs: 100_000, rateKbps: undefined, tos: undefined },
    });
  });

  it("lets an interval of the file win over its rate", () => {
    const both = initialSettings({ ...flow, rateBps: 8_000_000, intervalSeconds: 0.5 });
    expect([both.intervalUs, both.rateKbps]).toEqual([500_000, undefined]);
  });
});

describe("applyTrafficArgs()", () => {
  const start = initialSettings(flow);

  it("keeps a rate in force when the size changes, until an interval is set", () => {
    const rated = apply(start, "RATE=8000");
    expect(rated.intervalUs).toBe(1_000);
    const larger = apply(rated, "PACKETSIZE=2000");
    expect(larger.intervalUs).toBe(2_000);
    const spaced = apply(larger, "INTERVAL=0.25");
    expect(apply(spaced, "PACKETSIZE=10").intervalUs).toBe(250_000);
  });

  it("takes keys in any case, and arguments of any length (faults 25, 26)", () => {
    const long = `rate=8000 ${"iptos=0x10 ".repeat(50)}PacketSize=500`;
    expect(apply(start, long)).toEqual({
      ...{ rateKbps: 8_000, tos: 16, packetBytes: 500, intervalUs: 500 },
    });
  });

  it("leaves alone what is -1, and everything when nothing is said", () => {
    expect(apply(start, "PACKETSIZE=-1 RATE=-1 INTERVAL=-1 IPTOS=-1")).toEqual(start);
    expect(apply(start, " \t")).toEqual(start);
  });

  it.each([
    [`PACKETSIZE=${trafficLimits.packetBytesMax}`, true],
    [`PACKETSIZE=${trafficLimits.packetBytesMax + 1}`, false],
    ["PACKETSIZE=1", true],
    ["PACKETSIZE=0", false],
    ["PACKETSIZE=1.5", false],
    [`INTERVAL=${trafficLimits.intervalSecondsMax}`, true],
    [`INTERVAL=${trafficLimits.intervalSecondsMax + 1}`, false],
    ["INTERVAL=0", false],
    ["INTERVAL=.001", true],
    [`INTERVAL=${trafficLimits.intervalUsMin / 1e6}`, true],
    [`INTERVAL=${trafficLimits.intervalUsMin / 2e6}`, false],
    ["PACKETSIZE=1 RATE=8000", true],
    ["PACKETSIZE=1 RATE=8001", false],
    ["RATE=1e-308", false],
    ["RATE=0", false],
    ["RATE=fast", false],
    ["IPTOS=255", true],
    ["IPTOS=256", false],
    ["IPTOS=010", true],
    ["SPEED=1", false],
    ["start", false],
  ])("%s is taken: %s", (args, isTaken) => {
    const applied = applyTrafficArgs(start, args);
    if (isTaken) expect(applied).not.toBeTypeOf("string");
    else expect(applied).toMatch(/must be|takes|cannot be sent/);
  });

  it("changes nothing when one of several is wrong", () => {
    expect(applyTrafficArgs(start, "PACKETSIZE=5 RATE=x")).toBeTypeOf("string");
  });
});

describe("CbrSchedule", () => {
  const bounds = { lateUsMax: 20_000, batchPacketsMax: 256 };
  const turns = fc.array(fc.integer({ min: 1, max: 15_000 }), { minLength: 1, maxLength: 200 });

  it("gives out every packet whose time has come, and none before (G1)", () => {
    fc.assert(
      fc.property(turns, fc.integer({ min: 100, max: 100_000 }), (gaps, intervalUs) => {
        const schedule = new CbrSchedule(0, intervalUs, bounds);
        let nowUs = 0;
        let sent = schedule.take(0).due;
        for (const gap of gaps) {
          nowUs += gap;
          const { due, lost } = schedule.take(nowUs);
          expect(lost).toBe(0);
          sent += due;
          expect(sent).toBe(Math.floor(nowUs / intervalUs) + 1);
        }
      }),
    );
  });

  it("counts what comes too late as lost, and nothing twice (G1)", () => {
    fc.assert(
      fc.property(turns, fc.integer({ min: 1, max: 50 }), (gaps, intervalUs) => {
        const schedule = new CbrSchedule(0, intervalUs, bounds);
        let nowUs = 0;
        let total = 0;
        for (const gap of gaps) {
          nowUs += gap;
          const { due, lost } = schedule.take(nowUs);
          expect(due).toBeLessThanOrEqual(bounds.batchPacketsMax);
          total += due + lost;
          expect(total).toBeLessThanOrEqual(Math.floor(nowUs / intervalUs) + 1);
        }
        // Given its turns, it comes to an end with them.
        for (let index = 0; index < 100_000; index += 1) {
          const { due, lost } = schedule.take(nowUs);
          total += due + lost;
          if (due === 0) break;
        }
        expect(total).toBe(Math.floor(nowUs / intervalUs) + 1);
      }),
      { numRuns: 30 },
    );
  });

  it("sends nothing before its start", () => {
    const schedule = new CbrSchedule(500, 100, bounds);
    expect(schedule.take(499)).toEqual({ due: 0, lost: 0 });
    expect(schedule.take(500)).toEqual({ due: 1, lost: 0 });
  });

  it("goes on from the last packet when the interval changes, without a burst", () => {
    const schedule = new CbrSchedule(0, 1_000, bounds);
    schedule.take(2_500);
    schedule.change(2_000, 2_500);
    expect(schedule.nextUs).toBe(4_000);
    schedule.change(10, 3_500);
    expect(schedule.nextUs).toBe(3_500);
  });

  it("keeps the start when the interval changes before it", () => {
    const schedule = new CbrSchedule(5_000, 1_000, bounds);
    schedule.change(10, 100);
    expect(schedule.nextUs).toBe(5_000);
  });
});

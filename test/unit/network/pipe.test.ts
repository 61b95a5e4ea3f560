// SPDX-License-Identifier: MIT
// Goal: what one direction does to packets besides rate and delay (the property test has those):
// RED, jitter, reordering, duplicates, the bound on what is on its way, changes while down. Method:
// figures that follow from the definitions, with seeds.
import { describe, expect, it } from "vitest";
import { type DirectionShape, unshaped, usualQueue } from "../../../src/network/model.ts";
import { networkLimits } from "../../../src/network/network-limits.ts";
import { Pipe } from "../../../src/network/shaper/pipe.ts";

const up = (shape: Partial<DirectionShape>) => ({ shape: { ...unshaped, ...shape }, isUp: true });

function drain(pipe: Pipe<number>, untilUs = 1e12): readonly (readonly [number, number])[] {
  const outs: (readonly [number, number])[] = [];
  for (let out = pipe.take(untilUs); out !== undefined; out = pipe.take(untilUs)) {
    outs.push([out.packet, out.outUs]);
  }
  return outs;
}

/** `count` packets of 1000 bytes, `gapUs` apart, taken out as they come. */
function flood(
  pipe: Pipe<number>,
  count: number,
  gapUs: number,
): readonly (readonly [number, number])[] {
  const outs: (readonly [number, number])[] = [];
  for (let n = 0; n < count; n++) {
    pipe.arrive(n * gapUs, 1000, n);
    outs.push(...drain(pipe, n * gapUs));
  }
  return [...outs, ...drain(pipe)];
}

describe("Pipe", () => {
  it("delays each packet by up to the jitter more or less, and keeps the order", () => {
    const outs = flood(
      new Pipe<number>(up({ delayUs: 10_000, jitterUs: 2_000 }), 1),
      5_000,
      10_000,
    );
    const delays = outs.map(([packet, outUs]) => outUs - packet * 10_000);
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(8_000);
    expect(Math.max(...delays)).toBeLessThanOrEqual(12_000);
    const mean = delays.reduce((sum, delay) => sum + delay, 0) / delays.length;
    expect(Math.abs(mean - 10_000)).toBeLessThan(60);
    const near = flood(new Pipe<number>(up({ delayUs: 10_000, jitterUs: 2_000 }), 1), 5_000, 10);
    expect(near.map(([packet]) => packet)).toEqual(near.map((_, index) => index));
  });

  it("lets the asked share overtake, without delay", () => {
    const outs = flood(new Pipe<number>(up({ delayUs: 10_000, reorder: 0.25 }), 3), 4_000, 1_000);
    const early = outs.filter(([packet, outUs]) => outUs === packet * 1_000);
    expect(early.length).toBeGreaterThan(900);
    expect(early.length).toBeLessThan(1_100);
    const rest = outs.filter(([packet, outUs]) => outUs === packet * 1_000 + 10_000);
    expect(early.length + rest.length).toBe(4_000);
  });

  it("gives the asked share twice, and both take bandwidth", () => {
    const pipe = new Pipe<number>(up({ duplicate: 0.5, bandwidthBps: 8_000_000 }), 5);
    const outs = flood(pipe, 1_000, 2_000);
    expect(outs).toHaveLength(1_000 + pipe.counts.duplicated);
    expect(pipe.counts.duplicated).toBeGreaterThan(440);
    expect(pipe.counts.duplicated).toBeLessThan(560);
    const twice = outs.findIndex(([packet], index) => outs[index + 1]?.[0] === packet);
    expect((outs[twice + 1]?.[1] ?? 0) - (outs[twice]?.[1] ?? 0)).toBe(1_000);
  });

  it("bounds what is on its way, and counts what is too much", () => {
    const pipe = new Pipe<number>(up({ delayUs: 1_000_000 }), 1);
    const fitting = Math.floor(networkLimits.inFlightBytesMax / 1_000_000);
    for (let n = 0; n < fitting; n++) pipe.arrive(0, 1_000_000, n);
    expect(pipe.counts.overflow).toBe(0);
    pipe.arrive(0, 1_000_000, fitting);
    expect(pipe.counts.overflow).toBe(1);
    expect(drain(pipe)).toHaveLength(fitting);
  });

  it("drops nothing early while RED's average is small, and all of it beyond the maximum", () => {
    const red = {
      ...usualQueue,
      kind: "red" as const,
      averageWeight: 1,
      minThreshold: 5,
      maxThreshold: 15,
    };
    const pipe = new Pipe<number>(up({ bandwidthBps: 1_000, queue: red }), 1);
    // A weight of 1 makes the average the length.
    for (let n = 0; n < 5; n++) pipe.arrive(0, 1000, n);
    expect(pipe.counts.queueDrops).toBe(0);
    for (let n = 5; n < 500; n++) pipe.arrive(0, 1000, n);
    expect(pipe.size).toBe(15);
  });

  it("lets gentle RED's queue grow to twice the maximum at most", () => {
    const gentle = { ...usualQueue, kind: "gentle-red" as const, averageWeight: 1 };
    const pipe = new Pipe<number>(up({ bandwidthBps: 1_000, queue: gentle }), 1);
    for (let n = 0; n < 5_000; n++) pipe.arrive(0, 1000, n);
    expect(pipe.size).toBeGreaterThan(15);
    expect(pipe.size).toBeLessThanOrEqual(30);
  });

  it.each(["red", "gentle-red"] as const)(
    "drops with %s what is too much, and stays short",
    (kind) => {
      const queue = { ...usualQueue, kind, averageWeight: 0.02, minThreshold: 5, maxThreshold: 15 };
      const pipe = new Pipe<number>(up({ bandwidthBps: 8_000_000, queue }), 9);
      let longest = 0;
      // A twentieth more than it can send.
      for (let n = 0; n < 20_000; n++) {
        pipe.arrive(952 * n, 1000, n);
        drain(pipe, 952 * n);
        longest = Math.max(longest, pipe.size);
      }
      expect(pipe.counts.queueDrops / 20_000).toBeCloseTo(0.048, 2);
      expect(longest).toBeGreaterThan(6);
      expect(longest).toBeLessThan(30);
    },
  );

  it("lets RED's average decay while the queue is empty", () => {
    const red = {
      ...usualQueue,
      kind: "red" as const,
      averageWeight: 0.5,
      minThreshold: 1,
      maxThreshold: 3,
    };
    const floodThenWait = (waitUs: number): number => {
      const pipe = new Pipe<number>(up({ bandwidthBps: 8_000_000, queue: red }), 1);
      for (let n = 0; n < 50; n++) pipe.arrive(0, 1000, n);
      const before = pipe.counts.queueDrops;
      const emptyUs = 50_000;
      drain(pipe, emptyUs);
      for (let n = 0; n < 3; n++) pipe.arrive(emptyUs + waitUs + n * 5_000, 1000, n);
      return pipe.counts.queueDrops - before;
    };
    expect(floodThenWait(1_000_000)).toBe(0);
  });

  it("remembers what changes while it is down, and loses what comes meanwhile (M2)", () => {
    const pipe = new Pipe<number>(up({ delayUs: 1_000 }), 1);
    pipe.arrive(0, 100, 0);
    pipe.change(500, { shape: { ...unshaped, delayUs: 5_000 }, isUp: false });
    pipe.arrive(600, 100, 1);
    pipe.change(700, { shape: { ...unshaped, delayUs: 7_000 }, isUp: false });
    pipe.change(800, { shape: { ...unshaped, delayUs: 7_000 }, isUp: true });
    pipe.arrive(900, 100, 2);
    expect(drain(pipe)).toEqual([
      [0, 1_000],
      [2, 7_900],
    ]);
    expect(pipe.counts.down).toBe(1);
  });

  it("sends only the rest of the first packet at a new rate (P3)", () => {
    const pipe = new Pipe<number>(up({ bandwidthBps: 8_000_000 }), 1);
    pipe.arrive(0, 1000, 0);
    pipe.arrive(0, 1000, 1);
    pipe.change(250, up({ bandwidthBps: 4_000_000 }));
    expect(drain(pipe)).toEqual([
      [0, 250 + 1_500],
      [1, 250 + 1_500 + 2_000],
    ]);
  });

  it("lets nobody overtake when the delay becomes shorter (P1)", () => {
    const pipe = new Pipe<number>(up({ delayUs: 10_000 }), 1);
    pipe.arrive(0, 100, 0);
    pipe.change(1, up({ delayUs: 10 }));
    pipe.arrive(2, 100, 1);
    expect(drain(pipe)).toEqual([
      [0, 10_000],
      [1, 10_000],
    ]);
  });
});

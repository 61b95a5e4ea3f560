// SPDX-License-Identifier: MIT
// Goal: what piled up while a thread did not run is stamped over the time in which it came, so that
// a stall loses nothing in a queue that had room. Method: instants by hand; a pipe behind it.
import { describe, expect, it } from "vitest";
import { unshaped, usualQueue } from "../../../src/network/model.ts";
import { Backlog } from "../../../src/network/shaper/backlog.ts";
import { Pipe } from "../../../src/network/shaper/pipe.ts";

const bounds = { behindUs: 2_000, packetsMax: 4 };

function released(backlog: Backlog<string>, nowUs: number): readonly (readonly [number, string])[] {
  const out: (readonly [number, string])[] = [];
  backlog.release(nowUs, (atUs, packet) => out.push([atUs, packet]));
  return out;
}

describe("a backlog", () => {
  it("holds nothing of who looks often enough", () => {
    const backlog = new Backlog<string>(bounds);
    backlog.empty(1_000);
    expect(backlog.hold(3_000, "a")).toBe(false);
    expect(backlog.isHolding).toBe(false);
    expect(backlog.hold(3_001, "b")).toBe(true);
  });

  it("gives out in order and evenly, from when it was empty to when they were found (W1, W2)", () => {
    const backlog = new Backlog<string>(bounds);
    backlog.empty(10_000);
    for (const packet of ["a", "b", "c"]) expect(backlog.hold(19_000, packet)).toBe(true);
    expect(backlog.isFull).toBe(false);
    // While some are held, who comes after them is held too.
    expect(backlog.hold(10_001, "d")).toBe(true);
    expect(backlog.isFull).toBe(true);
    expect(released(backlog, 20_000)).toEqual([
      ...[[12_500, "a"] as const, [15_000, "b"] as const],
      ...[[17_500, "c"] as const, [20_000, "d"] as const],
    ]);
    expect([backlog.isHolding, released(backlog, 21_000)]).toEqual([false, []]);
    expect(backlog.hold(23_001, "e")).toBe(true);
    // What came in the end of the time may have been said to come at its beginning.
    expect(backlog.release(23_001, () => undefined)).toBe(2_001);
    expect(backlog.hold(23_001, "f")).toBe(false);
  });

  it("never stamps before an instant that is known, also where clocks seem to go back", () => {
    const backlog = new Backlog<string>(bounds);
    backlog.empty(5_000);
    backlog.empty(4_000);
    expect(backlog.hold(7_001, "a")).toBe(true);
    expect(released(backlog, 4_500)).toEqual([[4_500, "a"]]);
  });

  it("lets no packet out sooner than if it had come when it was found (P5)", () => {
    const shape = { ...unshaped, bandwidthBps: 1_000_000, delayUs: 5_000, queue: usualQueue };
    const outs = (cameUs: readonly number[], foundUs: number): readonly (number | undefined)[] => {
      const pipe = new Pipe<number>({ shape, isUp: true }, 1);
      const found = { atUs: foundUs, slackUs: 0 };
      for (const [at, us] of cameUs.entries()) pipe.arrive(us, 125, at, found);
      return cameUs.map(() => pipe.take(Infinity)?.outUs);
    };
    // A millisecond on the limiter and five of delay.
    expect(outs([10_000, 12_000, 14_000], 14_000)).toEqual([20_000, 20_000, 20_000]);
    expect(outs([14_000, 14_000, 14_000], 14_000)).toEqual([20_000, 21_000, 22_000]);
    // An instant that was found in time is as it always was.
    expect(outs([10_000], 10_000)).toEqual([16_000]);
  });

  it("of a steady sender loses nothing in a queue, however long the thread stood still", () => {
    const shape = { ...unshaped, bandwidthBps: 2_000_000, queue: usualQueue };
    const drops = (stamp: (at: number) => number): number => {
      const pipe = new Pipe<number>({ shape, isUp: true }, 1);
      for (let at = 0; at < 200; at += 1) pipe.arrive(stamp(at), 62, at);
      return pipe.counts.queueDrops;
    };
    const backlog = new Backlog<number>({ ...bounds, packetsMax: 1_000 });
    backlog.empty(0);
    for (let at = 0; at < 200; at += 1) backlog.hold(200_000, at);
    const stamps: number[] = [];
    backlog.release(200_000, (atUs) => stamps.push(atUs));
    expect(drops((at) => stamps[at] ?? 0)).toBe(0);
    // As it was: all of them came when they were found.
    expect(drops(() => 200_000)).toBe(150);
  });
});

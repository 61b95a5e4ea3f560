// SPDX-License-Identifier: MIT
// Goal: links of the delay node are spread over as many threads as they need and the machine has to
// spare, each in one, and none in a thread that has more to do than another (W1). Method: the
// arithmetic alone; that two threads carry packets is test/e2e/delay-node.test.ts's.
import { describe, expect, it } from "vitest";
import {
  type LoadingLink,
  ThreadLoads,
  threadsFor,
} from "../../../src/network/delay-node/thread-loads.ts";
import { networkLimits } from "../../../src/network/network-limits.ts";

const Mbps = 1_000_000;
const link = (...rates: readonly number[]): LoadingLink => ({
  members: rates.map((bandwidthBps) => ({ up: { bandwidthBps } })),
});

describe("the threads of the delay node", () => {
  it("are as many as links need, and leave a processor", () => {
    const two = [link(300 * Mbps, 300 * Mbps), link(1 * Mbps)];
    const fast = Array.from({ length: 40 }, () => link(500 * Mbps, 500 * Mbps));
    expect([1, 2, 3, 4].map((processors) => threadsFor(two, processors))).toEqual([1, 1, 2, 2]);
    expect(threadsFor(two.slice(0, 1), 8)).toBe(1);
    expect([2, 3, 8].map((processors) => threadsFor(fast, processors))).toEqual([1, 2, 7]);
    expect(threadsFor(fast, 64)).toBe(networkLimits.delayNodeThreadsMax);
    expect(threadsFor([], 8)).toBe(1);
    // Without limit: four such ways are a thread.
    expect(threadsFor([link(0, 0), link(0, 0), link(0, 0)], 8)).toBe(2);
  });

  it("have each link in one of them, the one with least to do when it comes (W1)", () => {
    const loads = new ThreadLoads(3);
    const rates = [100, 30, 20, 5, 40, 1];
    const placed = rates.map((rate, at) => loads.add(`l${at}`, link(rate * Mbps)));
    expect(placed).toEqual([0, 1, 2, 2, 2, 1]);
    expect(rates.map((_rate, at) => loads.threadOf(`l${at}`))).toEqual(placed);
    expect([loads.threads, loads.threadOf("none")]).toEqual([3, undefined]);
  });

  it("have one that must be in a certain thread there, and reckon with it", () => {
    const loads = new ThreadLoads(2);
    expect(loads.add("far", link(10 * Mbps), 0)).toBe(0);
    expect(loads.add("near", link(Mbps))).toBe(1);
    expect(loads.add("farther", link(10 * Mbps), 0)).toBe(0);
    expect(loads.add("nearer", link(Mbps))).toBe(1);
  });

  it("reckon with members that join, and with links that have gone", () => {
    const loads = new ThreadLoads(2);
    expect([loads.add("a", link(10 * Mbps)), loads.add("b", link(20 * Mbps))]).toEqual([0, 1]);
    loads.grow("a", link(10 * Mbps, 15 * Mbps));
    expect(loads.add("c", link(Mbps))).toBe(1);
    loads.remove("a");
    expect(loads.threadOf("a")).toBeUndefined();
    expect(loads.add("d", link(Mbps))).toBe(0);
    // Gone is gone, also twice.
    loads.remove("a");
    expect(loads.add("e", link(30 * Mbps))).toBe(0);
    expect(loads.add("f", link(Mbps))).toBe(1);
  });
});

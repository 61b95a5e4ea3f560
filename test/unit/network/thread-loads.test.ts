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

/** One that comes by itself. @returns its thread */
function add(loads: ThreadLoads, name: string, coming: LoadingLink, only?: number) {
  loads.add([{ name, link: coming, only }]);
  return loads.threadOf(name);
}

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
    const placed = rates.map((rate, at) => add(loads, `l${at}`, link(rate * Mbps)));
    expect(placed).toEqual([0, 1, 2, 2, 2, 1]);
    expect(rates.map((_rate, at) => loads.threadOf(`l${at}`))).toEqual(placed);
    expect([loads.threads, loads.threadOf("none")]).toEqual([3, undefined]);
  });

  it("have one that must be in a certain thread there, and reckon with it", () => {
    const loads = new ThreadLoads(2);
    expect(add(loads, "far", link(10 * Mbps), 0)).toBe(0);
    expect(add(loads, "near", link(Mbps))).toBe(1);
    expect(add(loads, "farther", link(10 * Mbps), 0)).toBe(0);
    expect(add(loads, "nearer", link(Mbps))).toBe(1);
  });

  it("reckon with members that join, and with links that have gone", () => {
    const loads = new ThreadLoads(2);
    expect([add(loads, "a", link(10 * Mbps)), add(loads, "b", link(20 * Mbps))]).toEqual([0, 1]);
    loads.grow("a", link(10 * Mbps, 15 * Mbps));
    expect(add(loads, "c", link(Mbps))).toBe(1);
    loads.remove("a");
    expect(loads.threadOf("a")).toBeUndefined();
    expect(add(loads, "d", link(Mbps))).toBe(0);
    // Gone is gone, also twice.
    loads.remove("a");
    expect(add(loads, "e", link(30 * Mbps))).toBe(0);
    expect(add(loads, "f", link(Mbps))).toBe(1);
  });

  it("share what comes together within 4/3 of the best, in whatever order (W2)", () => {
    const spread = (rates: readonly number[], processors: number): readonly number[] => {
      const links = rates.map((rate, at) => ({
        name: `l${at}`,
        link: link(rate * Mbps, rate * Mbps),
      }));
      const loads = new ThreadLoads(
        threadsFor(
          links.map((one) => one.link),
          processors,
        ),
      );
      loads.add(links);
      const sums = Array.from({ length: loads.threads }, () => 0);
      for (const [at, rate] of rates.entries()) {
        const thread = loads.threadOf(`l${at}`) ?? -1;
        sums[thread] = (sums[thread] ?? Number.NaN) + rate;
      }
      return sums.toSorted((a, b) => a - b);
    };
    // Eight processors: seven threads, and all of them have work.
    expect(
      spread(
        Array.from({ length: 14 }, () => 300),
        8,
      ),
    ).toEqual(Array(7).fill(600));
    expect(
      spread(
        Array.from({ length: 15 }, () => 300),
        8,
      ),
    ).toEqual([...Array(6).fill(600), 900]);
    // In their order, the fast one would come on top of what the others are.
    expect(spread([...Array(12).fill(100), 600], 4)).toEqual([600, 600, 600]);
    expect(spread([600, ...Array(12).fill(100)], 4)).toEqual([600, 600, 600]);
    const uneven = Array.from({ length: 30 }, (_, at) => 50 + ((at * 37) % 29) * 20);
    const sums = spread(uneven, 8);
    expect(sums).toHaveLength(7);
    const even = uneven.reduce((sum, one) => sum + one, 0) / 7;
    expect(sums.at(-1)).toBeLessThanOrEqual((4 / 3) * even);
    // As few as are needed: 1200 Mb/s are two threads' work on any number of processors.
    expect(spread([300, 300], 8)).toEqual([300, 300]);
    expect(spread([50, 50, 50], 8)).toEqual([150]);
  });
});

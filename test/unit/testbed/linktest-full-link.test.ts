// SPDX-License-Identifier: MIT
// Goal: a rate is what the link does, whatever a busy machine does to its two ends: packets that
// are read late, a sender that stands still. Method: arrivals and clocks by hand, no socket.
import { describe, expect, it } from "vitest";
import { FullLink, steadyEnds } from "../../../src/testbed/linktest/full-link.ts";

const spacingUs = 6_000;
const count = 1_000;

/** Every packet is read when it comes, or at the end of the stall it comes in. */
function read(stalls: readonly (readonly [fromUs: number, toUs: number])[], every = spacingUs) {
  return Array.from({ length: count }, (_, at) => {
    const comesUs = 50_000 + at * every;
    const stall = stalls.find(([fromUs, toUs]) => fromUs <= comesUs && comesUs < toUs);
    return stall?.[1] ?? comesUs;
  });
}

const spacingOf = (arrivals: readonly number[]): number => {
  const { firstUs, lastUs, between } = steadyEnds(arrivals, spacingUs);
  return (lastUs - firstUs) / between;
};

describe("the ends of a steady stream", () => {
  const lastUs = 50_000 + (count - 1) * spacingUs;

  it.each<readonly [string, readonly (readonly [number, number])[]]>([
    ["nothing stood still", []],
    ["the reader stood still at the first packet", [[0, 400_000]]],
    ["the reader stood still at the last packet", [[lastUs - 400_000, lastUs + 300_000]]],
    [
      "it did so at both, and in the middle",
      [
        [0, 300_000],
        [2_000_000, 2_500_000],
        [lastUs - 200_000, lastUs + 900_000],
      ],
    ],
  ])("tell its spacing when %s", (_how, stalls) => {
    expect(spacingOf(read(stalls))).toBeCloseTo(spacingUs, 6);
    // Also of a link that is not as asked for.
    expect(spacingOf(read(stalls, 1.05 * spacingUs))).toBeCloseTo(1.05 * spacingUs, 6);
    expect(spacingOf(read(stalls, 0.95 * spacingUs))).toBeCloseTo(0.95 * spacingUs, 6);
  });

  it("are those there are of few packets, and nothing of none", () => {
    expect(steadyEnds([], 1)).toEqual({ firstUs: 0, lastUs: 0, between: 0 });
    expect(steadyEnds([5], 1)).toEqual({ firstUs: 5, lastUs: 5, between: 0 });
    expect(steadyEnds([5, 9], 1)).toEqual({ firstUs: 5, lastUs: 9, between: 1 });
  });
});

describe("a link that is kept full", () => {
  const link = () => new FullLink({ spacingUs: 1_000, queuePackets: 50 });

  it("is never empty while the sender offers more than it takes", () => {
    const full = link();
    for (let us = 0; us < 100_000; us += 900) full.sent(us);
    expect(full.idleUs).toBe(0);
  });

  it("is empty when the sender stands still for longer than the queue lasts", () => {
    const full = link();
    for (let at = 0; at < 200; at += 1) full.sent(0);
    // One is on its way, 50 wait, and the others found no room.
    full.sent(51_000);
    expect(full.idleUs).toBe(0);
    full.sent(62_000);
    expect(full.idleUs).toBe(10_000);
  });
});

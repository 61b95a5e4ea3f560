// SPDX-License-Identifier: MIT
// Goal: one direction of a link lets packets out when a queue served at the rate and a wire of the
// delay would, whatever arrives and changes when. Method: a naive model that follows the bits of
// the first packet from instant to instant, on generated arrivals and changes; and exact counts.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Random } from "../../src/core/random.ts";
import { type DirectionShape, unshaped, usualQueue } from "../../src/network/model.ts";
import { Pipe } from "../../src/network/shaper/pipe.ts";

type Step =
  | { readonly kind: "arrive"; readonly atUs: number; readonly bytes: number }
  | {
      readonly kind: "change";
      readonly atUs: number;
      readonly shape: DirectionShape;
      readonly isUp: boolean;
    };

interface Out {
  readonly id: number;
  readonly outUs: number;
}

/** Primes: no packet is ever sent at the very instant of a step, which are at half microseconds. */
const rates = [0, 999_983, 9_999_991, 99_999_989];

const shapes = fc
  .record({
    bandwidthBps: fc.constantFrom(...rates),
    delayUs: fc.constantFrom(0, 300, 10_000),
    loss: fc.constantFrom(0, 0.2),
    limit: fc.constantFrom(1, 3, 50),
    limitUnit: fc.constantFrom("packets" as const, "bytes" as const),
  })
  .map(({ limit, limitUnit, ...rest }): DirectionShape => {
    const bytes = limitUnit === "bytes" ? limit * 1514 : limit;
    return { ...unshaped, ...rest, queue: { ...usualQueue, limit: bytes, limitUnit } };
  });

const stepsOf = fc
  .array(
    fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({ gapUs: fc.nat(900), bytes: fc.integer({ min: 60, max: 1514 }) }),
      },
      {
        weight: 1,
        arbitrary: fc.record({ gapUs: fc.nat(900), shape: shapes, isUp: fc.boolean() }),
      },
    ),
    { maxLength: 120 },
  )
  .map((drawn): readonly Step[] => {
    let atUs = 0.5;
    return drawn.map((step): Step => {
      atUs += step.gapUs;
      return "bytes" in step
        ? { kind: "arrive", atUs, bytes: step.bytes }
        : { kind: "change", atUs, shape: step.shape, isUp: step.isUp };
    });
  });

/** Follows every bit: what is left of the first packet is counted down from step to step. */
function naive(first: DirectionShape, steps: readonly Step[], seed: number): readonly Out[] {
  const losses = new Random(new Random(seed).next());
  const queue: { id: number; bytes: number; bitsLeft: number }[] = [];
  const outs: Out[] = [];
  let shape = first;
  let isUp = true;
  let clockUs = 0;
  let lastUs = 0;
  const leave = (id: number): void => {
    lastUs = Math.max(lastUs, clockUs + shape.delayUs);
    outs.push({ id, outUs: lastUs });
  };
  const serveUntil = (atUs: number): void => {
    for (let head = queue[0]; head !== undefined; head = queue[0]) {
      const neededUs = shape.bandwidthBps === 0 ? 0 : (head.bitsLeft / shape.bandwidthBps) * 1e6;
      if (clockUs + neededUs > atUs) {
        head.bitsLeft -= ((atUs - clockUs) * shape.bandwidthBps) / 1e6;
        break;
      }
      clockUs += neededUs;
      queue.shift();
      leave(head.id);
    }
    clockUs = atUs;
  };
  let id = 0;
  for (const step of steps) {
    serveUntil(step.atUs);
    if (step.kind === "change") {
      isUp = step.isUp;
      if (isUp) shape = step.shape;
      serveUntil(step.atUs);
      continue;
    }
    const mine = id++;
    if (!isUp || (shape.loss > 0 && losses.chance(shape.loss))) continue;
    if (shape.bandwidthBps === 0) {
      leave(mine);
      continue;
    }
    const { limit, limitUnit } = shape.queue;
    const held =
      limitUnit === "packets" ? queue.length : queue.reduce((n, { bytes }) => n + bytes, 0);
    if (held + (limitUnit === "packets" ? 1 : step.bytes) > limit) continue;
    queue.push({ id: mine, bytes: step.bytes, bitsLeft: step.bytes * 8 });
  }
  serveUntil(Infinity);
  return outs;
}

/** @param asksOften takes out what has come out at each instant, instead of once at the end. */
function shipped(
  first: DirectionShape,
  steps: readonly Step[],
  seed: number,
  asksOften: boolean,
): { readonly outs: readonly Out[]; readonly pipe: Pipe<number> } {
  const pipe = new Pipe<number>({ shape: first, isUp: true }, seed);
  const outs: Out[] = [];
  const drain = (untilUs: number): void => {
    for (let out = pipe.take(untilUs); out !== undefined; out = pipe.take(untilUs)) {
      outs.push({ id: out.packet, outUs: out.outUs });
    }
  };
  let id = 0;
  for (const { atUs, ...step } of steps) {
    if (asksOften) {
      while (pipe.nextUs <= atUs) drain(pipe.nextUs);
    }
    if (step.kind === "change") pipe.change(atUs, { shape: step.shape, isUp: step.isUp });
    else pipe.arrive(atUs, step.bytes, id++);
  }
  drain(1e12);
  return { outs, pipe };
}

describe("a direction of a link", () => {
  it.each([false, true])("lets packets out as the naive model (asked often: %s)", (asksOften) => {
    fc.assert(
      fc.property(shapes, stepsOf, fc.nat(), (shape, steps, seed) => {
        const expected = naive(shape, steps, seed);
        const { outs } = shipped(shape, steps, seed, asksOften);
        expect(outs.map(({ id }) => id)).toEqual(expected.map(({ id }) => id));
        for (const [index, { outUs }] of outs.entries()) {
          expect(Math.abs(outUs - (expected[index]?.outUs ?? NaN))).toBeLessThan(0.01);
        }
      }),
      { numRuns: 400 },
    );
  });

  it("counts every packet once, with jitter, reordering, duplicates, RED and changes", () => {
    const wild = shapes.map((shape): DirectionShape => {
      const queue = { ...shape.queue, kind: "gentle-red" as const, limitUnit: "packets" as const };
      const jitterUs = shape.delayUs / 2;
      const reorder = shape.delayUs === 0 ? 0 : 0.1;
      return { ...shape, jitterUs, duplicate: 0.1, reorder, queue };
    });
    fc.assert(
      fc.property(wild, stepsOf, fc.nat(), (shape, steps, seed) => {
        const { outs, pipe } = shipped(shape, steps, seed, true);
        const { arrived, duplicated, delivered, down, lost, queueDrops, overflow } = pipe.counts;
        expect(delivered + down + lost + queueDrops + overflow).toBe(arrived + duplicated);
        expect(outs).toHaveLength(delivered);
        expect(pipe.size).toBe(0);
        const times = outs.map(({ outUs }) => outUs);
        expect(times).toEqual([...times].sort((a, b) => a - b));
      }),
    );
  });

  it("loses exactly the same packets with the same seed, and about as many as asked", () => {
    const lossy = { ...unshaped, loss: 0.01 };
    const steps = Array.from(
      { length: 100_000 },
      (_, n): Step => ({ kind: "arrive", atUs: n, bytes: 100 }),
    );
    const once = shipped(lossy, steps, 7, false);
    const again = shipped(lossy, steps, 7, false).outs.map(({ id }) => id);
    expect(again.join()).toBe(once.outs.map(({ id }) => id).join());
    expect(once.pipe.counts.lost).toBe(990);
    expect(shipped(lossy, steps, 8, false).pipe.counts.lost).not.toBe(990);
  });
});

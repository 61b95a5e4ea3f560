// SPDX-License-Identifier: MIT
// Goal: links and LANs as machines: who gets a frame, through which pipes, in which order. Method:
// frames with addresses of our own; the clock is an argument. What a machine that was kept from
// running makes of a LAN is compared with one that is never late, on generated frames and halts.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type DirectionShape, unshaped, usualQueue } from "../../../src/network/model.ts";
import { networkLimits } from "../../../src/network/network-limits.ts";
import { Segment } from "../../../src/network/shaper/segment.ts";
import { type HeapItem, SegmentHeap } from "../../../src/network/shaper/segment-heap.ts";

const state = (shape: Partial<DirectionShape> = {}) => ({
  shape: { ...unshaped, ...shape },
  isUp: true,
});

function frame(to: number, from: number, bytes = 100): Uint8Array {
  const packet = new Uint8Array(8 + bytes);
  packet.set([2, 0, 0, 0, to >> 8, to & 255, 2, 0, 0, 0, from >> 8, from & 255], 8);
  return packet;
}

const everybody = (from: number): Uint8Array => {
  const packet = frame(0, from);
  packet.fill(255, 8, 14);
  return packet;
};

/** Of an interface, as in frames. */
const addressOf = (member: number): number => 2 * 256 ** 5 + member;

function release(segment: Segment, nowUs: number): readonly (readonly [number, number])[] {
  const outs: (readonly [number, number])[] = [];
  segment.release(nowUs, (member, _packet, { outUs }) => outs.push([member, outUs]));
  return outs;
}

const lan = (members: readonly { up: Partial<DirectionShape>; down: Partial<DirectionShape> }[]) =>
  new Segment({
    kind: "lan",
    members: members.map(({ up, down }) => ({ up: state(up), down: state(down) })),
    seed: 1,
    frameAt: 8,
  });

describe("Segment", () => {
  it("gives what one end of a link sends to the other, whatever the address", () => {
    const members = [{ up: state({ delayUs: 10 }) }, { up: state({ delayUs: 30 }) }];
    const segment = new Segment({ kind: "link", members, seed: 1, frameAt: 8 });
    segment.arrive(0, 0, frame(7, 8));
    segment.arrive(0, 1, everybody(9));
    expect(segment.nextUs).toBe(10);
    expect(release(segment, 9)).toEqual([]);
    expect(release(segment, 100)).toEqual([
      [1, 10],
      [0, 30],
    ]);
    expect(segment.nextUs).toBe(Infinity);
  });

  it("adds the way up of one member of a LAN and the way down of the other", () => {
    const segment = lan([
      { up: { delayUs: 5 }, down: { delayUs: 7 } },
      { up: { delayUs: 11 }, down: { delayUs: 13 } },
      { up: {}, down: { delayUs: 17 } },
    ]);
    segment.arrive(0, 1, everybody(2));
    expect(release(segment, 1_000)).toEqual([
      [0, 11 + 7],
      [2, 11 + 17],
    ]);
    // The LAN knows now where 2 is; 1 it learns from this very frame.
    segment.arrive(2_000, 0, frame(2, 1));
    expect(release(segment, 3_000)).toEqual([[1, 2_000 + 5 + 13]]);
    segment.arrive(4_000, 2, frame(1, 3));
    expect(release(segment, 5_000)).toEqual([[0, 4_000 + 7]]);
  });

  it("gives a frame back to nobody", () => {
    const segment = lan([0, 1, 2].map(() => ({ up: {}, down: {} })));
    segment.arrive(0, 0, frame(9, 1));
    release(segment, 0);
    segment.arrive(1, 0, frame(1, 9));
    expect(release(segment, 1)).toEqual([]);
  });

  it("takes frames of several members into one way down in the order of time, also when late", () => {
    const segment = lan([
      { up: { delayUs: 500 }, down: {} },
      { up: {}, down: {} },
      { up: {}, down: { bandwidthBps: 8_000_000 } },
    ]);
    segment.arrive(0, 2, frame(9, 3));
    release(segment, 0);
    segment.arrive(1_000, 0, frame(3, 1, 1000));
    segment.arrive(1_001, 1, frame(3, 2, 1000));
    // Asked long after both: the frame of member 1 came down first.
    const sizes: number[] = [];
    segment.release(9_000, (_member, packet, { outUs }) => {
      sizes.push(packet[8 + 11] ?? 0);
      sizes.push(outUs);
    });
    expect(sizes).toEqual([2, 2_001, 1, 3_001]);
  });

  it("goes on with what is in it when members join, and gives them what is for them", () => {
    const segment = lan([0, 1].map(() => ({ up: { delayUs: 100 }, down: { delayUs: 10 } })));
    segment.arrive(0, 0, everybody(1));
    segment.arrive(50, 1, frame(1, 2));
    segment.grow([
      { up: state({ delayUs: 7 }), down: state({ delayUs: 3 }), address: addressOf(3) },
    ]);
    expect(release(segment, 1_000)).toEqual([
      [0, 150 + 10],
      [1, 100 + 10],
      [2, 100 + 3],
    ]);
    segment.arrive(2_000, 1, frame(3, 2));
    segment.arrive(2_000, 2, frame(1, 3));
    expect(release(segment, 3_000)).toEqual([
      [0, 2_000 + 7 + 10],
      [2, 2_000 + 100 + 3],
    ]);
  });

  it("changes one way at its instant, and is asked again at once", () => {
    const members = [{ up: state() }, { up: state() }];
    const segment = new Segment({ kind: "link", members, seed: 1, frameAt: 8 });
    segment.change(5, 0, "up", { shape: unshaped, isUp: false });
    segment.arrive(6, 0, frame(1, 2));
    segment.arrive(6, 1, frame(2, 1));
    expect(release(segment, 6)).toEqual([[0, 6]]);
    expect(segment.pipe(0, "up")?.counts.down).toBe(1);
  });

  it("remembers so many addresses and no more; frames to others go to all", () => {
    const segment = lan([0, 1, 2].map(() => ({ up: {}, down: {} })));
    for (let address = 0; address < networkLimits.lanAddressesMax; address++) {
      segment.arrive(0, 1, frame(0xffff, address));
    }
    release(segment, 0);
    segment.arrive(1, 1, frame(0xffff, networkLimits.lanAddressesMax));
    release(segment, 1);
    const known = frame(networkLimits.lanAddressesMax - 1, 0xfffe);
    segment.arrive(2, 0, known);
    expect(release(segment, 2).map(([member]) => member)).toEqual([1]);
    segment.arrive(3, 0, frame(networkLimits.lanAddressesMax, 0xfffe));
    expect(release(segment, 3).map(([member]) => member)).toEqual([1, 2]);
  });
});

/** A frame of a LAN of three; the address of each member is known. */
interface Sent {
  readonly atUs: number;
  readonly from: number;
  readonly to: number;
  readonly bytes: number;
}

interface Came {
  readonly frame: number;
  readonly outUs: number;
  readonly sinceUs: number;
}

/**
 * What each member gets of a machine that reads every frame at the end of the halt in which it
 * came, and releases nothing meanwhile.
 */
function got(
  members: readonly { readonly up: DirectionShape; readonly down: DirectionShape }[],
  sent: readonly Sent[],
  foundAt: (us: number) => number,
): { readonly came: readonly (readonly Came[])[]; readonly drops: number } {
  const segment = new Segment({
    kind: "lan",
    members: members.map(({ up, down }, member) => {
      return { up: state(up), down: state(down), address: addressOf(member + 1) };
    }),
    ...{ seed: 1, frameAt: 8 },
  });
  const came: Came[][] = members.map(() => []);
  const releaseUntil = (untilUs: number): void => {
    while (segment.nextUs <= untilUs) {
      // Asked for when it is due, or when the halt is over that this falls into.
      const nowUs = foundAt(segment.nextUs);
      if (nowUs > untilUs) return;
      segment.release(nowUs, (member, packet, instants) => {
        const frame = (packet[8 + 12] ?? 0) * 256 + (packet[8 + 13] ?? 0);
        came[member]?.push({ frame, ...instants });
      });
    }
  };
  for (const [index, { atUs, from, to, bytes }] of sent.entries()) {
    releaseUntil(atUs);
    const packet = frame(to + 1, from + 1, bytes);
    packet.set([index >> 8, index & 255], 8 + 12);
    segment.arrive(atUs, from, packet, { atUs: foundAt(atUs), slackUs: 0 });
  }
  releaseUntil(Number.MAX_SAFE_INTEGER);
  const pipes = members.flatMap((_, at) => [segment.pipe(at, "up"), segment.pipe(at, "down")]);
  return { came, drops: pipes.reduce((sum, pipe) => sum + (pipe?.counts.queueDrops ?? 0), 0) };
}

const inTime = (us: number): number => us;

describe("a LAN on a machine that was kept from running", () => {
  const slow = { ...unshaped, bandwidthBps: 5_000_000, delayUs: 1_000, queue: usualQueue };

  it("loses nothing in the queue down of what it found all at once", () => {
    const sent = Array.from({ length: 200 }, (_, at): Sent => {
      return { atUs: 1_000 * (at + 1), from: 0, to: 1, bytes: 62 };
    });
    const members = [0, 1, 2].map(() => ({ up: slow, down: slow }));
    const { came, drops } = got(members, sent, (us) => Math.max(us, 200_000));
    expect(drops).toBe(0);
    expect(came[1]?.map(({ frame }) => frame)).toEqual(sent.map((_, at) => at));
    // Twice on a limiter and twice delayed, from when they were found on.
    const leastUs = 2 * (1_000 + (62 * 8) / 5);
    expect(Math.min(...(came[1] ?? []).map(({ outUs }) => outUs))).toBeCloseTo(200_000 + leastUs);
    expect(came[1]?.[0]?.sinceUs).toBeCloseTo(1_000 + leastUs);
  });

  it("loses nothing either of what came before it had looked and after what it let out", () => {
    const members = [0, 1].map((member) => {
      return { up: state(slow), down: state(slow), address: addressOf(member + 1) };
    });
    const segment = new Segment({ kind: "lan", members, seed: 1, frameAt: 8 });
    for (let at = 0; at < 40; at += 1) segment.arrive(at, 0, frame(2, 1, 62));
    expect(release(segment, 200_000)).toHaveLength(40);
    const found = { atUs: 200_000, slackUs: 0 };
    for (let at = 1; at <= 200; at += 1) segment.arrive(1_000 * at, 0, frame(2, 1, 62), found);
    let count = 0;
    while (segment.nextUs < Infinity) count += release(segment, segment.nextUs).length;
    expect(count).toBe(200);
  });

  it("gives everybody what one gives that is never late, no sooner, and knows since when (S3)", () => {
    const shapes = fc
      .record({
        bandwidthBps: fc.constantFrom(0, 999_983, 9_999_991),
        delayUs: fc.constantFrom(0, 300, 20_000),
        loss: fc.constantFrom(0, 0.2),
        limit: fc.constantFrom(1, 3, 50),
      })
      .map(({ limit, ...rest }): DirectionShape => {
        return { ...unshaped, ...rest, queue: { ...usualQueue, limit } };
      });
    const frames = fc.array(
      fc.record({
        gapUs: fc.integer({ min: 1, max: 900 }),
        from: fc.nat(2),
        step: fc.integer({ min: 1, max: 2 }),
        bytes: fc.integer({ min: 60, max: 1514 }),
      }),
      { maxLength: 120 },
    );
    const halts = fc.array(fc.record({ gapUs: fc.nat(20_000), lastUs: fc.nat(40_000) }), {
      maxLength: 4,
    });
    const members = fc.array(fc.record({ up: shapes, down: shapes }), {
      ...{ minLength: 3, maxLength: 3 },
    });
    fc.assert(
      fc.property(members, frames, halts, (shaped, drawn, stops) => {
        let atUs = 0.5;
        const sent = drawn.map(({ gapUs, from, step, bytes }): Sent => {
          atUs += gapUs;
          return { atUs, from, to: (from + step) % 3, bytes };
        });
        let endUs = 0;
        const spans = stops.map(({ gapUs, lastUs }) => {
          const fromUs = endUs + gapUs;
          endUs = fromUs + lastUs;
          return { fromUs, untilUs: endUs };
        });
        const foundAt = (us: number): number =>
          spans.find(({ fromUs, untilUs }) => us >= fromUs && us < untilUs)?.untilUs ?? us;
        const honest = got(shaped, sent, inTime);
        const late = got(shaped, sent, foundAt);
        expect(late.drops).toBe(honest.drops);
        for (const [member, came] of late.came.entries()) {
          const expected = honest.came[member] ?? [];
          expect(came.map(({ frame }) => frame)).toEqual(expected.map(({ frame }) => frame));
          for (const [at, { frame, outUs, sinceUs }] of came.entries()) {
            expect(sinceUs).toBeCloseTo(expected[at]?.outUs ?? NaN, 3);
            const { atUs: cameUs = 0, from = 0 } = sent[frame] ?? {};
            const ways = [shaped[from]?.up, shaped[member]?.down];
            const leastUs = ways.reduce((us, way) => us + (way?.delayUs ?? 0), 0);
            expect(outUs).toBeGreaterThanOrEqual(foundAt(cameUs) + leastUs);
          }
        }
      }),
      { seed: 11, numRuns: 300 },
    );
  });
});

describe("SegmentHeap", () => {
  it("has the item of the smallest instant first, whatever moves (H1)", () => {
    const heap = new SegmentHeap<HeapItem>();
    const items = Array.from({ length: 50 }, (): HeapItem => ({ nextUs: Infinity, place: 0 }));
    for (const item of items) heap.add(item);
    for (let step = 0; step < 5_000; step++) {
      const item = items[(step * 7_919) % items.length] as HeapItem;
      item.nextUs = (step * 104_729) % 1_009;
      heap.moved(item);
      expect(heap.first?.nextUs).toBe(Math.min(...items.map(({ nextUs }) => nextUs)));
    }
  });
});

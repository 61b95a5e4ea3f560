// SPDX-License-Identifier: MIT
// Goal: links and LANs as machines: who gets a frame, through which pipes, in which order. Method:
// frames with addresses of our own; the clock is an argument.
import { describe, expect, it } from "vitest";
import { type DirectionShape, unshaped } from "../../../src/network/model.ts";
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

function release(segment: Segment, nowUs: number): readonly (readonly [number, number])[] {
  const outs: (readonly [number, number])[] = [];
  segment.release(nowUs, (member, _packet, outUs) => outs.push([member, outUs]));
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
    segment.release(9_000, (_member, packet, outUs) => {
      sizes.push(packet[8 + 11] ?? 0);
      sizes.push(outUs);
    });
    expect(sizes).toEqual([2, 2_001, 1, 3_001]);
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

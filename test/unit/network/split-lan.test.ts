// SPDX-License-Identifier: MIT
// Goal: a LAN on several machines is the same network as on one: who gets a frame, and when.
// Method: the same frames go through one segment and through one for each machine, whose paths and
// shares are drawn; the outcomes must be equal to the microsecond. The clock is an argument.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type DirectionShape, unshaped } from "../../../src/network/model.ts";
import { HeldFrames } from "../../../src/network/shaper/held-frames.ts";
import { type Emit, Segment } from "../../../src/network/shaper/segment.ts";
import { holdsOn, type LanEnd, shareLan } from "../../../src/testbed/machines/crossing-lan.ts";

const frameAt = 8;
const seed = 7;

interface Sent {
  readonly atUs: number;
  readonly from: number;
  /** The sender itself: to all. */
  readonly to: number;
  readonly bytes: number;
}

/** Member, instant, and which frame. */
type Out = readonly [member: number, outUs: number, frame: number];

function frameOf({ from, to, bytes }: Sent, index: number): Uint8Array {
  const packet = new Uint8Array(frameAt + bytes);
  const destination = from === to ? [255, 255, 255, 255, 255, 255] : [2, 0, 0, 0, 0, to];
  packet.set([...destination, 2, 0, 0, 0, 0, from, index >> 8, index & 255], frameAt);
  return packet;
}

const frameNumber = (packet: Uint8Array): number =>
  ((packet[frameAt + 12] ?? 0) << 8) | (packet[frameAt + 13] ?? 0);

/** As in frames. */
const addressOf = (member: number): number => 2 * 256 ** 5 + member;

const stateOf = (shape: DirectionShape) => ({ shape, isUp: true });

/** All that comes out, in the order of time. */
function onOne(ends: readonly LanEnd[], sent: readonly Sent[]): readonly Out[] {
  const members = ends.map(({ up, down }, member) => ({
    ...{ up: stateOf(up), down: stateOf(down), address: addressOf(member) },
  }));
  const segment = new Segment({ kind: "lan", members, seed, frameAt });
  const outs: Out[] = [];
  const emit: Emit = (member, packet, { outUs }) => {
    outs.push([member, outUs, frameNumber(packet)]);
  };
  const until = (untilUs: number): void => {
    while (segment.nextUs <= untilUs) segment.release(segment.nextUs, emit);
  };
  for (const [index, one] of sent.entries()) {
    until(one.atUs);
    segment.arrive(one.atUs, one.from, frameOf(one, index));
  }
  until(Number.MAX_SAFE_INTEGER);
  return outs.sort(inOrder);
}

interface OnPath {
  readonly atUs: number;
  readonly host: string;
  readonly from: number;
  readonly packet: Uint8Array;
}

type PathUs = (from: string, to: string) => number;

function onSeveral(ends: readonly LanEnd[], sent: readonly Sent[], pathUs: PathUs) {
  const shares = shareLan(ends, pathUs);
  if (!("upUs" in shares)) throw new Error("the paths are longer than the LAN");
  const hosts = [...new Set(ends.map(({ host }) => host))];
  const outs: Out[] = [];
  const onPaths: OnPath[] = [];
  const segments = new Map(
    hosts.map((host) => {
      const members = ends.map(({ up, down, host: at }, member) => ({
        up: stateOf({ ...up, delayUs: up.delayUs - (shares.upUs[member] ?? 0) }),
        down: stateOf({ ...down, delayUs: down.delayUs - (shares.downUs[member] ?? 0) }),
        address: addressOf(member),
        ...(at === host ? {} : { peer: hosts.indexOf(at) }),
      }));
      const segment = new Segment({ kind: "lan", members, seed, frameAt });
      segment.hold(holdsOn(host, { ends, shares }, pathUs));
      return [host, segment] as const;
    }),
  );
  const step = (host: string, segment: Segment): void => {
    segment.release(
      segment.nextUs,
      (member, packet, { outUs }) => outs.push([member, outUs, frameNumber(packet)]),
      (peer, from, packet, { outUs }) => {
        const to = hosts[peer] ?? "";
        onPaths.push({ atUs: outUs + pathUs(host, to), host: to, from, packet });
      },
    );
  };
  const until = (untilUs: number): void => {
    for (;;) {
      const [first, segment] = [...segments].reduce((a, b) => (b[1].nextUs < a[1].nextUs ? b : a));
      onPaths.sort((a, b) => a.atUs - b.atUs);
      const atUs = Math.min(segment.nextUs, onPaths[0]?.atUs ?? Infinity);
      if (atUs > untilUs) return;
      const arrived = onPaths[0]?.atUs === atUs ? onPaths.shift() : undefined;
      if (arrived === undefined) step(first, segment);
      else segments.get(arrived.host)?.arrive(atUs, arrived.from, arrived.packet);
    }
  };
  for (const [index, one] of sent.entries()) {
    until(one.atUs);
    segments.get(ends[one.from]?.host ?? "")?.arrive(one.atUs, one.from, frameOf(one, index));
  }
  until(Number.MAX_SAFE_INTEGER);
  return outs.sort(inOrder);
}

const inOrder = (a: Out, b: Out): number => a[1] - b[1] || a[0] - b[0] || a[2] - b[2];

const anyPathUs = fc.integer({ min: 0, max: 3_000 });
const anyDelay = (least: number) =>
  fc.record({ delayUs: fc.integer({ min: least, max: least + 5_000 }) });
/** Random and shared only on the way up: there each member's frames have one order. */
const anyUp = (least: number) =>
  fc.record({
    delayUs: fc.integer({ min: least, max: least + 5_000 }),
    loss: fc.constantFrom(0, 0.3),
    duplicate: fc.constantFrom(0, 0.3),
    // A whole number of microseconds for a byte.
    bandwidthBps: fc.constantFrom(0, 8_000_000),
  });
const anyEnds = fc
  .record({ paths: fc.array(anyPathUs, { minLength: 9, maxLength: 9 }), lean: fc.boolean() })
  .chain(({ paths, lean }) => {
    const longest = Math.max(...paths);
    const end = fc.record({
      host: fc.constantFrom("a", "b", "c"),
      // What is enough for the longest path may be asked for at one end alone.
      up: anyUp(lean ? longest : 0),
      down: anyDelay(lean ? 0 : longest),
    });
    return fc.record({
      paths: fc.constant(paths),
      ends: fc.array(end, { minLength: 2, maxLength: 6 }),
    });
  });
const anySent = fc.array(
  fc.record({
    gapUs: fc.integer({ min: 0, max: 900 }),
    from: fc.nat(5),
    to: fc.nat(5),
    bytes: fc.integer({ min: 60, max: 1_500 }),
  }),
  { maxLength: 40 },
);

describe("a LAN on several machines", () => {
  it("gives the same frames to the same members at the same instants as on one", () => {
    fc.assert(
      fc.property(anyEnds, anySent, ({ paths, ends: drawn }, draws) => {
        const ends = drawn.map(({ host, up, down }, member): LanEnd => {
          return {
            ...{ node: `n${member}`, host },
            up: { ...unshaped, ...up },
            down: { ...unshaped, ...down },
          };
        });
        const pathUs: PathUs = (from, to) =>
          from === to ? 0 : (paths["abc".indexOf(from) * 3 + "abc".indexOf(to)] ?? 0);
        const sent: Sent[] = [];
        let atUs = 0;
        for (const { gapUs, from, to, bytes } of draws) {
          atUs += gapUs;
          sent.push({ atUs, from: from % ends.length, to: to % ends.length, bytes });
        }
        expect(onSeveral(ends, sent, pathUs)).toEqual(onOne(ends, sent));
      }),
    );
  });

  it("sends a frame once to each machine that has somebody for it, and nothing back (S2)", () => {
    const state = { shape: unshaped, isUp: true };
    const peers = [undefined, undefined, 0, 0, 1];
    const members = peers.map((peer) => ({
      ...{ up: state, down: state },
      ...(peer === undefined ? {} : { peer }),
    }));
    const segment = new Segment({ kind: "lan", members, seed, frameAt });
    const outs: string[] = [];
    const pass = (atUs: number, from: number, to: number): readonly string[] => {
      outs.length = 0;
      segment.arrive(atUs, from, frameOf({ atUs, from, to, bytes: 60 }, 0));
      segment.release(
        atUs,
        (member) => outs.push(`to ${member}`),
        (peer, sender) => outs.push(`of ${sender} by ${peer}`),
      );
      return [...outs].sort();
    };
    expect(pass(0, 0, 0)).toEqual(["of 0 by 0", "of 0 by 1", "to 1"]);
    // What came from elsewhere goes on to nobody elsewhere, and is not given back.
    expect(pass(1, 2, 2)).toEqual(["to 0", "to 1"]);
    expect(pass(2, 0, 2)).toEqual(["of 0 by 0"]);
    expect(pass(3, 4, 2)).toEqual([]);
    expect(pass(4, 2, 0)).toEqual(["to 0"]);
  });
});

describe("a LAN on several machines, one of which was kept from running", () => {
  it("sends nothing to another one before it is out: nobody there knows when it was found", () => {
    const way = { shape: { ...unshaped, delayUs: 1_000 }, isUp: true };
    const members = [0, 1].map((member) => ({
      ...{ up: way, down: way, address: addressOf(member) },
      ...(member === 0 ? {} : { peer: 0 }),
    }));
    const segment = new Segment({ kind: "lan", members, seed, frameAt });
    const sent = { atUs: 100, from: 0, to: 1, bytes: 60 };
    segment.arrive(100, 0, frameOf(sent, 0), { atUs: 5_000, slackUs: 40 });
    const outs: (readonly [number, number, number])[] = [];
    const release = (nowUs: number): void =>
      segment.release(
        nowUs,
        () => undefined,
        (_peer, _from, _packet, { outUs, sinceUs }) => outs.push([nowUs, outUs, sinceUs]),
      );
    release(5_000);
    expect([segment.nextUs, outs]).toEqual([6_000, []]);
    release(6_000);
    expect(outs).toEqual([[6_000, 6_000, 1_060]]);
  });
});

describe("HeldFrames", () => {
  it("gives out what is due in the order of time, and of one instant as it came (H1)", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20)), (times) => {
        const held = new HeldFrames<{ readonly dueUs: number; readonly member: number }>();
        for (const [member, dueUs] of times.entries()) {
          held.push({ member, dueUs });
        }
        const taken: number[] = [];
        expect(held.take(-1)).toBeUndefined();
        for (let one = held.take(20); one !== undefined; one = held.take(20)) {
          taken.push(one.member);
        }
        const expected = times
          .map((dueUs, member) => ({ dueUs, member }))
          .sort((a, b) => a.dueUs - b.dueUs || a.member - b.member);
        expect(taken).toEqual(expected.map(({ member }) => member));
        expect(held.nextUs).toBe(Infinity);
      }),
    );
  });
});

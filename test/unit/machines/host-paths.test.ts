// SPDX-License-Identifier: MIT
// Goal: what a path takes is taken off what links ask for, and links that it cannot be are refused
// with both figures, alone and together; so are LANs. Method: one link, then two, then a LAN, over
// paths with known figures.
import { describe, expect, test } from "vitest";
import type { DirectionPlace, DirectionUpdate } from "../../../src/network/link-table.ts";
import { type DirectionShape, unshaped } from "../../../src/network/model.ts";
import { describePath, HostPaths } from "../../../src/testbed/machines/host-paths.ts";

const there = { from: "a", to: "b", delayUs: 4_000, bandwidthBps: 20_000_000 };
const back = { from: "b", to: "a", delayUs: 4_000, bandwidthBps: 30_000_000 };
const ends = [
  { node: "n0", host: "a" },
  { node: "n1", host: "b" },
];

function paths(...links: readonly string[]): HostPaths {
  const all = new HostPaths(links.map((name) => ({ name, kind: "link", ends })));
  for (const path of [there, back]) all.add(path);
  return all;
}

const update = (link: string, member: number, more: Partial<DirectionShape>): DirectionUpdate => ({
  ...{ link, member, way: "up" },
  state: { isUp: true, shape: { ...unshaped, ...more } },
});
const nothing = (): undefined => undefined;

describe("paths between hosts", () => {
  test("are taken off what a link of theirs asks for, and off no other's", () => {
    const all = paths("l0");
    expect(all.onHost(update("l0", 0, { delayUs: 20_000 })).state.shape.delayUs).toBe(16_000);
    expect(all.onHost(update("l1", 0, { delayUs: 20_000 })).state.shape.delayUs).toBe(20_000);
  });

  test("refuse a link that is shorter, at its limit and one microsecond below", () => {
    const all = paths("l0");
    expect(all.problem([update("l0", 1, { delayUs: 4_000 })], nothing)).toBeUndefined();
    expect(all.problem([update("l0", 1, { delayUs: 3_999 })], nothing)).toBe(
      "link l0 is to take 3.999 ms from n1 to n0, and the path from b to a takes 4 ms by itself; " +
        "ask for what the path leaves, or put both nodes on one host",
    );
    expect(all.problem([update("l0", 0, { delayUs: 9_000, jitterUs: 6_000 })], nothing)).toMatch(
      /^link l0 is to take 9 ms less 6 ms of jitter from n0 to n1, /,
    );
  });

  test("refuse a link that is faster, and links that are so together", () => {
    const fast = { delayUs: 9_000, bandwidthBps: 20_000_001 };
    expect(paths("l0").problem([update("l0", 0, fast)], nothing)).toBe(
      "link l0 is to carry 20.000001 Mb/s, and the path from a to b carries 20 Mb/s; " +
        "ask for what the path leaves, or put both nodes on one host",
    );
    expect(paths("l0").problem([update("l0", 1, fast)], nothing)).toBeUndefined();
    const half = { ...unshaped, delayUs: 9_000, bandwidthBps: 12_000_000 };
    const isThere = ({ link, member }: DirectionPlace): DirectionShape | undefined =>
      link === "l1" && member === 0 ? half : undefined;
    expect(paths("l0", "l1").problem([update("l0", 0, half)], isThere)).toMatch(
      /^links l0, l1 are to carry 24 Mb\/s together, and the path from a to b carries 20 Mb\/s; /,
    );
    // What has no limit takes what there is.
    expect(paths("l0").problem([update("l0", 0, { delayUs: 9_000 })], nothing)).toBeUndefined();
  });

  test("are told in figures", () => {
    expect(describePath({ ...there, delayUs: 212 })).toBe("a to b 0.212 ms, 20 Mb/s");
  });
});

describe("paths between hosts of a LAN", () => {
  const hosts = ["a", "a", "b"];
  const lan = hosts.map((host, index) => ({ node: `n${index}`, host }));
  const all = (): HostPaths => {
    const known = new HostPaths([{ name: "lan0", kind: "lan", ends: lan }]);
    for (const path of [there, back]) known.add(path);
    return known;
  };
  const shapes =
    (...delaysUs: readonly (readonly [up: number, down: number])[]) =>
    ({ member, way }: DirectionPlace): DirectionShape => {
      const [upUs, downUs] = delaysUs[member] ?? [0, 0];
      return { ...unshaped, delayUs: way === "up" ? upUs : downUs };
    };
  const way = (member: number, which: "up" | "down", more: Partial<DirectionShape>) => ({
    ...update("lan0", member, more),
    way: which,
  });

  test("are taken off the ways up and down alike, and waited for where they were not taken", () => {
    const known = all();
    expect(known.share("lan0", shapes([9_000, 9_000], [9_000, 9_000], [9_000, 9_000]))).toBe(
      undefined,
    );
    const delayOf = (which: "up" | "down"): number =>
      known.onHost(way(0, which, { delayUs: 9_000 })).state.shape.delayUs;
    expect([delayOf("up"), delayOf("down")]).toEqual([7_000, 7_000]);
    // Two of one host wait for what both ways lack; who comes by the path was under way so long.
    expect(known.holdsOn("a", "lan0")).toEqual({
      fromUs: [2_000, 2_000, -2_000],
      toUs: [2_000, 2_000, 2_000],
    });
    expect(known.holdsOn("a", "l0")).toBeUndefined();
  });

  test("take from one end what the other one does not have", () => {
    const known = all();
    expect(known.share("lan0", shapes([4_000, 1_000], [4_000, 2_000], [3_000, 0]))).toBeUndefined();
    expect(known.holdsOn("b", "lan0")?.toUs).toEqual([1_000, 1_000, 0]);
  });

  test("refuse one in which two members are nearer, at the limit and one microsecond below", () => {
    const near = (us: number) => shapes([us, 0], [9_000, 9_000], [0, 9_000]);
    // n0 and n1 are on one host: nothing is between them.
    const least = all().share("lan0", shapes([0, 4_000], [0, 4_000], [0, 4_000]));
    expect(least).toBeUndefined();
    expect(all().share("lan0", near(9_000))).toMatch(
      /^LAN lan0 is to take 0 ms from n2 to n0, and the path from b to a takes 4 ms by itself; /,
    );
    expect(all().share("lan0", shapes([0, 3_999], [0, 4_000], [0, 4_000]))).toBe(
      "LAN lan0 is to take 3.999 ms from n2 to n0, and the path from b to a takes 4 ms by itself; " +
        "ask for what the path leaves, or put its nodes on one host",
    );
  });

  test("refuse a change that leaves less than they take", () => {
    const known = all();
    known.share("lan0", shapes([9_000, 9_000], [9_000, 9_000], [9_000, 9_000]));
    const change = (which: "up" | "down", delayUs: number): string | undefined =>
      known.problem([way(2, which, { delayUs })], nothing);
    expect([change("up", 2_000), change("down", 2_000)]).toEqual([undefined, undefined]);
    expect(change("down", 1_999)).toBe(
      "LAN lan0 is to take 1.999 ms from it to n2, of which the paths between its hosts take " +
        "2 ms by themselves; ask for what the path leaves, or put its nodes on one host",
    );
  });

  test("refuse one in which all of a host together may send more than they carry", () => {
    const asked = { delayUs: 9_000, bandwidthBps: 12_000_000 };
    const ups = [0, 1].map((member) => way(member, "up", asked));
    expect(all().problem(ups, nothing)).toBe(
      "LAN lan0 is to carry 24 Mb/s of all who send there, and the path from a to b carries " +
        "20 Mb/s; ask for what the path leaves, or put its nodes on one host",
    );
    // What comes down is what others have sent.
    expect(all().problem([way(0, "up", asked), way(1, "down", asked)], nothing)).toBeUndefined();
  });
});

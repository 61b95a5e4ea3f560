// SPDX-License-Identifier: MIT
// Goal: nodes go where the file and the hosts let them, no host gets more than it has room for, and
// what cannot be placed is refused with the names that matter. Method: small cases, and random ones
// against the rules.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  describePlacement,
  type JoiningLink,
  joiningLink,
  type PlacedHost,
  type PlacedNode,
  placeNodes,
} from "../../../src/testbed/machines/placement.ts";

const host = (name: string, capacity: number, ...types: string[]): PlacedHost => ({
  ...{ name, capacity, types },
});
const node = (name: string, facts: Partial<PlacedNode> = {}): PlacedNode => ({
  ...{ name, type: "pc", fixed: "", ...facts },
});
const link = (name: string, ...nodes: string[]): JoiningLink => ({ name, nodes });
const nodes = (count: number): PlacedNode[] =>
  Array.from({ length: count }, (_, index) => node(`n${index}`));

function placed(...given: Parameters<typeof placeNodes>): string {
  const placement = placeNodes(...given);
  return typeof placement === "string" ? placement : describePlacement(placement);
}

describe("nodes", () => {
  test("are spread by the room that hosts have", () => {
    expect(placed(nodes(6), [], [host("a", 4), host("b", 8)])).toBe("b: n0, n2, n3, n5; a: n1, n4");
  });

  test("fill all hosts to their capacity, and one more is refused", () => {
    const hosts = [host("a", 1), host("b", 2)];
    expect(placed(nodes(3), [], hosts)).toBe("b: n0, n2; a: n1");
    expect(placed(nodes(4), [], hosts)).toBe(
      "there is no room for n3; a has 0 of 1, b has 0 of 2 left; name more hosts, or more room (--on HOST:N)",
    );
  });

  test("that are left over are all named, and what fits is counted as placed", () => {
    const hosts = [host("a", 1), host("b", 2)];
    const room = "a has 0 of 1, b has 0 of 2 left; name more hosts, or more room (--on HOST:N)";
    expect(placed(nodes(5), [], hosts)).toBe(`there is no room for n3 and n4; ${room}`);
    expect(placed(nodes(20), [], hosts)).toBe(
      `there is no room for n3, n4, n5, n6, n7, n8, n9, n10 and 9 more; ${room}`,
    );
  });

  test("that the file fixes are there, before others take the room", () => {
    const all = [node("n0"), node("n1", { fixed: "a" })];
    expect(placed(all, [], [host("a", 1), host("b", 1)])).toBe("b: n0; a: n1");
  });

  test("fixed to a host that is not there are refused", () => {
    expect(placed([node("n0", { fixed: "c" })], [], [host("a", 1), host("b", 1)])).toBe(
      "n0 is fixed to c, which is not among a, b; add it to --on, or do not fix it",
    );
  });

  test("of a type go to hosts that have it; of none in particular to any", () => {
    const all = [node("n0", { type: "pc3000" }), node("n1")];
    expect(placed(all, [], [host("a", 1, "pc850"), host("b", 9, "pc850", "pc3000")])).toBe(
      "b: n0, n1",
    );
    expect(placed(all, [], [host("a", 9, "pc850")])).toBe(
      "no host takes n0: n0 is of type pc3000, and a has pc850; say --on HOST:N=pc3000",
    );
  });

  test("that links join, directly or by others, are on one host", () => {
    const links = [link("l0", "n0", "n1"), link("l1", "n1", "n2")];
    expect(placed(nodes(4), links, [host("a", 3), host("b", 3)])).toBe("a: n0, n1, n2; b: n3");
    expect(placed(nodes(4), links, [host("a", 2), host("b", 2)])).toBe(
      "there is no room for n0, n1, n2, which links join: links go between hosts " +
        "with --nodes netns only; " +
        "a has 1 of 2, b has 2 of 2 left; name more hosts, or more room (--on HOST:N)",
    );
  });

  test("that a link joins and the file fixes to two hosts are refused by name", () => {
    const all = [node("n0", { fixed: "a" }), node("n1"), node("n2", { fixed: "b" })];
    const links = [link("l0", "n0", "n1"), link("l1", "n1", "n2")];
    expect(placed(all, links, [host("a", 9), host("b", 9)])).toBe(
      "l1 would join n0 on a with n2 on b: links go between hosts with " +
        "--nodes netns only; fix both to one host, or take the link away",
    );
  });

  test("are all placed within the room and together with whom they are joined, or none (P2)", () => {
    const anyNodes = fc.integer({ min: 1, max: 12 }).map(nodes);
    const anyHosts = fc
      .array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 })
      .map((rooms) => rooms.map((room, index) => host(`h${index}`, room)));
    const ends = fc.tuple(fc.nat(11), fc.nat(11));
    fc.assert(
      fc.property(anyNodes, anyHosts, fc.array(ends, { maxLength: 4 }), (all, hosts, pairs) => {
        const links = pairs
          .filter(([a, b]) => a < all.length && b < all.length)
          .map(([a, b], index) => link(`l${index}`, `n${a}`, `n${b}`));
        const placement = placeNodes(all, links, hosts);
        if (typeof placement === "string") {
          // Without links there is room as long as nodes are no more than places.
          const room = hosts.reduce((sum, { capacity }) => sum + capacity, 0);
          expect(links.length > 0 || all.length > room).toBe(true);
          return;
        }
        expect([...placement.keys()]).toEqual(all.map(({ name }) => name));
        for (const { name, capacity } of hosts) {
          expect([...placement.values()].filter((at) => at === name).length <= capacity).toBe(true);
        }
        for (const one of links) {
          expect(new Set(one.nodes.map((name) => placement.get(name))).size).toBe(1);
        }
      }),
    );
  });
});

test("links that may go between hosts do so only where nodes do not fit one, and as few as can be", () => {
  const may = (name: string, ...ends: string[]): JoiningLink => ({
    ...link(name, ...ends),
    mayCross: true,
  });
  const chain = [may("l0", "n0", "n1"), may("l1", "n1", "n2"), may("l2", "n2", "n3")];
  expect(placed(nodes(4), chain, [host("a", 4), host("b", 4)])).toBe("a: n0, n1, n2, n3");
  expect(placed(nodes(4), chain, [host("a", 2), host("b", 2)])).toBe("a: n0, n1; b: n2, n3");
  const fixed = [node("n0", { fixed: "a" }), node("n1", { fixed: "b" })];
  expect(placed(fixed, [may("l0", "n0", "n1")], [host("a", 1), host("b", 1)])).toBe("a: n0; b: n1");
  expect(placed(fixed, [link("lan0", "n0", "n1")], [host("a", 1), host("b", 1)])).toMatch(
    /^lan0 would join n0 on a with n1 on b: links go between hosts/,
  );
});

describe("of links that may go between hosts", () => {
  const may = (name: string, ends: string, more: Partial<JoiningLink> = {}): JoiningLink => ({
    ...link(name, ...ends.split(" ")),
    ...{ mayCross: true, ...more },
  });
  const [a2, b2] = [host("a", 2), host("b", 2)];

  test("the longest do, then the slowest, wherever they are in the file (P3)", () => {
    const chain = (...delays: number[]): JoiningLink[] =>
      delays.map((delayUs, at) => may(`l${at}`, `n${at} n${at + 1}`, { delayUs }));
    expect(placed(nodes(4), chain(1, 20, 1), [a2, b2])).toBe("a: n0, n1; b: n2, n3");
    expect(placed(nodes(4), chain(20, 1, 20), [a2, b2])).toBe("b: n0, n3; a: n1, n2");
    expect(placed(nodes(3), chain(5, 1), [a2, b2])).toBe("b: n0; a: n1, n2");
    const rates = [1e6, 1e9].map((rateBps, at) => may(`l${at}`, `n${at} n${at + 1}`, { rateBps }));
    expect(placed(nodes(3), rates, [a2, b2])).toBe("b: n0; a: n1, n2");
  });

  test("short ones do where nothing else leaves room for all, and fixed nodes stay (P2)", () => {
    // Three pairs do not fit two threes.
    const pairs = [may("l0", "n0 n1"), may("l1", "n2 n3"), may("l2", "n4 n5")];
    const hosts = [host("a", 3), host("b", 3)];
    expect(placeNodes(nodes(6), pairs, hosts)).toBeInstanceOf(Map);
    const fixed = [node("n0"), node("n1", { fixed: "b" }), node("n2", { fixed: "a" })];
    const links = [may("l0", "n1 n2"), may("l1", "n0 n1", { delayUs: 5 })];
    expect(placed(fixed, links, [a2, b2])).toBe("b: n0, n1; a: n2");
  });

  test("it is known how short and how fast each is at most", () => {
    const shape = (delayUs: number, bandwidthBps = 0) => ({ delayUs, bandwidthBps, loss: 0 });
    const end = (delayUs: number, bandwidthBps = 0) => ({
      toLink: shape(delayUs, bandwidthBps),
      fromLink: shape(delayUs, bandwidthBps),
    });
    const made = (kind: "link" | "lan", ...ends: readonly ReturnType<typeof end>[]) => {
      const members = ends.map((one, at) => ({ ...one, node: `n${at}` }));
      const { delayUs, rateBps } = joiningLink({ name: "l", kind, members } as never, true);
      return [delayUs, rateBps];
    };
    expect(made("link", end(10, 1e6), end(5, 1e6))).toEqual([15, 1e6]);
    expect(made("link", end(0), end(0))).toEqual([0, Infinity]);
    expect(made("lan", end(10, 1e6), end(5, 1e9), end(20, 1e6))).toEqual([10, 1e9]);
  });
});

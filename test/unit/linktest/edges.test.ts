// SPDX-License-Identifier: MIT
// Goal: every pair of directions is probed once, never two at one node, and routes are the far
// ones. Method: properties over random graphs, and small ones by hand.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  farRoutes,
  type LinktestEdge,
  oncePerMember,
  pairEdges,
  schedulePasses,
} from "../../../src/linktest/edges.ts";

const shape = { bandwidthBps: 1e6, delayMs: 5, loss: 0, queue: "droptail" } as const;
const edge = (from: string, to: string, link: string, more = {}): LinktestEdge => {
  return { from, to, link, ...shape, ...more };
};
const duplex = (a: string, b: string, link: string): LinktestEdge[] => [
  edge(a, b, link),
  edge(b, a, link),
];
const lan = (members: readonly string[], link = "lan"): LinktestEdge[] =>
  members.flatMap((from) => members.filter((to) => to !== from).map((to) => edge(from, to, link)));

const names = ["a", "b", "c", "d", "e", "f"];
const graphs = fc
  .array(fc.tuple(fc.constantFrom(...names), fc.constantFrom(...names), fc.nat(2)), {
    maxLength: 20,
  })
  .map((all) => all.filter(([a, b]) => a !== b))
  .map((all) => all.flatMap(([a, b, link]) => duplex(a, b, `link${link}`)));

describe("passes", () => {
  it("hold each pair once, and no node twice (P1, P2)", () => {
    fc.assert(
      fc.property(graphs, fc.integer({ min: 1, max: 4 }), (edges, most) => {
        const { pairs } = pairEdges(edges);
        const passes = schedulePasses(pairs, most);
        expect(new Set(passes.flat())).toEqual(new Set(pairs));
        expect(passes.flat()).toHaveLength(pairs.length);
        for (const pass of passes) {
          const nodes = pass.flatMap(({ there }) => [there.from, there.to]);
          expect(new Set(nodes).size).toBe(nodes.length);
          expect(pass.length).toBeLessThanOrEqual(most);
        }
      }),
    );
  });

  it("are the same whatever the order of the map", () => {
    fc.assert(
      fc.property(graphs, (edges) => {
        const backward = schedulePasses(pairEdges([...edges].reverse()).pairs);
        expect(backward).toEqual(schedulePasses(pairEdges(edges).pairs));
      }),
    );
  });

  it("tell of directions without a way back", () => {
    const oneWay = edge("b", "c", "simplex");
    const { pairs, oneWay: told } = pairEdges([...duplex("a", "b", "l"), oneWay]);
    expect(pairs).toHaveLength(1);
    expect(told).toEqual([oneWay]);
  });
});

describe("probes that load a LAN", () => {
  it("pair its members where all are alike, an odd one with the first", () => {
    const { pairs } = pairEdges(lan(["a", "b", "c", "d", "e"]));
    const once = oncePerMember(pairs).map(({ there }) => `${there.from}${there.to}`);
    expect(once).toEqual(["ab", "ae", "cd"]);
  });

  it("go between all pairs where one differs", () => {
    const edges = lan(["a", "b", "c"]).map((one) =>
      one.from === "b" ? { ...one, delayMs: 9 } : one,
    );
    expect(oncePerMember(pairEdges(edges).pairs)).toHaveLength(3);
    const jittery = lan(["a", "b", "c", "d"]).map((one) =>
      one.from === "b" ? { ...one, jitterMs: 1 } : one,
    );
    expect(oncePerMember(pairEdges(jittery).pairs)).toHaveLength(6);
  });

  it("leave links alone", () => {
    const edges = [...duplex("a", "b", "l1"), ...duplex("a", "b", "l2")];
    expect(oncePerMember(pairEdges(edges).pairs)).toHaveLength(2);
  });
});

describe("routes", () => {
  it("lead to who is no neighbour, by the address of the last hop", () => {
    const edges = [
      ...duplex("a", "b", "ab"),
      ...duplex("b", "c", "bc"),
      ...duplex("a", "c", "ac"),
      ...duplex("c", "d", "cd"),
    ];
    expect(farRoutes(["a", "b", "c", "d"], edges)).toEqual([
      { from: "a", to: "d", link: "cd" },
      { from: "b", to: "d", link: "cd" },
      { from: "d", to: "a", link: "ac" },
      { from: "d", to: "b", link: "bc" },
    ]);
  });
});

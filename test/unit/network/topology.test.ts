// SPDX-License-Identifier: MIT
// Goal: the plan of a network is what the file asks for, or a sentence that says why it cannot be.
// Method: small networks by hand; limits at the limit and one past it; routes against a naive
// search over every walk.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Link } from "../../../src/experiment/model.ts";
import { computeRoutes, type RoutedLink } from "../../../src/network/routes.ts";
import { planTopology, type TopologyInput } from "../../../src/network/topology.ts";
import { topologyLimits } from "../../../src/network/topology-limits.ts";

const at = { file: "test.ns", line: 1, column: 1 };
const shape = { bandwidthBps: 0, delayUs: 0, loss: 0 };

function link(name: string, ends: readonly (readonly [string, number, string])[]): Link {
  const members = ends.map(([node, port, address]) => {
    return { node, port, address, toLink: shape, fromLink: shape };
  });
  const kind = ends.length === 2 ? "link" : "lan";
  return { name, kind, netmask: "255.255.255.0", members, at };
}

function plan(links: readonly Link[], more: Partial<TopologyInput> = {}) {
  const names = [...new Set(links.flatMap(({ members }) => members.map(({ node }) => node)))];
  const nodes = names.sort().map((name) => {
    return { name, osName: "", hardwareType: "", failureAction: "fatal" as const, at };
  });
  return planTopology({
    experiment: { nodes, links },
    routing: "static",
    givenRoutes: () => [],
    limits: topologyLimits,
    ...more,
  });
}

/** a - b - c, and c with d and e on a LAN. */
const chain = [
  link("ab", [
    ["a", 0, "10.1.1.2"],
    ["b", 0, "10.1.1.3"],
  ]),
  link("bc", [
    ["b", 1, "10.1.2.2"],
    ["c", 0, "10.1.2.3"],
  ]),
  link("lan", [
    ["c", 1, "10.1.3.2"],
    ["d", 0, "10.1.3.3"],
    ["e", 0, "10.1.3.4"],
  ]),
];

function planned(links: readonly Link[], more: Partial<TopologyInput> = {}) {
  const topology = plan(links, more);
  if (typeof topology === "string") throw new Error(topology);
  return topology;
}

describe("a planned network", () => {
  it("has interfaces in the order of ports, with the address and MAC that tmcd tells", () => {
    const { interfaces, forwards } = planned(chain).nodes.get("c") ?? {};
    expect(interfaces).toMatchObject([
      { name: "eth1", link: "bc", address: "10.1.2.3", prefix: 24, mac: "02:4d:00:00:02:00" },
      { name: "eth2", link: "lan", address: "10.1.3.2", prefix: 24, mac: "02:4d:00:00:02:01" },
    ]);
    expect(forwards).toBe(true);
    expect(interfaces?.[1]?.neighbours).toEqual([
      { address: "10.1.3.3", mac: "02:4d:00:00:03:00" },
      { address: "10.1.3.4", mac: "02:4d:00:00:04:00" },
    ]);
  });

  it("has a slot of its own for each end", () => {
    const all = [...planned(chain).nodes.values()].flatMap(({ interfaces }) => interfaces);
    expect(new Set(all.map(({ slot }) => slot)).size).toBe(7);
  });

  it("computes routes for static and session routing, and none without", () => {
    const expected = [
      { destination: "10.1.2.0/24", via: "10.1.1.3" },
      { destination: "10.1.3.0/24", via: "10.1.1.3" },
    ];
    expect(planned(chain).nodes.get("a")?.routes).toEqual(expected);
    expect(planned(chain, { routing: "session" }).nodes.get("a")?.routes).toEqual(expected);
    const none = planned(chain, { routing: "none" });
    expect(none.nodes.get("a")?.routes).toEqual([]);
    expect(none.nodes.get("b")?.forwards).toBe(false);
  });

  it("takes given routes as they are, before computed ones, and then forwards", () => {
    const route = { destination: "10.1.3.0/24", via: "10.1.2.3" };
    const givenRoutes = (node: string) => (node === "b" ? [route] : []);
    const manual = planned(chain, { routing: "manual", givenRoutes });
    expect(manual.nodes.get("b")).toMatchObject({ routes: [route], forwards: true });
    expect(manual.nodes.get("a")?.routes).toEqual([]);
  });

  it("takes the cheaper way, and the first of two that cost the same", () => {
    const square = [
      ...chain.slice(0, 2),
      link("ad", [
        ["a", 1, "10.1.4.2"],
        ["d", 0, "10.1.4.3"],
      ]),
      link("dc", [
        ["d", 1, "10.1.5.2"],
        ["c", 1, "10.1.5.3"],
      ]),
      link("ce", [
        ["c", 2, "10.1.6.2"],
        ["e", 0, "10.1.6.3"],
      ]),
    ];
    const to = (topology: ReturnType<typeof planned>) =>
      topology.nodes.get("a")?.routes.find(({ destination }) => destination === "10.1.6.0/24")?.via;
    expect(to(planned(square))).toBe("10.1.1.3");
    const dear = square.map((one) => (one.name === "ab" ? { ...one, cost: 3 } : one));
    expect(to(planned(dear))).toBe("10.1.4.3");
  });
});

describe("a network that cannot be", () => {
  it("names both who have one address", () => {
    const twice = [
      ...chain,
      link("x", [
        ["d", 1, "10.1.1.2"],
        ["e", 1, "10.1.1.4"],
      ]),
    ];
    expect(plan(twice)).toBe(
      "a on ab and d on x both have the address 10.1.1.2; give one of them another",
    );
  });

  it("names the node that is on two links with overlapping subnets", () => {
    const overlapping = [
      chain[0] as Link,
      link("x", [
        ["a", 1, "10.1.1.9"],
        ["d", 0, "10.1.1.8"],
      ]),
    ];
    expect(plan(overlapping)).toContain("a is on ab (10.1.1.0/24) and on x (10.1.1.0/24)");
  });

  it.each([
    ["nodesMax", 5],
    ["lanMembersMax", 3],
    ["endsMax", 7],
    ["neighboursMax", 10],
    // 2 of a, 1 of b and of c, 2 of d and of e.
    ["routesMax", 8],
  ] as const)("is one past %s; at it, it can be", (name, most) => {
    expect(plan(chain, { limits: { ...topologyLimits, [name]: most } })).not.toBeTypeOf("string");
    const past = plan(chain, { limits: { ...topologyLimits, [name]: most - 1 } });
    expect(past).toContain(`(limit ${name}: ${most - 1})`);
  });
});

describe("computed routes", () => {
  /** Costs of all nodes by relaxing every link until nothing changes. */
  function costsFrom(start: string, nodes: readonly string[], links: readonly RoutedLink[]) {
    const costs = new Map(nodes.map((node) => [node, node === start ? 0 : Infinity]));
    for (let round = 0; round < nodes.length; round += 1) {
      for (const { members, cost } of links) {
        for (const from of members) {
          for (const to of members) {
            const way = (costs.get(from.node) ?? Infinity) + cost;
            if (way < (costs.get(to.node) ?? Infinity)) costs.set(to.node, way);
          }
        }
      }
    }
    return costs;
  }

  it("lead each step nearer by what the step costs, to every subnet that can be reached", () => {
    const nodes = ["a", "b", "c", "d", "e", "f"];
    const random = fc.array(
      fc.record({
        members: fc.uniqueArray(fc.constantFrom(...nodes), { minLength: 2, maxLength: 4 }),
        cost: fc.integer({ min: 1, max: 4 }),
      }),
      { minLength: 1, maxLength: 8 },
    );
    fc.assert(
      fc.property(random, (drawn) => {
        const links = drawn.map(({ members, cost }, index): RoutedLink => {
          const addressed = members.map((node) => {
            return { node, address: `10.1.${index}.${nodes.indexOf(node) + 2}` };
          });
          return { name: `l${index}`, netmask: "255.255.255.0", cost, members: addressed };
        });
        const routes = computeRoutes(nodes, links, () => true);
        for (const node of nodes) {
          const costs = costsFrom(node, nodes, links);
          for (const [index, link] of links.entries()) {
            if (link.members.some((one) => one.node === node)) continue;
            const least = Math.min(...link.members.map((one) => costs.get(one.node) ?? Infinity));
            const route = routes.get(node)?.find((one) => one.destination === `10.1.${index}.0/24`);
            expect(route !== undefined).toBe(least < Infinity);
            if (route === undefined) continue;
            const step = links.find(({ members }) => members.some((m) => m.address === route.via));
            const next = step?.members.find((one) => one.address === route.via)?.node ?? "";
            const rest = costsFrom(next, nodes, links);
            const left = Math.min(...link.members.map((one) => rest.get(one.node) ?? Infinity));
            expect(step?.members.some((one) => one.node === node)).toBe(true);
            expect((step?.cost ?? 0) + left).toBe(least);
          }
        }
      }),
    );
  });

  it("do not lead through a node that does not forward", () => {
    const links = chain.map((one) => ({ ...one, cost: 1 }));
    const routes = computeRoutes(["a", "b", "c", "d"], links, (node) => node !== "b");
    expect(routes.get("a")).toEqual([{ destination: "10.1.2.0/24", via: "10.1.1.3" }]);
    // The end of b that is on it can be reached, and nothing behind.
    const behind = { destination: "10.1.1.0/24", via: "10.1.3.2" };
    expect(routes.get("d")).toEqual([behind, { destination: "10.1.2.0/24", via: "10.1.3.2" }]);
  });
});

// SPDX-License-Identifier: MIT
// Goal: a network that becomes another one keeps every link whose ends stay as they are (X1), makes
// the others with numbers that nothing had before (X2), and knows which routes change. Method:
// topologies that the shipped planner makes.
import { describe, expect, it } from "vitest";
import type { Link } from "../../../src/experiment/model.ts";
import { planTopology, type Topology } from "../../../src/network/topology.ts";
import { changeTopology, slotsOf } from "../../../src/network/topology-change.ts";
import { topologyLimits } from "../../../src/network/topology-limits.ts";

const at = { file: "", line: 1, column: 1 };
const shape = { bandwidthBps: 0, delayUs: 0, loss: 0 };

/** `l0 a1 b1`: a link between port 1 of a and of b. Subnets by the name's number. */
function planned(names: string, ...lines: readonly string[]): Topology {
  const links = lines.map((line): Link => {
    const [name = "", ...ends] = line.split(" ");
    const net = name.replace(/\D/g, "");
    return {
      ...{ name, kind: ends.length === 2 ? "link" : "lan", netmask: "255.255.255.0", at },
      members: ends.map((end, index) => ({
        ...{ node: end.charAt(0), port: Number(end.slice(1)), toLink: shape, fromLink: shape },
        address: `10.1.${net}.${index + 2}`,
      })),
    };
  });
  const nodes = [...names].map((name) => {
    return { name, osName: "", hardwareType: "", failureAction: "fatal" as const, at };
  });
  const topology = planTopology({
    experiment: { nodes, links },
    ...{ limits: topologyLimits, routing: "static", givenRoutes: () => [] },
  });
  if (typeof topology === "string") throw new Error(topology);
  return topology;
}

const slotsIn = ({ nodes }: Topology): string[] =>
  [...nodes.values()].flatMap(({ name, interfaces }) =>
    interfaces.map(({ link, slot }) => `${link}-${name} ${slot}`),
  );

const before = planned("abc", "l0 a0 b0", "l1 b1 c0");

describe("changeTopology()", () => {
  it("does nothing to what stays", () => {
    const change = changeTopology(before, planned("abc", "l0 a0 b0", "l1 b1 c0"), {
      slotsUsed: slotsOf(before),
    });
    expect(change).toMatchObject({ gone: [], made: [], nodes: [] });
    expect(change.topology).toEqual(before);
  });

  it("makes what is new with new numbers, and routes where they become others", () => {
    const after = planned("abc", "l0 a0 b0", "l1 b1 c0", "l2 a1 c1");
    const { gone, made, nodes, topology } = changeTopology(before, after, { slotsUsed: 7 });
    expect([gone, made]).toEqual([[], ["l2"]]);
    expect(slotsIn(topology)).toEqual(["l0-a 0", "l2-a 7", "l0-b 1", "l1-b 2", "l1-c 3", "l2-c 8"]);
    expect(nodes.find(({ name }) => name === "b")?.routesNew).toHaveLength(1);
    expect(nodes.filter(({ forwards }) => forwards === true).map(({ name }) => name)).toEqual([
      "a",
      "c",
    ]);
  });

  it("takes away what is not there any more, with its routes and not the others", () => {
    const after = planned("abc", "l0 a0 b0");
    const { gone, made, nodes } = changeTopology(before, after, { slotsUsed: 4 });
    expect([gone, made]).toEqual([["l1"], []]);
    expect(nodes).toEqual([
      { name: "a", routesGone: [{ destination: "10.1.1.0/24", via: "10.1.0.3" }], routesNew: [] },
      { name: "b", routesGone: [], routesNew: [], forwards: false },
      { name: "c", routesGone: [{ destination: "10.1.0.0/24", via: "10.1.1.2" }], routesNew: [] },
    ]);
  });

  it("makes anew what gets another interface, address or member (X1)", () => {
    // b loses its port 0: its other interface is eth1 from now on.
    expect(changeTopology(before, planned("abc", "l1 b1 c0"), { slotsUsed: 4 })).toMatchObject({
      ...{ gone: ["l0", "l1"], made: ["l1"] },
    });
    // c is another number in the file, and so has another MAC.
    expect(changeTopology(before, planned("ab", "l0 a0 b0"), { slotsUsed: 4 }).gone).toEqual([
      "l1",
    ]);
    expect(changeTopology(before, planned("bc", "l1 b1 c0"), { slotsUsed: 4 }).made).toEqual([
      "l1",
    ]);
    const lan = planned("abc", "l0 a0 b0", "l1 b1 c0 a1");
    const change = changeTopology(before, lan, { slotsUsed: 4 });
    expect([change.gone, change.made]).toEqual([["l1"], ["l1"]]);
    expect(slotsIn(change.topology)).toEqual(["l0-a 0", "l1-a 6", "l0-b 1", "l1-b 4", "l1-c 5"]);
  });

  it("lets a LAN grow by members that come behind those that stay, where it may (X1)", () => {
    const was = planned("abcd", "l0 a0 b0 c0", "l1 c1 d0");
    const is = planned("abcd", "l0 a0 b0 c0 d1", "l1 c1 d0");
    const may = { slotsUsed: 9, mayGrow: (link: string) => link === "l0" };
    const change = changeTopology(was, is, may);
    expect(change).toMatchObject({ gone: [], made: [], grown: [{ link: "l0", kept: 3 }] });
    const slots = ["l0-a 0", "l0-b 1", "l0-c 2", "l1-c 3", "l1-d 4", "l0-d 9"];
    expect(slotsIn(change.topology)).toEqual(slots);
    const without = changeTopology(was, is, { slotsUsed: 9 });
    expect(without).toMatchObject({ gone: ["l0"], made: ["l0"], grown: [] });
    // Somebody comes before them, or has gone.
    const before = planned("abcd", "l0 d1 a0 b0 c0", "l1 c1 d0");
    expect(changeTopology(was, before, may)).toMatchObject({ gone: ["l0"], grown: [] });
    const other = planned("abcd", "l0 a0 b0 d1 c0", "l1 c1 d0");
    expect(changeTopology(was, other, may)).toMatchObject({ gone: ["l0"], grown: [] });
  });

  it("counts numbers of ends", () => {
    expect([slotsOf(before), slotsOf(planned("a"))]).toEqual([4, 0]);
  });
});

// SPDX-License-Identifier: MIT
// Goal: A1 and A2, and the limits. Method: small plans by hand, any plan by property.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { instancesMax } from "../../../src/experiment/yaml/limits.ts";
import {
  BLOCK_FIRST,
  BLOCK_LAST,
  blockOf,
  countLinkAddresses,
  INSTANCES_MAX,
  instanceAddress,
  LINK_ADDRESSES_MAX,
  lockAddress,
  NODES_MAX,
  planAddresses,
  readdress,
} from "../../../src/testbed/nodes/addresses.ts";
import type { NodePlan } from "../../../src/testbed/nodes/node-plan.ts";

function plan(block: number, nodes: readonly NodePlan[]) {
  const result = planAddresses(block, nodes);
  if (typeof result === "string") throw new Error(result);
  return result;
}

const many = (count: number, links: number): NodePlan[] =>
  Array.from({ length: count }, (_, node) => ({
    name: `n${node}`,
    links: Array.from({ length: links }, (_, link) => ({
      link: `l${link}`,
      experiment: "10.0.0.1",
    })),
  }));

test("instanceAddress() gives each instance one that is nobody else's, up to INSTANCES_MAX", () => {
  expect(INSTANCES_MAX).toBe(instancesMax);
  expect(instanceAddress(70, 0)).toBe("127.70.60.1");
  expect(instanceAddress(70, INSTANCES_MAX - 1)).toBe("127.70.99.250");
  expect(blockOf("127.70.60.1")).toBe(70);
  const largest = plan(70, many(NODES_MAX, 0));
  for (const { control } of largest.values()) {
    expect(Number(control.split(".")[2])).toBeLessThan(60);
  }
});

describe("planAddresses()", () => {
  test("gives nodes that come later what nobody had", () => {
    const first = plan(70, many(251, 1));
    const given = { nodes: 251, links: countLinkAddresses(first.values()) };
    const later = planAddresses(70, [{ name: "late", links: [] }], given);
    if (typeof later === "string") throw new Error(later);
    expect(later.get("late")).toMatchObject({ control: "127.70.1.2", calledAt: "127.70.201.2" });
    const all = [...first.values(), ...later.values()].flatMap((one) => [
      one.control,
      one.calledAt,
    ]);
    expect(new Set(all).size).toBe(all.length);
    const none = { name: "n", links: [] };
    const behind = (count: number) => ({ nodes: count, links: 0 });
    expect(typeof planAddresses(70, [none], behind(NODES_MAX - 1))).toBe("object");
    expect(planAddresses(70, [none], behind(NODES_MAX))).toContain("more than");
    const linked = planAddresses(70, many(1, 1), { nodes: 1, links: 7 });
    if (typeof linked === "string") throw new Error(linked);
    expect([...linked.values()][0]?.all[1]?.loopback).toBe("127.70.100.8");
  });

  test("gives links that come later what nobody had, and lets the others keep theirs", () => {
    const links = (...names: readonly string[]) =>
      names.map((link, index) => ({ link, experiment: `10.0.${index}.1` }));
    const before = plan(70, [{ name: "a", links: links("l0", "l1") }]).get("a");
    if (before === undefined) throw new Error("no node a");
    const after = readdress(70, before, { name: "a", links: links("l0", "l2") }, 2);
    if (typeof after === "string") throw new Error(after);
    expect(after.control).toBe(before.control);
    expect(after.all.map(({ link, loopback }) => `${link} ${loopback}`)).toEqual([
      " 127.70.0.1",
      "l0 127.70.100.1",
      "l2 127.70.100.4",
    ]);
    const full = readdress(70, before, { name: "a", links: links("l0") }, LINK_ADDRESSES_MAX);
    expect(full).toMatch(/25001 link addresses are more than/);
  });

  test("numbers nodes and link addresses in the order of the plan", () => {
    const nodes = [
      { name: "b", links: [{ link: "x", experiment: "10.1.1.2" }] },
      {
        name: "a",
        links: [
          { link: "x", experiment: "10.1.1.3" },
          { link: "bare", experiment: "" },
          { link: "y", experiment: "10.1.2.2" },
        ],
      },
    ];
    expect([...plan(70, nodes)]).toEqual([
      [
        "b",
        {
          control: "127.70.0.1",
          calledAt: "127.70.200.1",
          all: [
            { link: "", experiment: "", loopback: "127.70.0.1" },
            { link: "x", experiment: "10.1.1.2", loopback: "127.70.100.1" },
          ],
        },
      ],
      [
        "a",
        {
          control: "127.70.0.2",
          calledAt: "127.70.200.2",
          all: [
            { link: "", experiment: "", loopback: "127.70.0.2" },
            { link: "x", experiment: "10.1.1.3", loopback: "127.70.100.2" },
            { link: "y", experiment: "10.1.2.2", loopback: "127.70.100.3" },
          ],
        },
      ],
    ]);
  });

  test("goes on in the next octet after 250", () => {
    const result = plan(64, many(251, 0));
    expect(result.get("n249")?.control).toBe("127.64.0.250");
    expect(result.get("n250")?.control).toBe("127.64.1.1");
    expect(result.get("n250")?.calledAt).toBe("127.64.201.1");
  });

  test("gives no address twice, at the limits too", () => {
    const sizes = [
      [NODES_MAX, 1],
      [250, 100],
      [1, LINK_ADDRESSES_MAX],
    ] as const;
    for (const [nodes, links] of sizes) {
      const result = plan(BLOCK_LAST, many(nodes, links));
      const all = [...result.values()].flatMap((node) => [
        node.calledAt,
        ...node.all.map(({ loopback }) => loopback),
      ]);
      expect(new Set([...all, lockAddress(BLOCK_LAST)]).size).toBe(all.length + 1);
    }
  });

  test("is the same every time, and inside its block", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: BLOCK_FIRST, max: BLOCK_LAST }),
        fc.array(fc.nat(5), { maxLength: 40 }),
        (block, sizes) => {
          const nodes = sizes.map((links, index) => ({ ...many(1, links)[0]!, name: `n${index}` }));
          const first = plan(block, nodes);
          expect(plan(block, nodes)).toEqual(first);
          const octets = [...first.values()]
            .flatMap((node) => [node.calledAt, ...node.all.map(({ loopback }) => loopback)])
            .map((address) => address.split(".").map(Number));
          for (const [a, b, , d = 0] of octets) {
            expect([a, b]).toEqual([127, block]);
            expect(d >= 1 && d <= 250).toBe(true);
          }
        },
      ),
    );
  });

  test("refuses one more than the limits, and says which", () => {
    expect(planAddresses(64, many(NODES_MAX + 1, 0))).toMatch(
      /13751 nodes are more than the 13750/,
    );
    expect(planAddresses(64, many(1, LINK_ADDRESSES_MAX + 1))).toMatch(/25001 link addresses/);
  });
});

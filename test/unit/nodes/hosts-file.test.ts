// SPDX-License-Identifier: MIT
// Goal: the names a node sees are those of the old generator. Method: the example that was checked
// with the original helper (router/nsfile.ns seen from node0), and each clause of the rule alone.
import { describe, expect, test } from "vitest";
import type { Link } from "../../../src/experiment/model.ts";
import { formatHostsFile, planHostsRows } from "../../../src/testbed/nodes/hosts-file.ts";

const shape = { bandwidthBps: 0, delayUs: 0, loss: 0 };

function link(name: string, ...members: readonly (readonly [string, number, string])[]): Link {
  return {
    name,
    kind: members.length > 2 ? "lan" : "link",
    netmask: "255.255.255.0",
    members: members.map(([node, port, address]) => ({
      ...{ node, port, address },
      ...{ toLink: shape, fromLink: shape },
    })),
    at: { file: "x.ns", line: 1, column: 1 },
  };
}

const router = [
  link("link0", ["node0", 0, "10.1.3.2"], ["node2", 0, "10.1.3.3"]),
  link("link1", ["node1", 0, "10.1.4.2"], ["node2", 1, "10.1.4.3"]),
  link("link2", ["node2", 2, "10.1.1.2"], ["node3", 0, "10.1.1.3"]),
  link("link3", ["node3", 1, "10.1.2.2"], ["node4", 0, "10.1.2.3"]),
];

const show = (links: readonly Link[], viewpoint: string): string[] =>
  planHostsRows(links, viewpoint).map(
    (row) => `${row.canonical} ${row.address} [${row.aliases.join(" ")}]`,
  );

describe("planHostsRows()", () => {
  test("gives the example of the original helper", () => {
    expect(show(router, "node0")).toEqual([
      "node4-link3 10.1.2.3 [node4-0 node4]",
      "node3-link3 10.1.2.2 [node3-1 node3]",
      "node3-link2 10.1.1.3 [node3-0]",
      "node2-link2 10.1.1.2 [node2-2]",
      "node2-link1 10.1.4.3 [node2-1]",
      "node2-link0 10.1.3.3 [node2-0 node2]",
      "node1-link1 10.1.4.2 [node1-0 node1]",
      "node0-link0 10.1.3.2 [node0-0 node0]",
    ]);
  });

  test("takes port 0 for the node itself and the last shared link for a neighbour", () => {
    const parallel = [
      link("a", ["x", 1, "10.0.1.1"], ["y", 1, "10.0.1.2"]),
      link("b", ["x", 0, "10.0.2.1"], ["y", 0, "10.0.2.2"]),
      link("c", ["y", 2, "10.0.3.2"], ["z", 0, "10.0.3.3"]),
    ];
    expect(show(parallel, "x")).toEqual([
      "z-c 10.0.3.3 [z-0 z]",
      "y-c 10.0.3.2 [y-2]",
      "y-b 10.0.2.2 [y-0 y]",
      "y-a 10.0.1.2 [y-1]",
      "x-b 10.0.2.1 [x-0 x]",
      "x-a 10.0.1.1 [x-1]",
    ]);
  });

  test("gives no bare name to a node without its port 0, and no row without an address", () => {
    const odd = [link("a", ["x", 1, "10.0.1.1"], ["y", 0, ""])];
    expect(show(odd, "x")).toEqual(["x-a 10.0.1.1 [x-1]"]);
  });
});

describe("formatHostsFile()", () => {
  test("puts the sync server first, at the address where this node calls it", () => {
    const text = formatHostsFile({
      domain: "d.org",
      suffix: "e.p.d.org",
      rows: planHostsRows([link("l", ["a", 0, "10.0.0.1"], ["b", 0, "10.0.0.2"])], "a"),
      control: [
        { node: "a", address: "127.64.0.1" },
        { node: "b", address: "127.64.0.2" },
        { node: "c", address: "127.64.0.3" },
      ],
      syncServer: { node: "b", calledAt: "127.64.200.1" },
    });
    expect(text.split("\n")).toEqual([
      "127.0.0.1\tlocalhost loghost localhost.d.org",
      "127.64.200.1\tb.e.p.d.org",
      "10.0.0.2\tb-l b-0 b",
      "10.0.0.1\ta-l a-0 a",
      "127.64.0.1\ta.e.p.d.org",
      "127.64.0.3\tc.e.p.d.org c",
      "",
    ]);
  });
});

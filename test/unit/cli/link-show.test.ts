// SPDX-License-Identifier: MIT
// Goal: who looks at a link reads which interface it is on its nodes, also where its name is too
// long for one. Method: a report and the entrances of runs, made up.
import { expect, test } from "vitest";
import { formatLinks, interfacesOf } from "../../../src/cli/commands/link-show.ts";
import type { LinksReport } from "../../../src/network/link-report.ts";
import type { NodeEntrance } from "../../../src/testbed/nodes/index.ts";

const longName = "a".repeat(57);
const link = { name: longName, kind: "link", ways: [] } as const;
const report: LinksReport = { experiment: "p/e", backend: "netem", shaper: null, links: [link] };

function node(name: string, ...links: readonly string[]): NodeEntrance {
  return {
    ...{ name, holder: 1, asUser: false, hasNetwork: true, groups: [], directory: "/" },
    environment: {},
    interfaces: links.map((one, index) => ({ link: one, name: `eth${index + 1}` })),
  };
}

test("the interfaces of a link are beside its name", () => {
  const runs = [{ nodes: [node("n0", "l0", longName), node("n1", longName)] }];
  const lines = formatLinks(report, interfacesOf(runs));
  expect(lines).toContain(`link ${longName} (n0: eth2, n1: eth1)`);
});

test("ten are shown of a LAN, and none where it is not clear which run is meant", () => {
  const nodes = Array.from({ length: 11 }, (_, index) => node(`n${index}`, longName));
  expect(formatLinks(report, interfacesOf([{ nodes }])).join("\n")).toContain("n9: eth1, ...)");
  expect(formatLinks(report, interfacesOf([{ nodes }, { nodes }]))).toContain(`link ${longName}`);
});

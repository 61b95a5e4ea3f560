// SPDX-License-Identifier: MIT
// Goal: what a node is told of addresses is what its interfaces have, whatever links are called:
// the table rows of the old system have addresses in the order of its hash table, which are other
// ones. Method: one chain with traffic and routes, under names in and out of that order; each
// answer of tmcd, each map and the planned network against the addresses of the links.
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { parseNsFile, type Tables } from "../../../src/experiment/index.ts";
import type { Experiment } from "../../../src/experiment/model.ts";
import { NodeConfig } from "../../../src/testbed/node-config.ts";
import { findNetworkFault, planNetwork } from "../../../src/testbed/plan-network.ts";

interface Read {
  readonly experiment: Experiment;
  readonly tables: Tables;
}

function read(body: string): Read {
  const text = `set ns [new Simulator]\nsource tb_compat.tcl\n${body}\n$ns run\n`;
  const parsed = parseNsFile(text, { file: "t.ns", pid: "p", eid: "e" });
  const { experiment, rows: tables, diagnostics } = parsed;
  if (experiment === undefined || tables === undefined)
    throw new Error(JSON.stringify(diagnostics));
  return { experiment, tables };
}

const chain = (first: string, second: string): string => `
set n0 [$ns node]
set n1 [$ns node]
set n2 [$ns node]
set ${first} [$ns duplex-link $n0 $n1 10Mb 2ms DropTail]
set ${second} [$ns duplex-link $n1 $n2 10Mb 2ms DropTail]
$n0 add-route $n2 $n1
$n2 add-route $${first} $n1
$n1 add-route [$ns link $n1 $n2] $n2
$ns rtproto Manual
set udp [new Agent/UDP]
$ns attach-agent $n0 $udp
set null [new Agent/Null]
$ns attach-agent $n2 $null
$ns connect $udp $null
set cbr [new Application/Traffic/CBR]
$cbr attach-agent $udp`;

const networkOf = ({ experiment }: Pick<Read, "experiment">) => {
  const shapeLinks = (): never => {
    throw new Error("nothing is made here");
  };
  return planNetwork({ experiment, wanted: undefined, shapeLinks });
};

const longName = `l1${"x".repeat(28)}`;

test.each([
  ["l0", "l1"],
  ["ab", "bc"],
  ["left", "right"],
  ["first", "second"],
  [longName, "l1"],
])("nodes are told what they have with links %s and %s", async (first, second) => {
  const whole = read(chain(first, second));
  const { experiment, tables } = whole;
  expect(experiment.links.map(({ members }) => members.map(({ address }) => address))).toEqual([
    ["10.1.1.2", "10.1.1.3"],
    ["10.1.2.2", "10.1.2.3"],
  ]);
  const config = new NodeConfig({
    ...{ experiment, tables, domain: "example.net", creator: "a", swapper: "b" },
    nodes: experiment.nodes.map(({ name }, index) => {
      const calledAt = `192.0.2.${index}`;
      return { name, calledAt, addresses: [{ link: "", experiment: "", loopback: calledAt }] };
    }),
  });
  const facts = async (index: number) => {
    const node = await config.findNode({ kind: "address", address: `192.0.2.${index}` });
    if (node === undefined) throw new Error("no node");
    return node;
  };
  const [n0, n1, n2] = [await facts(0), await facts(1), await facts(2)];
  const trafgen = { port: expect.any(Number), generator: "TG", protocol: "udp" };
  expect(await config.traffic(n0)).toMatchObject([
    { ...trafgen, address: "10.1.1.2", peerNode: "n2", peerAddress: "10.1.2.3" },
  ]);
  expect(await config.traffic(n2)).toMatchObject([
    { ...trafgen, address: "10.1.2.3", peerNode: "n0", peerAddress: "10.1.1.2" },
  ]);
  const mask = "255.255.255.0";
  expect((await config.routing(n0)).routes).toEqual([
    {
      ...{ destination: "10.1.2.3", kind: "host", mask, cost: 0 },
      ...{ nextHop: "10.1.1.3", source: "10.1.1.2" },
    },
  ]);
  expect((await config.routing(n2)).routes).toMatchObject([
    { destination: "10.1.1.2", kind: "net", mask, nextHop: "10.1.2.2", source: "10.1.2.3" },
  ]);
  expect((await config.routing(n1)).routes).toMatchObject([
    { destination: "10.1.2.2", kind: "net", mask, nextHop: "10.1.2.3", source: "10.1.2.2" },
  ]);
  const hosts = (await config.hosts(n0)).map(({ node, lan, address }) => [node, lan, address]);
  expect(hosts).toEqual(
    expect.arrayContaining([
      ["n0", first, "10.1.1.2"],
      ["n2", second, "10.1.2.3"],
    ]),
  );
  expect((await config.interfaces(n1)).physical.map(({ address }) => address)).toEqual([
    "10.1.1.3",
    "10.1.2.2",
  ]);
  expect((await config.linkDelays(n1)).map(({ address }) => address)).toEqual([
    "10.1.1.3",
    "10.1.2.2",
  ]);
  const map = gunzipSync((await config.map(n0, "topomap")) ?? "").toString();
  expect(map).toContain(`n1,${first}:10.1.1.3 ${second}:10.1.2.2\n`);
  const planned = networkOf(whole)?.topology.nodes;
  expect(planned?.get("n0")?.routes).toEqual([{ destination: "10.1.2.3", via: "10.1.1.3" }]);
  expect(planned?.get("n2")?.routes).toEqual([{ destination: "10.1.1.0/24", via: "10.1.2.2" }]);
});

test("a file whose network cannot be made is refused, not run without its links", () => {
  const pair = read(`
set a [$ns node]
set b [$ns node]
set l [$ns duplex-link $a $b 10Mb 2ms DropTail]
tb-set-ip-link $a $l 172.16.0.2
tb-set-ip-link $b $l 172.16.0.3`);
  const wideLinks = pair.experiment.links.map((link) => ({ ...link, netmask: "255.240.0.0" }));
  const wide = { ...pair, experiment: { ...pair.experiment, links: wideLinks } };
  const all =
    "the file uses all of 172.16.0.0/12, so that nothing is left for the control network; " +
    "give a link another subnet";
  const hint = ", or use --nodes process, which makes no links";
  expect(() => networkOf(wide)).toThrow(`${all}${hint}`);
  expect(findNetworkFault({ ...wide, wanted: undefined })).toBe(`${all}${hint}`);
  expect(findNetworkFault({ ...wide, wanted: "own" })).toContain(`asked for: ${all}`);
  expect(findNetworkFault({ ...wide, wanted: "shared" })).toBeUndefined();
  const beside = read(chain("ab", "bc"));
  const links = beside.experiment.links.map((link) => {
    const members = link.members.map((member) => ({ ...member, address: "" }));
    return { ...link, members: link.name === "ab" ? members : link.members };
  });
  const bare = { ...beside, experiment: { ...beside.experiment, links } };
  expect(findNetworkFault({ ...bare, wanted: undefined })).toBe(
    `n0 has a route to 10.1.2.3 by no address; give all ends of its links addresses${hint}`,
  );
});

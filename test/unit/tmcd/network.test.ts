// SPDX-License-Identifier: MIT
// Goal: what an experiment file asks of its network is what its nodes are told: interfaces,
// shaping, traffic, routes, maps. Method: files in NS and YAML, read by the real readers; replies
// as texts, written by hand from the specification. [EMULAB-TMCD 9] [LINKTEST 3.1]
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { readYamlExperiment } from "../../../src/boss/read-yaml.ts";
import { TcpDoor } from "../../../src/edges/tmcd/tcp.ts";
import { tmcdTime } from "../../../src/edges/tmcd-time.ts";
import { parseNsFile, type Tables } from "../../../src/experiment/index.ts";
import type { Experiment } from "../../../src/experiment/model.ts";
import { type ConfiguredNode, NodeConfig } from "../../../src/testbed/node-config.ts";
import { Caller, Lines, ManualClock } from "./harness.ts";

const names = { pid: "p", eid: "e" };

interface Read {
  readonly experiment: Experiment;
  readonly tables?: Tables;
}

function readNs(body: string): Read {
  const text = `set ns [new Simulator]\nsource tb_compat.tcl\n${body}\n$ns run\n`;
  const { experiment, rows, diagnostics } = parseNsFile(text, { file: "t.ns", ...names });
  if (experiment === undefined || rows === undefined) throw new Error(JSON.stringify(diagnostics));
  return { experiment, tables: rows };
}

function configOf({ experiment, tables }: Read): NodeConfig {
  const nodes = experiment.nodes.map(({ name }, index): ConfiguredNode => {
    const calledAt = `192.0.2.${100 + index}`;
    return { name, calledAt, addresses: [{ link: "", experiment: "", loopback: calledAt }] };
  });
  return new NodeConfig({
    ...{ experiment, nodes, domain: "example.net", creator: "a", swapper: "b" },
    ...(tables === undefined ? {} : { tables }),
  });
}

/** The lines of the reply to a node of the file. */
async function tell(read: Read, node: string, command: string): Promise<readonly string[]> {
  const shared = { source: configOf(read), clock: new ManualClock(), logger: new Lines() };
  const options = { time: tmcdTime, isDebugging: false, isInsecure: false, tls: undefined };
  const door = new TcpDoor({ ...shared, ...options });
  const index = read.experiment.nodes.findIndex(({ name }) => name === node);
  const caller = new Caller(door, `192.0.2.${100 + index}`);
  caller.stream.end(`VERSION=34 ${command} `);
  return (await caller.reply).split("\n").slice(0, -1);
}

async function mapOf(read: Read, name: "topomap" | "ltmap"): Promise<string> {
  const config = configOf(read);
  const node = await config.findNode({ kind: "address", address: "192.0.2.100" });
  if (node === undefined) throw new Error("no node");
  return gunzipSync((await config.map(node, name)) ?? "").toString("utf8");
}

const dropTail =
  "RED=0 LIMIT=50 MAXTHRESH=15 MINTHRESH=5 WEIGHT=0.002 LINTERM=10 QINBYTES=0 BYTES=0 " +
  "MEANPSIZE=500 WAIT=1 SETBIT=0 DROPTAIL=1 GENTLE=0";

const pair = readNs(`
set a [$ns node]
set b [$ns node]
set c [$ns node]
set fast [$ns duplex-link $a $b 1Gb 0ms DropTail]
set slow [$ns duplex-link $b $a 2Mb 30ms RED]
tb-set-link-loss $slow 0.19
tb-set-link-simplex-params $fast $b 20ms 10Mb 0
$ns rtproto Manual
set far [$ns duplex-link $b $c 100Mb 0ms DropTail]
$a add-route $c $b`);

test("each end of a link of two shapes what it sends, all the way to the other end", async () => {
  const [fast = "", slow = "", ...more] = await tell(pair, "a", "linkdelay");
  expect(more).toEqual([]);
  expect(fast).toBe(
    "LINKDELAY IFACE=024d00000000 TYPE=simplex LINKNAME=fast VNODE=a INET=10.1.1.2 " +
      "MASK=255.255.255.0 PIPE=1 DELAY=0 BW=1000000 PLR=0 RPIPE=0 RDELAY=0 RBW=0 RPLR=0 " +
      dropTail,
  );
  expect(slow).toBe(
    "LINKDELAY IFACE=024d00000001 TYPE=simplex LINKNAME=slow VNODE=a INET=10.1.2.3 " +
      "MASK=255.255.255.0 PIPE=3 DELAY=30 BW=2000 PLR=0.19 RPIPE=0 RDELAY=0 RBW=0 RPLR=0 " +
      dropTail.replace("RED=0", "RED=1"),
  );
  const [other = ""] = await tell(pair, "b", "linkdelay");
  expect(other).toContain("IFACE=024d00000100 TYPE=simplex LINKNAME=fast VNODE=b");
  expect(other).toContain(" DELAY=20 BW=10000 PLR=0 RPIPE=0 ");
});

test("interfaces are as fast as their links need, with the addresses that shaping names", async () => {
  const line = (mac: string, address: string, speed: number, lan: string): string =>
    `INTERFACE IFACETYPE=eth INET=${address} MASK=255.255.255.0 MAC=${mac} ` +
    `SPEED=${speed}Mbps DUPLEX=full IFACE= RTABID=0 LAN=${lan}`;
  expect(await tell(pair, "a", "ifconfig")).toEqual([
    line("024d00000000", "10.1.1.2", 1000, "fast"),
    line("024d00000001", "10.1.2.3", 100, "slow"),
  ]);
});

test("routes of the file go to the node that has them", async () => {
  expect(await tell(pair, "a", "routing")).toEqual([
    "ROUTERTYPE=manual",
    "ROUTE DEST=10.1.3.3 DESTTYPE=host DESTMASK=255.255.255.0 NEXTHOP=10.1.1.3 COST=0 SRC=10.1.1.2",
  ]);
  expect(await tell(pair, "b", "routing")).toEqual(["ROUTERTYPE=manual"]);
});

test("the maps hold all nodes, links and directions", async () => {
  expect(await mapOf(pair, "topomap")).toBe(`# nodes: vname,links
a,fast:10.1.1.2 slow:10.1.2.3
b,fast:10.1.1.3 slow:10.1.2.2 far:10.1.3.2
c,far:10.1.3.3
# lans: vname,mask,cost
fast,255.255.255.0,1
slow,255.255.255.0,1
far,255.255.255.0,1
`);
  expect(await mapOf(pair, "ltmap")).toBe(`h a
h b
h c
l a b 1000000000 0.0000 0.000000 fast droptail
l b a 10000000 0.0200 0.000000 fast droptail
l b a 2000000 0.0300 0.190000 slow red
l a b 2000000 0.0300 0.190000 slow red
l b c 100000000 0.0000 0.000000 far droptail
l c b 100000000 0.0000 0.000000 far droptail
r manual
s ns
`);
});

test("on a LAN each node shapes both its directions, and pairs add up what both ask", async () => {
  const lan = readNs(`
foreach name {a b c} { set $name [$ns node] }
set lan0 [$ns make-lan "$a $b $c" 10Mb 6ms]
tb-set-lan-simplex-params $lan0 $b 2ms 2Mb 0.1 5ms 4Mb 0.2
tb-set-lan-backfill $lan0 1Mb`);
  const [row = ""] = await tell(lan, "b", "linkdelay");
  expect(row).toContain(
    "TYPE=duplex LINKNAME=lan0 VNODE=b INET=10.1.1.3 MASK=255.255.255.0 " +
      "PIPE=1 DELAY=2 BW=2000 PLR=0.1 RPIPE=2 RDELAY=5 RBW=4000 RPLR=0.2 ",
  );
  const edges = (await mapOf(lan, "ltmap")).split("\n").filter((line) => line.startsWith("l "));
  expect(edges).toHaveLength(6);
  // From a to b: half of 6 ms to the LAN and 5 ms from it; backfill comes off the bandwidth.
  expect(edges).toContain("l a b 3000000 0.0080 0.200000 lan0 droptail");
  expect(edges).toContain("l b a 1000000 0.0050 0.100000 lan0 droptail");
});

test("a bridge is told what it does between its sides, and its neighbours nothing of that", async () => {
  const bridged = readNs(`
set a [$ns node]
set b [$ns node]
set br [$ns bridge]
set left [$ns duplex-link $a $br 100Mb 0ms DropTail]
set right [$ns duplex-link $br $b 100Mb 0ms DropTail]
$left SetDelayParams $br 10ms 5Mb 0.01
$right SetDelayParams $br 20ms 7Mb 0.02
tb-set-noshaping $right 1`);
  const queue = (end: string) => dropTail.replace("RED=0 ", "").replace(/=/g, `${end}=`);
  expect(await tell(bridged, "br", "delay")).toEqual([
    "DELAY INT0=024d00000200 INT1=024d00000201 PIPE0=1 DELAY0=10 BW0=5000 PLR0=0.01 " +
      "PIPE1=2 DELAY1=20 BW1=0 PLR1=0.02 LINKNAME=br RED0=0 RED1=0 " +
      `${queue("0")} ${queue("1")} VNODE0=left VNODE1=right NOSHAPING=0 BACKFILL0=0 BACKFILL1=0`,
  ]);
  expect(await tell(bridged, "br", "linkdelay")).toEqual([]);
  expect((await tell(bridged, "a", "linkdelay"))[0]).toContain(" DELAY=0 BW=100000 PLR=0 ");
  expect(await tell(bridged, "a", "delay")).toEqual([]);
  expect(await mapOf(bridged, "ltmap")).toBe("h a\nh b\nr none\ns ns\n");
});

test("YAML says the same of shaping", async () => {
  const text = `nodes: { a: , b: }
links:
  line: { between: [a, b], delay: 40ms, loss: 0.5%, bandwidth: 20Mbps }
  free: { between: [a, b] }
`;
  const options = { file: "t.yaml", defaultEid: "e" };
  const { experiment, diagnostics } = readYamlExperiment(text, options);
  if (experiment === undefined) throw new Error(JSON.stringify(diagnostics));
  const [row = "", ...more] = await tell({ experiment }, "a", "linkdelay");
  expect(more).toEqual([]);
  expect(row).toContain("LINKNAME=line VNODE=a ");
  expect(row).toContain(" PIPE=1 DELAY=40 BW=20000 PLR=0.005 RPIPE=0 RDELAY=0 RBW=0 RPLR=0 ");
  expect(await mapOf({ experiment }, "ltmap")).toContain("l a b 100000000 0.0000 0.000000 free ");
  expect(await tell({ experiment }, "a", "routing")).toEqual(["ROUTERTYPE=none"]);
});

test.each(["with", "without"])("traffic and packages are told %s table rows", async (how) => {
  const read = readNs(`
set a [$ns node]
set b [$ns node]
$ns duplex-link $a $b 10Mb 0ms DropTail
tb-set-node-rpms $a /share/x.rpm
tb-set-node-tarfiles $a /opt /share/x.tgz
set udp [new Agent/UDP]
$ns attach-agent $a $udp
set null [new Agent/Null]
$ns attach-agent $b $null
$ns connect $udp $null
set cbr [new Application/Traffic/CBR]
$cbr attach-agent $udp`);
  const given = how === "with" ? read : { experiment: read.experiment };
  const [port = 0, peerPort = 0] = [read.experiment.traffic?.[0]].flatMap((flow) => {
    return [flow?.source.port, flow?.sink.port];
  });
  expect(await tell(given, "a", "trafgens")).toEqual([
    `TRAFGEN=cbr MYNAME=10.1.1.2 MYPORT=${port} PEERNAME=10.1.1.3 PEERPORT=${peerPort} ` +
      "PROTO=udp ROLE=source GENERATOR=TG",
  ]);
  expect(await tell(given, "b", "trafgens")).toEqual([
    `TRAFGEN=null MYNAME=10.1.1.3 MYPORT=${peerPort} PEERNAME=10.1.1.2 PEERPORT=${port} ` +
      "PROTO=udp ROLE=sink GENERATOR=TG",
  ]);
  expect(await tell(given, "a", "rpms")).toEqual(["RPM=/share/x.rpm"]);
  expect(await tell(given, "a", "tarballs")).toEqual(["DIR=/opt TARBALL=/share/x.tgz"]);
});

test("a modified experiment is told at once, its maps too", async () => {
  const config = configOf(pair);
  const caller = { kind: "address", address: "192.0.2.100" } as const;
  const node = await config.findNode(caller);
  if (node === undefined) throw new Error("no node");
  const before = await config.map(node, "ltmap");
  const { experiment, tables = {} } = readNs(`
set a [$ns node]
set b [$ns node]
set only [$ns duplex-link $a $b 3Mb 8ms DropTail]`);
  const calledAt = "192.0.2.100";
  const addresses = [{ link: "", experiment: "", loopback: calledAt }];
  config.replace({ experiment, tables, nodes: [{ name: "a", calledAt, addresses }] });
  expect(await config.map(node, "ltmap")).not.toEqual(before);
  expect(await config.linkDelays(node)).toMatchObject([
    { link: "only", pipe: { delayMs: 8, bandwidthKbps: 3000 } },
  ]);
});

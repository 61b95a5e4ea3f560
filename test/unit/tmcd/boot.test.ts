// SPDX-License-Identifier: MIT
// Goal: what a node learns at boot comes through the server and fits its patterns, for nodes as a
// run has them: addresses that stand for those of the file, one address called for each node.
// Method: the boot's library against the server on loopback, as a run would use both.
import { afterEach, describe, expect, test } from "vitest";
import { askFrom, bootNode, syncServiceName } from "../../../src/client/tmcc-boot.ts";
import { Tmcd } from "../../../src/edges/tmcd/index.ts";
import { parseNsFile } from "../../../src/experiment/index.ts";
import { systemClock } from "../../../src/host/clock.ts";
import { silentLogger } from "../../../src/host/logger.ts";
import { type ConfiguredNode, NodeConfig } from "../../../src/testbed/node-config.ts";

let tmcd: Tmcd | undefined;
afterEach(() => tmcd?.close());

const source = `
set ns [new Simulator]
foreach name {a b c} { set $name [$ns node] }
set l0 [$ns duplex-link $a $b 100Mb 0ms DropTail]
set l1 [$ns duplex-link $b $c 100Mb 0ms DropTail]
tb-set-sync-server $b
tb-set-node-startup $c "/bin/true 'x y'"
set p [$c program-agent -command "echo 'it works'"]
set tg [new Agent/UDP]
$ns attach-agent $a $tg
set cbr [new Application/Traffic/CBR]
$cbr attach-agent $tg
set sink [new Agent/Null]
$ns attach-agent $b $sink
$ns connect $tg $sink
$ns rtproto Manual
$a add-route $c $b
set opt(NAME) value
$ns run
`;

async function start() {
  const parsed = parseNsFile(source, { file: "x.ns", pid: "P", eid: "E" });
  const { experiment, rows } = parsed;
  if (experiment === undefined || rows === undefined) throw new Error(JSON.stringify(parsed));
  const nodes = experiment.nodes.map(({ name }, index): ConfiguredNode => {
    const links = experiment.links.flatMap((link, at) =>
      link.members
        .filter(({ node }) => node === name)
        .map(({ address, port }) => ({
          ...{
            link: link.name,
            experiment: address,
            loopback: `127.8.${100 + at}.${index + port}`,
          },
        })),
    );
    const control = { link: "", experiment: "", loopback: `127.8.0.${index + 1}` };
    return { name, calledAt: `127.8.200.${index + 1}`, addresses: [control, ...links] };
  });
  const reports: string[] = [];
  const config = new NodeConfig({
    ...{ experiment, tables: rows, nodes, domain: "muster.local", creator: "me", swapper: "me" },
    eventKey: "0123456789abcdef0123456789abcdef",
    keyHash: "fedcba98",
    onReport: (node, report) => {
      if (report.kind === "state") reports.push(`${node} ${report.state}`);
    },
  });
  tmcd = new Tmcd({
    ...{ source: config, clock: systemClock, logger: silentLogger, port: 0 },
    addresses: nodes.map(({ calledAt }) => calledAt),
  });
  const [port = 0] = await tmcd.listen();
  const ask = (name: string) => {
    const address = nodes.find((node) => node.name === name)?.calledAt ?? "";
    return askFrom({ kind: "tcp", address, port }, systemClock, 5_000);
  };
  return { ask, config, reports };
}

describe("bootNode()", () => {
  test("gives the files of each node, with the sync server's port once it is registered", async () => {
    const { ask, reports } = await start();
    const server = await bootNode({ ask: ask("b"), syncService: syncServiceName });
    expect(server).toMatchObject({ kind: "booted", facts: { isSyncServer: true, nickname: "b" } });
    await ask("b")(["portregister", syncServiceName, "16534"]);
    const result = await bootNode({
      ask: ask("c"),
      syncService: syncServiceName,
      syncServerHost: () => "127.8.200.3",
    });
    if (result.kind === "free") throw new Error("free");
    const { files, hosts, isSyncServer } = result.facts;
    expect(isSyncServer).toBe(false);
    expect(files).toEqual({
      nickname: "c.E.P\n",
      nodeid: "c\n",
      role: "node\n",
      creator: "me\n",
      swapper: "me\n",
      keyhash: "fedcba98\n",
      eventkey: "0123456789abcdef0123456789abcdef",
      syncserver: "127.8.200.3:16534\n",
      startupcmd: "CMD='/bin/true 'x y'' UID=me\n",
      progagents: "UID=me\nAGENT=p COMMAND='echo 'it works''\nENV NAME=value\n",
      hostmap: expect.stringContaining("NAME=c-l1 IP=127.8.101.2 ALIASES='c-0 c'\n"),
    });
    expect(hosts.map(({ name }) => name)).toEqual(["c-l1", "b-l1", "b-l0", "a-l0"]);
    expect(reports).toEqual(["b TBSETUP", "c TBSETUP"]);
  });

  test("is asked with addresses that stand for those of the file", async () => {
    const { ask } = await start();
    expect(await ask("a")(["trafgens"])).toMatch(
      /^TRAFGEN=cbr MYNAME=127\.8\.100\.0 MYPORT=\d+ PEERNAME=127\.8\.100\.1 PEERPORT=\d+ PROTO=udp ROLE=source GENERATOR=TG\n$/,
    );
    expect(await ask("a")(["routing"])).toBe(
      "ROUTERTYPE=manual\nROUTE DEST=127.8.101.2 DESTTYPE=host DESTMASK=255.255.255.0 " +
        "NEXTHOP=127.8.100.1 COST=0 SRC=127.8.100.0\n",
    );
    expect(await ask("b")(["ifconfig"])).toBe(
      "INTERFACE IFACETYPE=eth INET=127.8.100.1 MASK=255.255.255.0 MAC=024d00000100 SPEED=100Mbps DUPLEX=full IFACE= RTABID=0 LAN=l0\n" +
        "INTERFACE IFACETYPE=eth INET=127.8.101.2 MASK=255.255.255.0 MAC=024d00000101 SPEED=100Mbps DUPLEX=full IFACE= RTABID=0 LAN=l1\n",
    );
  });

  test("gives nothing to a node that nobody has", async () => {
    const { ask, config } = await start();
    config.clear();
    expect(await bootNode({ ask: ask("a") })).toEqual({ kind: "free" });
  });

  test("fails when the server is not there, and says so", async () => {
    const target = { kind: "tcp", address: "127.8.200.9", port: 1 } as const;
    const boot = bootNode({ ask: askFrom(target, systemClock, 50) });
    await expect(boot).rejects.toThrow("the configuration server does not answer state: timeout");
  });
});

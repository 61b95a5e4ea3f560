// SPDX-License-Identifier: MIT
// Goal: nodes in namespaces have the routes of `rtproto Manual`, and whoever tells them of
// addresses says those of their interfaces, also where links have names that the old system's hash
// table would number otherwise. Method: a chain of three; its nodes compare what `tmcc`, the hosts
// file and the kernel say, and ping each other over the routes of the file.
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { modes } from "./nodes-support/harness.ts";
import { run, scratch } from "./support/command.ts";
import { readResult, readText, runBody, sh, writeExperiment } from "./support/experiment.ts";

const tmcc = "/usr/local/etc/emulab/tmcc";

const said = (node: string, far: string): string =>
  `tb-set-node-startcmd $${node} "${sh(
    `ping -c 1 -W 5 ${far}; echo = addr; ip -4 -o addr; echo = route; ip route; ` +
      `for what in ifconfig routing trafgens; do echo = \\$what; ${tmcc} \\$what; done; ` +
      "echo = hosts; cat /etc/hosts",
  )}"`;

const chain = `set n0 [$ns node]
set n1 [$ns node]
set n2 [$ns node]
set left [$ns duplex-link $n0 $n1 10Mb 2ms DropTail]
set right [$ns duplex-link $n1 $n2 10Mb 2ms DropTail]
$n0 add-route $n2 $n1
$n2 add-route $n0 $n1
$ns rtproto Manual
set udp [new Agent/UDP]
$ns attach-agent $n0 $udp
set null [new Agent/Null]
$ns attach-agent $n2 $null
$ns connect $udp $null
set cbr [new Application/Traffic/CBR]
$cbr attach-agent $udp
${said("n0", "n2-right")}
${said("n2", "n0-left")}`;

function parts(text: string): ReadonlyMap<string, string> {
  const [ping = "", ...rest] = text.split(/^= /m);
  const named = rest.map((part): [string, string] => {
    const end = part.indexOf("\n");
    return [part.slice(0, end), part.slice(end + 1)];
  });
  return new Map([["ping", ping], ...named]);
}

describe.runIf(modes.includes("namespace"))("a run with nodes in namespaces", () => {
  test("nodes are told the addresses they have, and reach each other by given routes", async () => {
    const ended = await runBody(chain, ["--nodes", "netns"]);
    expect(ended.result.outcome, ended.stdout + ended.stderr).toBe("passed");
    const log = (node: string) => ended.text(`nodes/${node}/local/logs/${node}_startcmd.out`);
    const first = parts(log("n0"));
    const last = parts(log("n2"));
    expect(first.get("ping")).toContain(" 0% packet loss");
    expect(last.get("ping")).toContain(" 0% packet loss");
    expect(first.get("addr")).toContain(" 10.1.1.2/24 ");
    expect(last.get("addr")).toContain(" 10.1.2.3/24 ");
    expect(first.get("route")).toContain("10.1.2.3 via 10.1.1.3 dev ");
    expect(last.get("route")).toContain("10.1.1.2 via 10.1.2.2 dev ");
    expect(first.get("ifconfig")).toContain(" INET=10.1.1.2 ");
    expect(first.get("routing")).toContain("DEST=10.1.2.3 ");
    expect(first.get("routing")).toContain("NEXTHOP=10.1.1.3 COST=0 SRC=10.1.1.2");
    expect(first.get("trafgens")).toContain("MYNAME=10.1.1.2 ");
    expect(first.get("trafgens")).toContain("PEERNAME=10.1.2.3 ");
    expect(last.get("trafgens")).toContain("MYNAME=10.1.2.3 ");
    for (const hosts of [first.get("hosts"), last.get("hosts")]) {
      expect(hosts).toMatch(/^10\.1\.1\.2\tn0-left /m);
      expect(hosts).toMatch(/^10\.1\.2\.3\tn2-right /m);
    }
  });

  test("nodes reach each other through a router also when their file became YAML", async () => {
    const body = `set n0 [$ns node]
set n1 [$ns node]
set n2 [$ns node]
set left [$ns duplex-link $n0 $n1 10Mb 2ms DropTail]
set right [$ns duplex-link $n1 $n2 10Mb 2ms DropTail]
$ns rtproto Static
tb-set-node-startcmd $n0 "ping -c 1 -W 5 n2-right"
tb-set-node-startcmd $n2 "ping -c 1 -W 5 n0-left"`;
    const yaml = join(scratch(), "routed.yaml");
    const converted = await run("muster", ["convert", writeExperiment(body), yaml]);
    expect([converted.code, converted.stderr]).toEqual([0, ""]);
    const out = join(scratch(), "out");
    const ran = await run("muster", ["run", yaml, "--out", out, "--nodes", "netns"]);
    expect(readResult(out).outcome, ran.stdout + ran.stderr).toBe("passed");
    for (const node of ["n0", "n2"]) {
      const log = readText(join(out, `nodes/${node}/local/logs/${node}_startcmd.out`));
      expect(log).toContain(" 0% packet loss");
    }
  });
});

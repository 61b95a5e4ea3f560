// SPDX-License-Identifier: MIT
// Goal: nodes of other machines have a network of their own where that is asked for, with links
// that are shaped there, obey events, and go with the run. Method: hosts are shells of this
// machine; ping in the nodes is the judge. Bounds are wide: the machine is shared.
import { describe, expect, test } from "vitest";
import { runBody, sh } from "./support/experiment.ts";
import { shellHosts } from "./support/hosts.ts";

const isRoot = process.getuid?.() === 0;

function roundTrips(text: string): readonly (readonly [sequence: number, ms: number])[] {
  const found = text.matchAll(/icmp_seq=(\d+) .*time=([\d.]+) ms/g);
  return [...found].map(([, sequence, time]) => [Number(sequence), Number(time)]);
}

/** Both are this machine, at an address each. */
const joined = ["--host-address", "a=127.0.0.1", "--host-address", "b=127.0.0.2"];
const onBoth = ["--nodes", "netns", "--on", "a:2,b:1", ...joined];
const threeNodes = `
set n0 [$ns node]
set n1 [$ns node]
set n2 [$ns node]
tb-fix-node $n0 a
tb-fix-node $n1 a
tb-fix-node $n2 b
tb-set-sync-server $n0`;

describe.skipIf(!isRoot)("nodes of other machines", () => {
  test("have links that their host shapes and that obey events of others", async () => {
    const { argv, isEmpty } = shellHosts("a", "b");
    const body = `
set n0 [$ns node]
set n1 [$ns node]
set n2 [$ns node]
tb-set-sync-server $n2
set l0 [$ns duplex-link $n0 $n1 10Mb 20ms DropTail]
set p [$n0 program-agent -command {${sh(
      "ping -c 10 -i 0.1 n1-l0 > $LOGDIR/before; emulab-sync -i 1 -n asked; " +
        "emulab-sync -n changed; ping -c 10 -i 0.1 n1-l0 > $LOGDIR/after; " +
        "emulab-sync -i 1 -n down; emulab-sync -n cut; ping -c 3 -i 0.1 -W 1 n1-l0 > $LOGDIR/cut; true",
    )}}]
set q [$n2 program-agent -command {${sh(
      "emulab-sync -n asked; tevc -w -e $PID/$EID now l0 MODIFY DELAY=50; " +
        "emulab-sync -i 1 -n changed; emulab-sync -n down; tevc -w -e $PID/$EID now l0 DOWN; " +
        "emulab-sync -i 1 -n cut; tmcc ifconfig > $LOGDIR/ifconfig; ip -o addr > $LOGDIR/addr",
    )}}]
$ns at 0 "$p start"
$ns at 0 "$q start"`;
    const run = await runBody(body, ["--nodes", "netns", "--on", "a:2,b:1", ...argv]);
    const { result } = run;
    expect([result.outcome, result.reasons]).toEqual(["passed", []]);
    expect(result.backend).toMatchObject({ nodes: "remote" });
    expect(run.stdout).toContain(`links are shaped by ${result.backend.links} (`);
    expect(result.nodes.map(({ name, host }) => [name, host])).toEqual([
      ["n0", "a"],
      ["n1", "a"],
      ["n2", "b"],
    ]);
    const times = (name: string): number[] =>
      roundTrips(run.text(`nodes/n0/local/logs/${name}`)).map(([, ms]) => ms);
    expect(times("before")).toHaveLength(10);
    expect(Math.min(...times("before"))).toBeGreaterThanOrEqual(40);
    expect(Math.min(...times("before"))).toBeLessThan(60);
    expect(Math.min(...times("after"))).toBeGreaterThanOrEqual(100);
    expect(Math.min(...times("after"))).toBeLessThan(130);
    expect(times("cut")).toEqual([]);
    // A node without a link is alone with its control network all the same.
    expect(run.text("nodes/n2/local/logs/addr")).toMatch(/eth0\s+inet 172\.\d+\.0\.3\/16/);
    expect(run.text("nodes/n2/local/logs/addr")).not.toContain("eth1");
    expect([isEmpty("a"), isEmpty("b")]).toEqual([true, true]);
  });

  test("are on one LAN across machines, as long and as fast as it is asked for", async () => {
    const { argv, isEmpty } = shellHosts("a", "b");
    const ping = (from: string, to: string): string =>
      `ping -c 10 -i 0.1 ${to} > $LOGDIR/${from}-${to}`;
    const body = `${threeNodes}
set lan0 [$ns make-lan "$n0 $n1 $n2" 10Mb 20ms]
set p [$n0 program-agent -command {${sh(
      `${ping("n0", "n1")}; ${ping("n0", "n2")}; emulab-sync -i 1 -n asked; emulab-sync -n changed; ` +
        "ping -c 10 -i 0.1 n1 > $LOGDIR/later-n1; ping -c 10 -i 0.1 n2 > $LOGDIR/later-n2",
    )}}]
set q [$n2 program-agent -command {${sh(
      `${ping("n2", "n1")}; emulab-sync -n asked; ` +
        "tevc -w -e $PID/$EID now lan0-n0 MODIFY DELAY=35; emulab-sync -i 1 -n changed",
    )}}]
$ns at 0 "$p start"
$ns at 0 "$q start"`;
    const run = await runBody(body, [...onBoth, "--linktest", "1", ...argv]);
    const { result } = run;
    expect([result.outcome, result.reasons]).toEqual(["passed", []]);
    expect(result.backend).toMatchObject({ nodes: "remote", links: "delay-node" });
    expect(run.stdout).toMatch(/paths between hosts: a to b [\d.]+ ms/);
    const times = (node: string, name: string): number[] =>
      roundTrips(run.text(`nodes/${node}/local/logs/${name}`)).map(([, ms]) => ms);
    for (const [node, name] of [
      ["n0", "n0-n1"],
      ["n0", "n0-n2"],
      ["n2", "n2-n1"],
    ] as const) {
      const all = times(node, name);
      expect(all).toHaveLength(10);
      expect(Math.min(...all)).toBeGreaterThanOrEqual(40);
      expect(Math.min(...all)).toBeLessThan(60);
    }
    // n0's way up and its way down are 35 ms now, in place of 10; that of the others is as before.
    for (const name of ["later-n1", "later-n2"]) {
      expect(Math.min(...times("n0", name))).toBeGreaterThanOrEqual(90);
      expect(Math.min(...times("n0", name))).toBeLessThan(120);
    }
    expect([isEmpty("a"), isEmpty("b")]).toEqual([true, true]);
  });

  test("are told before time 0 of events that ask for less than the path takes", async () => {
    const { argv, isEmpty } = shellHosts("a", "b");
    const body = `${threeNodes}
set l0 [$ns duplex-link $n0 $n2 10Mb 20ms DropTail]
set lan0 [$ns make-lan "$n0 $n1 $n2" 10Mb 20ms]
$ns at 0.1 "$l0 delay 10ms"
$ns at 0.2 "$l0 delay 0ms"
$ns at 0.3 "$lan0 delay 0ms"
$ns at 0.4 "$l0 bandwidth 2000Mb"`;
    const { result } = await runBody(body, [...onBoth, ...argv]);
    expect(result.outcome).toBe("passed");
    const byItself = String.raw`[\d.]+ ms by`;
    const refusals = [
      String.raw`link l0 is to take 0 ms from n\d to n\d, and the path from \w to \w takes ${byItself}`,
      `LAN lan0 is to take 0 ms .*, of which the paths between its hosts take ${byItself}`,
      "link l0: bandwidth 2000 Mb/s is more than the delay node carries here, 1000 Mb/s; ",
    ];
    const before = result.warnings.filter(({ atUs }) => atUs < 0).map(({ text }) => text);
    const told = ["at 0.2 s, MODIFY of l0", "at 0.3 s, MODIFY of lan0", "at 0.4 s, MODIFY of l0"];
    expect(before).toEqual(
      told.map((what, at) => expect.stringMatching(`^${what} will be refused: ${refusals[at]}`)),
    );
    const planned = result.events.toSorted((a, b) => a.id - b.id);
    const [fine, ...failed] = planned.map(({ outcome }) => outcome);
    expect(fine).toBe("done");
    expect(failed).toEqual(refusals.map((text) => expect.stringMatching(`^failed: ${text}`)));
    expect([isEmpty("a"), isEmpty("b")]).toEqual([true, true]);
  });

  test("are on no LAN that is shorter than the path between machines", async () => {
    const { argv, isEmpty } = shellHosts("a", "b");
    const body = `${threeNodes}
set lan0 [$ns make-lan "$n0 $n1 $n2" 10Mb 0ms]`;
    const { result } = await runBody(body, [...onBoth, ...argv]);
    expect(result.error?.message).toMatch(
      /^LAN lan0 is to take 0 ms from n2 to n0, and the path from b to a takes [\d.]+ ms by itself; /,
    );
    expect([isEmpty("a"), isEmpty("b")]).toEqual([true, true]);
  });

  test("send each other the traffic of their file, by UDP and TCP", async () => {
    const { argv, isEmpty } = shellHosts("a", "b");
    const flow = (name: string, agent: string, sink: string): string => `
set ${name}src [new Agent/${agent}]
$ns attach-agent $n0 $${name}src
set ${name} [new Application/Traffic/CBR]
$${name} set packetSize_ 200
$${name} set interval_ 0.004
$${name} attach-agent $${name}src
set ${name}dst [new Agent/${sink}]
$ns attach-agent $n2 $${name}dst
$ns connect $${name}src $${name}dst
$ns at 0.5 "$${name} start"
$ns at 1.5 "$${name} stop"`;
    const body = `${threeNodes}
set l0 [$ns duplex-link $n0 $n2 10Mb 20ms DropTail]
${flow("cbr0", "UDP", "Null")}
${flow("cbr1", "TCP", "TCPSink")}`;
    const { result } = await runBody(body, [...onBoth, ...argv]);
    expect([result.outcome, result.reasons]).toEqual(["passed", []]);
    const traffic = result.traffic ?? [];
    expect(traffic.map(({ name, protocol }) => `${name} ${protocol}`)).toEqual([
      ...["cbr0 udp", "cbr1 tcp"],
    ]);
    for (const { protocol, sentPackets, sentBytes, receivedPackets } of traffic) {
      expect(sentPackets).toBeGreaterThan(100);
      expect(sentPackets).toBeLessThanOrEqual(300);
      expect(sentBytes).toBe(sentPackets * 200);
      // The link may drop what a busy machine sends late and all at once.
      expect(receivedPackets).toBeGreaterThan(protocol === "tcp" ? sentPackets - 1 : 100);
      expect(receivedPackets).toBeLessThanOrEqual(sentPackets);
    }
    expect(result.events.map(({ outcome }) => outcome)).toEqual(["done", "done", "done", "done"]);
    expect([isEmpty("a"), isEmpty("b")]).toEqual([true, true]);
  });

  test("that no link joins have no traffic between machines, and the file says so", async () => {
    const { argv } = shellHosts("a", "b");
    const body = `${threeNodes}
set l0 [$ns duplex-link $n0 $n1 10Mb 20ms DropTail]
set src [new Agent/UDP]
$ns attach-agent $n0 $src
set cbr0 [new Application/Traffic/CBR]
$cbr0 attach-agent $src
set dst [new Agent/Null]
$ns attach-agent $n2 $dst
$ns connect $src $dst
$ns at 0.1 "$cbr0 start"`;
    const { result, stdout } = await runBody(body, [...onBoth, ...argv]);
    const why = "cbr0: n2 on b is reached from n0 on a by links only, and is on none";
    expect(stdout).toContain(why);
    expect(result.events.map(({ outcome }) => outcome)).toEqual([`failed: ${why}`]);
  });
});

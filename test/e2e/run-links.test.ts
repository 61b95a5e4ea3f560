// SPDX-License-Identifier: MIT
// Goal: the links of a run are what its file asks for, as root and as an ordinary user, change at
// the instants of its events, and a run whose delay node dies fails with that reason. Method: runs
// of real commands; ping in the nodes is the judge. Bounds are wide: the machine is shared.
import { chmodSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { scratch, start, until } from "./support/command.ts";
import { readResult, readText, runBody, writeExperiment } from "./support/experiment.ts";

const isRoot = process.getuid?.() === 0;
/** The machine of `npm run test:netem` says: netem. */
const shapedBy = process.env["MUSTER_TEST_LINKS"] ?? "delay-node";
const nodes = `set a [$ns node]
set b [$ns node]
set c [$ns node]
set l0 [$ns duplex-link $a $b 10Mb 20ms DropTail]
set lan0 [$ns make-lan "$a $b $c" 100Mb 8ms]`;

/** In an emulated machine programs take some tenths of a second to start. */
const slowness = shapedBy === "netem" ? 2 : 1;
const at = (seconds: number): string => (slowness * seconds).toFixed(2);

const body = `${nodes}
set p [$a program-agent -command "ping -c 45 -i ${at(0.1)} b-l0 > \\$LOGDIR/p.txt; true"]
set q [$c program-agent -command "ping -c 10 -i ${at(0.1)} a-lan0 > \\$LOGDIR/q.txt"]
$ns at ${at(0.45)} "$p start"
$ns at ${at(0.45)} "$q start"
$ns at ${at(1.5)} "$l0 down"
$ns at ${at(2.5)} "$l0 up"
$ns at ${at(3.5)} "$l0 delay 5ms"
$ns at ${at(3.5)} "$lan0 plr 0.5"`;

/** The longest row of numbers that are missing: the first and the last of them. */
function longestGap(found: Iterable<number>): readonly [number, number] {
  const seen = [...found].sort((a, b) => a - b);
  const gaps = seen.slice(1).map((next, at) => [(seen[at] ?? 0) + 1, next - 1] as const);
  return gaps.reduce((a, b) => (b[1] - b[0] > a[1] - a[0] ? b : a), [1, 0] as const);
}

/** Round trips in milliseconds, by the number of the ping. */
function roundTrips(text: string): ReadonlyMap<number, number> {
  const found = text.matchAll(/icmp_seq=(\d+) .*time=([\d.]+) ms/g);
  return new Map([...found].map(([, seq, time]) => [Number(seq), Number(time)]));
}

describe.skipIf(!isRoot)("muster run", () => {
  test("shapes links, says by what, and changes them at the instants of events", async () => {
    const run = await runBody(body, ["--links", shapedBy]);
    expect(run.stdout + run.stderr).toContain(`links are shaped by ${shapedBy} (as asked)`);
    expect(run.result.outcome, JSON.stringify(run.result)).toBe("passed");
    expect(run.result.backend).toMatchObject({ nodes: "netns", links: shapedBy });
    const events = run.result.events.filter(({ type }) => type === "LINK");
    expect(events.map(({ outcome }) => outcome)).toEqual(["done", "done", "done", "done"]);
    const trips = roundTrips(run.text("nodes/a/local/logs/p.txt"));
    const times = (from: number, to: number): number[] =>
      [...trips].flatMap(([seq, ms]) => (seq >= from && seq <= to ? [ms] : []));
    // Sent from 0.45 s on, or a second later where programs start slowly, ten each second.
    const [first, last] = longestGap(trips.keys());
    expect(last - first).toBeGreaterThan(5);
    expect(last - first).toBeLessThan(15);
    const before = times(1, first - 1);
    expect(Math.min(...before)).toBeGreaterThanOrEqual(40);
    expect(Math.min(...before)).toBeLessThan(60);
    expect(times(last + 1, last + 4).length).toBeGreaterThanOrEqual(3);
    expect(Math.min(...times(40, 45))).toBeGreaterThanOrEqual(10);
    expect(Math.min(...times(40, 45))).toBeLessThan(30);
    const lan = [...roundTrips(run.text("nodes/c/local/logs/q.txt")).values()];
    expect(lan).toHaveLength(10);
    expect(Math.min(...lan)).toBeGreaterThanOrEqual(16);
  });

  test("shapes, traces, shows and captures links for an ordinary user, too", async () => {
    const directory = scratch();
    const short = `${nodes}
$l0 trace
$lan0 trace monitor "icmp and src c"
set p [$a program-agent -command "sh ${directory}/ping.sh"]
set q [$c program-agent -command "ping -c 3 -i 0.2 a-lan0"]
$ns at 0.5 "$p start"
$ns at 0.5 "$q start"
$ns at 1.2 "$l0 trace snapshot"
$ns at 2.2 "$l0 trace stop"`;
    chmodSync(directory, 0o777);
    const file = writeExperiment(short, directory);
    // Until the test has seen enough, however busy the machine is.
    const script = `ping -i 0.2 b-l0 >$LOGDIR/p.txt &
      while [ ! -e ${directory}/stop ]; do sleep 0.1; done
      kill -INT $!; wait $!; exit 0`;
    writeFileSync(join(directory, "ping.sh"), script);
    const out = join(directory, "out");
    const pinged = () => roundTrips(readText(join(out, "nodes/a/local/logs/p.txt")));
    const prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    const eid = `traced${process.pid}`;
    const argv = ["run", file, "--out", out, "--links", shapedBy, "--eid", eid];
    const how = { prefix, env: { HOME: directory } };
    const running = start("muster", argv, how);
    await running.prints(/program p on a started/);
    // Without tcpdump, which such a user may not start there; and without a daemon.
    const pcap = join(directory, "b.pcap");
    const words = ["link", "capture", eid, "l0", "--node", "b", "--out", pcap];
    const capture = await start("muster", [...words, "--count", "4"], how).ended;
    expect(`${capture.code} ${capture.stdout}`).toMatch(/^0 4 packets of l0 at b \(eth\d\)/);
    expect(readPcap(pcap).map(({ icmp }) => icmp)).toEqual([8, 0, 8, 0]);
    const shown = await start("muster", ["link", "show", eid, "l0"], how).ended;
    expect(`${shown.code} ${shown.stdout}`).toMatch(
      shapedBy === "netem" ? /^0 .*shaped by netem\n/s : /^0 .*shaped by delay-node\n.*recently/s,
    );
    expect(shown.stdout).toMatch(/a > b +up +10 Mb\/s +20 ms/);
    await running.prints(/event l0-tracemon STOP/);
    const atStop = pinged().size;
    await until("more pings have come back", () => pinged().size > atStop + 3);
    writeFileSync(join(directory, "stop"), "");
    const { stdout, stderr } = await running.ended;
    expect(stdout + stderr).toContain(`links are shaped by ${shapedBy}`);
    const result = readResult(out);
    expect(result).toMatchObject({
      outcome: "passed",
      backend: { nodes: "netns", links: shapedBy },
    });
    const trips = pinged();
    expect(Math.min(...trips.values())).toBeGreaterThanOrEqual(40);
    const events = result.events.filter(({ type }) => type === "LINKTRACE");
    expect(events.map(({ outcome }) => outcome)).toEqual(["done", "done"]);
    const traces = join(out, "traces");
    expect(readdirSync(traces).sort()).toEqual([
      ...["a", "b"].flatMap((node) =>
        ["received", "sent"].flatMap((way) => [
          `l0-${node}.${way}.1.pcap`,
          `l0-${node}.${way}.pcap`,
        ]),
      ),
      ...["a", "b", "c"].map((node) => `lan0-${node}.counts.csv`),
    ]);
    const both = (name: string): Packet[] =>
      [".1", ""].flatMap((part) => readPcap(join(traces, `l0-${name}${part}.pcap`)));
    const [sent, received] = [both("a.sent"), both("b.received")];
    // Of a's questions in the time that was traced, none is missing at b, 20 ms later.
    expect(sent.length).toBeGreaterThanOrEqual(5);
    expect(sent.length).toBeLessThan(trips.size);
    expect(received.map(({ icmp, sequence }) => [icmp, sequence])).toEqual(
      sent.slice(0, received.length).map(({ icmp, sequence }) => [icmp, sequence]),
    );
    const delays = received.map(({ atUs }, at) => atUs - (sent[at]?.atUs ?? Infinity));
    // The delay node may send a packet some microseconds before its time.
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(19_900);
    const [head, ...lines] = readText(join(traces, "lan0-c.counts.csv")).trim().split("\n");
    expect(head).toBe("second,sent packets,sent bytes,received packets,received bytes");
    const sums = lines.map((line) => line.split(",").map(Number));
    const sum = (column: number): number => sums.reduce((all, row) => all + (row[column] ?? 0), 0);
    // What comes back is not from c.
    expect([1, 2, 3, 4].map(sum)).toEqual([3, 3 * 98, 0, 0]);
    expect(`${stdout}${stderr}`).not.toMatch(/not traced|ends early|lacks/);
  });

  test.each([
    ["root", []],
    ["an ordinary user", ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]],
    ["who is root of a user name space alone", ["unshare", "-r", "--"]],
  ])("of %s fails when its delay node is killed, and says so", async (_who, prefix) => {
    const directory = scratch();
    chmodSync(directory, 0o777);
    const lasting = `${nodes}
set p [$a program-agent -command "sleep 3600"]
$ns at 0 "$p start"`;
    const out = join(directory, "out");
    const argv = ["run", writeExperiment(lasting, directory), "--out", out];
    const how = { prefix, env: { HOME: directory } };
    const command = start("muster", [...argv, "--links", "delay-node"], how);
    await command.prints(/program p on a started/);
    const own = readdirSync("/proc").filter((pid) => isShaperOf(pid, command.child.pid));
    expect(own).toHaveLength(1);
    process.kill(Number(own[0]), "SIGKILL");
    expect((await command.ended).code).toBe(1);
    expect(readResult(out)).toMatchObject({
      outcome: "failed",
      endedBy: "failure",
      error: {
        code: "LINKS_FAILED",
        message: "the delay node has ended (SIGKILL); its links carry nothing any more",
      },
    });
  });

  test.skipIf(shapedBy === "netem")(
    "warns before time 0 of what is asked of links and cannot be, also by events",
    async () => {
      const run = await runBody(`
set a [$ns node]
set b [$ns node]
set l0 [$ns duplex-link $a $b 1000Mb 0ms DropTail]
set l1 [$ns duplex-link $a $b 100Mb 0ms DropTail]
$ns at 0.2 "$l1 bandwidth 900Mb"
$ns at 0.3 "$l1 bandwidth 2000Mb"
$ns at 0.4 "$l1 bandwidth 100Mb"`);
      const { outcome, events, warnings } = run.result;
      expect(outcome, JSON.stringify(run.result)).toBe("passed");
      const tooFast =
        "link l1: bandwidth 2000 Mb/s is more than the delay node carries here, 1000 Mb/s; ";
      const outcomes = ["done", expect.stringContaining(`failed: ${tooFast}`), "done"];
      const planned = events.toSorted((a, b) => a.id - b.id);
      expect(planned.map((event) => event.outcome)).toEqual(outcomes);
      const carries =
        "for more than the delay node carries of one link, some 787 Mb/s of packets of ";
      const both = `links l0 (1000 Mb/s), l1 (900 Mb/s) ask ${carries}`;
      const before = [
        `link l0 (1000 Mb/s) asks ${carries}`,
        `at 0.2 s, MODIFY of l1 will be too much: ${both}`,
        `at 0.3 s, MODIFY of l1 will be refused: ${tooFast}`,
      ];
      const told = warnings.filter(({ atUs }) => atUs < 0).map(({ text }) => text);
      expect(told).toHaveLength(before.length);
      for (const [index, text] of before.entries()) expect(told[index]).toContain(text);
      const later = warnings.filter(({ atUs }) => atUs > 0).map(({ text }) => text);
      expect(later).toContainEqual(expect.stringContaining(both));
    },
  );

  test("leaves links alone when it is told to", async () => {
    const run = await runBody(
      `${nodes}
set p [$a program-agent -command "ping -c 1 b-l0 > \\$LOGDIR/p.txt"]
$ns at 0 "$p start"`,
      ["--links", "none"],
    );
    expect(run.result.backend.links).toBe("none");
    expect(JSON.stringify(run.result)).toContain("links l0, lan0 are not shaped");
    const [first] = roundTrips(run.text("nodes/a/local/logs/p.txt")).values();
    expect(first).toBeLessThan(20);
  });
});

interface Packet {
  readonly atUs: number;
  /** Type of the ICMP message: 8 a question, 0 an answer. */
  readonly icmp: number | undefined;
  readonly sequence: number;
}

/** By the format's own description, not by what wrote it. */
function readPcap(path: string): Packet[] {
  const bytes = readFileSync(path);
  expect([bytes.readUInt32LE(0), bytes.readUInt32LE(20)]).toEqual([0xa1b2c3d4, 1]);
  const packets: Packet[] = [];
  let at = 24;
  while (at < bytes.length) {
    const [seconds, us, kept] = [0, 4, 8].map((field) => bytes.readUInt32LE(at + field));
    const frame = bytes.subarray(at + 16, at + 16 + (kept ?? 0));
    const atUs = (seconds ?? 0) * 1e6 + (us ?? 0);
    packets.push({ atUs, icmp: frame[34], sequence: frame.readUInt16BE(40) });
    at += 16 + frame.length;
  }
  expect(at).toBe(bytes.length);
  return packets;
}

function isShaperOf(pid: string, parent: number | undefined): boolean {
  if (!/^\d+$/.test(pid)) return false;
  try {
    const isChild = readFileSync(`/proc/${pid}/status`, "utf8").includes(`\nPPid:\t${parent}\n`);
    return isChild && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("shaper-main");
  } catch {
    // It has ended meanwhile.
    return false;
  }
}

// SPDX-License-Identifier: MIT
// Goal: the links of an experiment that is up are shown as they are, and `muster link` changes
// them. Method: the commands of bin/ against `muster up`; ping within the nodes is the judge of
// what they say.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LinksReport, WayReport } from "../../src/network/link-report.ts";
import { type Ended, run, start, until } from "./support/command.ts";

const isRoot = process.getuid?.() === 0;
/** The machine of `npm run test:netem` says: netem. */
const shapedBy = process.env["MUSTER_TEST_LINKS"] ?? "delay-node";
/** Found by its name among all that run on this machine, where others may be tested. */
const eid = `shown${process.pid}`;
const experiment = `linkp/${eid}`;

const linesWith = (l0: string): string[] => [
  "set ns [new Simulator]",
  "source tb_compat.tcl",
  "set a [$ns node]",
  "set b [$ns node]",
  "set c [$ns node]",
  `set l0 [$ns duplex-link $a $b ${l0} DropTail]`,
  'set lan0 [$ns make-lan "$a $b $c" 100Mb 4ms]',
  "set stays [$c program-agent -command {sleep 600}]",
  '$ns at 0 "$stays start"',
  "$ns run",
  "",
];

/** With a fourth node, which is in the LAN. */
const grown = (): string[] =>
  linesWith("5Mb 50ms").flatMap((line) => {
    if (line.startsWith("set c ")) return [line, "set d [$ns node]"];
    return [line.replace('"$a $b $c"', '"$a $b $c $d"')];
  });

let state = "";
const muster = (...argv: readonly string[]): Promise<Ended> =>
  run("muster", argv, { env: { MUSTER_STATE: state } });

async function show(link: string): Promise<LinksReport> {
  const { code, stdout, stderr } = await muster("link", "show", experiment, link, "--json");
  expect(`${code} ${stderr}`).toBe("0 ");
  return JSON.parse(stdout) as LinksReport;
}

function wayFrom(report: LinksReport, node: string): WayReport {
  const found = report.links[0]?.ways.find(({ from }) => from === node);
  if (found === undefined) throw new Error(`no way from ${node}`);
  return found;
}

/** @returns how many came back, and the shortest round trip in milliseconds. */
async function ping(to: string, count: number): Promise<{ received: number; minMs: number }> {
  const words = ["ping", "-c", `${count}`, "-i", "0.05", "-W", "1", to];
  const { stdout } = await muster("exec", "--experiment", experiment, "a", "--", ...words);
  const received = Number(/(\d+) received/.exec(stdout)?.[1] ?? -1);
  return { received, minMs: Number(/= ([\d.]+)\//.exec(stdout)?.[1] ?? Infinity) };
}

async function ok(...argv: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await muster(...argv);
  expect(`${code} ${stderr}`).toBe("0 ");
  return stdout;
}

describe.skipIf(!isRoot)("muster link", () => {
  let files = "";

  beforeAll(async () => {
    // Not of one test: what belongs to a test goes with it.
    files = mkdtempSync(join(tmpdir(), "muster-test-links-"));
    state = join(files, "state");
    const file = join(files, "shown.ns");
    writeFileSync(file, linesWith("10Mb 20ms").join("\n"));
    await ok("up", file, "--pid", "linkp", "--eid", eid);
  });

  afterAll(async () => {
    if (existsSync(join(state, "muster.sock"))) await muster("serve", "--stop");
    rmSync(files, { recursive: true, force: true });
  });

  test("show tells what the file asks, what is in force, and what became of packets", async () => {
    expect((await ping("b-l0", 10)).received).toBe(10);
    const report = await show("l0");
    expect(report).toMatchObject({ experiment, backend: shapedBy });
    expect(report.links).toHaveLength(1);
    expect(report.links[0]).toMatchObject({ name: "l0", kind: "link" });
    for (const [from, to] of [
      ["a", "b"],
      ["b", "a"],
    ] as const) {
      const way = wayFrom(report, from);
      expect(way.to).toBe(to);
      expect(way.isUp).toBe(true);
      expect(way.asked).toMatchObject({ bandwidthBps: 10_000_000, delayUs: 20_000, loss: 0 });
      expect(way.now).toEqual(way.asked);
      // Besides ping the kernel sends a few packets of its own (IPv6).
      expect(way.counts?.delivered).toBeGreaterThanOrEqual(10);
      expect(way.counts?.delivered).toBeLessThan(40);
      expect(way.counts?.deliveredBytes).toBeGreaterThanOrEqual(10 * 98);
      expect(way.counts).toMatchObject({ lost: 0, queueDrops: 0 });
    }
    if (shapedBy === "delay-node") {
      expect(wayFrom(report, "a").counts?.arrived).toBeGreaterThanOrEqual(10);
      expect(report.shaper).toMatchObject({ dropped: 0 });
    }
  });

  test("show as text has a table of each link", async () => {
    const text = await ok("link", "show", experiment);
    expect(text).toContain(`links of ${experiment}, shaped by ${shapedBy}`);
    expect(text).toMatch(/^link l0 \(a: eth\d, b: eth\d\)$/m);
    expect(text).toMatch(/\)\n +WAY +STATE +BANDWIDTH +DELAY +LOSS +QUEUE +ELSE\n/);
    expect(text).toMatch(/a > b +up +10 Mb\/s +20 ms +0 % +50 packets +-\n/);
    expect(text).toMatch(/LAN lan0 \(.*a: eth\d.*\)\n/);
    expect(text).toMatch(/LAN > c +up +100 Mb\/s +/);
  });

  test("set, down, up and reset change the link, and show says so", async () => {
    await ok("link", "set", experiment, "l0", "delay=40ms", "loss=100%", "--node", "a");
    const set = await show("l0");
    expect(wayFrom(set, "a").now).toMatchObject({ delayUs: 40_000, loss: 1 });
    expect(wayFrom(set, "a").asked).toMatchObject({ delayUs: 20_000, loss: 0 });
    expect(wayFrom(set, "b").now).toMatchObject({ delayUs: 20_000, loss: 0 });
    const text = await ok("link", "show", experiment, "l0");
    expect(text).toMatch(/a > b +up +10 Mb\/s +40 ms \(file: 20 ms\) +100 % \(file: 0 %\)/);
    expect((await ping("b-l0", 5)).received).toBe(0);
    expect(wayFrom(await show("l0"), "a").counts?.lost).toBeGreaterThanOrEqual(5);

    await ok("link", "set", experiment, "l0", "loss=0", "--node", "a");
    const slow = await ping("b-l0", 5);
    expect(slow.received).toBe(5);
    expect(slow.minMs).toBeGreaterThanOrEqual(60);

    await ok("link", "down", experiment, "l0");
    expect((await ping("b-l0", 5)).received).toBe(0);
    const down = wayFrom(await show("l0"), "a");
    expect(down.isUp).toBe(false);
    if (shapedBy === "delay-node") expect(down.counts?.down).toBeGreaterThanOrEqual(5);
    await ok("link", "up", experiment, "l0");
    expect((await ping("b-l0", 5)).received).toBe(5);

    await ok("link", "reset", experiment, "l0");
    const reset = wayFrom(await show("l0"), "a");
    expect(reset).toMatchObject({ isUp: true, now: reset.asked });
    const { minMs } = await ping("b-l0", 5);
    expect(minMs).toBeGreaterThanOrEqual(40);
    expect(minMs).toBeLessThan(60);
  });

  test.each([
    ["set", "bandwidth=99999Gb"],
    ["set", "queue=0"],
    ["set", "delay=99999s"],
  ])("%s %s is refused with a reason and a status, and nothing is changed", async (word, to) => {
    const before = await show("l0");
    const { code, stdout, stderr } = await muster("link", word, experiment, "l0", to);
    expect(`${code} ${stdout}`).toBe("1 ");
    expect(stderr).toMatch(/^muster: l0 MODIFY could not be obeyed: link l0: .* (?:to )?\d/);
    expect(wayFrom(await show("l0"), "a").now).toEqual(wayFrom(before, "a").now);
  });

  test("what is set of a LAN is from node to node, as what its file asks is", async () => {
    expect((await ping("b-lan0", 3)).minMs).toBeGreaterThanOrEqual(8);
    await ok("link", "set", experiment, "lan0", "delay=20ms", "loss=0");
    for (const { now } of (await show("lan0")).links[0]?.ways ?? []) {
      expect(now).toMatchObject({ delayUs: 10_000, loss: 0 });
    }
    const { minMs } = await ping("b-lan0", 5);
    expect(minMs).toBeGreaterThanOrEqual(40);
    expect(minMs).toBeLessThan(60);
    // What is said of one member is of both its ways, as it stands.
    await ok("link", "set", experiment, "lan0", "delay=20ms", "--node", "b");
    expect((await ping("b-lan0", 5)).minMs).toBeGreaterThanOrEqual(60);
    await ok("link", "reset", experiment, "lan0");
    const { code, stderr } = await muster("link", "set", experiment, "lan0", "bandwidth=10MB");
    expect([code, stderr]).toEqual([64, expect.stringContaining("did you mean 10Mb")]);
  });

  test("a share that none can be is refused before anybody is asked", async () => {
    const { code, stderr } = await muster("link", "set", experiment, "l0", "loss=150%");
    expect([code, stderr]).toEqual([
      64,
      expect.stringContaining("is not a percentage between 0% and 100%"),
    ]);
  });

  test("a word that is missing is named", async () => {
    const { code, stderr } = await muster("link", "set", "l0", "delay=20ms");
    expect([code, stderr]).toEqual([64, expect.stringContaining("where the link is to be")]);
    expect((await muster("link", "set", experiment, "l0")).code).toBe(64);
  });

  test("what is planned is not waited for", async () => {
    const planned = await ok("link", "set", experiment, "l0", "delay=99999s", "--at", "+600");
    expect(planned).toMatch(/^l0 MODIFY is accepted by the scheduler of /);
  });

  test("a run of muster run is found from another terminal while it goes", async () => {
    const file = join(files, "plain.ns");
    writeFileSync(file, linesWith("10Mb 20ms").join("\n"));
    const going = start("muster", ["run", file, "--out", join(files, "out")]);
    try {
      const [, id = ""] = await going.prints(/run (\S+): 3 nodes/);
      await going.prints(/program stays on c started/);
      expect(await ok("link", "set", id, "l0", "delay=30ms")).toBe("l0 MODIFY is completed\n");
      const report = JSON.parse(await ok("link", "show", id, "l0", "--json"));
      expect(wayFrom(report, "a").now).toMatchObject({ delayUs: 30_000 });
      expect(await ok("link", "down", "plain", "l0")).toBe("l0 DOWN is completed\n");
      expect((await muster("status", id)).stderr).toContain(`${id} is under way by muster run`);
      expect(await ok("event", "send", "plain", "stays", "stop")).toContain("is accepted");
    } finally {
      going.child.kill("SIGINT");
      await going.ended;
    }
  });

  test("capture writes a pcap that tcpdump reads, at the member that is asked for", async () => {
    const file = join(files, "b.pcap");
    const words = ["link", "capture", experiment, "l0", "--node", "b", "--out", file];
    const taking = start("muster", words, { env: { MUSTER_STATE: state } });
    await taking.prints(/taking packets of l0 at b/);
    expect((await ping("b-l0", 5)).received).toBe(5);
    const echoes = (): string[] => {
      const argv = ["-n", "-r", file, "icmp"];
      const text = execFileSync("tcpdump", argv, { encoding: "utf8", stdio: "pipe" });
      return text.match(/ICMP echo \w+/g) ?? [];
    };
    await until("the packets are in the file", () => echoes().length >= 10);
    taking.child.kill("SIGINT");
    const { code, stdout } = await taking.ended;
    expect(`${code} ${stdout}`).toMatch(
      /^0 \d+ packets of l0 at b \(eth\d+\) in .*b\.pcap, \d+ bytes/,
    );
    const pairs = Array.from({ length: 5 }, () => ["ICMP echo request", "ICMP echo reply"]);
    expect(echoes()).toEqual(pairs.flat());
    const two = join(files, "two.pcap");
    const counted = start("muster", [...words.slice(0, -1), two, "--count", "2", "--json"]);
    await counted.prints(/taking packets/);
    await ping("b-l0", 5);
    expect(JSON.parse((await counted.ended).stdout)).toMatchObject({ node: "b", packets: 2 });
    const wrong = await muster("link", "capture", experiment, "l0", "--node", "c");
    expect(wrong.stderr).toBe("muster: c is not on l0; members: a, b\n");
  });

  test("modify changes what a link does, and no packet is lost over it", async () => {
    const file = join(files, "changed.ns");
    writeFileSync(file, linesWith("5Mb 50ms").join("\n"));
    const lost = async (): Promise<number | undefined> =>
      wayFrom(await show("l0"), "a").counts?.lost;
    const before = await lost();
    const words = ["ping", "-c", "60", "-i", "0.05", "-W", "10", "b-l0"];
    const under = ["exec", "--experiment", experiment, "a", "--", ...words];
    const flow = start("muster", under, { env: { MUSTER_STATE: state } });
    await flow.prints(/icmp_seq=3 /);
    expect(await ok("modify", experiment, file)).toContain("1 link changed (l0)");
    const { stdout } = await flow.ended;
    expect(stdout).toContain("60 packets transmitted, 60 received");
    const trips = [...stdout.matchAll(/time=([\d.]+) ms/g)].map(([, ms]) => Number(ms));
    expect(trips[0]).toBeLessThan(90);
    expect(trips.at(-1)).toBeGreaterThanOrEqual(100);
    expect(await lost()).toBe(before);
    const asked = { bandwidthBps: 5_000_000, delayUs: 50_000 };
    expect(wayFrom(await show("l0"), "b")).toMatchObject({ asked, now: asked });
    // What cannot be, changes nothing.
    writeFileSync(file, linesWith("1000Mb 900ms").join("\n"));
    const refused = await muster("modify", experiment, file);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("(inFlightBytesMax)");
    expect(wayFrom(await show("l0"), "b")).toMatchObject({ asked, now: asked });
  });

  test("modify makes links and takes them away, while what stays loses nothing", async () => {
    const file = join(files, "linked.ns");
    const write = (...more: readonly string[]): void => {
      const [end, ...lines] = linesWith("5Mb 50ms").slice(0, -2).reverse();
      writeFileSync(file, [...lines.reverse(), end, ...more, "$ns run", ""].join("\n"));
    };
    write();
    await ok("modify", experiment, file);
    const words = ["ping", "-c", "200", "-i", "0.05", "-W", "10", "b-l0"];
    const under = ["exec", "--experiment", experiment, "a", "--", ...words];
    const flow = start("muster", under, { env: { MUSTER_STATE: state } });
    await flow.prints(/icmp_seq=3 /);
    const far = "set l1 [$ns duplex-link $c $d 10Mb 5ms DropTail]";
    write("set d [$ns node]", far);
    expect(await ok("modify", experiment, file)).toMatch(/node added \(d\).*link added \(l1\)/s);
    const trip = async (from: string, to: string): Promise<string> => {
      const argv = ["exec", "--experiment", experiment, from, "--", "ping", "-c", "2", "-W", "2"];
      return (await muster(...argv, to)).stdout;
    };
    expect(await trip("c", "d-l1")).toMatch(/2 received.*= 1\d\.\d/s);
    expect(wayFrom(await show("l1"), "c")).toMatchObject({ isUp: true, counts: { lost: 0 } });
    // What names it finds it.
    expect(await ok("link", "set", experiment, "l1", "delay=30ms")).toBeDefined();
    expect(await trip("d", "c-l1")).toMatch(/2 received.*= 6\d\.\d/s);
    // What cannot be, changes nothing.
    write("set d [$ns node]", far, "set l2 [$ns duplex-link $a $d 1000Mb 900ms DropTail]");
    const refused = await muster("modify", experiment, file);
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringContaining("(inFlightBytesMax)"),
    ]);
    expect(await trip("c", "d-l1")).toContain("2 received");
    write("set d [$ns node]");
    expect(await ok("modify", experiment, file)).toContain("link removed (l1)");
    expect(await trip("c", "d-l1")).toBe("");
    const { stderr } = await muster("link", "show", experiment, "l1");
    expect(stderr).toContain("there is no link l1; there are: l0, lan0");
    const { stdout } = await flow.ended;
    expect(stdout).toContain("200 packets transmitted, 200 received");
    // A LAN gets a member: who was in it loses nothing.
    const within = ["ping", "-c", "500", "-i", "0.02", "-W", "10", "c-lan0"];
    const among = ["exec", "--experiment", experiment, "b", "--", ...within];
    const lanFlow = start("muster", among, { env: { MUSTER_STATE: state } });
    await lanFlow.prints(/icmp_seq=3 /);
    writeFileSync(file, grown().join("\n"));
    expect(await ok("modify", experiment, file)).toContain("link changed (lan0)");
    expect(lanFlow.stdout).not.toContain("packets transmitted");
    expect(await trip("a", "d-lan0")).toContain("2 received");
    expect(await trip("b", "c-lan0")).toContain("2 received");
    expect(await trip("a", "b-l0")).toContain("2 received");
    expect(wayFrom(await show("lan0"), "d")).toMatchObject({ isUp: true, counts: { lost: 0 } });
    expect(/\d+ received/.exec((await lanFlow.ended).stdout)?.[0]).toBe("500 received");
  });

  test("says what there is when a name is wrong", async () => {
    expect(await muster("link", "show", experiment, "l9")).toMatchObject({
      code: 1,
      stderr: `muster: ${experiment}: there is no link l9; there are: l0, lan0\n`,
    });
    expect((await muster("link", "set", experiment, "l9", "loss=1%")).code).not.toBe(0);
    const wrong = await muster("link", "set", experiment, "l0", "delay=20");
    expect(wrong.code).toBe(64);
    expect(wrong.stderr).toContain('delay: the time "20" has no unit; write a number and its unit');
  });
});

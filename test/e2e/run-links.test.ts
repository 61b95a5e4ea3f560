// SPDX-License-Identifier: MIT
// Goal: the links of a run are what its file asks for, as root and as an ordinary user, change at
// the instants of its events, and a run whose delay node dies fails with that reason. Method: runs
// of real commands; ping in the nodes is the judge. Bounds are wide: the machine is shared.
import { chmodSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { scratch, start } from "./support/command.ts";
import {
  ended,
  readResult,
  readText,
  runBody,
  startRun,
  writeExperiment,
} from "./support/experiment.ts";

const isRoot = process.getuid?.() === 0;
/** The machine of `npm run test:netem` says: netem. */
const shapedBy = process.env["MUSTER_TEST_LINKS"] ?? "delay-node";
const nodes = `set a [$ns node]
set b [$ns node]
set c [$ns node]
set l0 [$ns duplex-link $a $b 10Mb 20ms DropTail]
set lan0 [$ns make-lan "$a $b $c" 100Mb 8ms]`;

const body = `${nodes}
set p [$a program-agent -command "ping -c 45 -i 0.1 b-l0 > \\$LOGDIR/p.txt; true"]
set q [$c program-agent -command "ping -c 10 -i 0.1 a-lan0 > \\$LOGDIR/q.txt"]
$ns at 0.45 "$p start"
$ns at 0.45 "$q start"
$ns at 1.5 "$l0 down"
$ns at 2.5 "$l0 up"
$ns at 3.5 "$l0 delay 5ms"
$ns at 3.5 "$lan0 plr 0.5"`;

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
    expect(run.result.outcome).toBe("passed");
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

  test("shapes links for an ordinary user, too", async () => {
    const short = `${nodes}
set p [$a program-agent -command "ping -c 5 -i 0.2 b-l0 > \\$LOGDIR/p.txt"]
$ns at 0.1 "$p start"`;
    const directory = scratch();
    chmodSync(directory, 0o777);
    const file = writeExperiment(short, directory);
    const out = join(directory, "out");
    const prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    const argv = ["run", file, "--out", out, "--links", shapedBy];
    const { stdout, stderr } = await start("muster", argv, { prefix, env: { HOME: directory } })
      .ended;
    expect(stdout + stderr).toContain(`links are shaped by ${shapedBy}`);
    expect(readResult(out)).toMatchObject({
      outcome: "passed",
      backend: { nodes: "netns", links: shapedBy },
    });
    const trips = roundTrips(readText(join(out, "nodes/a/local/logs/p.txt")));
    expect(Math.min(...trips.values())).toBeGreaterThanOrEqual(40);
  });

  test("fails when its delay node is killed, and says so", async () => {
    const lasting = `${nodes}
set p [$a program-agent -command "sleep 3600"]
$ns at 0 "$p start"`;
    const started = startRun(lasting, ["--links", "delay-node"]);
    await started.command.prints(/program p on a started/);
    const own = readdirSync("/proc").filter((pid) => isShaperOf(pid, started.command.child.pid));
    expect(own).toHaveLength(1);
    process.kill(Number(own[0]), "SIGKILL");
    const run = await ended(started);
    expect(run.result).toMatchObject({
      outcome: "failed",
      endedBy: "failure",
      error: {
        code: "LINKS_FAILED",
        message: "the delay node has ended (SIGKILL); its links carry nothing any more",
      },
    });
  });

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

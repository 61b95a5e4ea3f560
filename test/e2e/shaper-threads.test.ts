// SPDX-License-Identifier: MIT
// Goal: a run whose links are divided among several threads of the delay node (--link-threads) is
// as one with a single thread: every link as its file asks and as it is told later, traced and
// captured; and it ends when one of the threads does, with that reason. Method: runs of real
// commands, with so many threads as no machine of two processors would choose; ping is the judge.
import { spawn } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/host/clock.ts";
import { ShaperProcess } from "../../src/network/delay-node/shaper-process.ts";
import type { LinksReport } from "../../src/network/link-report.ts";
import { run, scratch, start } from "./support/command.ts";
import { readResult, writeExperiment } from "./support/experiment.ts";
import { pcapSizes } from "./support/pcap.ts";

const isRoot = process.getuid?.() === 0;
const threads = 2;
const how = ["--links", "delay-node", "--link-threads", `${threads}`];
const count = 4;
const numbers = Array.from({ length: count }, (_, index) => index);

/** A ring whose links are equally fast, so that they go to the threads in turn. */
const ring = numbers
  .flatMap((i) => [`set n${i} [$ns node]`])
  .concat(
    numbers.map((i) => {
      return `set l${i} [$ns duplex-link $n${i} $n${(i + 1) % count} 10Mb ${10 + 5 * i}ms DropTail]`;
    }),
  )
  .join("\n");

describe.skipIf(!isRoot)("a run with several threads that shape", () => {
  test("shapes, changes, shows, traces and captures links of each, and ends with them", async () => {
    const directory = scratch();
    const out = join(directory, "out");
    const eid = `threads${process.pid}`;
    const lasting = `${ring}
$l0 trace
$l1 trace
set p [$n0 program-agent -command "sleep 3600"]
$ns at 0 "$p start"`;
    const file = writeExperiment(lasting, directory);
    const command = start("muster", ["run", file, "--out", out, "--eid", eid, ...how]);
    await command.prints(/program p on n0 started/);
    const shaper = shaperOf(command.pid);
    expect(shaper.argv.slice(-2)).toEqual([`${threads}`, "nap"]);
    for (const i of numbers)
      expect(await ping(eid, i)).toBeGreaterThanOrEqual(2 * (10 + 5 * i) - 0.1);
    // Of one request: all links, in both threads.
    const changed = numbers.map((i) =>
      run("muster", ["link", "set", eid, `l${i}`, `delay=${delayMs(i)}ms`]),
    );
    for (const { code, stderr } of await Promise.all(changed))
      expect(`${code} ${stderr}`).toBe("0 ");
    for (const i of numbers) {
      const least = await ping(eid, i);
      expect(least, `l${i}`).toBeGreaterThanOrEqual(2 * delayMs(i) - 0.1);
      expect(least, `l${i}`).toBeLessThan(2 * delayMs(i) + 60);
    }
    const shown = await run("muster", ["link", "show", eid, "--json"]);
    const report = JSON.parse(shown.stdout) as LinksReport;
    expect(report.links.map(({ ways }) => ways.map(({ now }) => now?.delayUs))).toEqual(
      numbers.map((i) => [1_000 * delayMs(i), 1_000 * delayMs(i)]),
    );
    for (const { ways } of report.links) {
      for (const { counts } of ways) expect(counts).toMatchObject({ lost: 0, queueDrops: 0 });
    }
    const captures = [0, 1].map(async (i) => {
      const path = join(directory, `${i}.pcap`);
      const words = [
        "link",
        "capture",
        eid,
        `l${i}`,
        "--node",
        `n${i}`,
        "--count",
        "4",
        "--out",
        path,
      ];
      const capture = start("muster", words);
      await Promise.all([capture.ended, untilEnded(capture.ended, () => ping(eid, i))]);
      expect(pcapSizes(path)).toEqual([98, 98, 98, 98]);
    });
    await Promise.all(captures);
    process.kill(shaper.pid, "SIGKILL");
    expect((await command.ended).code).toBe(1);
    const { error, command: again } = readResult(out);
    expect(again).toContain("--links delay-node --link-threads 2");
    expect(error).toEqual({
      code: "LINKS_FAILED",
      message: "the delay node has ended (SIGKILL); its links carry nothing any more",
    });
    for (const i of [0, 1]) {
      const sizes = pcapSizes(join(out, "traces", `l${i}-n${i}.sent.pcap`));
      expect(sizes.filter((bytes) => bytes === 98).length).toBeGreaterThanOrEqual(5);
    }
  });

  test("is refused more threads than there may be", async () => {
    const file = join(scratch(), "f.ns");
    writeFileSync(file, "");
    const { code, stderr } = await run("muster", ["run", file, "--link-threads", "17"]);
    expect(`${code} ${stderr}`).toMatch(/^64 .*--link-threads.* 1 to 16/s);
  });
});

test("the delay node ends with one of its threads, and says which and why", async () => {
  const clock = systemClock;
  const shaper = new ShaperProcess({
    ...{ clock, threads, pace: "nap" as const },
    spawn: ([program = "", ...words]) => spawn(program, words),
  });
  await shaper.started();
  const broken = { kind: "change", updates: null as unknown as [], atUs: 0 } as const;
  const asked = shaper.ask(1, broken).catch(String);
  const why =
    /the delay node has ended \(exit status 70\): thread 1: TypeError: .*; its links carry/s;
  expect(await shaper.failed).toMatch(why);
  expect(await asked).toMatch(why);
  await shaper.stop();
});

const delayMs = (link: number): number => 40 + 10 * link;

/** From a node to the next, over the link of its number. @returns the shortest round trip in ms */
async function ping(eid: string, i: number): Promise<number> {
  const words = ["ping", "-c", "5", "-i", "0.05", `n${(i + 1) % count}-l${i}`];
  const { stdout } = await run("muster", ["exec", "--experiment", eid, `n${i}`, "--", ...words]);
  expect(stdout).toContain(" 5 received");
  const sequences = [...stdout.matchAll(/icmp_seq=(\d+)/g)].map(([, seq]) => Number(seq));
  expect(sequences).toEqual([1, 2, 3, 4, 5]);
  return Number(/= ([\d.]+)\//.exec(stdout)?.[1]);
}

/** Does it again and again until the other has ended. */
async function untilEnded(ended: Promise<unknown>, again: () => Promise<unknown>): Promise<void> {
  let hasEnded = false;
  void ended.then(() => {
    hasEnded = true;
  });
  while (!hasEnded) await again();
}

function shaperOf(parent: number): { readonly pid: number; readonly argv: readonly string[] } {
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    try {
      const isChild = readFileSync(`/proc/${name}/status`, "utf8").includes(`\nPPid:\t${parent}\n`);
      const argv = readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0").slice(0, -1);
      if (isChild && argv.join(" ").includes("shaper-main")) return { pid: Number(name), argv };
    } catch {
      // It has ended meanwhile.
    }
  }
  throw new Error("there is no delay node");
}

// SPDX-License-Identifier: MIT
// Goal: in a run, programs that are planned are there before their instant and let go at it, also
// those of a timeline; and what a run starts is noted on the disk before it is started, so that a
// start that is asked for again is known (D7).
// Method: real runs; a program tells when its own process was made, as the kernel has it.
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/host/clock.ts";
import { until } from "./support/command.ts";
import { ended, readRecord, readText, runBody, sh, startRun } from "./support/experiment.ts";

/** Hundredths of a second since the machine started, at which its process was made. */
const made = sh('cut -d" " -f22 /proc/$$/stat');

/** Entries of the journal of a run, with their sizes. */
function starts(out: string): readonly (readonly [string, number])[] {
  const directory = join(out, ".starts");
  if (!existsSync(directory)) return [];
  const [run = ""] = readdirSync(directory);
  const names = readdirSync(join(directory, run)).sort();
  return names.map((name) => [name, statSync(join(directory, run, name)).size]);
}

describe("a planned program of a run", () => {
  test("is there before its instant, let go at it, and so is one of a timeline", async () => {
    const run = await runBody(`
set n0 [$ns node]
set p [$n0 program-agent -command {${made}}]
set q [$n0 program-agent -command {${made}}]
set day [$ns event-timeline]
$day at 0.4 "$q start"
$ns at 0.5 "$p start"
$ns at 0.2 "$day start"`);
    expect(run.result.outcome).toBe("passed");
    const zero = readRecord(run.out).find(({ type }) => type === "run-started");
    const zeroUs = Number(zero?.["zeroMonotonicUs"]);
    // The kernel counts from the start of the machine; the clock stands still while it sleeps.
    const [uptime] = readText("/proc/uptime").split(" ");
    const sleptUs = Number(uptime) * 1_000_000 - systemClock.nowUs();
    for (const { object, plannedUs, firedUs } of run.result.events) {
      expect(firedUs).toBeGreaterThanOrEqual(plannedUs ?? Infinity);
      if (object === "day") continue;
      const madeUs =
        Number(run.text(`nodes/n0/local/logs/${object}.out`)) * 10_000 - sleptUs - zeroUs;
      // Both are loaded before time 0, however busy the machine is.
      expect(madeUs).toBeLessThan(plannedUs ?? 0);
    }
    expect(run.result.events.map(({ object }) => object).sort()).toEqual(["day", "p", "q"]);
  });
});

describe("the journal of a run", () => {
  const body = `
set n0 [$ns node]
set p [$n0 program-agent -command {${sh("echo began; exec sleep 1000")}}]
$ns at 0.1 "$p start"`;

  test("has what was started when the run is killed, and not what came of it", async () => {
    const run = startRun(body);
    await until("the program has begun", () => run.command.stdout.includes("program p on"));
    run.command.child.kill("SIGKILL");
    await run.command.ended;
    expect(starts(run.out)).toEqual([["1%20p", 0]]);
  });

  test("goes with the run", async () => {
    const run = await ended(startRun(body.replace("exec sleep 1000", "true")));
    expect(run.result.outcome).toBe("passed");
    expect(existsSync(join(run.out, ".starts"))).toBe(false);
  });
});

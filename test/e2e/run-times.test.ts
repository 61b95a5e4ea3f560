// SPDX-License-Identifier: MIT
// Goal: the times of a result are those of the fired party, and can be related to what programs
// measure themselves.
// Method: programs print CLOCK_MONOTONIC as their first instruction; `firedUs` must agree.
import { join } from "node:path";
import { expect, test } from "vitest";
import { nodesWith, readRecord, readText, runBody } from "./support/experiment.ts";

/** From letting a program go to its first instruction, a shell and a Python: of the quickest. */
const spawnUsMax = 400_000;
/** Of each, on a busy machine. */
const busyUsMax = 10_000_000;
const instants = [100, 200, 300, 400, 500, 600, 700, 800];

test("firedUs is before the program's first instruction, by no more than its start takes", async () => {
  const program =
    "exec python3 -IS -c 'import time; print(time.clock_gettime_ns(time.CLOCK_MONOTONIC))'";
  const body = instants.map(
    (ms) =>
      `set p${ms} [$n0 program-agent -command {${program}}]\n$ns at ${ms / 1000} "$p${ms} start"`,
  );
  const { out, result } = await runBody([nodesWith(""), ...body].join("\n"));
  const zeroUs = Number(readRecord(out)[0]?.["zeroMonotonicUs"]);
  const costs = instants.map((ms) => {
    const event = result.events.find(({ object }) => object === `p${ms}`);
    expect(event?.plannedUs).toBe(ms * 1_000);
    expect(event?.firedUs).toBeGreaterThanOrEqual(ms * 1_000);
    const started = result.programs.find(({ name }) => name === `p${ms}`)?.startedUs;
    expect(started).toBe(event?.firedUs);
    const printed = Number(readText(join(out, `nodes/n0/local/logs/p${ms}.out`))) / 1_000;
    return printed - zeroUs - (event?.firedUs ?? 0);
  });
  for (const cost of costs) {
    expect(cost).toBeGreaterThan(0);
    expect(cost).toBeLessThan(busyUsMax);
  }
  expect(Math.min(...costs)).toBeLessThan(spawnUsMax);
});

test("the record's own clock and the header agree on time 0", async () => {
  const { out } = await runBody(nodesWith("true"));
  const [header, ...lines] = readRecord(out);
  const entries = lines.filter(({ source }) => source === "log");
  expect(entries.length).toBeGreaterThan(0);
  for (const { stampUs, atUs } of entries as { stampUs: number; atUs: number }[]) {
    expect(stampUs - atUs).toBe(header?.["zeroMonotonicUs"]);
  }
});

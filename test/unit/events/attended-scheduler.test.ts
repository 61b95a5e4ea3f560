// SPDX-License-Identifier: MIT
// Goal: a scheduler that a run attends to ends as the run is told, and harms no file of the run.
// Method: real processes in place of the scheduler, which start, and die as the test wants it.
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AttendedScheduler } from "../../../src/events/launch/attended-scheduler.ts";
import { defaultLaunchLimits } from "../../../src/events/launch/launch-limits.ts";
import { systemClock } from "../../../src/host/clock.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "muster-attended-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

describe("AttendedScheduler", () => {
  it("A3 once it is lost, its end writes into no file that was opened since", async () => {
    const lost = Promise.withResolvers<string>();
    const scheduler = await AttendedScheduler.start({
      account: undefined,
      directory: join(directory, "scheduler"),
      files: {},
      argv: ["sh", "-c", "echo ready >&3; exit 3"],
      clock: systemClock,
      limits: { ...defaultLaunchLimits, restartsMax: 1, restartMsMin: 1, restartMsMax: 1 },
      onNote: () => undefined,
      onLost: lost.resolve,
    });
    expect(await lost.promise).toContain("ended again and again");
    // The kernel gives out the lowest numbers that are free: one of these had the log's.
    const paths = Array.from({ length: 50 }, (_, at) => join(directory, `other-${at}`));
    const others = paths.map((path) => openSync(path, "a"));
    await scheduler.stop();
    for (const other of others) closeSync(other);
    expect(paths.map((path) => readFileSync(path, "utf8")).join("")).toBe("");
    const log = readFileSync(join(directory, "scheduler", "event-sched.log"), "utf8");
    expect(log).toContain("ended with status 3, 2 times in a row; giving up");
  });
});

// SPDX-License-Identifier: MIT
// Goal: a reaper that somebody stopped does not keep a run from ending; one that is ended before it
// is done leaves what others find the run by.
// Method: real ones, stopped or watched, under virtual time.
import { spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { newRunId } from "../../../src/host/ids.ts";
import { REAP_LIMIT_MS, startReaper } from "../../../src/testbed/nodes/reaper.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";

function reaperOf(runId: string): number | undefined {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && textOf(`/proc/${name}/cmdline`).includes(runId))
    .map(Number)[0];
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

test("finish() ends a stopped reaper after REAP_LIMIT_MS and says that not all went", async () => {
  const clock = new VirtualClock();
  const runId = newRunId();
  const reaper = await startReaper(runId, "", clock);
  if (typeof reaper === "string") throw new Error(reaper);
  const pid = reaperOf(runId) ?? 0;
  process.kill(pid, "SIGSTOP");
  let finished: boolean | undefined;
  const done = reaper.finish().then((all) => {
    finished = all;
  });
  await clock.pass((REAP_LIMIT_MS - 1) * 1000);
  expect([finished, reaperOf(runId)]).toEqual([undefined, pid]);
  await clock.pass(2_000);
  await done;
  expect([finished, reaperOf(runId)]).toEqual([false, undefined]);
  expect(await reaper.finish()).toBe(false);
});

test("finish() of an undisturbed reaper says that all went", async () => {
  const reaper = await startReaper(newRunId(), "", new VirtualClock());
  if (typeof reaper === "string") throw new Error(reaper);
  expect(await reaper.finish()).toBe(true);
});

test("what tells others that there is something to clean up goes last", async () => {
  const directory = mkdtempSync(join(tmpdir(), "muster-reaper-"));
  const owner = join(directory, "owner");
  mkdirSync(join(directory, "shared/nodes"), { recursive: true });
  writeFileSync(owner, "");
  const runId = newRunId();
  const left = spawn("sleep", ["1000"], { env: { MUSTER_RUN: runId }, stdio: "ignore" });
  const hasMark = (): boolean => textOf(`/proc/${left.pid}/environ`).includes(runId);
  while (!hasMark()) await setImmediate();
  const reaper = await startReaper(runId, directory, new VirtualClock());
  if (typeof reaper === "string") throw new Error(reaper);
  // The kernel is given a second, in which files go.
  reaper.leaveToKernel();
  const done = reaper.finish();
  for (;;) {
    const isTold = existsSync(owner);
    if (!hasMark()) break;
    expect(isTold).toBe(true);
    await setImmediate();
  }
  expect([await done, existsSync(directory)]).toEqual([true, false]);
});

// SPDX-License-Identifier: MIT
// Goal: a daemon that was told what to keep removes what is older or beyond it, at its start and
// every hour, the oldest first, a line for each; never the last run of an experiment, never one
// that is under way (T1), never more at once than the limit (T2). Method: real files of old times;
// timers of an hour are the test's to let go.
import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Daemon } from "../../../src/boss/daemon.ts";
import { connectDaemon } from "../../../src/boss/daemon-client.ts";
import { resolveBossLimits, retentionSweepMs } from "../../../src/boss/limits.ts";
import type { KeepRules } from "../../../src/boss/old-runs.ts";
import { Retention } from "../../../src/boss/retention.ts";
import { resolveStateDirectory } from "../../../src/boss/state-directory.ts";
import { resolveLimits } from "../../../src/core/limits.ts";
import { resolveBusLimits } from "../../../src/engine/bus-limits.ts";
import { MemoryBus } from "../../../src/engine/memory-bus.ts";
import { type Clock, systemClock } from "../../../src/host/clock.ts";
import { FakeRuns } from "./fake-run.ts";

const dayMs = 86_400_000;
let root = "";
let lines: string[] = [];
/** The sweep of an hour from now, when one is planned. */
let nextHour: (() => void) | undefined;
/** Closes what a test has started. */
let close: () => Promise<unknown>;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "muster-retention-"));
  lines = [];
  nextHour = undefined;
  close = async () => undefined;
});
afterEach(async () => {
  await close();
  rmSync(root, { recursive: true, force: true });
});

const clock: Clock = {
  ...systemClock,
  after(delayMs, callback) {
    if (delayMs !== retentionSweepMs) return systemClock.after(delayMs, callback);
    nextHour = callback;
    return () => {
      nextHour = undefined;
    };
  },
};

/** A run with a file of so many bytes, written so many days ago. */
function make(eid: string, number: number, days: number, bytes = 100): string {
  const directory = join(root, "experiments/pp", eid, "runs", `${number}`);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "result.json"), "x".repeat(bytes));
  const seconds = (systemClock.wallMs() - days * dayMs) / 1000;
  for (const path of [join(directory, "result.json"), directory]) {
    utimesSync(path, seconds, seconds);
  }
  return directory;
}

/** Resolves after the sweep that was let go, when the next one is planned. */
async function swept(): Promise<void> {
  while (nextHour === undefined) await new Promise((resolve) => setImmediate(resolve));
}

async function anHourLater(): Promise<void> {
  const callback = nextHour;
  nextHour = undefined;
  expect(callback).toBeDefined();
  callback?.();
  await swept();
}

function keep(rules: KeepRules, more: { readonly max?: number; readonly underWay?: string } = {}) {
  const retention = new Retention({
    ...{ state: resolveStateDirectory(root, {}), rules, clock, runsRemovedMax: more.max ?? 100 },
    isUnderWay: (directory) => directory === more.underWay,
    say: (line) => lines.push(line),
    warn: (line) => lines.push(`warning: ${line}`),
  });
  close = () => retention.close();
  retention.start();
}

it("removes what is too old at the start and an hour later, and says so of each", async () => {
  const [old, young, last] = [make("e", 1, 31), make("e", 2, 29), make("e", 3, 0)];
  const alone = make("f", 1, 400);
  keep({ days: 30 });
  await swept();
  expect(lines).toEqual(["removed pp/e 1, 100 bytes"]);
  expect([old, young, last, alone].map(existsSync)).toEqual([false, true, true, true]);
  make("e", 2, 31);
  await anHourLater();
  expect(lines).toEqual(["removed pp/e 1, 100 bytes", "removed pp/e 2, 100 bytes"]);
  expect([young, last, alone].map(existsSync)).toEqual([false, true, true]);
  await anHourLater();
  expect(lines).toHaveLength(2);
});

it("removes the oldest of all experiments until the rest is small enough", async () => {
  for (const [eid, number, days] of [
    ...([["e", 1, 3] as const, ["f", 1, 4] as const, ["e", 2, 2] as const] as const),
    ...([["f", 2, 1] as const, ["e", 3, 0] as const] as const),
  ]) {
    make(eid, number, days);
  }
  keep({ bytes: 300 });
  await swept();
  expect(lines).toEqual(["removed pp/f 1, 100 bytes", "removed pp/e 1, 100 bytes"]);
});

it("warns once when what stays in any case is more than it may be, and again when it was not", async () => {
  make("e", 1, 1, 101);
  keep({ bytes: 100 });
  await swept();
  await anHourLater();
  const warning = expect.stringMatching(/^warning: .* have 101 bytes, and --keep-bytes is 100: /);
  expect(lines).toEqual([warning]);
  make("e", 1, 1, 100);
  await anHourLater();
  make("e", 1, 1, 101);
  await anHourLater();
  expect(lines).toEqual([warning, warning]);
});

it("T1: leaves a run alone that is under way, though another has a later number", async () => {
  const [underWay, other] = [make("e", 1, 50), make("e", 2, 50)];
  make("e", 3, 50);
  keep({ days: 1 }, { underWay });
  await swept();
  expect(lines).toEqual(["removed pp/e 2, 100 bytes"]);
  expect([underWay, other].map(existsSync)).toEqual([true, false]);
});

it("T2: removes as many as the limit in a sweep, and one more in the next", async () => {
  for (const number of [1, 2, 3, 4]) make("e", number, 50 - number);
  keep({ days: 1 }, { max: 2 });
  await swept();
  expect(lines).toEqual([1, 2].map((number) => `removed pp/e ${number}, 100 bytes`));
  await anHourLater();
  expect(lines).toHaveLength(3);
});

it("plans nothing when it is closed in a sweep", async () => {
  make("e", 1, 50);
  make("e", 2, 50);
  keep({ days: 1 });
  await close();
  expect(nextHour).toBeUndefined();
});

it("is the daemon's: what it brings up has a number beyond all that is there, and is not touched", async () => {
  // As when the database is a new one, and results of an old one are there.
  const left = [make("ee", 6, 50), make("ee", 7, 40)];
  const runs = new FakeRuns();
  const daemon = await Daemon.start({
    ...{ state: resolveStateDirectory(root, {}), clock, coreLimits: resolveLimits(), tools: {} },
    ...{ limits: resolveBossLimits(), run: runs.run, faults: process },
    logger: { log: (_, line) => lines.push(line) },
    bus: new MemoryBus({ epoch: "e", limits: resolveBusLimits() }),
    onStopAsked: () => undefined,
    keep: { rules: { bytes: 0 }, say: (line) => lines.push(line) },
  });
  close = () => daemon.close();
  await swept();
  expect(lines[0]).toBe("removed pp/ee 6, 100 bytes");
  expect(left.map(existsSync)).toEqual([false, true]);
  const link = await connectDaemon(resolveStateDirectory(root, {}), systemClock);
  await link?.request({
    kind: "up",
    ...{ file: "/a.ns", text: "set ns [new Simulator]\nset a [$ns node]\n$ns run\n" },
    ...{ pid: "pp", eid: "ee", insisted: [], presets: [], seed: null },
    ...{ durationSeconds: 0, stuckSeconds: 0 },
  });
  link?.close();
  const [run] = runs.runs;
  expect(run?.options.out).toBe(join(root, "experiments/pp/ee/runs/8"));
  await anHourLater();
  expect(lines.filter((line) => line.startsWith("removed"))).toEqual([
    "removed pp/ee 6, 100 bytes",
    "removed pp/ee 7, 100 bytes",
  ]);
  expect(existsSync(run?.options.out ?? "")).toBe(true);
});

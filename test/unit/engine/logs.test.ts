// SPDX-License-Identifier: MIT
// Every log under one suite (src/testing/suites/log-suite.ts): memory, SQLite, and the log that
// delays, fails and reorders, each of its faults alone and all together.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Random } from "../../../src/core/random.ts";
import { MemoryLog } from "../../../src/engine/memory-log.ts";
import { SqliteLog } from "../../../src/engine/sqlite-log.ts";
import { systemClock } from "../../../src/host/clock.ts";
import type { LogFaults } from "../../../src/testing/delaying-log.ts";
import { DelayingLog } from "../../../src/testing/delaying-log.ts";
import type { LogBench } from "../../../src/testing/suites/log-suite.ts";
import { declareLogSuite } from "../../../src/testing/suites/log-suite.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";

const runner = {
  it: (title: string, run: () => Promise<void>): void => {
    it(title, run);
  },
  equal: (actual: unknown, expected: unknown): void => {
    expect(actual).toEqual(expected);
  },
};
const turn = (): Promise<void> => new Promise((resolve) => systemClock.endOfTurn(resolve));

function memory(retain: boolean): () => Promise<LogBench> {
  return async () => {
    const log = new MemoryLog({ nowUs: systemClock.nowUs, retain });
    return { log, settle: turn, dispose: () => log.close() };
  };
}

async function sqlite(): Promise<LogBench> {
  const folder = mkdtempSync(join(tmpdir(), "muster-log-"));
  const log = SqliteLog.open({ file: join(folder, "log"), nowUs: systemClock.nowUs });
  const dispose = async (): Promise<void> => {
    await log.close();
    rmSync(folder, { recursive: true });
  };
  return { log, settle: turn, dispose };
}

function delaying(faults: Partial<LogFaults>, backing: "memory" | "sqlite") {
  return async (): Promise<LogBench> => {
    const clock = new VirtualClock();
    const below = await (backing === "memory" ? memory(true)() : sqlite());
    const random = new Random(11);
    const log = new DelayingLog({ inner: below.log, clock, random, faults });
    return { log, settle: () => clock.pass(60_000_000), dispose: below.dispose };
  };
}

describe("MemoryLog", () => {
  declareLogSuite({ create: memory(true), retains: true, fails: false }, runner);
});

describe("MemoryLog that keeps nothing", () => {
  declareLogSuite({ create: memory(false), retains: false, fails: false }, runner);

  it("read() refuses what was dropped", async () => {
    const { log, settle } = await memory(false)();
    log.read(1, () => undefined);
    await log.append({ format: 1, batches: [] });
    await settle();
    expect(() => log.read(1, () => undefined)).toThrow("entries before 2 were dropped");
  });

  it("keeps what the slowest reader has not had", async () => {
    const { log, settle } = await memory(false)();
    log.read(1, () => undefined);
    const append = log.append({ format: 1, batches: [] });
    const seen: number[] = [];
    log.read(1, (entries) => seen.push(...entries.map(({ sequence }) => sequence)));
    await settle();
    await append;
    expect(seen).toEqual([1]);
  });
});

describe("SqliteLog", () => {
  declareLogSuite({ create: sqlite, retains: true, fails: false }, runner);
});

const faults: readonly (readonly [string, Partial<LogFaults>])[] = [
  ["nothing", {}],
  ["appendDelayMsMax", { appendDelayMsMax: 30 }],
  ["deliveryDelayMsMax", { deliveryDelayMsMax: 30 }],
  ["definiteFailure", { definiteFailure: 0.3 }],
  ["indefiniteFailure", { indefiniteFailure: 0.3 }],
  [
    "everything",
    {
      appendDelayMsMax: 30,
      deliveryDelayMsMax: 30,
      definiteFailure: 0.2,
      indefiniteFailure: 0.2,
    },
  ],
];

describe.each(faults)("DelayingLog with %s over memory", (_, fault) => {
  const fails = Boolean(fault.definiteFailure ?? fault.indefiniteFailure);
  declareLogSuite({ create: delaying(fault, "memory"), retains: true, fails }, runner);
});

describe("DelayingLog with everything over SQLite", () => {
  const everything = faults.at(-1)?.[1] ?? {};
  declareLogSuite({ create: delaying(everything, "sqlite"), retains: true, fails: true }, runner);
});

describe("DelayingLog", () => {
  it("completes appends in another order than they were called in", async () => {
    const bench = await delaying({ appendDelayMsMax: 50 }, "memory")();
    const done: number[] = [];
    const appends = Array.from({ length: 20 }, () =>
      bench.log.append({ format: 1, batches: [] }).then((sequence) => done.push(sequence)),
    );
    await bench.settle();
    await Promise.all(appends);
    expect(done).not.toEqual([...done].sort((a, b) => a - b));
  });

  it("stores what it doubts and does not store what it refuses", async () => {
    for (const [fault, stored] of [
      [{ indefiniteFailure: 1 }, 1],
      [{ definiteFailure: 1 }, 0],
    ] as const) {
      const bench = await delaying(fault, "memory")();
      const failed = bench.log.append({ format: 1, batches: [] }).catch((error) => error);
      await bench.settle();
      expect((await failed).definite).toBe(stored === 0);
      expect(await bench.log.head()).toBe(stored);
    }
  });
});

// SPDX-License-Identifier: MIT
// Goal: a supervisor keeps one scheduler, starts a dead one again at growing intervals and not for
// ever, and ends it, by force if it must be. Method: virtual time, schedulers that the test ends.
import { beforeEach, describe, expect, it } from "vitest";
import {
  defaultLaunchLimits,
  resolveLaunchLimits,
} from "../../../src/events/launch/launch-limits.ts";
import {
  type Ending,
  type Epoch,
  type StartOutcome,
  Supervisor,
  type SupervisorEnd,
} from "../../../src/events/launch/supervisor.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";

const limits = resolveLaunchLimits();

interface FakeScheduler {
  readonly epoch: Epoch;
  readonly signals: string[];
  say(): void;
  end(ending: Partial<Ending>): void;
}

let clock: VirtualClock;
let started: FakeScheduler[];
let notes: string[];
let outcomes: StartOutcome[];
let ended: SupervisorEnd | undefined;
let supervisor: Supervisor;

function fakeScheduler(epoch: Epoch) {
  const ready = Promise.withResolvers<void>();
  const done = Promise.withResolvers<Ending>();
  const signals: string[] = [];
  started.push({
    ...{ epoch, signals, say: ready.resolve },
    end: (ending) => done.resolve({ exitCode: null, signal: null, ...ending }),
  });
  const signal = (name: string): void => {
    signals.push(name);
  };
  return { ready: ready.promise, ended: done.promise, signal };
}

beforeEach(() => {
  clock = new VirtualClock();
  [started, notes, outcomes, ended] = [[], [], [], undefined];
  supervisor = new Supervisor({
    ...{ name: "the scheduler", clock, limits, start: fakeScheduler },
    note: (text) => notes.push(text),
    report: (outcome) => outcomes.push(outcome),
  });
});

function last(): FakeScheduler {
  const scheduler = started.at(-1);
  if (scheduler === undefined) throw new Error("none was started");
  return scheduler;
}

async function begin(): Promise<void> {
  void supervisor.run("new").then((end) => {
    ended = end;
  });
  last().say();
  await clock.settle();
}

/** Ends the last scheduler and waits out the pause. */
async function crash(pauseMs: number): Promise<void> {
  const count = started.length;
  last().end({ signal: "SIGSEGV" });
  await clock.settle();
  await clock.pass(pauseMs * 1_000 - 1);
  expect(started).toHaveLength(count);
  await clock.pass(1);
  expect(started).toHaveLength(count + 1);
}

describe("Supervisor, the first start", () => {
  it("reports a scheduler that says it listens, at once", async () => {
    await begin();
    expect(outcomes).toEqual([{ kind: "started" }]);
    expect(last().epoch).toBe("new");
  });

  it("takes one that says nothing as started when it has lived for startMs", async () => {
    void supervisor.run("continue");
    await clock.pass(limits.startMs * 1_000 - 1);
    expect(outcomes).toEqual([]);
    await clock.pass(1);
    expect(outcomes).toEqual([{ kind: "started" }]);
  });

  it("does not take a slow one for started that ends before it was up", async () => {
    // A certificate that cannot be read is noticed after the program itself was read, seconds
    // later.
    const run = supervisor.run("new");
    await clock.pass(30_000_000);
    expect(outcomes).toEqual([]);
    last().end({ exitCode: 1 });
    expect(await run).toBe("died at once");
  });

  it("reports one that ends before, starts no other, and leaves nothing in its group", async () => {
    const run = supervisor.run("new");
    last().end({ exitCode: 3 });
    expect(await run).toBe("died at once");
    expect(outcomes).toEqual([{ kind: "died", how: "ended with status 3" }]);
    expect(notes).toEqual(["the scheduler ended with status 3 before it had started"]);
    expect(started).toHaveLength(1);
    expect(last().signals).toEqual(["SIGKILL"]);
  });

  it("is called off by a stop", async () => {
    const run = supervisor.run("new");
    supervisor.stop();
    expect(last().signals).toEqual(["SIGTERM"]);
    last().end({ exitCode: 0 });
    expect(await run).toBe("stopped");
    expect(outcomes).toEqual([{ kind: "died", how: "was stopped while it started" }]);
  });
});

describe("Supervisor, a scheduler that dies", () => {
  it("is started again to continue, after pauses that double up to their bound", async () => {
    await begin();
    for (const pauseMs of [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]) {
      await crash(pauseMs);
    }
    expect(started.slice(1).every(({ epoch }) => epoch === "continue")).toBe(true);
    expect(notes[1]).toBe("the scheduler was ended by SIGSEGV; it is started again in 2 s");
  });

  it("is given up after restartsMax in a row and one more", async () => {
    await begin();
    for (let count = 0; count < limits.restartsMax; count += 1) await crashAfterAnyPause();
    last().end({ exitCode: 1 });
    await clock.settle();
    expect(ended).toBe("gave up");
    expect(notes.at(-1)).toMatch(/9 times in a row; giving up: eventsys_control replay$/);
  });

  it("has not failed in a row when it has run for steadyMs", async () => {
    await begin();
    await crash(1_000);
    await crash(2_000);
    await clock.pass(limits.steadyMs * 1_000 - 1);
    await crash(4_000);
    await clock.pass(limits.steadyMs * 1_000);
    await crash(1_000);
  });

  it("is not started again when it ended with status 0, or when it was asked to stop", async () => {
    await begin();
    last().end({ exitCode: 0 });
    await clock.settle();
    expect(ended).toBe("ended");
    expect(started).toHaveLength(1);
  });

  it("is not started again when the stop comes during the pause", async () => {
    await begin();
    last().end({ exitCode: 1 });
    await clock.settle();
    supervisor.stop();
    await clock.settle();
    expect(ended).toBe("stopped");
    await clock.pass(limits.restartMsMax * 1_000);
    expect(started).toHaveLength(1);
  });
});

describe("Supervisor.stop()", () => {
  it("sends TERM, and KILL after graceMs, once however often it is called", async () => {
    await begin();
    supervisor.stop();
    supervisor.stop();
    await clock.pass(limits.graceMs * 1_000 - 1);
    expect(last().signals).toEqual(["SIGTERM"]);
    await clock.pass(1);
    expect(last().signals).toEqual(["SIGTERM", "SIGKILL"]);
    expect(ended).toBeUndefined();
    last().end({ signal: "SIGKILL" });
    await clock.settle();
    expect(ended).toBe("stopped");
  });

  it("kills what a scheduler that ended in order has left in its group, and sets no timer", async () => {
    await begin();
    supervisor.stop();
    last().end({ exitCode: 0 });
    await clock.settle();
    expect(last().signals).toEqual(["SIGTERM", "SIGKILL"]);
    await clock.pass(limits.graceMs * 1_000);
    expect(last().signals).toEqual(["SIGTERM", "SIGKILL"]);
  });
});

describe("resolveLaunchLimits()", () => {
  it("takes what it is given over the defaults, and refuses what does not fit together", () => {
    expect(resolveLaunchLimits({ startMs: 1 })).toEqual({ ...defaultLaunchLimits, startMs: 1 });
    expect(() => resolveLaunchLimits({ stopMs: 5_000 })).toThrow("stopMs");
    expect(resolveLaunchLimits({ stopMs: 5_001 }).stopMs).toBe(5_001);
    expect(() => resolveLaunchLimits({ restartMsMax: 999 })).toThrow("restartMsMax");
    expect(resolveLaunchLimits({ restartMsMax: 1_000 }).restartMsMax).toBe(1_000);
  });
});

async function crashAfterAnyPause(): Promise<void> {
  last().end({ exitCode: 1 });
  await clock.settle();
  await clock.pass(limits.restartMsMax * 1_000);
}

// SPDX-License-Identifier: MIT
// Goal: a mistake in a run, caught or not, is told and ends the run in order, and what comes behind
// the run (its results) is always reached. Method: runs that go wrong in each way, a fake process.
import { EventEmitter } from "node:events";
import { beforeEach, describe, expect, it } from "vitest";
import { guardRun, sharedFaults } from "../../../src/testbed/guard-run.ts";
import { FakeClock } from "../record/fake-clock.ts";

const clock = new FakeClock();
let faults = new EventEmitter();
let told: string[] = [];
beforeEach(() => {
  [faults, told] = [new EventEmitter(), []];
});

function guard(run: (interrupt: AbortSignal) => Promise<void>): Promise<void> {
  const { signal: interrupt } = new AbortController();
  return guardRun({ run, interrupt, clock, faults, onFault: (text) => told.push(text) });
}

/** A run that ends when it is interrupted. */
const untilInterrupted = (interrupt: AbortSignal): Promise<void> =>
  new Promise((resolve) => interrupt.addEventListener("abort", () => resolve()));

describe("guardRun()", () => {
  it("tells nothing of a run that ends, and listens no longer than that", async () => {
    await guard(() => Promise.resolve());
    expect(told).toEqual([]);
    expect(faults.listenerCount("uncaughtException")).toBe(0);
    expect(faults.listenerCount("unhandledRejection")).toBe(0);
  });

  it("tells why a run has broken off", async () => {
    await guard(() => Promise.reject(new Error("a step without an end")));
    expect(told).toEqual([expect.stringContaining("please report it: Error: a step without")]);
  });

  it.each(["uncaughtException", "unhandledRejection"])("ends the run at an %s", async (kind) => {
    const run = guard(untilInterrupted);
    faults.emit(kind, new Error("somewhere else"));
    faults.emit(kind, new Error("and because of that"));
    await run;
    expect(told).toEqual([expect.stringContaining("somewhere else")]);
  });

  it("does not wait for ever for a run that cannot end any more", async () => {
    const run = guard(() => new Promise(() => undefined));
    faults.emit("uncaughtException", new Error("x"));
    let isOver = false;
    void run.then(() => {
      isOver = true;
    });
    clock.advanceTo(59_999_000);
    await Promise.resolve();
    expect(isOver).toBe(false);
    clock.advanceTo(60_000_000);
    await run;
  });
});

describe("sharedFaults()", () => {
  it("ends every run of a process at one mistake, and listens once while there is one", async () => {
    const shared = sharedFaults(faults);
    const { signal: interrupt } = new AbortController();
    const onFault = (text: string): number => told.push(text);
    const guards = Array.from({ length: 12 }, () =>
      guardRun({ run: untilInterrupted, interrupt, clock, faults: shared, onFault }),
    );
    expect(faults.listenerCount("uncaughtException")).toBe(1);
    faults.emit("uncaughtException", new Error("somewhere else"));
    await Promise.all(guards);
    expect(told).toEqual(Array(12).fill(expect.stringContaining("somewhere else")));
    expect(faults.listenerCount("uncaughtException")).toBe(0);
    expect(faults.listenerCount("unhandledRejection")).toBe(0);
    await guardRun({ run: async () => undefined, interrupt, clock, faults: shared, onFault });
  });
});

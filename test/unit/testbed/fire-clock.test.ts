// SPDX-License-Identifier: MIT
// Goal: actions are performed in the order of their instants, once, or revoked, and who revokes is
// told which. The clock on timers under virtual time; the one with a thread as a real thread, of
// which nothing is asked but order and truth.
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/host/clock.ts";
import { DueList } from "../../../src/testbed/agents/firing/due-list.ts";
import {
  type FireClock,
  type Fired,
  TimerFireClock,
} from "../../../src/testbed/agents/firing/fire-clock.ts";
import { LatenessMeter } from "../../../src/testbed/agents/firing/lateness.ts";
import { ThreadFireClock } from "../../../src/testbed/agents/firing/thread-fire-clock.ts";
import { FakeClock } from "../record/fake-clock.ts";

let directory: string;
let descriptor: number;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "muster-fire-"));
  descriptor = openSync(join(directory, "written"), "w");
});
afterEach(() => {
  closeSync(descriptor);
  rmSync(directory, { recursive: true });
});
const written = (): string => readFileSync(join(directory, "written"), "utf8");
const tell = { kind: "tell" } as const;
const write = (text: string) => ({ kind: "write", descriptor, text }) as const;

describe("DueList", () => {
  it("gives what is due soonest first, and what is due together as it came", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(9)), fc.nat(9), (dues, nowUs) => {
        const list = new DueList<number>();
        for (const [index, due] of dues.entries()) list.add(due, index);
        const expected = dues
          .map((due, index) => ({ due, index }))
          .toSorted((a, b) => a.due - b.due || a.index - b.index)
          .filter(({ due }) => due <= nowUs)
          .map(({ index }) => index);
        const taken: number[] = [];
        for (let one = list.takeDue(nowUs); one !== undefined; one = list.takeDue(nowUs)) {
          taken.push(one);
        }
        expect(taken).toEqual(expected);
        const later = dues.filter((due) => due > nowUs);
        expect(list.firstUs).toBe(later.length === 0 ? undefined : Math.min(...later));
      }),
    );
  });
});

describe("LatenessMeter", () => {
  it("is never below the true percentile, and at most a quarter above it", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(10_000_000), { minLength: 1 }), (values) => {
        const meter = new LatenessMeter();
        for (const value of values) meter.add(value);
        const sorted = values.toSorted((a, b) => a - b);
        const { count, p50Us, p99Us, maxUs } = meter.report();
        expect([count, maxUs]).toEqual([values.length, sorted.at(-1)]);
        for (const [percent, found] of [[50, p50Us] as const, [99, p99Us] as const]) {
          const real = sorted[Math.ceil((values.length * percent) / 100) - 1] ?? 0;
          expect(found).toBeGreaterThanOrEqual(real);
          expect(found).toBeLessThanOrEqual(real * 1.25);
        }
      }),
    );
  });

  it("counts what is early as in time, and nothing as 0", () => {
    const meter = new LatenessMeter();
    expect(meter.report()).toEqual({ count: 0, p50Us: 0, p99Us: 0, maxUs: 0 });
    meter.add(-5);
    expect(meter.report()).toEqual({ count: 1, p50Us: 0, p99Us: 0, maxUs: 0 });
  });
});

describe("TimerFireClock", () => {
  function setUp() {
    const clock = new FakeClock();
    const fire = new TimerFireClock(clock);
    const told: string[] = [];
    const note =
      (name: string) =>
      ({ firedUs }: Fired): void => {
        told.push(`${name} ${firedUs}`);
      };
    return { clock, fire, told, note };
  }

  it("fires in the order of instants, those of one instant in the order given (F2)", () => {
    const { clock, fire, told, note } = setUp();
    for (const [name, due] of [["c", 30] as const, ["a", 10] as const, ["b", 10] as const]) {
      fire.at(due, tell, note(name));
    }
    clock.advanceTo(40);
    expect(told).toEqual(["a 10", "b 10", "c 30"]);
    expect(clock.armed).toBe(0);
  });

  it("writes, and reports what went wrong", () => {
    const { clock, fire } = setUp();
    const fired: Fired[] = [];
    fire.at(5, write("x"), (one) => fired.push(one));
    fire.at(6, { kind: "write", descriptor: -1, text: "y" }, (one) => fired.push(one));
    clock.advanceTo(6);
    expect(written()).toBe("x");
    expect(fired).toMatchObject([{ firedUs: 5 }, { firedUs: 6, error: expect.any(String) }]);
  });

  it("revokes what is not fired, and says of the rest that it is (F1)", () => {
    const { clock, fire, told, note } = setUp();
    const first = fire.at(10, tell, note("first"));
    const second = fire.at(20, tell, note("second"));
    clock.advanceTo(10);
    expect([first(), second(), second()]).toEqual(["already fired", "revoked", "revoked"]);
    clock.advanceTo(30);
    expect(told).toEqual(["first 10"]);
    expect(clock.armed).toBe(0);
  });

  it("measures lateness from the instant, or from when it was given if that is later", () => {
    const { clock, fire, note } = setUp();
    clock.advanceTo(100);
    fire.at(50, tell, note("past"));
    clock.advanceTo(100);
    expect(fire.lateness()).toEqual({ count: 1, p50Us: 0, p99Us: 0, maxUs: 0 });
  });

  it("fires nothing after close()", () => {
    const { clock, fire, told, note } = setUp();
    const revoke = fire.at(10, tell, note("armed"));
    fire.close();
    fire.at(11, tell, note("late"));
    clock.advanceTo(20);
    expect([told, revoke(), clock.armed]).toEqual([[], "revoked", 0]);
  });
});

describe("ThreadFireClock", () => {
  let fire: FireClock;
  beforeEach(() => {
    fire = new ThreadFireClock(systemClock);
  });
  afterEach(() => fire.close());

  const fired = (dueUs: number, action: Parameters<FireClock["at"]>[1]): Promise<Fired> =>
    new Promise((resolve) => {
      fire.at(dueUs, action, resolve);
    });

  it("writes by itself, in order, never early (F2, F3)", async () => {
    const dueUs = systemClock.nowUs() + 20_000;
    const all = await Promise.all([
      ...[fired(dueUs + 1_000, write("c")), fired(dueUs, write("a")), fired(dueUs, write("b"))],
    ]);
    expect(written()).toBe("abc");
    const [third, first, second] = all.map(({ firedUs }) => firedUs);
    expect(first).toBeGreaterThanOrEqual(dueUs);
    expect(second).toBeGreaterThanOrEqual(first ?? 0);
    expect(third).toBeGreaterThanOrEqual(dueUs + 1_000);
    expect(fire.lateness().count).toBe(3);
  });

  it("fires what is past at once, and reports a write that fails", async () => {
    expect(await fired(0, tell)).toEqual({ firedUs: expect.any(Number) });
    const failed = await fired(0, { kind: "write", descriptor: -1, text: "x" });
    expect(failed.error).toMatch(/EBADF|bad file|out of range/i);
  });

  it("performs what it has not revoked, and nothing that it has, whichever comes first (F1)", async () => {
    const startUs = systemClock.nowUs() + 5_000;
    const names = Array.from({ length: 300 }, (_none, index) => index);
    const told = new Set<number>();
    const revokes = names.map((name) =>
      fire.at(startUs + name * 50, write(`${name}\n`), () => told.add(name)),
    );
    // From the end, so that it meets the thread somewhere.
    const answers = new Map(names.toReversed().map((name) => [name, revokes[name]?.()]));
    await fired(startUs + 300 * 50, tell);
    const performed = written().split("\n").slice(0, -1).map(Number);
    const expected = names.filter((name) => answers.get(name) === "already fired");
    expect(performed).toEqual(expected);
    expect([...told]).toEqual(expected);
  });

  it("fires nothing after close()", async () => {
    const revoke = fire.at(systemClock.nowUs() + 3_600_000_000, write("x"), () => undefined);
    fire.close();
    expect(revoke()).toBe("revoked");
    expect(fire.at(0, write("y"), () => undefined)()).toBe("revoked");
    expect(written()).toBe("");
  });
});

/**
 * Threads of this process that go before others; one may end while they are read, as those of tests
 * before do. [proc(5) stat field 41]
 */
function foremost(): ReadonlySet<string> {
  const threads = readdirSync("/proc/self/task").filter((task) => {
    try {
      const stat = readFileSync(`/proc/self/task/${task}/stat`, "utf8");
      return Number(stat.slice(stat.lastIndexOf(")")).split(" ")[39]) === roundRobin;
    } catch {
      return false;
    }
  });
  return new Set(threads);
}

const roundRobin = 2;

describe.skipIf(process.getuid?.() !== 0)("a firing thread of root", () => {
  it("goes before whatever else the machine does", async () => {
    const before = foremost();
    const clock = new ThreadFireClock(systemClock);
    const fired = Promise.withResolvers<Fired>();
    clock.at(systemClock.nowUs(), tell, fired.resolve);
    await fired.promise;
    expect([...foremost()].filter((thread) => !before.has(thread))).toHaveLength(1);
    clock.close();
  });
});

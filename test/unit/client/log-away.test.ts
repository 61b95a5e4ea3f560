// SPDX-License-Identifier: MIT
// Goal: D10. When the log takes nothing for 2 s a native wait ends with the indefinite code
// `unavailable`, never with an outcome, and can be resumed: it has counted once. Method: the
// shipped client, session endpoint and host under virtual time, over a log that fails or that
// hangs.
import { describe, expect, it } from "vitest";
import type { Crossing } from "../../../src/client/barrier-requests.ts";
import type { MusterError } from "../../../src/client/muster-error.ts";
import { logAwayMs } from "../../../src/host/log-watch.ts";
import type { LogFaults } from "../../../src/testing/delaying-log.ts";
import { SessionBench } from "./session-bench.ts";

const failing: Partial<LogFaults> = { definiteFailure: 1 };
const doubtful: Partial<LogFaults> = { indefiniteFailure: 1 };
const hanging: Partial<LogFaults> = { appendDelayMsMax: 1e9 };

/** The error that a promise ended with, once it has; its value otherwise. */
function follow<Result>(promise: Promise<Result>) {
  const state: { error?: MusterError; value?: Result } = {};
  promise.then(
    (value) => {
      state.value = value;
    },
    (error: MusterError) => {
      state.error = error;
    },
  );
  return state;
}

async function open() {
  const bench = new SessionBench();
  await bench.start();
  const session = await bench.session();
  return { bench, session, barrier: session.countBarrier("b") };
}

const second = 1_000_000;

describe("D10 a log that takes nothing", () => {
  it("fails: a wait that stands ends as unavailable after 2 s, and is resumed", async () => {
    const { bench, barrier } = await open();
    const wait = follow(barrier.wait({ name: "p" }));
    await bench.clock.pass(10_000);
    bench.faulty.trouble(failing);
    // The log is only known to be away when something is to be appended.
    const init = follow(barrier.init(1));
    await bench.clock.pass((logAwayMs - 100) * 1_000);
    expect(wait.error).toBeUndefined();
    await bench.clock.pass(second);
    for (const { error } of [wait, init]) {
      expect(error).toMatchObject({ code: "unavailable", definite: false });
      expect(error?.resume).toBeDefined();
    }
    const resumed = follow(barrier.resume(wait.error as MusterError));
    await bench.clock.pass(20 * second);
    expect([resumed.value, resumed.error]).toEqual([undefined, undefined]);
    bench.faulty.calm();
    await bench.clock.pass(5 * second);
    expect(resumed.value).toEqual({ generation: 1, error: 0 });
    // The init was sent once, and once it counted.
    expect(await init.error?.resume?.()).toBeUndefined();
    expect(await bench.arrivals()).toEqual(["b p", "b undefined"]);
    expect(bench.host.describe("default").barriers).toEqual([]);
  });

  it("hangs: the same, and who asks while it is away is told at once", async () => {
    const { bench, barrier, session } = await open();
    bench.faulty.trouble(hanging);
    const wait = follow(barrier.wait({ name: "p" }));
    await bench.clock.pass(3 * second);
    expect(wait.error).toMatchObject({ code: "unavailable", definite: false });
    const later = follow(session.countBarrier("other").wait({ name: "q" }));
    await bench.clock.pass(100_000);
    expect(later.error).toMatchObject({ code: "unavailable", definite: false });
  });

  it("takes entries and says that it did not: outcomes come, and nobody is told otherwise", async () => {
    const { bench, barrier } = await open();
    const wait = follow(barrier.wait({ name: "p" }));
    await bench.clock.pass(10_000);
    bench.faulty.trouble(doubtful);
    void follow(barrier.init(1));
    await bench.clock.pass(10 * second);
    expect(wait).toEqual({ value: { generation: 1, error: 0 } });
    expect(await bench.arrivals()).toEqual(["b p", "b undefined"]);
  });

  it("an end that came meanwhile is kept for who resumes late", async () => {
    const { bench, barrier } = await open();
    bench.faulty.trouble(failing);
    const wait = follow(barrier.wait({ name: "p", error: 3 }));
    void follow(barrier.init(1));
    await bench.clock.pass(3 * second);
    bench.faulty.calm();
    await bench.clock.pass(10 * second);
    expect(bench.host.describe("default").barriers).toEqual([]);
    expect(await barrier.resume(wait.error as MusterError)).toEqual({ generation: 1, error: 3 });
  });

  it("a signal that is aborted takes a suspended wait back, and one that resumes wins", async () => {
    const { bench, barrier } = await open();
    const wait = follow(barrier.wait({ name: "p" }));
    await bench.clock.pass(10_000);
    bench.faulty.trouble(failing);
    void follow(barrier.wait({ name: "q" }));
    await bench.clock.pass(3 * second);
    const error = wait.error as MusterError;
    const first = follow(barrier.resume(error));
    const gone = new AbortController();
    const other = follow<Crossing>(barrier.resume(error, { signal: gone.signal }));
    await bench.clock.pass(10_000);
    expect(first.error).toMatchObject({ code: "invalid", definite: true });
    gone.abort(new Error("enough"));
    await bench.clock.pass(10_000);
    expect(other.error?.message).toBe("enough");
    bench.faulty.calm();
    await bench.clock.pass(5 * second);
    const [described] = bench.host.describe("default").barriers;
    expect(described?.waiting.map(({ who }) => who.name)).toEqual(["q"]);
  });

  it("an idle log, and one that is slow, are not away", async () => {
    const { bench, barrier } = await open();
    const wait = follow(barrier.wait({ name: "p" }));
    bench.faulty.trouble({ appendDelayMsMax: 900, deliveryDelayMsMax: 900 });
    await bench.clock.pass(60 * second);
    expect(wait.error).toBeUndefined();
    void follow(barrier.init(1));
    await bench.clock.pass(10 * second);
    expect(wait.value).toEqual({ generation: 1, error: 0 });
  });
});

// SPDX-License-Identifier: MIT
// Goal: the handles of all kinds of barriers do what docs/reference/session.md says: what they
// resolve with, how they reject and what the error carries, what an aborted signal does. Method:
// the shipped client, session endpoint and host under virtual time, over connections that are cut.
import { describe, expect, it } from "vitest";
import type { MusterError } from "../../../src/client/muster-error.ts";
import type { Session } from "../../../src/client/session.ts";
import { SessionBench } from "./session-bench.ts";

interface Followed {
  value: unknown;
  error: MusterError | undefined;
  readonly isSettled: () => boolean;
}

/** What became of a promise. */
function follow(promise: Promise<unknown>): Followed {
  let isSettled = false;
  const state: Followed = { value: undefined, error: undefined, isSettled: () => isSettled };
  promise.then(
    (value) => {
      [state.value, isSettled] = [value, true];
    },
    (error: MusterError) => {
      [state.error, isSettled] = [error, true];
    },
  );
  return state;
}

async function open(options: ConstructorParameters<typeof SessionBench>[0] = {}) {
  const bench = new SessionBench(options);
  await bench.start();
  const session = await bench.session({ leaseMs: 60_000 });
  const pass = (ms = 10): Promise<void> => bench.clock.pass(ms * 1_000);
  /** What a call that is answered at once comes to. */
  const end = async <Result>(promise: Promise<Result>): Promise<Result> => {
    const state = follow(promise);
    for (let tries = 0; !state.isSettled(); tries += 1) {
      if (tries === 1_000) throw new Error("it was not answered");
      await pass();
    }
    return promise;
  };
  const another = (): Promise<Session> => bench.session({ leaseMs: 1_000 });
  return { bench, session, pass, end, another };
}

const crossed = { generation: 1, error: 0 };

describe("a state", () => {
  it("counts signals, tells each its own number, and releases who waits for a target", async () => {
    const { session, pass, end } = await open();
    const state = session.stateBarrier("s");
    const waits = [state.wait(2), state.wait(3), state.wait(4)].map(follow);
    expect(await end(state.signal())).toBe(1);
    const both = follow(state.signalAndWait(3, { error: 5 }));
    await pass();
    expect(waits.map(({ value }) => value)).toEqual([crossed, undefined, undefined]);
    expect(both.isSettled()).toBe(false);
    expect(await end(state.signal())).toBe(3);
    await pass();
    expect(both.value).toEqual({ generation: 1, error: 5, value: 2 });
    expect(waits.map(({ value }) => value)).toEqual([crossed, { ...crossed, error: 5 }, undefined]);
    expect(await end(state.describe())).toMatchObject({ state: { value: 3 }, arrived: 1 });
  });

  it("signals and waits in one message there and one back", async () => {
    const { bench, session, end } = await open();
    const socket = bench.sockets[0];
    const before = socket?.carried ?? 0;
    const sent = bench.sent.length;
    expect(await end(session.stateBarrier("s").signalAndWait(1))).toEqual({ ...crossed, value: 1 });
    expect((socket?.carried ?? 0) - before).toBeGreaterThan(1);
    const frames = bench.sent.slice(sent).filter((text) => !text.includes('"seen"'));
    expect(frames).toHaveLength(1);
  });

  it("who waits and who comes later are told why it failed; a cancelled one counts on", async () => {
    const { session, pass, end } = await open();
    const state = session.stateBarrier("s");
    const early = follow(state.wait(2));
    await end(state.cancel(7, { reason: "a change of plan" }));
    expect(early.error).toMatchObject({ code: "cancelled", reason: "a change of plan" });
    const late = follow(state.wait(2));
    await end(state.fail("the disk is full"));
    await pass();
    const wanted = { code: "failed", definite: true, reason: "the disk is full" };
    expect(late.error).toMatchObject(wanted);
    expect(late.error?.message).toBe("the barrier s was failed: the disk is full");
    await expect(end(state.wait(2))).rejects.toMatchObject(wanted);
    expect(await end(state.signal())).toBe(1);
  });

  it("an aborted wait is taken back, an aborted signal is not", async () => {
    const { session, pass, end } = await open();
    const state = session.stateBarrier("s");
    const abort = new AbortController();
    const { signal } = abort;
    const ends = [state.signal({ signal }), state.signalAndWait(3, { signal })].map(follow);
    abort.abort(new Error("enough"));
    await pass();
    expect(ends.map(({ error }) => error?.message)).toEqual(["enough", "enough"]);
    expect(await end(state.describe())).toMatchObject({ state: { value: 2 }, arrived: 0 });
  });
});

describe("a quorum", () => {
  it("crosses when so many of the peers have come, and its driver hears of each step", async () => {
    const { session, pass, end } = await open();
    await end(session.peers.set(3));
    await end(session.peers.register("p4"));
    const quorum = session.quorumBarrier("q");
    const driver = await end(quorum.init({ percent: 60 }));
    const ended = follow(driver.ended);
    const waits = [1, 2].map(() => follow(quorum.wait({ error: 3 })));
    await pass();
    expect([ended.isSettled(), waits.some(({ isSettled }) => isSettled())]).toEqual([false, false]);
    await end(session.peers.deregister("p4"));
    await pass();
    expect(await end(driver.crossed)).toEqual({ generation: 1, error: 3 });
    expect(waits.map(({ value }) => value)).toEqual(Array(2).fill({ generation: 1, error: 3 }));
    expect(await end(quorum.wait())).toEqual({ generation: 1, error: 3 });
    await expect(end(session.quorumBarrier("none").wait())).rejects.toMatchObject({
      code: "unknown",
    });
  });

  it("nobody goes on before the driver has let them go; then nothing takes it back", async () => {
    const { session, pass, end } = await open();
    const quorum = session.quorumBarrier("q");
    const driver = await end(quorum.init({ count: 2 }, { echo: "explicit" }));
    await end(quorum.change({ count: 1 }));
    const letGo = follow(driver.letGo());
    await pass();
    expect(letGo.isSettled()).toBe(false);
    const other = await end(session.quorumBarrier("r").init({ count: 1 }, { echo: "explicit" }));
    const wait = follow(quorum.wait());
    const held = follow(session.quorumBarrier("r").wait());
    await pass();
    expect([letGo.value, wait.value]).toEqual([crossed, crossed]);
    expect(await end(other.crossed)).toEqual(crossed);
    expect(held.isSettled()).toBe(false);
    expect(await end(other.letGo())).toEqual(crossed);
    expect(await end(other.letGo())).toEqual(crossed);
    expect(held.value).toEqual(crossed);
  });

  it("ends with its driver's block, and tells the driver how it ended", async () => {
    const { session, pass, end } = await open();
    const quorum = session.quorumBarrier("q");
    const waits: Followed[] = [];
    const drive = async (): Promise<void> => {
      await using driver = await quorum.init({ count: 9 });
      waits.push(follow(quorum.wait()));
      expect(driver.error).toBeUndefined();
    };
    await end(drive());
    await pass();
    expect(waits[0]?.error).toMatchObject({ code: "cancelled", reason: "its driver is gone" });
    const driver = await end(
      quorum.init({ count: 9 }, { deadline: { since: "opening", ms: 500 } }),
    );
    await expect(end(quorum.init({ count: 9 }))).rejects.toMatchObject({ code: "invalid" });
    await expect(end(driver.crossed)).rejects.toMatchObject({ code: "timeout" });
    await expect(end(driver.ended)).rejects.toMatchObject({ code: "timeout" });
    const failing = await end(quorum.init({ count: 9 }));
    await end(quorum.fail("out of luck", { error: 4 }));
    const message = "the barrier q was failed (error 4): out of luck";
    await expect(failing.letGo()).rejects.toMatchObject({ code: "failed", message });
    await end(quorum.init({ count: 9 }));
    await end(quorum.fail("no disk"));
    const late = "the barrier q was failed: no disk";
    await expect(end(quorum.wait())).rejects.toMatchObject({ message: late });
  });
});

describe("a roster", () => {
  const names = ["a", "b", "c"];

  it("meets by name in phases, and enters and leaves a double barrier", async () => {
    const { session, pass, end } = await open();
    const roster = session.rosterBarrier("r");
    await end(roster.open({ members: ["a"], groups: { rest: ["b", "c"] }, phases: 2 }));
    await expect(end(roster.open({ members: names }))).rejects.toMatchObject({ code: "invalid" });
    const inside: string[] = [];
    const take = async (name: string): Promise<void> => {
      await using there = await roster.enter({ name, error: name === "b" ? 2 : 0 });
      expect(there.crossing).toEqual({ generation: 1, error: 2, phase: 1 });
      inside.push(name);
    };
    const first = [take("a"), take("b")].map(follow);
    await pass();
    expect(inside).toEqual([]);
    const { roster: lists } = (await end(roster.describe())) ?? {};
    expect(lists?.arrived.map(({ name }) => name)).toEqual(["a", "b"]);
    expect(lists?.missing).toMatchObject([{ name: "c", group: "rest" }]);
    await end(take("c"));
    expect(inside.toSorted()).toEqual(names);
    expect(first.every(({ isSettled, error }) => isSettled() && error === undefined)).toBe(true);
    expect(await end(roster.describe())).toBeUndefined();
    await expect(end(roster.arrive({ name: "a" }))).rejects.toMatchObject({ code: "unknown" });
  });

  it("an error has who had come, who had not and who was dead, and for how long", async () => {
    const { session, pass, end } = await open();
    const roster = session.rosterBarrier("r");
    const deadline = { since: "last-arrival", ms: 3_000 } as const;
    const members = [...names, { name: "d", group: "late" }];
    await end(roster.open({ members, whenDead: "wait", deadline }));
    const early = follow(roster.arrive({ name: "a", timeoutMs: 500 }));
    const wait = follow(roster.arrive({ name: "b" }));
    await pass(100);
    await end(roster.dead("c", "it was killed"));
    await pass(1_000);
    expect(early.error).toMatchObject({ code: "timeout" });
    expect(early.error?.parties?.arrived.map(({ name }) => name)).toEqual(["a", "b"]);
    await pass(5_000);
    expect(wait.error).toMatchObject({
      ...{ code: "timeout", definite: true },
      missing: ["a", "c (dead: it was killed)", "d of late"],
      parties: {
        arrived: [{ name: "b" }],
        missing: [{ name: "a" }, { name: "d", group: "late" }],
        dead: [{ name: "c", reason: "it was killed" }],
      },
    });
    const [dead] = wait.error?.parties?.dead ?? [];
    const [arrived] = wait.error?.parties?.arrived ?? [];
    expect(dead?.forMs).toBeGreaterThan(2_500);
    expect(dead?.forMs).toBeLessThan(arrived?.forMs ?? 0);
  });

  it("fails for all when a session dies, goes on without it, or waits for another", async () => {
    const { bench, session, pass, end, another } = await open();
    const mortal = await another();
    const mortalSocket = bench.sockets.at(-1);
    const ends = new Map<string, Followed>();
    for (const whenDead of ["fail", "shrink", "wait"] as const) {
      const roster = session.rosterBarrier(whenDead);
      await end(roster.open({ members: ["a", "b"], phases: "endless", whenDead }));
      const first = follow(roster.arrive({ name: "a" }));
      await end(mortal.rosterBarrier(whenDead).arrive({ name: "b" }));
      expect(first.value).toEqual({ ...crossed, phase: 1 });
      ends.set(whenDead, follow(roster.arrive({ name: "a" })));
    }
    await pass(500);
    expect([...ends.values()].some(({ isSettled }) => isSettled())).toBe(false);
    mortal.abandon();
    mortalSocket?.cut();
    await pass(5_000);
    const failed = ends.get("fail")?.error;
    expect(failed).toMatchObject({ code: "failed", definite: true, missing: [] });
    expect(failed?.reason).toContain("b is dead");
    expect(failed?.parties).toMatchObject({ arrived: [{ name: "a" }], dead: [{ name: "b" }] });
    expect(ends.get("shrink")?.value).toEqual({ ...crossed, phase: 2 });
    expect(ends.get("wait")?.isSettled()).toBe(false);
    await end(session.rosterBarrier("wait").arrive({ name: "b" }));
    expect(ends.get("wait")?.value).toEqual({ ...crossed, phase: 2 });
  });

  it("answers who is late by the rule it was opened with, and dismisses who is removed", async () => {
    const { session, pass, end } = await open();
    for (const whenLate of ["refuse", "pass", "next"] as const) {
      const roster = session.rosterBarrier(whenLate);
      await end(roster.open({ members: ["a", "b"], phases: "endless", whenLate }));
      const others = [roster.arrive({ name: "a" }), roster.arrive({ name: "b" })].map(follow);
      await pass();
      expect(others[0]?.value).toEqual({ ...crossed, phase: 1 });
      const late = follow(roster.arrive({ name: "a", phase: 1 }));
      await pass();
      if (whenLate === "refuse") expect(late.error).toMatchObject({ code: "invalid" });
      if (whenLate === "pass") expect(late.value).toEqual({ ...crossed, phase: 1 });
      if (whenLate !== "next") continue;
      expect(late.isSettled()).toBe(false);
      await end(roster.change({ remove: ["a"] }));
      await pass();
      expect(late.error).toMatchObject({ code: "cancelled", reason: "a is not expected any more" });
    }
  });
});

describe("every kind", () => {
  it("is ended for all who wait, with a reason; what is not open cannot fail", async () => {
    const { session, pass, end } = await open();
    const roster = session.rosterBarrier("b");
    await end(roster.open({ members: ["a", "b"] }));
    const quorum = session.quorumBarrier("b");
    await end(quorum.init({ count: 2 }));
    const count = session.countBarrier("b");
    const state = session.stateBarrier("b");
    const handles = [count, state, quorum, roster];
    const arrive = () =>
      [count.wait(), state.wait(1), quorum.wait(), roster.arrive({ name: "a" })].map(follow);
    const first = arrive();
    await pass();
    await end(session.countBarrier("b").fail("no more", { error: 9 }));
    await pass();
    expect(first.map(({ error }) => error?.code)).toEqual(["failed", ...Array(3).fill(undefined)]);
    for (const handle of handles.slice(1)) await end(handle.cancel(3, { reason: "enough" }));
    for (const { error } of first.slice(1)) {
      expect(error).toMatchObject({ code: "cancelled", reason: "enough" });
      expect(error?.message).toContain("error 3");
    }
    for (const handle of [count, quorum, roster]) {
      await end(handle.cancel());
      await expect(end(handle.fail("x"))).rejects.toMatchObject({ code: "unknown" });
      const mustBeOpen = end(handle.cancel(0, { mustBeOpen: true }));
      await expect(mustBeOpen).rejects.toMatchObject({ code: "unknown" });
    }
  });

  it("a deadline of this machine's clock is counted from the opening", async () => {
    const { bench, session, pass, end } = await open();
    const at = new Date(bench.clock.wallMs() + 2_000);
    const count = session.countBarrier("b");
    await end(count.init(2, { deadline: { at } }));
    const wait = follow(count.wait());
    await pass(1_500);
    expect(wait.isSettled()).toBe(false);
    await pass(2_000);
    expect(wait.error).toMatchObject({ code: "timeout", missing: ["1 more, anonymous"] });
    await expect(count.init(1, { deadline: { at: new Date("no") } })).rejects.toMatchObject({
      code: "invalid",
    });
  });

  it("the number expected of a count changes while people wait", async () => {
    const { session, pass, end } = await open();
    const count = session.countBarrier("b");
    await end(count.init(5));
    const waits = [count.wait(), count.wait()].map(follow);
    await pass();
    await expect(end(count.change(1))).rejects.toMatchObject({ code: "invalid" });
    await end(count.change(2));
    await pass();
    expect(waits.map(({ value }) => value)).toEqual([crossed, crossed]);
  });

  it("a value that cannot be rejects that call alone, before anything is sent", async () => {
    const { bench, session } = await open();
    const sent = bench.sent.length;
    const wrong = [
      session.stateBarrier("s").wait(-1),
      session.stateBarrier("s").signalAndWait(1.5),
      session.quorumBarrier("q").init({ percent: 101 }),
      session.quorumBarrier("q").init({ count: -1 }),
      session.quorumBarrier("q").change({ percent: 0.5 }),
      session.rosterBarrier("r").open({ members: ["a"], phases: -1 }),
      session.rosterBarrier("r").arrive({ phase: 1.5 }),
      session.countBarrier("c").init(1, { deadline: { since: "opening", ms: -1 } }),
      session.peers.set(-1),
    ];
    for (const call of wrong) await expect(call).rejects.toMatchObject({ code: "invalid" });
    expect(bench.sent.length).toBe(sent);
  });
});

// SPDX-License-Identifier: MIT
// Goal: a cut connection loses nothing and counts nothing twice (Q2, B6), every wait ends (Q1), and
// a session lives as long as its lease and no longer (Q3, D5). Method: the shipped client, session
// endpoint and host under virtual time, WebSockets cut at every message and at random ones.
import { describe, expect, it } from "vitest";
import { connect, sessionUrl } from "../../../src/client/connect.ts";
import type { ConnectOptions } from "../../../src/client/connect-options.ts";
import type { CountBarrier } from "../../../src/client/count-barrier.ts";
import type { Session } from "../../../src/client/session.ts";
import { SessionBench } from "./session-bench.ts";

/** What became of a promise, as text, once it is settled. */
function follow(promise: Promise<unknown>) {
  const state: { end: string | undefined; isSettled: boolean } = {
    end: undefined,
    isSettled: false,
  };
  promise.then(
    (value) => {
      state.end = JSON.stringify(value);
      state.isSettled = true;
    },
    (error: Error & { code?: string }) => {
      state.end = error.code ?? error.message;
      state.isSettled = true;
    },
  );
  return state;
}

interface Round {
  readonly sessions: number;
  readonly participants: number;
  readonly rounds: number;
}

/** Everybody meets at one barrier after the other; how each wait ended, by participant. */
async function meet(bench: SessionBench, { sessions, participants, rounds }: Round) {
  const ends = new Map<string, string[]>();
  const opened: Session[] = [];
  for (let index = 0; index < sessions; index += 1) {
    opened.push(await bench.session({ scope: "s", leaseMs: 60_000 }));
  }
  const driver = opened[0] as Session;
  const take = async (session: Session, name: string): Promise<void> => {
    const told: string[] = [];
    ends.set(name, told);
    for (let round = 1; round <= rounds; round += 1) {
      const barrier = session.countBarrier(`b${round}`);
      const { generation, error } = await barrier.wait({ name, error: round });
      told.push(`b${round}.${generation} ${error}`);
    }
  };
  const all = opened.flatMap((session, index) =>
    Array.from({ length: participants }, (_, at) => take(session, `p${index}-${at}`)),
  );
  const inits = Array.from({ length: rounds }, (_, at) =>
    driver.countBarrier(`b${at + 1}`).init(sessions * participants, { name: "driver" }),
  );
  return { ends, done: Promise.all([...all, ...inits]) };
}

function expectedEnds(rounds: number): readonly string[] {
  return Array.from({ length: rounds }, (_, at) => `b${at + 1}.1 ${at + 1}`);
}

async function expectExactlyOnce(bench: SessionBench, round: Round, ends: Map<string, string[]>) {
  const { sessions, participants, rounds } = round;
  expect(ends.size).toBe(sessions * participants);
  for (const told of ends.values()) expect(told).toEqual(expectedEnds(rounds));
  const arrivals = await bench.arrivals();
  expect(arrivals).toHaveLength((sessions * participants + 1) * rounds);
  expect(new Set(arrivals).size).toBe(arrivals.length);
  expect(bench.host.describe("s").barriers).toEqual([]);
}

describe("a session whose connections are cut", () => {
  it("Q2 loses and doubles nothing when cut at any message", async () => {
    const round = { sessions: 1, participants: 3, rounds: 2 };
    const play = async (messages: number) => {
      const bench = new SessionBench();
      await bench.start();
      bench.nextMessagesLeft = messages;
      const { ends, done } = await meet(bench, round);
      const end = follow(done);
      for (let tries = 0; end.end === undefined && tries < 1_000; tries += 1) {
        await bench.clock.pass(10_000);
      }
      await expectExactlyOnce(bench, round, ends);
      return bench;
    };
    const undisturbed = await play(Number.POSITIVE_INFINITY);
    const messages = undisturbed.sockets[0]?.carried ?? 0;
    expect(messages).toBeGreaterThan(10);
    for (let at = 1; at < messages; at += 1) await play(at);
  });

  it.each(Array.from({ length: 40 }, (_, at) => at + 1))(
    "Q2 loses and doubles nothing when cut at random, also with the server killed: seed %d",
    async (seed) => {
      // A log that is slow, and that fails: batches are on their way when links are cut.
      const faults = { appendDelayMsMax: 30, deliveryDelayMsMax: 20, indefiniteFailure: 0.05 };
      const bench = new SessionBench({ seed, delayMsMax: 20, faults });
      await bench.start();
      const round = { sessions: 4, participants: 10, rounds: 5 };
      const { ends, done } = await meet(bench, round);
      const end = follow(done);
      let cuts = 0;
      for (let turn = 0; end.end === undefined && turn < 5_000; turn += 1) {
        await bench.clock.pass(1_000 * (1 + bench.random.below(10)));
        if (cuts >= 60) continue;
        if (cuts === 0 || bench.random.chance(0.3)) {
          bench.random.pick(bench.sockets)?.cut();
          cuts += 1;
        } else if (bench.random.chance(0.05)) await bench.restart();
      }
      expect(cuts).toBeGreaterThan(0);
      await expectExactlyOnce(bench, round, ends);
    },
  );
});

describe("the lease", () => {
  const limits = { edgeLeaseUs: 1_000_000 };

  it("Q3 D5 keeps a session that is back within it: the one it asked for, not the usual", async () => {
    const bench = new SessionBench({ limits });
    await bench.start();
    const links: boolean[] = [];
    const session = await bench.session({ leaseMs: 5_000, onLink: (up) => void links.push(up) });
    const wait = follow(session.countBarrier("b").wait({ name: "p" }));
    await bench.clock.pass(10_000);
    bench.isDown = true;
    bench.cutAll();
    await bench.clock.pass(4_000_000);
    expect(bench.host.describe("default").barriers[0]).toMatchObject({ arrived: 1 });
    bench.isDown = false;
    await bench.clock.pass(5_000_000);
    expect(links).toEqual([false, true]);
    void session.countBarrier("b").init(1);
    await bench.clock.pass(10_000);
    expect(wait.end).toBe('{"generation":1,"error":0}');
  });

  it("Q3 D5 ends a session that is away for longer, at both ends", async () => {
    const bench = new SessionBench({ limits });
    await bench.start();
    let ended = "";
    const session = await bench.session({
      leaseMs: 3_000,
      onEnd: ({ code, definite }) => {
        ended = `${code} ${definite}`;
      },
    });
    const wait = follow(session.countBarrier("b").wait());
    await bench.clock.pass(10_000);
    bench.isDown = true;
    bench.cutAll();
    await bench.clock.pass(2_900_000);
    expect([wait.end, bench.host.describe("default").barriers.length]).toEqual([undefined, 1]);
    await bench.clock.pass(2_000_000);
    expect(wait.end).toBe("unavailable");
    expect(ended).toBe("unavailable false");
    expect(bench.host.describe("default").barriers).toEqual([]);
    await expect(session.countBarrier("b").cancel()).rejects.toThrow("lease");
  });

  it("D5 a session that comes back after it hears what it was told before, and that it ended", async () => {
    const bench = new SessionBench({ limits });
    await bench.start();
    const session = await bench.session({ leaseMs: 2_000 });
    const driver = await bench.session({ leaseMs: 60_000 });
    const [first, second] = ["a", "b"].map((name) => follow(session.countBarrier(name).wait()));
    await bench.clock.pass(10_000);
    bench.sockets[0]?.cut();
    // Only the first is down; its client believes in a longer lease than the server kept.
    void driver.countBarrier("a").init(1);
    await bench.clock.pass(1_000);
    expect(second?.end).toBeUndefined();
    await bench.clock.pass(5_000_000);
    expect(first?.end).toBe('{"generation":1,"error":0}');
  });
});

describe("a session", () => {
  it("B10 is named in reports as its participants are, from the address the server saw", async () => {
    const bench = new SessionBench();
    await bench.start();
    const session = await bench.session({ name: "worker" });
    void session.countBarrier("b").wait();
    void session.countBarrier("b").wait({ name: "other" });
    await bench.clock.pass(10_000);
    const [barrier] = bench.host.describe("default").barriers;
    expect(barrier?.waiting.map(({ who }) => who)).toEqual([
      { address: "10.0.0.1:1", name: "worker" },
      { address: "10.0.0.1:1", name: "other" },
    ]);
  });

  it("is refused what its role does not allow before anything is sent", async () => {
    const bench = new SessionBench({ caller: { role: "participant" } });
    await bench.start();
    const session = await bench.session();
    await expect(session.countBarrier("b").init(1)).rejects.toMatchObject({ code: "forbidden" });
    await expect(session.cancelAll()).rejects.toThrow("role participant");
    void session.countBarrier("b").wait();
    await bench.clock.pass(10_000);
    expect(bench.host.describe("default").barriers[0]).toMatchObject({ arrived: 1 });
  });

  it("uses the scope of its token, and is refused another", async () => {
    const bench = new SessionBench({ caller: { scope: "mine" } });
    await bench.start();
    expect((await bench.session()).scope).toBe("mine");
    expect((await bench.session({ scope: "mine" })).scope).toBe("mine");
    const refused = follow(bench.refusal({ scope: "other" }));
    await bench.clock.pass(100_000);
    expect(refused.end).toBe("forbidden");
  });

  const long = "x".repeat(3_000);
  it.each<[string, (barrier: CountBarrier) => Promise<unknown>, string]>([
    ["a count that is not whole", (b) => b.init(1.5), "count: give"],
    ["a count below 0", (b) => b.init(-1), "count: give"],
    ["a count that is no number", (b) => b.initAndWait(Number.NaN), "count: give"],
    ["an error that is not whole", (b) => b.wait({ error: 1.5 }), "error: give"],
    ["a wait of 10^15 ms", (b) => b.wait({ timeoutMs: 1e15 }), "timeoutMs: give"],
    [
      "one ms more than a wait may last",
      (b) => b.wait({ timeoutMs: 3_153_600_000_001 }),
      "timeoutMs",
    ],
    ["a timeout below 0", (b) => b.wait({ timeoutMs: -3 }), "timeoutMs: give"],
    ["a timeout that is no number", (b) => b.wait({ timeoutMs: Number.NaN }), "timeoutMs: give"],
    ["a long name", (b) => b.wait({ name: long }), "name of the participant"],
    ["a name that is no text", (b) => b.wait({ name: 7 as unknown as string }), "name: give"],
    ["a cancel with an error below 0", (b) => b.cancel(-1), "error: give"],
  ])("Q1 refuses one call, with %s, and the others wait on", async (_what, call, said) => {
    const bench = new SessionBench();
    await bench.start();
    const session = await bench.session();
    const other = follow(session.countBarrier("other").wait());
    const faulty = call(session.countBarrier("b")).then(
      () => "nothing was wrong",
      (error: Error) => error.message,
    );
    await bench.clock.pass(10_000);
    expect(await faulty).toContain(said);
    expect(other.end).toBeUndefined();
    void session.countBarrier("other").init(1);
    await bench.clock.pass(10_000);
    expect(other.end).toBe('{"generation":1,"error":0}');
  });

  it("Q1 a wait that is aborted while the session closes hears why, and nobody else does", async () => {
    const bench = new SessionBench();
    await bench.start();
    const session = await bench.session();
    const abort = new AbortController();
    const wait = follow(session.countBarrier("b").wait({ signal: abort.signal }));
    await bench.clock.pass(10_000);
    const closing = follow(session.close());
    // What a listener throws comes to nobody but the process, which ends by it.
    const faults: unknown[] = [];
    const onFault = (error: unknown): void => void faults.push(error);
    const others = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException").on("uncaughtException", onFault);
    abort.abort(new Error("not needed any more"));
    await new Promise((resolve) => setImmediate(resolve));
    process.off("uncaughtException", onFault);
    for (const other of others) process.on("uncaughtException", other);
    await bench.clock.pass(10_000);
    expect([wait.end, faults, closing.isSettled]).toEqual(["not needed any more", [], true]);
  });

  it("Q1 who has asked the server's clock or state hears that the session has ended", async () => {
    const bench = new SessionBench();
    await bench.start();
    const session = await bench.session();
    const wait = follow(session.countBarrier("b").wait({ together: true }));
    const state = follow(session.describe());
    session.abandon();
    await bench.clock.pass(10_000);
    expect([wait.end, state.end]).toEqual(["ended", "ended"]);
  });

  it("takes the longest timeout there is", async () => {
    const bench = new SessionBench();
    await bench.start();
    const session = await bench.session();
    const wait = follow(session.countBarrier("b").wait({ timeoutMs: 3_153_600_000_000 }));
    await bench.clock.pass(10_000);
    void session.countBarrier("b").init(1);
    await bench.clock.pass(10_000);
    expect(wait.end).toBe('{"generation":1,"error":0}');
  });

  it("Q1 is told when a cancel is in the log, and when the session ended before", async () => {
    const bench = new SessionBench();
    await bench.start();
    const session = await bench.session({ leaseMs: 1_000 });
    const wait = follow(session.countBarrier("b").wait());
    await bench.clock.pass(10_000);
    const cancel = follow(session.countBarrier("b").cancel(4));
    expect(cancel.end).toBeUndefined();
    await bench.clock.pass(10_000);
    expect([wait.end, bench.host.describe("default").barriers]).toEqual(["cancelled", []]);
    expect(cancel).toHaveProperty("isSettled", true);
    bench.isDown = true;
    bench.cutAll();
    const late = follow(session.cancelAll());
    await bench.clock.pass(2_000_000);
    expect(late.end).toBe("unavailable");
  });
});

describe("connect", () => {
  it.each([
    ["localhost:1", "ws://localhost:1/v1/session"],
    ["https://a.example", "wss://a.example/v1/session"],
    ["ws://[::1]:8470/x#y", "ws://[::1]:8470/x"],
  ])("understands %s", (given, url) => {
    expect(sessionUrl(given)).toBe(url);
  });

  it.each<[string, string, ConnectOptions, string]>([
    ["no address", "a b", {}, "HOST:PORT"],
    ["a variable that is not set", undefined as unknown as string, {}, "not connect(undefined)"],
    ["an empty variable", "", {}, 'not connect("")'],
    ["an address of something else", "ftp://x", {}, "HOST:PORT"],
    ["a token with a space", "localhost:1", { token: "mst_a b" }, "token: give"],
    ["a scope that has no bytes", "localhost:1", { scope: "s\ud800" }, "scope: give"],
    ["a lease of no time", "localhost:1", { leaseMs: 0 }, "leaseMs: give"],
  ])("rejects %s with a MusterError", async (_what, url, options, said) => {
    const attempt = connect(url, options);
    await expect(attempt).rejects.toMatchObject({ name: "MusterError", code: "invalid" });
    await expect(attempt).rejects.toThrow(said);
  });
});

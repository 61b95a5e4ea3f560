// SPDX-License-Identifier: MIT
// Goal: a latch, a counter and an election keep what their files promise, also over connections
// that are cut and sessions that die. Method: the shipped client, session endpoint and host under
// virtual time, with random cuts.
import { describe, expect, it } from "vitest";
import type { Leadership } from "../../../src/client/election.ts";
import type { Session } from "../../../src/client/session.ts";
import { SessionBench } from "./session-bench.ts";

async function open(seed = 1) {
  const bench = new SessionBench({ seed, delayMsMax: 10 });
  await bench.start();
  /** Lets time pass until it is settled. */
  const end = async <Result>(promise: Promise<Result>): Promise<Result> => {
    let isSettled = false;
    const settle = (): void => {
      isSettled = true;
    };
    promise.then(settle, settle);
    for (let tries = 0; !isSettled; tries += 1) {
      if (tries === 2_000) throw new Error("it was not answered");
      await bench.clock.pass(10_000);
    }
    return promise;
  };
  return { bench, end, session: await bench.session({ leaseMs: 60_000 }) };
}

describe("a latch", () => {
  it("opens when so many have counted down, and stays open", async () => {
    const { bench, end, session } = await open();
    const latch = session.latch("l", 3);
    let isOpen = false;
    const wait = latch.wait().then(() => {
      isOpen = true;
    });
    expect(await end(latch.countDown())).toBe(2);
    const last = latch.countDownAndWait();
    await bench.clock.pass(100_000);
    expect(isOpen).toBe(false);
    expect(await end(latch.countDown())).toBe(0);
    await end(Promise.all([wait, last]));
    expect(await end(latch.countDown())).toBe(0);
    await end(latch.wait());
    expect(() => session.latch("l", -1)).toThrow("count");
  });

  it("that has failed tells who waits and who comes", async () => {
    const { end, session } = await open();
    const latch = session.latch("l", 3);
    const wait = expect(latch.wait()).rejects.toMatchObject({ code: "failed", reason: "no disk" });
    await end(latch.fail("no disk"));
    await end(wait);
    await expect(end(latch.wait())).rejects.toMatchObject({ code: "failed", reason: "no disk" });
  });
});

describe("a counter", () => {
  it.each([1, 2, 3])("B6 gives each number once, over cut connections: seed %d", async (seed) => {
    const { bench, end, session } = await open(seed);
    const sessions = [session, await bench.session(), await bench.session()];
    const numbers: Promise<number>[] = [];
    for (let turn = 0; turn < 40; turn += 1) {
      for (const one of sessions) numbers.push(one.counter("n").next());
      await bench.clock.pass(1_000 * bench.random.below(10));
      if (bench.random.chance(0.3)) bench.random.pick(bench.sockets)?.cut();
    }
    const given = await end(Promise.all(numbers));
    expect(given.toSorted((a, b) => a - b)).toEqual(given.map((_, at) => at + 1));
    expect(await end(session.counter("n").value())).toBe(120);
    expect(await end(session.counter("other").value())).toBe(0);
    await end(session.counter("n").reached(120));
  });
});

describe("an election", () => {
  it("has one leader at a time, with terms that grow, when leaders resign or die", async () => {
    const { bench, end, session } = await open();
    const terms: number[] = [];
    let leaders = 0;
    const stand = async (candidate: Session): Promise<Leadership> => {
      const leadership = await candidate.election("e").campaign();
      leaders += 1;
      terms.push(leadership.term);
      return leadership;
    };
    const mortal = await bench.session({ leaseMs: 500 });
    const mortalSocket = bench.sockets.at(-1);
    const others = [await bench.session(), await bench.session(), session];
    const first = await end(stand(mortal));
    const waiting = others.map(stand);
    await bench.clock.pass(1_000_000);
    expect([leaders, first.isLeading]).toEqual([1, true]);
    expect(await end(session.election("e").isLed())).toBe(true);
    mortal.abandon();
    mortalSocket?.cut();
    await expect(first.lost).rejects.toMatchObject({ code: "ended" });
    expect(first.isLeading).toBe(false);
    await end(Promise.race(waiting));
    await bench.clock.pass(1_000_000);
    expect(leaders).toBe(2);
    expect(terms).toEqual([1, 2]);
  });

  it("passes on when its leader resigns, and its candidates can give up", async () => {
    const { bench, end, session } = await open();
    const election = session.election("e");
    const abort = new AbortController();
    const lead = async (): Promise<number> => {
      await using leadership = await election.campaign();
      expect(leadership.isLeading).toBe(true);
      return leadership.term;
    };
    const first = await end(election.campaign());
    const gaveUp = expect(election.campaign({ signal: abort.signal })).rejects.toThrow("enough");
    const others = [lead(), lead(), lead()];
    await bench.clock.pass(500_000);
    abort.abort(new Error("enough"));
    await gaveUp;
    await end(first.resign());
    expect((await end(Promise.all(others))).toSorted()).toEqual([2, 3, 4]);
    await bench.clock.pass(500_000);
    expect(await end(election.isLed())).toBe(false);
  });

  it("an error other than that somebody leads ends the campaign", async () => {
    const bench = new SessionBench({ caller: { role: "participant" } });
    await bench.start();
    const session = await bench.session();
    await expect(session.election("e").campaign()).rejects.toMatchObject({ code: "forbidden" });
  });
});

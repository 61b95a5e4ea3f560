// SPDX-License-Identifier: MIT
// Goal: parties that go together go at one instant of the server's clock, whatever their own clocks
// show and however long the news takes, and each knows how far off it was. Method: sessions with
// clocks that differ by seconds, over connections with random delays, under virtual time; what they
// report is held against the true instants.
import { describe, expect, it } from "vitest";
import type { Crossing } from "../../../src/client/barrier-requests.ts";
import { commonClockTime } from "../../../src/client/session-time.ts";
import { SessionBench } from "./session-bench.ts";

interface Went {
  readonly atUs: number;
  readonly crossing: Crossing;
}

/** So many parties, their clocks seconds apart, meet at a barrier. */
async function meet(
  { seed, parties }: { readonly seed: number; readonly parties: number },
  together: (party: number) => boolean | { readonly leadMs: number },
) {
  const bench = new SessionBench({ seed, delayMsMax: 8 });
  await bench.start();
  const went: Went[] = [];
  const waits: Promise<void>[] = [];
  for (let party = 0; party < parties; party += 1) {
    bench.clockOffsetUs = (party - 2) * 3_000_000;
    const session = await bench.session();
    const wait = session.countBarrier("b").wait({ together: together(party) });
    waits.push(
      wait.then((crossing) => {
        went.push({ atUs: bench.clock.nowUs(), crossing });
      }),
    );
  }
  await bench.clock.pass(3_000_000);
  bench.clockOffsetUs = 0;
  const driver = await bench.session();
  const init = driver.countBarrier("b").init(parties);
  await bench.clock.pass(12_000_000);
  await Promise.all([init, ...waits]);
  return { bench, went };
}

function spreadUs(went: readonly Went[]): number {
  const instants = went.map(({ atUs }) => atUs);
  return Math.max(...instants) - Math.min(...instants);
}

describe("parties that go together", () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    "go at one instant, as far as their clocks can be known: seed %d",
    async (seed) => {
      const { went } = await meet({ seed, parties: 5 }, () => true);
      expect(went).toHaveLength(5);
      const errors = went.map(({ crossing }) => crossing.go?.errorUs ?? Infinity);
      // The doubt of two clocks. What a real clock spins away is left out here: all are that early.
      const [worst = 0, second = 0] = errors.toSorted((a, b) => b - a);
      expect(spreadUs(went)).toBeLessThanOrEqual(worst + second + 1_000);
      for (const { crossing } of went)
        expect(Math.abs(crossing.go?.offUs ?? 1e9)).toBeLessThanOrEqual(commonClockTime.spinUs);
    },
  );

  it("are nearer to each other than those who go when they hear of it", async () => {
    const seeds = Array.from({ length: 10 }, (_, at) => at + 20);
    let [together, alone] = [0, 0];
    for (const seed of seeds) {
      together += spreadUs((await meet({ seed, parties: 5 }, () => true)).went);
      const { went } = await meet({ seed, parties: 5 }, () => false);
      alone += spreadUs(went);
      expect(went.every(({ crossing }) => crossing.go === undefined)).toBe(true);
    }
    expect(together * 2).toBeLessThan(alone);
  });

  it("go at the latest of the leads that were asked for; others need not wait for it", async () => {
    const leads = [false, { leadMs: 100 }, { leadMs: 2_000 }] as const;
    const { went } = await meet({ seed: 1, parties: 3 }, (party) => leads[party] ?? false);
    const [first, ...rest] = went;
    expect(first?.crossing).toEqual({ generation: 1, error: 0 });
    expect(spreadUs(rest)).toBeLessThan(20_000);
    expect((rest[0]?.atUs ?? 0) - (first?.atUs ?? 0)).toBeGreaterThan(1_900_000);
  });

  it("who asks for a longer lead than there is is refused", async () => {
    const bench = new SessionBench();
    await bench.start();
    const session = await bench.session();
    const wait = session.stateBarrier("b").wait(1, { together: { leadMs: 10_001 } });
    const refused = expect(wait).rejects.toMatchObject({ code: "limit" });
    await bench.clock.pass(1_000_000);
    await refused;
  });

  it("ask the clock while they wait and no longer, and anew after a cut", async () => {
    const bench = new SessionBench();
    await bench.start();
    const session = await bench.session();
    const asked = (): number => bench.sent.filter((text) => text.includes('"clock"')).length;
    const wait = session.stateBarrier("b").wait(1, { together: true });
    await bench.clock.pass(100_000);
    expect(asked()).toBe(commonClockTime.exchanges);
    await bench.clock.pass(5_000_000);
    expect(asked()).toBeGreaterThanOrEqual(commonClockTime.exchanges + 8);
    bench.cutAll();
    await bench.clock.pass(5_000_000);
    const before = asked();
    const signal = session.stateBarrier("b").signal();
    await bench.clock.pass(1_000_000);
    await signal;
    expect((await wait).go).toMatchObject({ errorUs: 0 });
    const after = asked();
    expect(after).toBeGreaterThanOrEqual(before);
    await bench.clock.pass(10_000_000);
    expect(asked()).toBe(after);
  });

  it("Q1 an aborted one leaves, while it measures and while it waits", async () => {
    const bench = new SessionBench();
    await bench.start();
    const session = await bench.session();
    for (const afterUs of [0, 100_000]) {
      const abort = new AbortController();
      const wait = session
        .stateBarrier("b")
        .wait(1, { together: true, signal: abort.signal })
        .catch((error: Error) => error.message);
      await bench.clock.pass(afterUs);
      abort.abort(new Error("enough"));
      expect(await wait).toBe("enough");
      await bench.clock.pass(100_000);
      expect(bench.host.describe("default").barriers[0]?.arrived ?? 0).toBe(0);
    }
  });
});

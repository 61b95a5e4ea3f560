// SPDX-License-Identifier: MIT
// Goal: the clock of simulated runs goes on when all is done that an instant has called for, and
// not before, also where it saves turns because nobody asks for ticks. Method: what promises and
// streams have to do, with ticks watched and not.
import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { ticksAsked, watchTicks } from "../../../src/testing/tick-watch.ts";
import { turnOfTicks, VirtualClock } from "../../../src/testing/virtual-clock.ts";

async function promises(count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) await Promise.resolve();
}

describe.each([true, false])("VirtualClock with turns of ticks, watched: %s", (isWatched) => {
  async function run(use: (clock: VirtualClock, said: string[]) => void): Promise<string[]> {
    const watch = isWatched ? watchTicks() : undefined;
    const clock = new VirtualClock(2, turnOfTicks);
    const said: string[] = [];
    try {
      use(clock, said);
      await clock.pass(1_000_000);
    } finally {
      watch?.stop();
    }
    return said;
  }

  it("fires timers in the order of their instants, then of setting", async () => {
    const said = await run((clock, list) => {
      clock.after(2, () => list.push("c"));
      clock.after(1, () => list.push("a"));
      clock.after(1, () => list.push("b"));
    });
    expect(said).toEqual(["a", "b", "c"]);
  });

  it("waits for a long row of promises before the next timer", async () => {
    const said = await run((clock, list) => {
      clock.after(1, () => void promises(1_000).then(() => list.push("promises")));
      clock.after(1, () => list.push("timer"));
    });
    expect(said).toEqual(["promises", "timer"]);
  });

  it("waits for what goes through a stream, and for what promises make of it", async () => {
    const said = await run((clock, list) => {
      // Ticks that were asked for before have been forgotten by then.
      for (let ms = 1; ms < 10; ms += 1) clock.after(ms, () => undefined);
      const stream = new PassThrough();
      stream.on("data", (chunk: Buffer) => {
        void promises(3).then(() => list.push(chunk.toString()));
      });
      stream.on("end", () => process.nextTick(() => void promises(3).then(() => list.push("end"))));
      clock.after(10, () => stream.end("chunk"));
      clock.after(10, () => list.push("timer"));
    });
    expect(said).toEqual(["chunk", "end", "timer"]);
  });

  it("does what was left for the end of a turn, and what that leaves", async () => {
    const said = await run((clock, list) => {
      clock.after(1, () => clock.endOfTurn(() => clock.endOfTurn(() => list.push("later"))));
      clock.after(1, () => list.push("timer"));
    });
    expect(said).toEqual(["later", "timer"]);
  });

  it("says what a timer throws to who lets time pass", async () => {
    const failing = run((clock) => {
      clock.after(1, () => {
        throw new Error("broken");
      });
    });
    await expect(failing).rejects.toThrow("broken");
  });
});

describe("watchTicks()", () => {
  it("counts until the last watcher stops, and leaves the platform as it was", () => {
    const { nextTick } = process;
    const [first, second] = [watchTicks(), watchTicks()];
    const before = ticksAsked() ?? 0;
    process.nextTick(() => undefined);
    expect(ticksAsked()).toBe(before + 1);
    first.stop();
    first.stop();
    expect(ticksAsked()).toBe(before + 1);
    second.stop();
    expect(ticksAsked()).toBeUndefined();
    expect(process.nextTick).toBe(nextTick);
  });
});

// SPDX-License-Identifier: MIT
// Goal: at a swap-out, programs that it starts get their time, and no other does.
import { expect, it } from "vitest";
import { SwapoutEvents } from "../../../src/testbed/swapout-events.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";

interface Starts {
  /** Was fired as the run was halted, and is heard of then. */
  readonly atHalt?: string;
  readonly bySwapout?: string;
}

/** @returns whether the swap-out of a run in which these start was over at once. */
async function isOverAtOnce({ atHalt, bySwapout }: Starts): Promise<boolean> {
  const active = new Set(["before"]);
  const start = (name: string | undefined): Promise<void> => {
    if (name !== undefined) active.add(name);
    return Promise.resolve();
  };
  const clock = new VirtualClock();
  const swapout = new SwapoutEvents({
    ...{ clock, scope: "s", log: () => undefined, active: () => [...active] },
    isHeard: () => Promise.resolve(true),
    drain: () => start(atHalt),
    requests: {
      halt: () => undefined,
      mark: () => Promise.resolve(),
      fireNow: () => start(bySwapout),
    },
  });
  let isOver = false;
  void swapout.run().then(() => {
    isOver = true;
  });
  await clock.settle();
  return isOver;
}

it("does not wait for a program whose start fires just as it begins", async () => {
  expect(await isOverAtOnce({ atHalt: "late" })).toBe(true);
});

it("waits for one that it starts itself", async () => {
  expect(await isOverAtOnce({ bySwapout: "report" })).toBe(false);
});

// SPDX-License-Identifier: MIT
// How late planned actions are at a steady rate: ours, the barest thread, and timers of the event
// loop, which is what a program without a thread would use.
import { closeSync, openSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { systemClock } from "../../src/host/clock.ts";
import { ThreadFireClock } from "../../src/testbed/agents/firing/thread-fire-clock.ts";
import { percentile } from "../statistics.ts";
import type { FloorData } from "./floor-thread.ts";

export interface LatenessFigures {
  readonly p50Us: number;
  readonly p99Us: number;
}

export interface Rate {
  readonly count: number;
  readonly stepUs: number;
}

/** Actions are given this long before they are due, as the agenda does. */
const aheadUs = 500_000;
/** Until a thread has started. */
const settleUs = 300_000;

export async function latenessOfOurs({ count, stepUs }: Rate): Promise<LatenessFigures> {
  const descriptor = openSync("/dev/null", "w");
  const fire = new ThreadFireClock(systemClock);
  const firstUs = systemClock.nowUs() + settleUs;
  const lateUs: number[] = [];
  await new Promise<void>((resolve) => {
    let armed = 0;
    const arm = (): void => {
      while (armed < count && firstUs + armed * stepUs < systemClock.nowUs() + aheadUs) {
        const dueUs = firstUs + armed * stepUs;
        fire.at(dueUs, { kind: "write", descriptor, text: "." }, ({ firedUs }) => {
          lateUs.push(firedUs - dueUs);
          if (lateUs.length === count) resolve();
        });
        armed += 1;
      }
      if (armed < count) setTimeout(arm, 50);
    };
    arm();
  });
  fire.close();
  closeSync(descriptor);
  return figuresOf(lateUs);
}

export async function latenessOfFloor({ count, stepUs }: Rate): Promise<LatenessFigures> {
  const descriptor = openSync("/dev/null", "w");
  const firstUs = systemClock.nowUs() + settleUs;
  const workerData: FloorData = { descriptor, firstUs, stepUs, count };
  const thread = new Worker(new URL("./floor-thread.ts", import.meta.url), { workerData });
  const lateUs = await new Promise<number[]>((resolve, reject) => {
    thread.once("message", resolve);
    thread.once("error", reject);
  });
  await thread.terminate();
  closeSync(descriptor);
  return figuresOf(lateUs);
}

export async function latenessOfTimers({ count, stepUs }: Rate): Promise<LatenessFigures> {
  const firstUs = systemClock.nowUs() + settleUs;
  const lateUs: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const dueUs = firstUs + index * stepUs;
    const waitMs = (dueUs - systemClock.nowUs()) / 1_000;
    // A timer that is armed for less than a whole millisecond waits for one.
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, Math.ceil(waitMs)));
    lateUs.push(systemClock.nowUs() - dueUs);
  }
  return figuresOf(lateUs);
}

function figuresOf(lateUs: readonly number[]): LatenessFigures {
  return { p50Us: percentile(lateUs, 50), p99Us: percentile(lateUs, 99) };
}

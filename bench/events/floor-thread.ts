// SPDX-License-Identifier: MIT
// The barest thread that writes at instants: sleeps, writes, notes how late it was. Nothing on this
// runtime fires with less.
import { writeSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";

export interface FloorData {
  readonly descriptor: number;
  readonly firstUs: number;
  readonly stepUs: number;
  readonly count: number;
  /** It only notes when it woke. */
  readonly isSilent?: boolean;
}

const nowUs = (): number => Number(process.hrtime.bigint() / 1_000n);
const { descriptor, firstUs, stepUs, count, isSilent = false } = workerData as FloorData;
const word = new Int32Array(new SharedArrayBuffer(4));
const lateUs: number[] = [];
for (let index = 0; index < count; index += 1) {
  const dueUs = firstUs + index * stepUs;
  const waitMs = (dueUs - nowUs()) / 1_000;
  if (waitMs > 0) Atomics.wait(word, 0, 0, waitMs);
  lateUs.push(nowUs() - dueUs);
  if (!isSilent) writeSync(descriptor, ".");
}
parentPort?.postMessage(lateUs);

// SPDX-License-Identifier: MIT
// The thread in which snapshots are made (D11), with connections and files of its own. Started by
// thread-follower.ts; ends when it is told to, or cannot go on. It is told "stop", or the entry up
// to which the log is to be cut if its snapshots are whole.
import { parentPort, workerData } from "node:worker_threads";
import type { Limits } from "../core/limits.ts";
import type { Shard } from "../core/shard.ts";
import { openFollowedLog, openSnapshots } from "../engine/open-log.ts";
import type { SnapshotLimits } from "../engine/snapshot-limits.ts";
import { systemClock } from "./clock.ts";
import { followLog } from "./follow-log.ts";

export interface SnapshotThreadData {
  /** As `--log` takes it. */
  readonly log: string;
  readonly natsCreds: string | undefined;
  /** As of `openLog`. */
  readonly shard?: Shard | undefined;
  readonly limits: Limits;
  readonly bounds: SnapshotLimits;
}

const { log: name, natsCreds, shard, limits, bounds } = workerData as SnapshotThreadData;

let ask: ((through: number) => void) | undefined;
const stopped = new Promise<void>((resolve) => {
  parentPort?.on("message", (told: "stop" | number) => {
    if (told === "stop") resolve();
    else ask?.(told);
  });
});

void followLog({
  ...{ limits, bounds },
  openSnapshots: (warn) => openSnapshots(name, { natsCreds, shard, clock: systemClock }, warn),
  openLog: () => openFollowedLog(name, systemClock, { natsCreds, shard }),
  onNews: (news) => parentPort?.postMessage(news),
  stopped,
  onFollowing: (follower) => {
    ask = (through) => follower.check(through);
  },
}).finally(() => {
  // What is left of a connection that was closed while it called a silent broker would keep the
  // thread, and with it the next one from being started.
  process.exit();
});

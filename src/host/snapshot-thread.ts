// SPDX-License-Identifier: MIT
// The thread in which snapshots are made (D11): a follower of the log with connections and files of
// its own. Started by snapshot-keeper.ts; ends when it is told to, or cannot go on.
import { parentPort, workerData } from "node:worker_threads";
import type { Limits } from "../core/limits.ts";
import { openFollowedLog, openSnapshots } from "../engine/open-log.ts";
import type { SnapshotLimits } from "../engine/snapshot-limits.ts";
import { systemClock } from "./clock.ts";
import { type FollowerNews, SnapshotFollower } from "./snapshot-follower.ts";

export interface SnapshotThreadData {
  /** As `--log` takes it. */
  readonly log: string;
  readonly natsCreds: string | undefined;
  readonly limits: Limits;
  readonly bounds: SnapshotLimits;
}

async function follow(data: SnapshotThreadData): Promise<void> {
  const { log: name, natsCreds, limits, bounds } = data;
  const say = (news: FollowerNews): void => parentPort?.postMessage(news);
  let stop: () => void = () => undefined;
  const stopped = new Promise<void>((resolve) => {
    stop = resolve;
  });
  parentPort?.on("message", stop);
  const closes: (() => Promise<void>)[] = [];
  try {
    const warn = (message: string): void => say({ kind: "warning", message });
    const snapshots = await openSnapshots(name, { natsCreds, clock: systemClock }, warn);
    closes.push(() => snapshots.close());
    const log = await openFollowedLog(name, systemClock, { natsCreds });
    closes.push(() => log.close());
    const follower = new SnapshotFollower({
      ...{ log, snapshots, limits, bounds },
      onNews: (news) => {
        say(news);
        if (news.kind === "lost") stop();
      },
    });
    closes.push(() => follower.stop());
    await follower.start();
    await stopped;
  } catch (error) {
    say({ kind: "lost", message: error instanceof Error ? error.message : String(error) });
  } finally {
    for (const close of closes.reverse()) await close();
    parentPort?.close();
  }
}

void follow(workerData as SnapshotThreadData);

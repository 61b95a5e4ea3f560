// SPDX-License-Identifier: MIT
// The life of a follower of a log (D11): opens what it needs, follows until it is told to end or
// cannot go on, and closes what was opened.
import type { Limits } from "../core/limits.ts";
import type { Log } from "../engine/log.ts";
import type { SnapshotLimits } from "../engine/snapshot-limits.ts";
import type { SnapshotStore } from "../engine/snapshots.ts";
import { type FollowerNews, SnapshotFollower } from "./snapshot-follower.ts";

export interface FollowOptions {
  readonly openSnapshots: (warn: (message: string) => void) => Promise<SnapshotStore>;
  readonly openLog: () => Promise<Pick<Log, "read" | "close">>;
  readonly limits: Limits;
  readonly bounds: SnapshotLimits;
  readonly onNews: (news: FollowerNews) => void;
  /** It follows, and may be asked whether something may be cut away. */
  readonly onFollowing: (follower: Pick<SnapshotFollower, "check">) => void;
  /** Resolves when it is to end. */
  readonly stopped: Promise<unknown>;
}

/** Resolves when it has ended and everything is closed. */
export async function followLog(options: FollowOptions): Promise<void> {
  const { limits, bounds, onNews } = options;
  let lose: () => void = () => undefined;
  const lost = new Promise<void>((resolve) => {
    lose = resolve;
  });
  const closes: (() => Promise<void>)[] = [];
  try {
    const snapshots = await options.openSnapshots((message) =>
      onNews({ kind: "warning", message }),
    );
    closes.push(() => snapshots.close());
    const log = await options.openLog();
    closes.push(() => log.close());
    const follower = new SnapshotFollower({
      ...{ log, snapshots, limits, bounds },
      onNews: (news) => {
        onNews(news);
        if (news.kind === "lost") lose();
      },
    });
    closes.push(() => follower.stop());
    await follower.start();
    options.onFollowing(follower);
    await Promise.race([options.stopped, lost]);
  } catch (error) {
    onNews({ kind: "lost", message: error instanceof Error ? error.message : String(error) });
  } finally {
    for (const close of closes.reverse()) await close();
  }
}

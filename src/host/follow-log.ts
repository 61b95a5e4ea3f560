// SPDX-License-Identifier: MIT
// The life of a follower of a log (D11): opens what it needs, follows until it is told to end or
// cannot go on, and closes what was opened.
import type { Limits } from "../core/limits.ts";
import { errorText } from "../core/text.ts";
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

/** Resolves when it has ended, and all is closed that was open by then. */
export async function followLog(options: FollowOptions): Promise<void> {
  const opened = new Opened();
  try {
    // Also while it is opened: brokers that do not answer may keep it for a minute.
    await Promise.race([options.stopped, follow(options, opened)]);
  } catch (error) {
    options.onNews({
      kind: "lost",
      message: errorText(error),
    });
  } finally {
    await opened.close();
  }
}

/** Resolves when it cannot go on, which it has told. @throws when it does not come so far */
async function follow(options: FollowOptions, opened: Opened): Promise<void> {
  const { limits, bounds, onNews } = options;
  let lose: () => void = () => undefined;
  const lost = new Promise<void>((resolve) => {
    lose = resolve;
  });
  const snapshots = await options.openSnapshots((message) => onNews({ kind: "warning", message }));
  await opened.add(() => snapshots.close());
  const log = await options.openLog();
  await opened.add(() => log.close());
  const follower = new SnapshotFollower({
    ...{ log, snapshots, limits, bounds },
    onNews: (news) => {
      onNews(news);
      if (news.kind === "lost") lose();
    },
  });
  await opened.add(() => follower.stop());
  await follower.start();
  options.onFollowing(follower);
  await lost;
}

/** What is open; what is opened late is closed at once. */
class Opened {
  readonly #closes: (() => Promise<void>)[] = [];
  #isClosed = false;

  /** @throws Error when it is over */
  async add(close: () => Promise<void>): Promise<void> {
    if (!this.#isClosed) {
      this.#closes.push(close);
      return;
    }
    await close();
    throw new Error("it was told to end");
  }

  /** The last first. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const close of this.#closes.reverse()) await close();
  }
}

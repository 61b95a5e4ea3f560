// SPDX-License-Identifier: MIT
// Keeps a log of a host bounded (D11): has snapshots made by a follower of the log, where
// this server is the one of several to do it, and has the log cut behind them when nobody needs
// what goes.
//
//   K1. Of several servers the first of the living makes snapshots. Two that both take themselves
//       for it do no harm: a snapshot says the same whoever makes it.
//   K2. The log is cut behind the older of two snapshots, and of several servers not before each
//       that lives has said in the log that it is beyond the newer one; and when both have then
//       been read back as they are in the store (F1).
import type { Log } from "../engine/log.ts";
import type { Cancel } from "./clock.ts";
import type { Host } from "./host.ts";
import type { Logger } from "./logger.ts";
import { Outage, outagePaces } from "./outage.ts";
import type { FollowerNews } from "./snapshot-follower.ts";

/** What makes the snapshots, beside the host. */
export interface Following {
  /** It ends, after what it is writing. */
  readonly stop: () => void;
  /** Tells whether the log may be cut up to this entry. */
  readonly check: (through: number) => void;
  /** Resolves when it has. */
  readonly ended: Promise<void>;
}

/** How often it is looked at whether this server makes snapshots, milliseconds. */
const lookMs = 1_000;
/** One that has lived for so long and is lost then has a new reason for it, microseconds. */
const soundUs = 60_000_000;
/** A thread that is lost is started again after so many looks, then after twice as many. */
const restLooks = { first: 1, max: 64 };

export interface SnapshotKeeperOptions {
  readonly host: Pick<Host, "clock" | "isShared" | "makesSnapshots" | "noteUncut" | "tellSnapshot">;
  readonly log: Pick<Log, "trim">;
  readonly logger: Logger;
  /** Starts a follower of the log; what it has to say it says until it has ended. */
  readonly follow: (onNews: (news: FollowerNews) => void) => Following;
}

export class SnapshotKeeper {
  readonly #options: SnapshotKeeperOptions;
  readonly #outage: Outage;
  #following: Following | undefined;
  #startedUs = 0;
  #hasEnded: Promise<void> = Promise.resolve();
  #cancel: Cancel = () => undefined;
  #restLooks = 0;
  #nextRestLooks = restLooks.first;
  #isClosed = false;

  constructor(options: SnapshotKeeperOptions) {
    this.#options = options;
    const { host, logger } = options;
    this.#outage = new Outage({
      ...{ clock: host.clock, logger, pace: outagePaces.patient },
      words: { failed: (why) => `no snapshots for now: ${why}` },
    });
    this.#look();
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancel();
    this.#stop();
    await this.#hasEnded;
  }

  #look(): void {
    if (this.#isClosed) return;
    this.#cancel = this.#options.host.clock.after(lookMs, () => this.#look());
    const { host } = this.#options;
    if (!host.makesSnapshots) this.#stop();
    else if (this.#following === undefined) {
      this.#restLooks -= 1;
      if (this.#restLooks <= 0) this.#start();
    }
  }

  #start(): void {
    this.#startedUs = this.#options.host.clock.nowUs();
    const following = this.#options.follow((news) => this.#onNews(news));
    this.#following = following;
    this.#hasEnded = following.ended.then(() => {
      if (this.#following === following) this.#following = undefined;
    });
  }

  #stop(): void {
    this.#following?.stop();
    this.#following = undefined;
  }

  #onNews(news: FollowerNews): void {
    const { host, logger } = this.#options;
    switch (news.kind) {
      case "made": {
        this.#recover();
        const { sequence, cutThrough } = news;
        logger.log("info", `snapshot at entry ${sequence}, ${news.bytes} bytes written`);
        if (host.isShared) host.tellSnapshot(sequence, () => this.#check(cutThrough));
        else this.#check(cutThrough);
        return;
      }
      case "overtaken": {
        const at = `the snapshot at entry ${news.sequence} is left out`;
        logger.log("info", `${at}: another server has stored one meanwhile`);
        return;
      }
      case "whole":
        this.#cut(news.cutThrough);
        return;
      case "not-whole":
        host.noteUncut();
        logger.log("warn", news.message);
        return;
      case "warning":
        logger.log("warn", news.message);
        return;
      case "lost":
        this.#lose(news.message);
        return;
    }
  }

  #lose(why: string): void {
    if (this.#options.host.clock.nowUs() - this.#startedUs >= soundUs) this.#recover();
    this.#restLooks = this.#nextRestLooks;
    this.#nextRestLooks = Math.min(this.#nextRestLooks * 2, restLooks.max);
    if (!this.#isClosed) this.#outage.failed(why);
  }

  #recover(): void {
    this.#nextRestLooks = restLooks.first;
    this.#outage.over();
  }

  /** What is not cut now, or cannot be asked about, is cut behind the next snapshot. */
  #check(through: number): void {
    if (through > 0 && this.#options.log.trim !== undefined) this.#following?.check(through);
  }

  #cut(through: number): void {
    const { log, logger } = this.#options;
    if (this.#isClosed) return;
    log.trim?.(through).catch((error: unknown) => {
      logger.log("warn", `the log is not cut for now: ${String(error)}`);
    });
  }
}

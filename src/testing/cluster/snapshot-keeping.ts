// SPDX-License-Identifier: MIT
// Snapshots of one life of a simulated server, as shipped (D11): it starts behind the newest that
// is good, and the first of the living servers has a follower make them and the log cut. What the
// shipped server does in a thread is done in its simulated process.
import type { Limits } from "../../core/limits.ts";
import { MessageSnapshots } from "../../engine/message-snapshots.ts";
import { resolveSnapshotLimits } from "../../engine/snapshot-limits.ts";
import { followLog } from "../../host/follow-log.ts";
import type { Host } from "../../host/host.ts";
import type { SnapshotSource } from "../../host/host-options.ts";
import type { Logger } from "../../host/logger.ts";
import type { FollowerNews } from "../../host/snapshot-follower.ts";
import { type Following, SnapshotKeeper } from "../../host/snapshot-keeper.ts";
import { loadNewest } from "../../host/snapshot-text.ts";
import type { VirtualProcess } from "../virtual-process.ts";
import type { LogWay } from "./shared-log.ts";
import type { SnapshotStream } from "./snapshot-stream.ts";

/** Entries from one snapshot to the next: the shipped number is for months. */
const snapshotEntriesMax = 150;

export interface SnapshotKeepingOptions {
  readonly server: string;
  readonly stream: SnapshotStream;
  readonly process: VirtualProcess;
  readonly logger: Logger;
  /** Of the host, by which the log is cut. */
  readonly way: LogWay;
  /** To the log, for a follower of its own. */
  readonly openWay: () => LogWay;
  /** The state behind that entry was loaded, 0 for the beginning of the log. */
  readonly onLoaded: (sequence: number) => void;
  readonly onMade: (sequence: number) => void;
}

export class SnapshotKeeping {
  readonly #options: SnapshotKeepingOptions;
  #keeper: SnapshotKeeper | undefined;
  /** Of the follower that there is. */
  followWay: LogWay | undefined;

  constructor(options: SnapshotKeepingOptions) {
    this.#options = options;
  }

  readonly source: SnapshotSource = {
    load: async (into) => {
      const { logger, onLoaded } = this.#options;
      const warn = (message: string): void => logger.log("warn", message);
      await loadNewest(this.#connect(warn), into, warn);
      onLoaded(into.core.sequence);
    },
  };

  /** The host has started. */
  begin(host: Host): void {
    const { way: log, logger } = this.#options;
    this.#keeper = new SnapshotKeeper({
      ...{ host, log, logger },
      follow: (onNews) => this.#follow(host.toldLimits.before, onNews),
    });
  }

  async close(): Promise<void> {
    await this.#keeper?.close();
  }

  /** As kill -9 does. */
  kill(): void {
    this.followWay?.kill();
  }

  #follow(limits: Limits, onNews: (news: FollowerNews) => void): Following {
    const { process, openWay, onMade } = this.#options;
    let stop: () => void = () => undefined;
    let check: (through: number) => void = () => undefined;
    const stopped = new Promise<void>((resolve) => {
      stop = resolve;
    });
    const ended = followLog({
      ...{ limits, stopped, bounds: resolveSnapshotLimits({ snapshotEntriesMax }) },
      openSnapshots: async (warn) => this.#connect(warn),
      openLog: async () => {
        this.followWay = openWay();
        return this.followWay;
      },
      onFollowing: (follower) => {
        check = (through) => follower.check(through);
      },
      // As messages of a thread come: in a turn of their own, and not while the process stands.
      onNews: (news) =>
        process.clock.endOfTurn(() => {
          if (news.kind === "made") onMade(news.sequence);
          onNews(news);
        }),
    });
    return { stop, ended, check: (through) => check(through) };
  }

  #connect(warn: (message: string) => void): MessageSnapshots {
    const { server, stream, process, way } = this.#options;
    const isBroken = (): boolean => way.isBroken;
    const messages = stream.connect({ server, clock: process.clock, isBroken });
    return new MessageSnapshots(messages, warn);
  }
}

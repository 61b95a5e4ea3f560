// SPDX-License-Identifier: MIT
// What is below the doors of `muster serve`: the log, what lies beside it, the host that works on
// it, and what keeps it bounded.
import type { LogError } from "../../engine/log.ts";
import {
  isKeptLog,
  isSharedLog,
  openLog,
  openPayloads,
  openSnapshots,
} from "../../engine/open-log.ts";
import { systemClock } from "../../host/clock.ts";
import { Host } from "../../host/host.ts";
import type { SnapshotSource } from "../../host/host-options.ts";
import type { Logger } from "../../host/logger.ts";
import { SnapshotKeeper } from "../../host/snapshot-keeper.ts";
import { loadNewest } from "../../host/snapshot-text.ts";
import { describeMuster } from "../version.ts";
import type { ServePlan } from "./serve-plan.ts";

export interface EngineOptions {
  readonly plan: ServePlan;
  readonly logger: Logger;
  readonly onAppended: (tookUs: number) => void;
  /** The host has stopped for good; the reason was logged. */
  readonly onFailed: (error: LogError) => void;
}

/** A host that has read its log. */
export interface Engine {
  readonly host: Host;
  readonly durability: string;
  readonly close: () => Promise<void>;
}

/** @throws LogError; what was opened before is closed. */
export async function openEngine(options: EngineOptions): Promise<Engine> {
  const { plan, logger, onAppended, onFailed } = options;
  const { limits, snapshots: bounds } = plan.limits;
  const closes: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const one of closes.splice(0).reverse()) await one();
  };
  try {
    const log = await openLog(plan.log, systemClock, plan);
    closes.push(() => log.close());
    const payloads = await openPayloads(plan.log, { ...plan, clock: systemClock });
    closes.push(() => payloads.close());
    const host = new Host({
      ...{ log, payloads, clock: systemClock, limits, logger, onAppended, onFailed },
      ...(isKeptLog(plan.log) ? { snapshots: snapshotSource(options) } : {}),
      // Several servers may have it: each has a name and a life there.
      ...(isSharedLog(plan.log) ? { server: plan.name, build: describeMuster().trim() } : {}),
    });
    closes.push(() => host.close());
    await host.start().catch((error: unknown) => {
      // It may have begun to append: what is left of it would keep the process for ever.
      host.abandon();
      throw error;
    });
    if (isKeptLog(plan.log)) {
      const data = { log: plan.log, natsCreds: plan.natsCreds, limits, bounds };
      const keeper = new SnapshotKeeper({ host, log, logger, data });
      closes.push(() => keeper.close());
    }
    return { host, durability: log.durability, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Opened for each load: those in a file are for one at a time, which is who makes them. */
function snapshotSource({ plan, logger }: EngineOptions): SnapshotSource {
  return {
    async load(into) {
      const warn = (message: string): void => logger.log("warn", message);
      const snapshots = await openSnapshots(plan.log, { ...plan, clock: systemClock }, warn);
      try {
        await loadNewest(snapshots, into, warn);
      } finally {
        await snapshots.close();
      }
    },
  };
}

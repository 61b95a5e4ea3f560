// SPDX-License-Identifier: MIT
// What is below the doors of `muster serve`: the log, or several, what lies beside each, the host
// that works on it, and what keeps it bounded.
import type { Shard } from "../../core/shard.ts";
import type { Log, LogError } from "../../engine/log.ts";
import { maskNatsName } from "../../engine/nats-place.ts";
import {
  checkSharedLogs,
  isKeptLog,
  isSharedLog,
  openLog,
  openPayloads,
  openSnapshots,
} from "../../engine/open-log.ts";
import type { Payloads } from "../../engine/payloads.ts";
import { systemClock } from "../../host/clock.ts";
import { Host } from "../../host/host.ts";
import type { SnapshotSource } from "../../host/host-options.ts";
import { LogCare } from "../../host/log-care.ts";
import type { Logger } from "../../host/logger.ts";
import { Shards } from "../../host/shards.ts";
import type { FollowerNews } from "../../host/snapshot-follower.ts";
import { SnapshotKeeper } from "../../host/snapshot-keeper.ts";
import { loadNewest } from "../../host/snapshot-text.ts";
import { followInThread } from "../../host/thread-follower.ts";
import { describeMuster } from "../version.ts";
import { openAnew } from "./open-anew.ts";
import { sayIfSlow, whyWaiting } from "./say-if-slow.ts";
import type { ServePlan } from "./serve-plan.ts";

export interface EngineOptions {
  readonly plan: ServePlan;
  readonly logger: Logger;
  readonly onAppended: (tookUs: number) => void;
  /** A line for people. */
  readonly say: (line: string) => void;
  /** The host has stopped for good; the reason was logged. */
  readonly onFailed: (wasReplaced: boolean) => void;
}

/** Hosts that have read their logs. */
export interface Engine {
  readonly shards: Shards;
  readonly durability: string;
  readonly close: () => Promise<void>;
}

/** What is opened last is closed first. */
type Closes = (() => Promise<void>)[];

/** @throws LogError; what was opened before is closed. */
export function openEngine(options: EngineOptions): Promise<Engine> {
  const { plan, say } = options;
  const at = `the log at ${isSharedLog(plan.log) ? maskNatsName(plan.log) : plan.log}`;
  return openAnew(
    () => openOnce(options, at),
    ({ message }) => say(`${at}: ${message}; nobody was served yet: it is read anew now`),
  );
}

/** @param at the log, in words. @throws LogError; what was opened before is closed. */
async function openOnce(options: EngineOptions, at: string): Promise<Engine> {
  const { shards: count, log: name } = options.plan;
  const { say } = options;
  if (isSharedLog(name)) {
    const { natsCreds } = options.plan;
    const checking = checkSharedLogs(name, { natsCreds, count, clock: systemClock });
    await sayIfSlow(checking, `${at}: ${whyWaiting}`, say);
  }
  // One after the other, and before what lies beside any: it is told by that which of them was lost
  // (O1 of nats-lost.ts). Of servers that were told different numbers one makes the first, and the
  // others have made nothing.
  const opened: HostParts[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(opened.splice(0).map(({ closes }) => closeAll(closes)));
  };
  try {
    for (let index = 0; index < count; index += 1) {
      const shard = { index, count };
      const place = { ...placeOf(options.plan, shard), onMended: warnTo(options.logger) };
      const opening = openLog(name, systemClock, place);
      const log = await sayIfSlow(opening, `${at}: ${whyWaiting}`, say);
      opened.push({ shard, log, closes: [() => log.close()], failed: Promise.withResolvers() });
    }
    const hosts = await sayIfSlow(openHosts(options, opened), `${at}: it is being read`, say);
    for (const { failed } of opened) {
      void failed.promise.then(({ wasReplaced }) => options.onFailed(wasReplaced));
    }
    return { shards: new Shards(hosts), durability: opened[0]?.log.durability ?? "", close };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * @throws LogError of the first that cannot, or that fails while others still start; the others
 *   close what they open behind that.
 */
async function openHosts(
  options: EngineOptions,
  opened: readonly HostParts[],
): Promise<readonly Host[]> {
  const parts = [...opened];
  const starting = parts.map((one) => openHost(options, one));
  try {
    return await Promise.race([Promise.all(starting), ...parts.map(failureOf)]);
  } catch (error) {
    starting.forEach((one, at) => {
      const closeLate = (): Promise<void> => closeAll(parts[at]?.closes ?? []);
      void one.then(closeLate, closeLate);
    });
    throw error;
  }
}

async function closeAll(closes: Closes): Promise<void> {
  for (const one of closes.splice(0).reverse()) await one();
}

function placeOf({ natsCreds }: ServePlan, shard: Shard) {
  return { natsCreds, shard, clock: systemClock };
}

/** A log that is open, and what is opened on it. */
interface HostParts {
  readonly shard: Shard;
  readonly log: Log;
  readonly closes: Closes;
  /** Of its host, which has stopped for good then, perhaps before it has started. */
  readonly failed: PromiseWithResolvers<HostFailure>;
}

interface HostFailure {
  readonly error: LogError;
  readonly wasReplaced: boolean;
}

/** @throws LogError, when it fails */
async function failureOf({ failed }: HostParts): Promise<never> {
  throw (await failed.promise).error;
}

/** @throws LogError */
async function openHost(options: EngineOptions, parts: HostParts): Promise<Host> {
  const { shard, log, closes, failed } = parts;
  const { plan, onAppended } = options;
  const { limits, told: toldLimits, snapshots: bounds } = plan.limits;
  const logger = shard.count === 1 ? options.logger : namedLogger(options.logger, shard);
  const place = placeOf(plan, shard);
  const found = withoutEcho(warnTo(logger));
  const payloads = await openPayloads(plan.log, { ...place, onMended: warnTo(logger) });
  closes.push(() => payloads.close());
  const host = new Host({
    ...{ log, payloads, clock: systemClock, limits, toldLimits, logger, onAppended },
    onFailed: (error) => failed.resolve({ error, wasReplaced: host.wasReplaced }),
    ...(isKeptLog(plan.log) ? { snapshots: snapshotSource(plan.log, place, found.warn) } : {}),
    // Several servers may have it: each has a name and a life there.
    ...(isSharedLog(plan.log) ? { server: plan.name, build: describeMuster().trim() } : {}),
  });
  closes.push(() => host.close());
  const start = async (): Promise<void> => {
    await host.start();
    await host.limitsTold();
  };
  // A host that fails behind its start is told of nothing that the log says of its limits.
  await Promise.race([start(), failureOf(parts)]).catch((error: unknown) => {
    // It may have begun to append: what is left of it would keep the process for ever.
    host.abandon();
    throw error;
  });
  if (isKeptLog(plan.log)) {
    const { natsCreds } = plan;
    const { before } = host.toldLimits;
    const data = { log: plan.log, natsCreds, shard, limits: before, bounds };
    const keeper = new SnapshotKeeper({
      ...{ host, log, logger },
      follow: (onNews) => followInThread(data, found.heard(onNews)),
    });
    closes.push(() => keeper.close());
    const care = new LogCare({
      ...{ log: examinedWith(log, payloads), clock: systemClock, logger },
      newestSnapshot: () => newestSnapshot(plan.log, place),
      namedMessages: () => host.namedMessages(),
      onLook: (objection) => {
        host.logObjection = objection;
      },
    });
    closes.push(async () => care.close());
  }
  return host;
}

/** What lies beside a log in a file is looked at with it. */
function examinedWith(log: Log, payloads: Payloads): Pick<Log, "examine"> {
  const { examine } = payloads;
  if (examine === undefined || log.examine === undefined) return log;
  return {
    async examine() {
      const beside = examine.call(payloads);
      const examined = await log.examine?.();
      return { first: 1, ...examined, remark: examined?.remark ?? beside };
    },
  };
}

/** The entry that it is behind, 0 when there is none. @throws LogError */
async function newestSnapshot(log: string, place: ReturnType<typeof placeOf>): Promise<number> {
  const snapshots = await openSnapshots(log, place, () => undefined);
  try {
    const listed = await snapshots.list();
    return Math.max(0, ...listed.map((one) => ("manifest" in one ? one.manifest.sequence : 0)));
  } finally {
    await snapshots.close();
  }
}

/** Which of several it is about. */
function namedLogger(logger: Logger, { index }: Shard): Logger {
  return { log: (level, line) => logger.log(level, `shard ${index}: ${line}`) };
}

function warnTo(logger: Logger): (message: string) => void {
  return (message) => logger.log("warn", message);
}

/** Who serves and who makes snapshots both read the newest, and find the same: it is said once. */
function withoutEcho(warn: (message: string) => void) {
  const said = new Set<string>();
  return {
    warn(message: string): void {
      said.add(message);
      warn(message);
    },
    heard(onNews: (news: FollowerNews) => void): (news: FollowerNews) => void {
      return (news) => {
        if (news.kind !== "warning" || !said.delete(news.message)) onNews(news);
      };
    },
  };
}

/** Opened for each load: those in a file are for one at a time, which is who makes them. */
function snapshotSource(
  log: string,
  place: ReturnType<typeof placeOf>,
  warn: (message: string) => void,
): SnapshotSource {
  return {
    async load(into) {
      const snapshots = await openSnapshots(log, place, warn);
      try {
        await loadNewest(snapshots, into, warn);
      } finally {
        await snapshots.close();
      }
    },
  };
}

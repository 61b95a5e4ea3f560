// SPDX-License-Identifier: MIT
// Opens the log a user named, `memory`, `sqlite:FILE` or `nats:URL`, and the messages of topics
// beside it.
import { existsSync, statSync } from "node:fs";
import { resolve } from "node:path";
import type { Shard } from "../core/shard.ts";
import { checkKind, realName } from "./file-kind.ts";
import type { Log, LogClock } from "./log.ts";
import { LogError } from "./log.ts";
import { MemoryLog } from "./memory-log.ts";
import {
  maskNatsName,
  type NatsPlace,
  parseNatsPlace,
  placeOfPlan,
  placeOfShard,
} from "./nats-place.ts";
import { MemoryPayloads, type Payloads } from "./payloads.ts";
import type { SnapshotStore } from "./snapshots.ts";

/** What `--log` takes, for help texts and errors. */
export const logNames = "memory, sqlite:FILE or nats://HOST:PORT[/STREAM]";

export interface LogPlaceOptions {
  /** Credentials of an account of NATS, when the name of the log has none. */
  readonly natsCreds?: string | undefined;
  /** Which of the logs of a cluster on NATS; the only one when absent. */
  readonly shard?: Shard | undefined;
  /** Is told of what a log in a file has lost beside it, and mended. */
  readonly onMended?: ((message: string) => void) | undefined;
  /** The experiment, `pid/eid`, whose plan is meant, in a stream of its own beside that named. */
  readonly plan?: string | undefined;
}

/**
 * Whether several servers may have the log at once, so that each has to be told from the others.
 */
export function isSharedLog(name: string): boolean {
  return name.startsWith("nats:");
}

/**
 * What is wrong with the name of a log, as far as the name tells; nothing is opened.
 * @throws LogError (definite)
 */
export function checkLogName(name: string): void {
  if (isSharedLog(name)) parseNatsPlace(name);
  else if (name !== "memory") fileOf(name);
}

/**
 * @param clock stamps the entries of a log on this machine.
 * @throws LogError (definite) when the name is unknown or what it names cannot be used.
 */
export async function openLog(
  name: string,
  clock: LogClock,
  options: LogPlaceOptions = {},
): Promise<Log> {
  checkLogName(name);
  if (!isSharedLog(name)) return openLocalLog(name, clock, { ...options, mayBeRead: true });
  const { NatsLog } = await import("./nats-log.ts");
  return NatsLog.open({ place: natsPlace(name, options), clock });
}

/**
 * Finds out whether a shared log would be refused, and makes nothing. @returns whether it is there
 * @throws LogError (definite), as `openLog`.
 */
export async function checkSharedLog(name: string, options: LogPlaceOptions): Promise<boolean> {
  const { NatsLog } = await import("./nats-log.ts");
  return await NatsLog.check(natsPlace(name, options));
}

/**
 * Finds out whether a server would be refused any of so many shared logs, and makes nothing: of a
 * start that is refused nothing is left. @throws LogError (definite), as `openLog`.
 */
export async function checkSharedLogs(
  name: string,
  { count, ...options }: BesideLogOptions & { readonly count: number },
): Promise<void> {
  const { NatsLog } = await import("./nats-log.ts");
  await NatsLog.checkAll({ place: natsPlace(name, options), clock: options.clock }, count);
}

/**
 * Deletes the plan of an experiment on NATS, if it is there.
 * @param options `isForced`: also while somebody has it
 * @returns whether it was. @throws LogError, as `openLog`
 */
export async function removePlan(
  name: string,
  { isForced, ...options }: LogPlaceOptions & { readonly plan: string; readonly isForced: boolean },
): Promise<boolean> {
  const { NatsLog } = await import("./nats-log.ts");
  return await NatsLog.remove(natsPlace(name, options), isForced);
}

/**
 * A log on this machine.
 * @param mayBeRead others may read the file meanwhile
 * @throws LogError (definite), as `openLog`.
 */
export async function openLocalLog(
  name: string,
  clock: LogClock,
  { mayBeRead = false, onMended }: LogPlaceOptions & { readonly mayBeRead?: boolean } = {},
): Promise<Log> {
  if (name === "memory") return new MemoryLog({ nowUs: clock.nowUs, retain: false });
  if (!name.startsWith(sqlitePrefix)) throw unknown(name, "memory or sqlite:FILE");
  const { SqliteLog } = await import("./sqlite-log.ts");
  const file = fileOf(name);
  await checkNotLost(file);
  return SqliteLog.open({ file, nowUs: clock.nowUs, mayBeRead, onMended });
}

/**
 * What lies beside the file of a log is made when that has a layout, and restored before it has its
 * name: one that is not there, or empty, beside them was lost, or is not restored yet. A new one
 * would say nothing of that. @throws LogError (definite)
 */
async function checkNotLost(file: string): Promise<void> {
  checkKind(file);
  const bytes = statSync(file, { throwIfNoEntry: false })?.size;
  if (bytes !== undefined && bytes > 0) return;
  const [snapshots, topics] = [`${file}.snapshots`, `${file}.topics`];
  if (existsSync(topics)) await checkNoMessages(file, topics);
  const beside = [snapshots, topics].filter((one) => existsSync(one));
  if (beside.length === 0) return;
  const state = bytes === undefined ? "not there" : "empty";
  const found = `${file} is ${state}, and ${beside[0]} is there, which is made after it`;
  const help = `restore it from a backup, or remove ${beside.join(" and ")} as well to begin anew`;
  throw new LogError(`${found}: ${help}`, { definite: true });
}

/** @throws LogError (definite) */
async function checkNoMessages(file: string, topics: string): Promise<void> {
  const { SqlitePayloads } = await import("./sqlite-payloads.ts");
  const payloads = SqlitePayloads.open(topics);
  const { lastId } = payloads;
  await payloads.close();
  if (lastId === 0) return;
  const found = `${file} is not there or empty, and ${topics} has messages up to ${lastId} of it`;
  const help = `restore it from a backup, or remove ${topics} as well to begin anew`;
  throw new LogError(`${found}: ${help}`, { definite: true });
}

/**
 * The log again, for who only reads it, beside the one that `openLog` has given.
 * @throws LogError (definite)
 */
export async function openFollowedLog(
  name: string,
  clock: LogClock,
  options: LogPlaceOptions = {},
): Promise<Pick<Log, "read" | "head" | "close">> {
  if (isSharedLog(name)) return openLog(name, clock, options);
  const { SqliteLogFollower } = await import("./sqlite-log.ts");
  return SqliteLogFollower.open(fileOf(name), clock);
}

/** Of what lies beside a log. */
export interface BesideLogOptions extends LogPlaceOptions {
  /** By which brokers are asked again. */
  readonly clock: LogClock;
}

/** Whether the log outlives its servers, so that snapshots of it are made. */
export function isKeptLog(name: string): boolean {
  return name !== "memory";
}

/**
 * Opens the snapshots of a log that is kept: in `FILE.snapshots`, or in the stream
 * `STREAM-snapshots`. One at a time may have those in a file.
 * @param onDamaged is told of a file that was put aside, so that there are none, and of an index in
 * a stream that cannot be read
 * @throws LogError (definite), with what to do.
 */
export async function openSnapshots(
  name: string,
  options: BesideLogOptions,
  onDamaged: (message: string) => void,
): Promise<SnapshotStore> {
  if (isSharedLog(name)) {
    const { openNatsSnapshots } = await import("./nats-snapshots.ts");
    return openNatsSnapshots(natsPlace(name, options), options.clock, onDamaged);
  }
  const { SqliteSnapshots } = await import("./sqlite-snapshots.ts");
  return SqliteSnapshots.open(`${fileOf(name)}.snapshots`, onDamaged);
}

/**
 * Opens what holds the messages of topics, as durable as the log of that name: in memory, in
 * `FILE.topics`, or in the stream `STREAM-topics`.
 * @throws LogError (definite), with what to do.
 */
export async function openPayloads(name: string, options: BesideLogOptions): Promise<Payloads> {
  if (isSharedLog(name)) {
    const { NatsPayloads } = await import("./nats-payloads.ts");
    return NatsPayloads.open(natsPlace(name, options), { clock: options.clock });
  }
  if (!isKeptLog(name)) return new MemoryPayloads();
  const { SqlitePayloads } = await import("./sqlite-payloads.ts");
  const { onMended } = options;
  return SqlitePayloads.open(`${fileOf(name)}.topics`, { mayBeRead: true, onMended });
}

const sqlitePrefix = "sqlite:";

/**
 * By its one name: that of what symbolic links lead to.
 * @throws LogError (definite) when it names none
 */
export function fileOf(name: string): string {
  const file = name.startsWith(sqlitePrefix) ? name.slice(sqlitePrefix.length) : "";
  if (file === "") throw unknown(name, logNames);
  // In the manner of a URL, as those of NATS are; the file would be in the root directory.
  if (file.startsWith("//")) {
    const meant = `${sqlitePrefix}${file.slice(2)}`;
    throw unknown(name, `the file behind the colon, without two slashes: ${meant}`);
  }
  return realName(resolve(file));
}

/** @throws LogError (definite) for what is no name of a log on NATS. */
export function natsPlace(name: string, { natsCreds, shard, plan }: LogPlaceOptions): NatsPlace {
  const named = parseNatsPlace(name);
  const sharded = shard === undefined ? named : placeOfShard(named, shard);
  const place = plan === undefined ? sharded : placeOfPlan(sharded, plan);
  if (natsCreds === undefined || place.credentialsFile !== undefined) return place;
  return { ...place, credentialsFile: natsCreds };
}

function unknown(name: string, names: string): LogError {
  const message = `there is no log '${maskNatsName(name)}'; give ${names}`;
  return new LogError(message, { definite: true });
}

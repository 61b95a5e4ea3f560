// SPDX-License-Identifier: MIT
// Backups of a log on NATS while it is used, and back: the broker gives each stream as it is at one
// moment, with the places and stamps of its messages, and makes the same stream of it again. The
// streams are asked for in an order in which they belong together: snapshots before the entries
// behind them, entries before the messages that they name.
import { createReadStream } from "node:fs";
import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { createInbox, type Msg } from "@nats-io/transport-node";
import { errorText } from "../core/text.ts";
import {
  type BackedUpLog,
  type BackupList,
  type BackupPart,
  folderOfShard,
  logsOf,
  type SavedLog,
} from "./backup.ts";
import { type LogClock, LogError } from "./log.ts";
import { closeNats } from "./nats-calls.ts";
import { connectNats, type NatsLink } from "./nats-connection.ts";
import { natsBackupChunkBytes, natsBackupSilenceMs } from "./nats-limits.ts";
import { type NatsPlace, placeOfShard } from "./nats-place.ts";
import { openNatsSnapshots } from "./nats-snapshots.ts";
import { shardCountOf } from "./nats-stream.ts";
import { newestWhole } from "./snapshots.ts";

/** How often it is tried to find a moment in which no message is deleted. */
const attemptsMax = 20;

/** What the broker says of a stream that it gives, and wants to hear of one that it takes. */
interface StreamAbout {
  readonly config: Readonly<Record<string, unknown>> & { readonly name: string };
  readonly state: {
    readonly messages: number;
    readonly first_seq: number;
    readonly last_seq: number;
  } & Readonly<Record<string, unknown>>;
}

export interface SavedStreams {
  readonly first: number;
  readonly head: number;
  readonly about: Readonly<Record<BackupPart, StreamAbout>>;
}

/**
 * Copies the streams of a log into a folder; where it is the first of several, those of all, each
 * as of a moment of its own: nothing happens in two of them at once (D1).
 * @throws LogError
 */
export async function saveNats(
  place: NatsPlace,
  folder: string,
  clock: LogClock,
): Promise<SavedStreams & { readonly others?: readonly SavedLog[] }> {
  const link = await connectNats(place);
  try {
    const info = await link.manager.streams.info(place.stream).catch((error: unknown) => {
      throw noLog(place.stream, error);
    });
    const count = shardCountOf(info);
    const saved: SavedStreams[] = [];
    for (let index = 0; index < count; index += 1) {
      const into = folderOfShard(folder, index);
      await mkdir(into, { recursive: true, mode: 0o700 });
      saved.push(await saveOne(link, placeOfShard(place, { index, count }), into, clock));
    }
    const [first, ...others] = saved;
    if (first === undefined) throw new LogError("a log of no shards", { definite: true });
    return others.length === 0 ? first : { ...first, others };
  } finally {
    await closeNats(link.connection);
  }
}

async function saveOne(
  link: NatsLink,
  place: NatsPlace,
  folder: string,
  clock: LogClock,
): Promise<SavedStreams> {
  for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
    const saved = await saveAtOnce(link, place, folder, clock);
    if (saved !== undefined) return saved;
  }
  const message = "messages of topics are deleted all the time; try again, or stop the servers";
  throw new LogError(message, { definite: true });
}

/** @returns undefined when a message of a topic was deleted meanwhile */
async function saveAtOnce(
  link: NatsLink,
  place: NatsPlace,
  folder: string,
  clock: LogClock,
): Promise<SavedStreams | undefined> {
  const names = streamsOf(place.stream);
  const before = await link.manager.streams.info(names.topics).catch((error: unknown) => {
    throw noLog(place.stream, error);
  });
  const newest = await newestSnapshot(place, clock);
  const save = (part: BackupPart): Promise<StreamAbout> =>
    saveStream(link, names[part], join(folder, part), clock);
  const snapshots = await save("snapshots");
  const log = await save("log");
  const topics = await save("topics");
  if (deletedOf(topics.state) !== deletedOf(before.state)) return undefined;
  const { first_seq: first, last_seq: head } = log.state;
  if (newest < first - 1) {
    const message = `the log was cut behind entry ${first}, and no whole snapshot stands for what is before it`;
    throw new LogError(message, { definite: true });
  }
  return { first, head, about: { log, topics, snapshots } };
}

function noLog(stream: string, error: unknown): LogError {
  const message = `NATS has no log ${stream} (${errorText(error)}); check the name of the log`;
  return new LogError(message, { definite: true, cause: error });
}

async function newestSnapshot(place: NatsPlace, clock: LogClock): Promise<number> {
  const snapshots = await openNatsSnapshots(place, clock);
  try {
    return await newestWhole(snapshots, Number.MAX_SAFE_INTEGER);
  } finally {
    await snapshots.close();
  }
}

function deletedOf({ messages, last_seq }: StreamAbout["state"]): number {
  return last_seq - messages;
}

function streamsOf(stream: string): Readonly<Record<BackupPart, string>> {
  return { log: stream, topics: `${stream}-topics`, snapshots: `${stream}-snapshots` };
}

/** The stream as the broker packs it, with all its messages. */
async function saveStream(
  link: NatsLink,
  stream: string,
  path: string,
  clock: LogClock,
): Promise<StreamAbout> {
  const { connection } = link;
  const inbox = createInbox();
  const file = await open(path, "w", 0o600);
  const subscription = connection.subscribe(inbox);
  const chunks = subscription[Symbol.asyncIterator]();
  try {
    const about = await ask<StreamAbout>(link, `STREAM.SNAPSHOT.${stream}`, {
      ...{ deliver_subject: inbox, no_consumers: true, chunk_size: natsBackupChunkBytes },
    });
    for (;;) {
      const message = await nextOf(chunks, stream, clock);
      if (message.data.length === 0) {
        const why = message.headers?.description ?? "";
        if (message.headers === undefined || message.headers.code < 300) return about;
        throw new LogError(`NATS did not give all of ${stream}: ${why}`, { definite: false });
      }
      await file.write(message.data);
      message.respond();
    }
  } finally {
    subscription.unsubscribe();
    await file.close();
  }
}

async function nextOf(chunks: AsyncIterator<Msg>, stream: string, clock: LogClock): Promise<Msg> {
  let cancel: () => void = () => undefined;
  const silent = new Promise<never>((_, reject) => {
    const error = new LogError(`NATS has stopped giving ${stream}`, { definite: false });
    cancel = clock.after(natsBackupSilenceMs, () => reject(error));
  });
  const { value, done } = await Promise.race([chunks.next(), silent]).finally(() => cancel());
  if (!done) return value;
  throw new LogError(`NATS went away before all of ${stream} was there`, { definite: false });
}

/**
 * Makes the streams of a log, or of several, of a backup that was read.
 * @throws LogError (definite) when one of them is there already; nothing is changed then
 */
export async function restoreNats(
  place: NatsPlace,
  folder: string,
  list: BackupList,
): Promise<void> {
  checkRestored(place, list);
  const link = await connectNats(place);
  const logs = logsOf(list);
  const places = logs.map((_, index) => placeOfShard(place, { index, count: logs.length }));
  const made: string[] = [];
  try {
    await checkNoneThere(link, places);
    for (const { shard, part } of restoreOrder(logs.length)) {
      const { files } = logs[shard] as BackedUpLog;
      const { stream, replicas } = places[shard] ?? place;
      made.push(streamsOf(stream)[part]);
      const about = files[part].about as StreamAbout;
      await restoreStream(link, about, replicas, join(folderOfShard(folder, shard), part));
    }
  } catch (error) {
    for (const name of made) await link.manager.streams.delete(name).catch(() => undefined);
    throw error;
  } finally {
    await closeNats(link.connection);
  }
}

/** @throws LogError (definite), which names all that is in the way */
async function checkNoneThere({ manager }: NatsLink, places: readonly NatsPlace[]): Promise<void> {
  const names = places.flatMap(({ stream }) => Object.values(streamsOf(stream)));
  const known = await Promise.all(
    names.map((name) => manager.streams.info(name).catch(() => undefined)),
  );
  const there = names.filter((_, index) => known[index] !== undefined).join(", ");
  if (there === "") return;
  const help = `restore to other brokers, or delete them, as with: nats stream rm`;
  throw new LogError(`NATS has ${there} already; ${help}`, { definite: true });
}

/**
 * Whether the name is that of the streams of the backup; nothing is asked of NATS.
 * @throws LogError (definite)
 */
export function checkRestored(place: NatsPlace, list: BackupList): void {
  const logs = logsOf(list);
  for (const [index, { files }] of logs.entries()) {
    const names = streamsOf(placeOfShard(place, { index, count: logs.length }).stream);
    for (const part of ["topics", "snapshots", "log"] as const) {
      const { config } = files[part].about as StreamAbout;
      if (config.name === names[part]) continue;
      const [{ files: first } = { files }] = logs;
      const { name } = (first.log.about as StreamAbout).config;
      const what = `the backup is of the stream ${name}, and streams keep their names`;
      const message = `${what}: it is restored as nats://HOST:PORT/${name}, not as ${place.stream}`;
      throw new LogError(message, { definite: true });
    }
  }
}

/**
 * The first log is the last stream to be there: without it no server starts. The other logs come
 * first, because they say that they are shards: a restore that has not ended is found by any of
 * them, whatever number of logs a server is told (O2 of nats-lost.ts).
 */
function restoreOrder(count: number): readonly { shard: number; part: BackupPart }[] {
  const shards = Array.from({ length: count }, (_, shard) => shard).reverse();
  const logs = shards.map((shard) => ({ shard, part: "log" as const }));
  const beside = shards.flatMap((shard) => [
    { shard, part: "topics" as const },
    { shard, part: "snapshots" as const },
  ]);
  return [...logs.slice(0, -1), ...beside, ...logs.slice(-1)];
}

async function restoreStream(
  link: NatsLink,
  { config, state }: StreamAbout,
  replicas: number,
  path: string,
): Promise<void> {
  const wish = { config: { ...config, num_replicas: replicas }, state };
  const { deliver_subject: to } = await ask<{ readonly deliver_subject: string }>(
    link,
    `STREAM.RESTORE.${config.name}`,
    wish,
  );
  const send = async (data: Uint8Array): Promise<void> => {
    const answer = await link.connection.request(to, data, { timeout: natsBackupSilenceMs });
    if (answer.data.length > 0) errorOf(answer.json(), config.name);
  };
  for await (const chunk of createReadStream(path, { highWaterMark: natsBackupChunkBytes })) {
    await send(chunk as Buffer);
  }
  await send(new Uint8Array(0));
}

async function ask<T>(link: NatsLink, what: string, request: unknown): Promise<T> {
  const text = JSON.stringify(request);
  const timeout = natsBackupSilenceMs;
  let answer: Msg;
  try {
    answer = await link.connection.request(`$JS.API.${what}`, text, { timeout });
  } catch (error) {
    const message = `NATS does not answer ${what}: ${errorText(error)}`;
    throw new LogError(message, { definite: false, cause: error });
  }
  const value = answer.json<T>();
  errorOf(value, what);
  return value;
}

/** @throws LogError when the broker says that it did not do it */
function errorOf(answer: unknown, what: string): void {
  const { error } = answer as { readonly error?: { readonly description?: string } };
  if (error === undefined) return;
  throw new LogError(`NATS refused ${what}: ${error.description}`, { definite: true });
}

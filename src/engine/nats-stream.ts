// SPDX-License-Identifier: MIT
// The streams of a log on NATS: made when they are not there, and refused when they are somebody
// else's or of a newer Muster. What makes a stream ours is its description, because NATS 2.9 keeps
// nothing else that we could write.
import { JetStreamApiError, type StreamInfo } from "@nats-io/jetstream";
import type { Shard } from "../core/shard.ts";
import { errorText } from "../core/text.ts";
import { type LogClock, LogError } from "./log.ts";
import { explainRights, type NatsLink } from "./nats-connection.ts";
import { natsOpenMs } from "./nats-limits.ts";
import {
  askUntilLed,
  checkLed,
  checkMade,
  lacksBroker,
  mayAnswerLater,
  startMissing,
} from "./nats-patience.ts";
import { type NatsPlace, wrong } from "./nats-place.ts";

/** What NATS says of a stream that is there and is to be made otherwise. */
const streamNameInUse = 10_058;
const subjectsOverlap = 10_065;

/** Layout of the messages; a newer one is refused. */
export const natsFormat = 1;

export interface StreamWish {
  readonly name: string;
  readonly subject: string;
  /** `a Muster log`; the format is written behind it. */
  readonly what: string;
  /** Messages may be deleted: those of topics, not those of a log. */
  readonly mayDelete: boolean;
  /** Of a log of several; written behind the format, where every server reads it. */
  readonly shard?: Shard | undefined;
}

/** @throws LogError (definite), with what to do. */
export async function openNatsStream(
  link: NatsLink,
  { replicas }: NatsPlace,
  { clock, ...wish }: StreamWish & { readonly clock: LogClock },
): Promise<StreamInfo> {
  const { name } = wish;
  try {
    const { streams } = link.manager;
    const info = await askUntilLed(clock, async () => {
      const known = await streams.info(name).catch(notFound);
      if (known !== undefined) return checkLed(known);
      await makeStream(link, replicas, wish).catch((error) => madeOtherwise(link, name, error));
      // Who makes what another is making is answered before anybody leads it, or knows of it.
      return checkMade(await streams.info(name).catch(notFound));
    });
    return check(info, wish, replicas);
  } catch (error) {
    if (error instanceof LogError) throw error;
    const why = { definite: true, cause: error, isAway: mayAnswerLater(error) };
    throw new LogError(explainStream(name, replicas, error), why);
  }
}

/**
 * Whether the stream may be opened, as far as it or another one is there. Makes nothing: for who
 * would have made more when it is refused.
 * @returns whether it is there, as far as that can be known
 * @throws LogError (definite), with what to do.
 */
export async function checkNatsStream(
  link: NatsLink,
  { replicas }: NatsPlace,
  wish: StreamWish,
): Promise<boolean> {
  const { streams } = link.manager;
  const { name, subject } = wish;
  try {
    const known = await streams.info(name).catch(notFound);
    if (known !== undefined) check(known, wish, replicas);
    else {
      const taker = await streams.find(subject).catch(() => undefined);
      // Another server may have made it since.
      if (taker !== undefined && taker !== name) throw new Error(`subjects overlap`);
    }
    return known !== undefined;
  } catch (error) {
    // Who opens it is more patient.
    if (mayAnswerLater(error)) return true;
    if (error instanceof LogError) throw error;
    throw new LogError(explainStream(name, replicas, error), { definite: true, cause: error });
  }
}

async function makeStream(
  { manager }: NatsLink,
  replicas: number,
  { name, subject, what, mayDelete, shard }: StreamWish,
): Promise<void> {
  const which = shard === undefined ? "" : `, shard ${shard.index} of ${shard.count}`;
  await manager.streams.add({
    ...{ name, subjects: [subject], description: `${what}, format ${natsFormat}${which}` },
    ...{ retention: "limits", storage: "file", num_replicas: replicas },
    // Rather refuse the newest than lose the oldest, from which state is computed.
    discard: "new",
    ...{ allow_direct: true, deny_delete: !mayDelete, duplicate_window: 2_000_000_000 },
  });
}

/**
 * Another server has made it meanwhile; whether it is the same is seen when it is read. One that is
 * being made at this moment is found by NATS 2.9 for its subjects, as if it were another stream.
 */
async function madeOtherwise(link: NatsLink, name: string, error: unknown): Promise<void> {
  const code = error instanceof JetStreamApiError ? error.code : undefined;
  if (code === streamNameInUse) return;
  const isMade = code === subjectsOverlap && (await isThere(link, name));
  if (!isMade) throw error;
}

async function isThere({ manager }: NatsLink, name: string): Promise<boolean> {
  return (await manager.streams.info(name).catch(notFound)) !== undefined;
}

export function notFound(error: unknown): undefined {
  if (error instanceof Error && error.name === "StreamNotFoundError") return undefined;
  throw error;
}

function check(info: StreamInfo, { name, subject, what, shard }: StreamWish, replicas: number) {
  const { description = "" } = info.config;
  const isOurs = description.startsWith(`${what}, `);
  const rest = isOurs ? description.slice(what.length) : "";
  const pattern = /^, format (\d+)(?:, shard (\d+) of (\d+))?$/;
  const [, format, index, count] = pattern.exec(rest) ?? [];
  if (format === undefined) {
    throw wrong(
      `the stream ${name} of NATS is not ${what} ('${description}'); name another behind the address: nats://HOST:PORT/STREAM`,
    );
  }
  if (Number(format) > natsFormat) {
    throw wrong(
      `the stream ${name} of NATS was made by a newer Muster (format ${format}, this one reads ${natsFormat}); use that version`,
    );
  }
  const found = count === undefined ? undefined : { index: Number(index), count: Number(count) };
  const objection = objectToShards(name, shard, found);
  if (objection !== undefined) throw wrong(objection);
  const changed = objectToKeeping(info, { name, subject });
  if (changed !== undefined) throw wrong(changed);
  const copies = objectToReplicas(info, replicas);
  if (copies !== undefined) throw wrong(copies);
  return info;
}

/** @returns why no server starts with the stream that was told of so many copies. */
export function objectToReplicas(
  { config: { name, num_replicas } }: Pick<StreamInfo, "config">,
  replicas: number,
): string | undefined {
  if (num_replicas === replicas) return undefined;
  const has = `the stream ${name} of NATS has ${num_replicas} replicas, not ${replicas}`;
  return `${has}; say ?replicas=${num_replicas} in the name of the log, or change the stream`;
}

/** @returns why messages do not come in, or do not stay, as the stream is now. */
export function objectToKeeping(
  { config }: StreamInfo,
  { name, subject }: Pick<StreamWish, "name" | "subject">,
): string | undefined {
  const { subjects, discard, max_age, max_msgs_per_subject: each } = config;
  const isKept = discard === "new" && max_age === 0 && (each ?? -1) <= 0;
  if (subjects.includes(subject) && isKept) return undefined;
  const must = `it must take ${subject}, discard new messages when it is full, and keep them`;
  return `the stream ${name} of NATS was changed: ${must} without an age or a number for each subject`;
}

/** The number of logs is fixed when the first server makes them: it decides where a scope is. */
function objectToShards(
  name: string,
  asked: Shard | undefined,
  found: Shard | undefined,
): string | undefined {
  const [wants, has] = [asked?.count ?? 1, found?.count ?? 1];
  if ((asked?.index ?? 0) !== (found?.index ?? 0)) {
    const what = found === undefined ? "a log of its own" : `shard ${found.index} of another log`;
    return `the stream ${name} of NATS is ${what}; name another log behind the address: nats://HOST:PORT/STREAM`;
  }
  if (wants === has) return undefined;
  if (asked !== undefined && asked.index > 0) {
    // The number that the server was told is that of the first.
    const what = `the stream ${name} of NATS is shard ${asked.index} of ${has}, and the first log is one of ${wants}`;
    return `${what}: they are not of one log; delete what is left of both, then restore the log from a backup or begin anew`;
  }
  const figures = `the log ${name} of NATS has ${shards(has)}, and this server was told ${wants}`;
  return `${figures}; start it with --shards ${has}, or name another log behind the address`;
}

function shards(count: number): string {
  return count === 1 ? "1 shard" : `${count} shards`;
}

/**
 * The number of logs of which the stream has the first, by what its description says.
 * @throws LogError (definite) when it has another one of them
 */
export function shardCountOf(info: StreamInfo): number {
  const { index, count } = shardIn(info) ?? { index: 0, count: 1 };
  if (index === 0) return count;
  const { name } = info.config;
  throw wrong(`the stream ${name} of NATS is shard ${index} of ${count} of a log; name the first`);
}

/** Which of several logs the stream says to be. */
export function shardIn({ config: { description = "" } }: StreamInfo): Shard | undefined {
  const [, index, count] = /, shard (\d+) of (\d+)$/.exec(description) ?? [];
  return count === undefined ? undefined : { index: Number(index), count: Number(count) };
}

export function explainStream(name: string, replicas: number, error: unknown): string {
  const text = errorText(error);
  const lack = explainRights(error);
  if (lack !== undefined) return lack;
  if (error instanceof JetStreamApiError && error.code === 10074) {
    return `the stream ${name} cannot have ${replicas} replicas: NATS has one server; say replicas=1, or start more`;
  }
  if (lacksBroker(error)) {
    const what = `brokers lack for ${replicas} copies of the stream ${name} of NATS (${text})`;
    return `${what}; ${startMissing}`;
  }
  if (/insufficient|no suitable peers/i.test(text)) {
    return `NATS has no room for the stream ${name} (${text}); give JetStream more storage, or start the missing servers`;
  }
  if (/subjects overlap/i.test(text)) {
    return `another stream of NATS takes the subjects of ${name} (${text}); name another stream behind the address`;
  }
  if (mayAnswerLater(error)) {
    const what = `the stream ${name} of NATS has no leader for ${natsOpenMs / 1000} s now (${text})`;
    return `${what}; a cluster needs more than half of its servers: start those, then this again`;
  }
  return `the stream ${name} of NATS cannot be used (${text}); a cluster needs more than half of its servers`;
}

/** Why something is not in a stream. @param what it was */
export function explainWrite(stream: string, what: string, error: unknown): LogError {
  const text = errorText(error);
  if (error instanceof JetStreamApiError) {
    const isFull = /maximum|exceeded|insufficient|no space/i.test(text);
    const advice = isFull ? "; raise its max_bytes or max_msgs, or give JetStream more room" : "";
    const why = isFull ? `the stream ${stream} of NATS is full` : `NATS refused ${what}`;
    return new LogError(`${why} (${text})${advice}`, { definite: true, isFull, cause: error });
  }
  const name = error instanceof Error ? error.name : "";
  // Nobody has the stream right now: its leader is gone and there is no other one yet.
  const definite = name === "JetStreamNotEnabled" || name === "NoRespondersError";
  return new LogError(
    definite ? `the stream ${stream} of NATS has no leader now` : `NATS said nothing: ${text}`,
    { definite, cause: error },
  );
}

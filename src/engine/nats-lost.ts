// SPDX-License-Identifier: MIT
// Whether logs on NATS may be opened, looked at before anything of them is made: one that is not
// there is still to be made, or was lost, or is not restored yet, and a new one in its place would
// say nothing of that. What tells them apart is the order in which streams come to be there.
//
//   O1. Servers make the logs of a cluster in the order of their shards; when all are there they
//       make what lies beside them, and only then write entries. So a log that is not there was
//       lost when something later is. A start that ended between two logs has left the first of
//       them and nothing later: the next one makes the rest.
//   O2. A restore makes the logs behind the first, then what lies beside all, and the first log
//       last: one that has not ended looks like a loss of the first log, and as the others say what
//       they are, it does so for a server that was told any number.
//   O3. Other servers may be making them meanwhile: what is not there is asked for again after
//       something later was seen, before which it was made.
import type { StreamInfo } from "@nats-io/jetstream";
import { shardsMax } from "../core/shard.ts";
import { type LogClock, LogError } from "./log.ts";
import { logOf, snapshotsOf, topicsOf } from "./nats-care.ts";
import type { NatsLink } from "./nats-connection.ts";
import { askUntilLed, mayAnswerLater } from "./nats-patience.ts";
import { type NatsPlace, placeOfShard, wrong } from "./nats-place.ts";
import { checkNatsStream, explainStream, notFound, shardIn } from "./nats-stream.ts";

interface Logs {
  readonly link: NatsLink;
  readonly clock: LogClock;
  /** Of the first. */
  readonly place: NatsPlace;
  /** As many as the server was told. */
  readonly count: number;
}

/** What is there of a stream: nothing when undefined; null when nobody may say it. */
type Seen = StreamInfo | undefined | null;

interface SeenLog {
  readonly index: number;
  readonly name: string;
  readonly log: Seen;
  readonly beside: readonly Seen[];
}

/** That some logs must have been there. */
interface Sign {
  /** Those before this one. */
  readonly before: number;
  readonly what: string;
  /** What lies beside it, when it does. */
  readonly beside?: string;
}

/**
 * Whether a server may open so many logs, as far as they are there. Makes nothing, so that a start
 * that is refused leaves nothing. @throws LogError (definite), with what to do.
 */
export async function checkNatsLogs(logs: Logs): Promise<void> {
  const { link, place, count } = logs;
  const places = Array.from({ length: count }, (_, index) => placeOfShard(place, { index, count }));
  const first = await ask(logs, place.stream);
  // What it says of their number comes before what is missing of so many.
  if (first) await checkPlaces(link, places.slice(0, 1));
  await checkNoneLost(logs, first === undefined);
  await checkPlaces(link, places);
}

async function checkPlaces(link: NatsLink, places: readonly NatsPlace[]): Promise<void> {
  for (const place of places) await checkNatsStream(link, place, logOf(place));
}

/** @param isNew the first log is not there, so that nothing says how many there are */
async function checkNoneLost(logs: Logs, isNew: boolean): Promise<void> {
  const { place, count } = logs;
  const names = Array.from({ length: isNew ? shardsMax : count }, (_, index) => {
    return placeOfShard(place, { index, count: shardsMax }).stream;
  });
  const seen = await Promise.all(names.map((name, index) => look(logs, name, index)));
  const ours = seen.filter(isOurs);
  // A shard says the most: how many there are.
  const signs = [...ours.flatMap(shardSigns), ...ours.flatMap((one) => laterSigns(one, count))];
  const missing = seen.slice(0, count).filter(({ log }) => log === undefined);
  for (const { index, name } of missing) {
    const sign = signs.find(({ before }) => index < before);
    // O3.
    if (sign === undefined || (await ask(logs, name)) !== undefined) continue;
    throw wrong(describeLoss(logs, name, sign));
  }
}

async function look(logs: Logs, name: string, index: number): Promise<SeenLog> {
  const beside = index < logs.count ? [topicsOf(name).name, snapshotsOf(name).name] : [];
  const [log, ...others] = await Promise.all([name, ...beside].map((one) => ask(logs, one)));
  return { index, name, log, beside: others };
}

/** @throws LogError (definite) when brokers do not answer for as long as a start waits for them */
async function ask({ link, clock, place }: Logs, name: string): Promise<Seen> {
  try {
    return await askUntilLed(clock, () => link.manager.streams.info(name).catch(notFound));
  } catch (error) {
    // Who opens it knows what else is the matter.
    if (!mayAnswerLater(error)) return null;
    const why = { definite: true, cause: error, isAway: true };
    throw new LogError(explainStream(name, place.replicas, error), why);
  }
}

/** A stream of the same name that is no log of a cluster is a sign of nothing. */
function isOurs({ index, log }: SeenLog): boolean {
  return !log || (shardIn(log)?.index ?? 0) === index;
}

/** O1, O2. */
function shardSigns({ name, log }: SeenLog): readonly Sign[] {
  const shard = log ? shardIn(log) : undefined;
  if (shard === undefined) return [];
  const { index, count } = shard;
  const what = `${name} is there, shard ${index} of ${count}, which is made after it`;
  return [{ before: index, what }];
}

/** O1: what comes to be there when all logs are. */
function laterSigns({ name, log, beside }: SeenLog, count: number): readonly Sign[] {
  const last = log?.state.last_seq ?? 0;
  const written = `${name} has entries up to ${last}, which are written when all logs are there`;
  return [
    ...(last === 0 ? [] : [{ before: count, what: written }]),
    ...beside.flatMap((stream) => {
      if (!stream) return [];
      const { config, state } = stream;
      const what = `${config.name} ${sayBeside(state.last_seq)}`;
      return [{ before: count, what, beside: config.name }];
    }),
  ];
}

function sayBeside(last: number): string {
  return last === 0 ? "is there, which is made after it" : `has messages up to ${last} of it`;
}

function describeLoss({ place, count }: Logs, lost: string, { what, beside }: Sign): string {
  const found = `NATS has no stream ${lost}, and ${what}`;
  if (count === 1 && beside !== undefined) return `${found}: ${restoreOr(beside)}`;
  const { stream } = place;
  const why = lost === stream ? "it was lost, or a restore of it has not ended" : "it was lost";
  const rest = `those that are called ${stream} or ${stream}-1 and so on, also with -topics and -snapshots`;
  const help = `delete what is left of the log (${rest}), then restore it from a backup or begin anew`;
  return `${found}: ${why}; ${help}`;
}

function restoreOr(beside: string): string {
  return `restore the log from a backup, or delete ${beside} as well to begin anew`;
}

/**
 * What lies beside a log is made after it, and restored before it (O1, O2): the same of one log, by
 * who opens it. @throws LogError (definite)
 */
export async function checkNotLost(link: NatsLink, { stream, plan }: NatsPlace): Promise<void> {
  if (plan !== undefined) return;
  const { streams } = link.manager;
  for (const { name: beside } of [topicsOf(stream), snapshotsOf(stream)]) {
    // Before the log is asked for (O3).
    const { state } = (await streams.info(beside).catch(() => undefined)) ?? {};
    if (state === undefined) continue;
    // Who opens it knows what else may be the matter.
    const isThere = await streams.info(stream).then(() => true, isOtherThanNotFound);
    if (isThere) return;
    const found = `NATS has no stream ${stream}, and ${beside} ${sayBeside(state.last_seq)}`;
    throw wrong(`${found}: ${restoreOr(beside)}`);
  }
}

function isOtherThanNotFound(error: unknown): boolean {
  return !(error instanceof Error && error.name === "StreamNotFoundError");
}

// SPDX-License-Identifier: MIT
// The stream of JetStream behind a bus on NATS: what it is called, which subjects it takes, and
// what it says again of all that it has stored. Owns the making and the checking of it.
//
//   `muster.STREAM.BUS.sent.>`   published by servers; stored in the stream `STREAM-BUS`
//   `muster.STREAM.BUS.heard.>`  said by the stream, with the sequence, when it is stored
import { JetStreamApiError, type StreamInfo } from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import { errorText } from "../core/text.ts";
import type { BusLimits } from "./bus-limits.ts";
import { type LogClock, LogError } from "./log.ts";
import { natsStandMs } from "./nats-bus-limits.ts";
import { explainRights, type NatsLink } from "./nats-connection.ts";
import { askUntilLed, askUntilPlaced, lacksBroker, startMissing } from "./nats-patience.ts";
import { type NatsPlace, wrong } from "./nats-place.ts";
import { natsFormat, notFound } from "./nats-stream.ts";

/** Users' events are on `ops`, what the testbed tells itself is on `boss`. */
export type NatsBusName = "ops" | "boss";

export interface NatsBusNames {
  readonly stream: string;
  /** Prefixes of subjects. */
  readonly sent: string;
  readonly heard: string;
}

export function natsBusNames({ stream }: NatsPlace, bus: NatsBusName): NatsBusNames {
  const prefix = `muster.${stream}.${bus}`;
  return { stream: `${stream}-${bus}`, sent: `${prefix}.sent`, heard: `${prefix}.heard` };
}

const what = "a Muster bus";

export interface BusStreamOptions {
  readonly link: NatsLink;
  readonly names: NatsBusNames;
  readonly place: NatsPlace;
  readonly limits: BusLimits;
  readonly clock: LogClock;
  /** Never used before: it becomes the name of the epoch when the stream is made here. */
  readonly newEpoch: () => string;
}

/** Makes the stream unless it is there. @throws LogError (definite), with what to do */
export async function openBusStream(options: BusStreamOptions): Promise<StreamInfo> {
  const { link, names, clock, place, limits } = options;
  const { stream } = names;
  const { streams } = link.manager;
  try {
    const known = await askUntilLed(clock, () => streams.info(stream).catch(notFound));
    if (known !== undefined) return check(known, names);
    await makeStream(options);
    return check(await askUntilLed(clock, () => streams.info(stream)), names);
  } catch (error) {
    if (error instanceof LogError) throw error;
    const lack = explainRights(error);
    if (lack !== undefined) throw wrong(lack);
    const text = errorText(error);
    const advice = adviceFor(error, place, limits);
    throw new LogError(`the stream ${stream} of NATS cannot be used (${text}); ${advice}`, {
      ...{ definite: true, cause: error },
    });
  }
}

/** Brokers set aside at once what the stream may grow to. */
function adviceFor(error: unknown, { replicas }: NatsPlace, { ringBytesMax }: BusLimits): string {
  if (lacksBroker(error)) return startMissing;
  const text = errorText(error);
  const isShort = /insufficient/i.test(text);
  if (!isShort && !/no suitable peers|replicas/i.test(text)) {
    return "a cluster needs more than half of its servers";
  }
  const mebibytes = Math.ceil(ringBytesMax / 2 ** 20);
  const where = replicas > 1 ? " at each broker" : "";
  const wants = `it sets ${mebibytes} MiB of JetStream's store aside${where}`;
  const room = `${wants}: raise max_file_store there, or say --limit ringBytesMax=BYTES`;
  if (isShort || replicas === 1) return room;
  const needs = `replicas=${replicas} needs a cluster of so many brokers, all of them up`;
  return `${needs}: start those that are missing, or say fewer; where all are up, ${room}`;
}

/** A cluster that is busy answers late; who may not make a stream is never answered. */
const makeTriesMax = 3;

/** Another server may make it at this moment: a cluster may take both, and keeps the last. */
async function makeStream(options: BusStreamOptions, tries = 1): Promise<void> {
  const { link, names, place, limits, clock, newEpoch } = options;
  const { stream: name, sent, heard } = names;
  const { streams } = link.manager;
  const wish: Parameters<typeof streams.add>[0] = {
    ...{ name, subjects: [`${sent}.>`], retention: "limits", storage: "file", discard: "old" },
    description: `${what}, format ${natsFormat}, epoch ${newEpoch()}`,
    ...{ max_msgs: limits.ringNotificationsMax, max_bytes: limits.ringBytesMax },
    republish: { src: `${sent}.>`, dest: `${heard}.>` },
    ...{ num_replicas: place.replicas, duplicate_window: nanos(2_000) },
  };
  await askUntilPlaced(clock, () => streams.add(wish)).catch(async (error: unknown) => {
    // 10058: it is there by now, and is another's.
    if (error instanceof JetStreamApiError && error.code === 10_058) return;
    if (!/jetstream is not enabled|timeout/i.test(errorText(error))) throw error;
    if (tries < makeTriesMax && /timeout/i.test(errorText(error))) {
      const known = await askUntilLed(clock, () => streams.info(name).catch(notFound));
      if (known === undefined) await makeStream(options, tries + 1);
      return;
    }
    const why = `the stream ${name} of NATS is not there, and cannot be made (${errorText(error)})`;
    throw wrong(`${why}; start a server first whose account has the right to`);
  });
  await new Promise<void>((resolve) => {
    clock.after(natsStandMs, resolve);
  });
}

/** What the description of a stream of ours says: format and epoch. */
const describedAs = new RegExp(`^${what}, format (\\d+)(?:, epoch (\\S+))?`);

function check(info: StreamInfo, { stream, sent, heard }: NatsBusNames): StreamInfo {
  const { description = "", subjects, republish, discard } = info.config;
  const [, format] = describedAs.exec(description) ?? [];
  if (format === undefined) {
    throw wrong(
      `the stream ${stream} of NATS is not ${what} ('${description}'); name another log behind the address: nats://HOST:PORT/STREAM`,
    );
  }
  if (Number(format) > natsFormat) {
    throw wrong(
      `the stream ${stream} of NATS was made by a newer Muster (format ${format}, this one reads ${natsFormat}); use that version`,
    );
  }
  const isRepublished = republish?.src === `${sent}.>` && republish.dest === `${heard}.>`;
  if (!subjects.includes(`${sent}.>`) || !isRepublished || discard !== "old") {
    const must = `it must take ${sent}.>, republish it to ${heard}.>, and discard old messages`;
    throw wrong(`the stream ${stream} of NATS was changed: ${must}`);
  }
  return info;
}

/** Where a stream stands, as a bus sees it. */
export interface StreamStand {
  readonly epoch: string;
  /** Position of the oldest that is kept; `last` + 1 when nothing is. */
  readonly first: number;
  readonly last: number;
  /** Who orders it now; empty where there is one broker. */
  readonly leader: string;
  /** Whether whoever says so has heard of most of the brokers that keep it, lately. */
  readonly hasMajority: boolean;
}

/** Brokers say something to each other every second; others lead after 4 s at the earliest. */
const activeNsMax = nanos(2_500);

function hasMajority({ cluster }: StreamInfo): boolean {
  const others = cluster?.replicas ?? [];
  const active = others.filter(({ active: ns, offline }) => offline !== true && ns < activeNsMax);
  return 2 * (active.length + 1) > others.length + 1;
}

export function standOf(info: StreamInfo): StreamStand {
  const { config, state, cluster } = info;
  const { messages, first_seq, last_seq } = state;
  return {
    epoch: describedAs.exec(config.description ?? "")?.[2] ?? "",
    first: messages === 0 ? last_seq + 1 : first_seq,
    last: last_seq,
    leader: cluster?.leader ?? "",
    hasMajority: hasMajority(info),
  };
}

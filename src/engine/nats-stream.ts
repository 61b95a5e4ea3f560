// SPDX-License-Identifier: MIT
// The streams of a log on NATS: made when they are not there, and refused when they are somebody
// else's or of a newer Muster. What makes a stream ours is its description, because NATS 2.9 keeps
// nothing else that we could write.
import { JetStreamApiError, type StreamInfo } from "@nats-io/jetstream";
import { type LogClock, LogError } from "./log.ts";
import { type NatsLink, textOf } from "./nats-connection.ts";
import { natsOpenMs } from "./nats-limits.ts";
import { askUntilLed, checkLed, isLeaderless } from "./nats-patience.ts";
import { type NatsPlace, wrong } from "./nats-place.ts";

/** Layout of the messages; a newer one is refused. */
export const natsFormat = 1;

export interface StreamWish {
  readonly name: string;
  readonly subject: string;
  /** `a Muster log`; the format is written behind it. */
  readonly what: string;
  /** Messages may be deleted: those of topics, not those of a log. */
  readonly mayDelete: boolean;
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
      await makeStream(link, replicas, wish);
      // Who makes what another is making is answered before anybody leads it.
      return checkLed(await streams.info(name));
    });
    return check(info, wish, replicas);
  } catch (error) {
    if (error instanceof LogError) throw error;
    throw new LogError(explainStream(name, replicas, error), { definite: true, cause: error });
  }
}

async function makeStream(
  { manager }: NatsLink,
  replicas: number,
  { name, subject, what, mayDelete }: StreamWish,
): Promise<void> {
  await manager.streams.add({
    ...{ name, subjects: [subject], description: `${what}, format ${natsFormat}` },
    ...{ retention: "limits", storage: "file", num_replicas: replicas },
    // Rather refuse the newest than lose the oldest, from which state is computed.
    discard: "new",
    ...{ allow_direct: true, deny_delete: !mayDelete, duplicate_window: 2_000_000_000 },
  });
}

export function notFound(error: unknown): undefined {
  if (error instanceof Error && error.name === "StreamNotFoundError") return undefined;
  throw error;
}

function check(info: StreamInfo, { name, subject, what }: StreamWish, replicas: number) {
  const { description = "", subjects, discard, max_age, num_replicas } = info.config;
  const format = new RegExp(`^${what}, format (\\d+)$`).exec(description)?.[1];
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
  if (!subjects.includes(subject) || discard !== "new" || max_age !== 0) {
    throw wrong(
      `the stream ${name} of NATS was changed: it must take ${subject}, discard new messages when it is full, and keep them without an age`,
    );
  }
  if (num_replicas !== replicas) {
    const has = `the stream ${name} of NATS has ${num_replicas} replicas, not ${replicas}`;
    const say = `say ?replicas=${num_replicas} in the name of the log, or change the stream`;
    throw wrong(`${has}; ${say}`);
  }
  return info;
}

function explainStream(name: string, replicas: number, error: unknown): string {
  const text = textOf(error);
  if (error instanceof JetStreamApiError && error.code === 10074) {
    return `the stream ${name} cannot have ${replicas} replicas: NATS has one server; say replicas=1, or start more`;
  }
  if (/insufficient|no suitable peers/i.test(text)) {
    return `NATS has no room for the stream ${name} (${text}); give JetStream more storage, or start the missing servers`;
  }
  if (/subjects overlap/i.test(text)) {
    return `another stream of NATS takes the subjects of ${name} (${text}); name another stream behind the address`;
  }
  if (isLeaderless(error)) {
    const what = `the stream ${name} of NATS has no leader for ${natsOpenMs / 1000} s now (${text})`;
    return `${what}; a cluster needs more than half of its servers: start those, then this again`;
  }
  return `the stream ${name} of NATS cannot be used (${text}); a cluster needs more than half of its servers`;
}

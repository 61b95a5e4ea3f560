// SPDX-License-Identifier: MIT
// How the streams of a log on NATS are kept now, while servers run: others can change, purge and
// delete them, and nobody tells the servers.
import { errorText } from "../core/text.ts";
import { LogError, type LogExamined } from "./log.ts";
import type { NatsLink } from "./nats-connection.ts";
import type { NatsPlace } from "./nats-place.ts";
import { notFound, objectToKeeping, objectToReplicas, type StreamWish } from "./nats-stream.ts";

const makeAnew =
  "restore it, or start a server again, which makes it where nothing of it is missed";

type Kept = Pick<StreamWish, "name" | "subject">;

/**
 * Looks at the log and at what lies beside it. @param wish what the log has to be
 * @throws LogError while nobody says
 */
export async function examineNats(
  { manager }: NatsLink,
  { stream, plan, replicas }: NatsPlace,
  wish: Kept,
): Promise<LogExamined> {
  const beside = plan === undefined ? [topicsOf(stream), snapshotsOf(stream)] : [];
  try {
    const found = await Promise.all(
      [wish, ...beside].map(async (kept) => {
        const info = await manager.streams.info(kept.name).catch(notFound);
        return { kept, info };
      }),
    );
    const [log, topics, snapshots] = found.map(({ info }) => info?.state);
    return {
      first: log?.first_seq ?? 1,
      objection:
        log === undefined
          ? missing(wish)
          : firstOf(found, ({ kept, info }) => info && objectToKeeping(info, kept)),
      remark: firstOf(found, ({ kept, info }) =>
        info === undefined ? `${missing(kept)}; ${makeAnew}` : objectToReplicas(info, replicas),
      ),
      messages: topics && {
        ...{ first: topics.first_seq, count: topics.messages, deleted: topics.num_deleted ?? 0 },
      },
      snapshots: snapshots && `${snapshots.first_seq} ${snapshots.last_seq} ${snapshots.messages}`,
    };
  } catch (error) {
    const message = `NATS does not say how the log is kept: ${errorText(error)}`;
    throw new LogError(message, { definite: true, cause: error });
  }
}

function missing({ name }: Kept): string {
  return `NATS has no stream ${name} any more`;
}

function firstOf<T>(all: readonly T[], judge: (one: T) => string | undefined): string | undefined {
  for (const one of all) {
    const objection = judge(one);
    if (objection !== undefined) return objection;
  }
  return undefined;
}

/** The stream of a log, or of a plan. */
export function logOf({ stream: name, shard, plan }: NatsPlace): StreamWish {
  const what = plan === undefined ? "a Muster log" : `the plan of ${plan}`;
  return { name, subject: `muster.${name}.log`, what, mayDelete: false, shard };
}

/** The stream of the messages of topics beside a log. */
export function topicsOf(log: string): Kept {
  const name = `${log}-topics`;
  return { name, subject: `muster.${name}.messages` };
}

/** The stream of snapshots beside a log. */
export function snapshotsOf(log: string): Kept {
  const name = `${log}-snapshots`;
  return { name, subject: `muster.${name}.*` };
}

// SPDX-License-Identifier: MIT
// `muster topic publish|subscribe`: messages of a server's topics, over a session of the client
// library. What is printed is a message a line, JSON.
import {
  MusterError,
  type PublishedCrossing,
  type Session,
  type Topic,
  type TopicMessage,
} from "../../client/index.ts";
import { systemClock } from "../../host/clock.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError, type CommandIo } from "../io.ts";
import { barrierExitCodes, say, throughOutages, withSession } from "./barrier.ts";
import type { BarrierArguments } from "./barrier-arguments.ts";

export interface PublishArguments extends BarrierArguments {
  readonly topic: string;
  /** JSON; any other text is meant as it is. */
  readonly message: string;
  /** The message is text also where it could be JSON. */
  readonly text: boolean;
  /** The state to wait at. */
  readonly state?: string;
  readonly target?: number;
  readonly signal: boolean;
  readonly name?: string;
  /** Seconds. */
  readonly timeout?: number;
}

export interface SubscribeArguments extends BarrierArguments {
  readonly topic: string;
  /** The number of the last message that one has. */
  readonly after: number | "last";
  /** How many messages; without end when absent. */
  readonly count?: number;
  /** Seconds without a message after which it ends. */
  readonly timeout?: number;
}

export function topicPublishCommand(argv: PublishArguments, io: CommandIo): Promise<number> {
  const { state, target, signal: signals } = argv;
  if (state === undefined ? target !== undefined || signals : target === undefined) {
    throw new CommandError(
      exitCodes.usage,
      "--at STATE and --target N go together, --signal with them",
    );
  }
  const message = argv.text ? argv.message : readMessage(argv.message);
  const act = async (session: Session, signal: AbortSignal): Promise<number> => {
    const topic = session.topic(argv.topic);
    if (state === undefined || target === undefined) {
      const number = await throughOutages(topic.publish(message, { signal }), { io, signal });
      say(argv, io, { number }, `${argv.topic}: message ${number}`);
      return exitCodes.ok;
    }
    const { name, timeout } = argv;
    const options = {
      ...{ state, target, signals, signal },
      ...(name === undefined ? {} : { name }),
      ...(timeout === undefined ? {} : { timeoutMs: timeout * 1000 }),
    };
    const wait = topic.publishAndWait(message, options);
    return tellCrossing(argv, io, await throughOutages(wait, { io, signal }));
  };
  return withSession(argv, io, act, argv.timeout);
}

export function topicSubscribeCommand(argv: SubscribeArguments, io: CommandIo): Promise<number> {
  const act = async (session: Session, signal: AbortSignal): Promise<number> => {
    const { after, count = Number.POSITIVE_INFINITY } = argv;
    const topic: Topic = session.topic(argv.topic);
    await using messages = topic.subscribe({ after, signal });
    for (let left = count; left > 0; left -= 1) {
      const next = await within(messages.next(), argv);
      if (next.done === true) break;
      io.stdout(`${JSON.stringify(argv.json ? next.value : next.value.message)}\n`);
    }
    return exitCodes.ok;
  };
  return withSession(argv, io, act, argv.timeout);
}

function readMessage(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function tellCrossing(argv: PublishArguments, io: CommandIo, crossing: PublishedCrossing): number {
  const { number, error } = crossing;
  const how = `${argv.state} crossed${error === 0 ? "" : ` with error ${error}`}`;
  const text = `${argv.topic}: message ${number}; ${how}`;
  say(argv, io, { outcome: "crossed", ...crossing }, text);
  return error === 0 ? exitCodes.ok : barrierExitCodes.crossedWithError;
}

/** @throws MusterError (timeout) */
async function within(
  message: Promise<IteratorResult<TopicMessage>>,
  { topic, timeout }: SubscribeArguments,
): Promise<IteratorResult<TopicMessage>> {
  if (timeout === undefined) return message;
  let cancel: () => void = () => undefined;
  const late = new Promise<never>((_, reject) => {
    cancel = systemClock.after(timeout * 1000, () => {
      reject(new MusterError("timeout", `no message of ${topic} came within ${timeout} s`));
    });
  });
  message.catch(() => undefined);
  try {
    return await Promise.race([message, late]);
  } finally {
    cancel();
  }
}

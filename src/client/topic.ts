// SPDX-License-Identifier: MIT
// The handle of a topic: messages in one order for everybody, kept until the scope ends.
import type { PublishedArrival } from "../core/command.ts";
import {
  BarrierRequests,
  type Crossing,
  crossingOf,
  type Ends,
  endsOf,
} from "./barrier-requests.ts";
import { checkCount, checkText, checkWhole } from "./check-arguments.ts";
import { MusterError } from "./muster-error.ts";
import type { PendingWait } from "./pending-wait.ts";
import type { RequestOptions, WaitOptions } from "./request-options.ts";
import type { Requester } from "./requester.ts";
import type { SubscribeOptions, TopicSubscription } from "./topic-subscription.ts";

export interface PublishAndWaitOptions extends WaitOptions {
  /** The state to wait at: its name. */
  readonly state: string;
  /** Waits until the state has this value, or more. */
  readonly target: number;
  /** Whether it signals, too. Default: no. */
  readonly signals?: boolean;
}

/** The crossing of one's target, and where one's message is. */
export interface PublishedCrossing extends Crossing {
  /** Of the message in its topic: 1 for the first. */
  readonly number: number;
  /** Which signal was one's own, of one who has signalled; else 0. */
  readonly value: number;
}

/** Characters of a message that any server's frame has room for. What it takes is its own limit. */
const messageTextMax = 3 * 1024 * 1024;

export class Topic<Message = unknown> {
  readonly name: string;
  readonly #session: Requester;
  readonly #requests: BarrierRequests;

  constructor(session: Requester, name: string) {
    this.name = name;
    this.#session = session;
    this.#requests = new BarrierRequests(session, "state", name);
  }

  /**
   * Adds a message, anything that JSON can say. Resolves with its number in the topic: 1 for the
   * first. Whether one that was aborted is there is open. @throws MusterError
   */
  async publish(message: Message, options: RequestOptions = {}): Promise<number> {
    const build = this.#build(message);
    return this.#requests.send<number>(options, "notify", build, publishedEnds);
  }

  /**
   * Adds a message and waits at a state, or signals there and waits: at one instant and in one
   * exchange; what is refused has done neither. Whoever is taken back by its signal has published
   * all the same. @throws MusterError
   */
  async publishAndWait(
    message: Message,
    { state, target, signals = false, ...options }: PublishAndWaitOptions,
  ): Promise<PublishedCrossing> {
    checkText("state", state);
    checkCount(target, "target");
    const build = this.#build(message);
    const kind = signals ? "state-signal-and-wait" : "state-wait";
    const own = { number: 0, value: 0 };
    const requests = new BarrierRequests(this.#session, "state", state);
    return requests.wait<PublishedCrossing>(
      "wait",
      options,
      ({ scope: _, ...arrival }, connection) => ({
        ...build(connection),
        arrival: { kind, ...arrival, target } satisfies PublishedArrival,
      }),
      {
        ...endsOf((effect) => ({ ...crossingOf(effect), ...own })),
        published(_pending, number) {
          own.number = number;
          return false;
        },
        signalled(_pending, value) {
          own.value = value;
          return false;
        },
      },
    );
  }

  /**
   * The messages of the topic from behind an offset, then those that come, in order and each once.
   * Take them with `for await`; the server sends no faster than that.
   */
  subscribe(options: SubscribeOptions = {}): TopicSubscription<Message> {
    const { after } = options;
    checkText("topic", this.name);
    if (after !== undefined && after !== "last") {
      checkWhole("after", after, Number.MAX_SAFE_INTEGER);
    }
    return this.#session.subscribe(this.name, options) as TopicSubscription<Message>;
  }

  /** Waits on for a request that ended because the server's log was away; it counts once. */
  resume<Result = number>(error: MusterError, options: RequestOptions = {}): Promise<Result> {
    return this.#requests.resume(error, options);
  }

  /** The text is made now: what the program changes later is not sent. @throws MusterError */
  #build(message: Message) {
    checkText("topic", this.name);
    const { scope } = this.#session;
    const publish = { kind: "topic-publish", scope, topic: this.name } as const;
    const text = textOf(message);
    return (connection: number) => ({ ...publish, connection, message: text });
  }
}

const publishedEnds: Ends<number> = {
  published(pending: PendingWait<number>, number) {
    pending.resolve(number);
    return true;
  },
};

/** @throws MusterError (invalid, limit) */
function textOf(message: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(message);
  } catch (error) {
    throw new MusterError("invalid", `message: JSON cannot say it: ${String(error)}`);
  }
  if (text === undefined) {
    throw new MusterError("invalid", `message: JSON cannot say ${typeof message}`);
  }
  if (text.length <= messageTextMax) return text;
  const advice = "publish it in parts, or say where it is to be had";
  throw new MusterError("limit", `the message has ${text.length} characters as JSON; ${advice}`);
}

// SPDX-License-Identifier: MIT
// Topics with curl: publish, and read on from an offset, as a long poll when there is nothing yet.
import { z } from "zod";
import type { PayloadRef } from "../../../core/command.ts";
import type { Reply, Route } from "../route.ts";
import { defineRoute } from "../route.ts";
import type { TopicCalls } from "../topic-calls.ts";
import {
  arrivalBody,
  arrivalFacts,
  type BarrierRoutesOptions,
  crossing,
  describeEnd,
  goTogether,
  stateTarget,
  withBytes,
} from "./barriers.ts";

export interface TopicRoutesOptions extends BarrierRoutesOptions {
  readonly topics: TopicCalls;
}

const params = z.object({ topic: z.string().min(1) });
const publishBody = z.strictObject({ message: z.unknown().describe("Anything JSON can say") });
const { id: _, ...waits } = arrivalBody;
const publishAndWaitBody = z.strictObject({
  ...waits,
  message: z.unknown().describe("Anything JSON can say"),
  state: withBytes(z.string().min(1)).describe("The state to wait at"),
  ...stateTarget,
});
const readQuery = z.object({
  after: z.coerce
    .number()
    .int()
    .min(0)
    .default(0)
    .describe("The number of the last message that the reader has"),
  timeoutMs: z.coerce
    .number()
    .int()
    .min(0)
    .max(600_000)
    .default(0)
    .describe("How long to wait for a message when there is none"),
});
const published = z.object({ number: z.int().describe("From 1, in the order of the topic") });
const page = z.object({
  messages: z.array(z.object({ number: z.int(), message: z.unknown() })),
  last: z.int().describe("The `after` of the next request"),
});

export function createTopicRoutes(options: TopicRoutesOptions): readonly Route[] {
  const { topics, judge } = options;
  return [
    createPublishAndWaitRoute(options),
    defineRoute({
      method: "POST",
      path: "/v1/topics/{topic}",
      summary: "Publish a message; it stays until the scope ends",
      access: "notify",
      isScoped: true,
      params,
      body: publishBody,
      answers: [{ status: 200, what: "It has this number", schema: published }],
      handle: async (call) => {
        const { scope, params: which } = call;
        const message = call.textOf("message") ?? "null";
        const payload = { id: 0, bytes: Buffer.byteLength(message), hash: 0 };
        const command = { kind: "publish", scope, connection: 0, payload } as const;
        topics.expectLog(scope);
        judge(call, { ...command, topic: which.topic });
        return { number: await topics.publish(scope, which.topic, message) };
      },
    }),
    defineRoute({
      method: "GET",
      path: "/v1/topics/{topic}",
      summary: "The messages behind an offset, from the first; waits when told to",
      access: "listen",
      isScoped: true,
      lasts: "wait",
      params,
      query: readQuery,
      answers: [{ status: 200, what: "A page of messages", schema: page }],
      handle: async (call) => {
        const { scope, params: which, query, gone } = call;
        const { after, timeoutMs } = query;
        const offset = { scope, topic: which.topic, after };
        await topics.expectWithin(offset);
        let found = await topics.read(offset);
        if (found.length === 0 && timeoutMs > 0) {
          judge(call, { kind: "topic-follow", scope, topic: which.topic, connection: 0 });
          await topics.moved(offset, timeoutMs, gone);
          found = await topics.read(offset);
        }
        return pageOf(found, after);
      },
    }),
  ];
}

/**
 * The texts of messages as they are: whoever reads them here is not kept from those behind one that
 * is nested deeper than a value can be written again, and no number is rounded.
 */
function pageOf(found: readonly string[], after: number): Reply {
  const messages = found.map((text, at) => `{"number":${after + at + 1},"message":${text}}`);
  const body = `{"messages":[${messages.join(",")}],"last":${after + found.length}}\n`;
  return { kind: "reply", status: 200, type: "application/json", body };
}

/** One exchange, one instant: what is refused has done neither. */
function createPublishAndWaitRoute(options: TopicRoutesOptions): Route {
  const { topics, arrivals, clock, judge } = options;
  return defineRoute({
    method: "POST",
    path: "/v1/topics/{topic}/publish-and-wait",
    summary: "Publish a message and wait at a state, perhaps with a signal, in one exchange",
    access: "notify",
    isScoped: true,
    lasts: "wait",
    params,
    body: publishAndWaitBody,
    answers: [{ status: 200, what: "Reached; the message has this number", schema: crossing }],
    handle: async (call) => {
      const { scope, params: which, body, gone } = call;
      const { state, target } = body;
      const kind = body.signal ? "state-signal-and-wait" : "state-wait";
      const arrival = { kind, barrier: state, target, ...arrivalFacts(call) } as const;
      const publish = { kind: "publish", scope, topic: which.topic, arrival } as const;
      const message = call.textOf("message") ?? "null";
      const bytes = Buffer.byteLength(message);
      // Nobody would come back for what was stored then.
      arrivals.expectLog(scope);
      judge(call, { ...publish, connection: 0, payload: { id: 0, bytes, hash: 0 } });
      const payload: PayloadRef = await topics.store(scope, message);
      const end = await arrivals.arrive(
        (connection) => ({ ...publish, connection, payload }),
        gone,
        undefined,
        () => topics.free(scope, payload),
      );
      return describeEnd(await goTogether(clock, body.leadMs, end));
    },
  });
}

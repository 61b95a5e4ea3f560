// SPDX-License-Identifier: MIT
// Goal: who begins behind a message that this server has not read yet gets what follows as soon as
// it has, also when nobody says how far the log goes.
// Method: feeds over a core whose effects are told by hand, and a log that never answers.
import { describe, expect, it } from "vitest";
import { resolveHttpBounds } from "../../../src/edges/http/bounds.ts";
import { SessionFeeds } from "../../../src/edges/http/session-feeds.ts";
import type { EdgeHandler } from "../../../src/host/core-link.ts";

const [scope, topic] = ["s", "t"];
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("a subscription behind what this server has read", () => {
  it("begins with the news of it, once", async () => {
    let handler: EdgeHandler | undefined;
    const feeds = new SessionFeeds({
      ...{ edge: "feeds", bounds: resolveHttpBounds({}) },
      connect: (_edge, given) => {
        handler = given;
        const notAsked = () => Promise.reject(new Error("not asked for"));
        const reads = { describe: notAsked, listEvents: notAsked };
        return { submit: () => true, ...reads, close: () => Promise.resolve() };
      },
      topics: {
        read: ({ after }) => Promise.resolve([Buffer.from(`${after + 1}`)]),
        free: () => undefined,
        write: () => Promise.reject(new Error("not asked for")),
      },
      catchUp: () => new Promise(() => undefined),
    });
    const sent: string[] = [];
    const peer = { isBehind: false, send: (frame: string) => void sent.push(frame) };
    const feed = feeds.open(peer, () => undefined);
    const stands = (last: number): void =>
      handler?.onEffects([{ kind: "topic-stands", scope, topic, last }]);
    feed.receive({ kind: "subscribe", id: 1, scope, topic });
    stands(1);
    feed.receive({ kind: "subscribe", id: 2, scope, topic, after: 3 });
    expect(sent.splice(0)).toEqual(['{"kind":"subscribed","id":1,"after":1}']);
    feed.receive({ kind: "unsubscribe", id: 1 });
    stands(2);
    expect(sent).toEqual([]);
    stands(3);
    stands(4);
    await turn();
    expect(sent).toEqual([
      '{"kind":"subscribed","id":2,"after":3}',
      '{"kind":"messages","id":2,"after":3,"messages":["4"]}',
    ]);
  });
});

// SPDX-License-Identifier: MIT
// Goal: who begins behind a message that this server has not read yet gets what follows as soon as
// it has, also when nobody says how far the log goes; and the core knows of no follower that is
// not. Method: feeds over a core whose effects are told by hand, and a log that never answers.
import { describe, expect, it } from "vitest";
import type { Command } from "../../../src/core/command.ts";
import { resolveHttpBounds } from "../../../src/edges/http/bounds.ts";
import { SessionFeeds } from "../../../src/edges/http/session-feeds.ts";
import type { EdgeHandler } from "../../../src/host/core-link.ts";

const [scope, topic] = ["s", "t"];
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Subscriptions of one connection. */
function openFeed() {
  let handler: EdgeHandler | undefined;
  const submitted: string[] = [];
  const feeds = new SessionFeeds({
    ...{ edge: "feeds", bounds: resolveHttpBounds({}) },
    connect: (_edge, given) => {
      handler = given;
      const notAsked = () => Promise.reject(new Error("not asked for"));
      const submit = ({ kind }: Command) => submitted.push(kind) > 0;
      const reads = { describe: notAsked, listEvents: notAsked };
      return { submit, ...reads, close: () => Promise.resolve() };
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
  return { feed, sent, stands, submitted };
}

describe("a subscription behind what this server has read", () => {
  it("begins with the news of it, once", async () => {
    const { feed, sent, stands } = openFeed();
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

describe("a subscription to a topic that begins again", () => {
  it("ends, and the core is told that nobody follows the new one", () => {
    const { feed, sent, stands, submitted } = openFeed();
    feed.receive({ kind: "subscribe", id: 1, scope, topic });
    stands(5);
    expect([sent.splice(0).length, submitted.splice(0)]).toEqual([1, ["topic-follow"]]);
    stands(2);
    expect(submitted).toEqual(["topic-unfollow"]);
    expect(sent).toEqual([expect.stringContaining('"code":"ended"')]);
  });
});

// SPDX-License-Identifier: MIT
// Goal: what is read for the subscriptions of one client stays within the room that they share.
// Method: a feed over reads that are answered by hand, and a client that counts what it is sent.
import { describe, expect, it } from "vitest";
import { Feed, type Subscriber } from "../../../src/edges/topic-feed.ts";

/** A client with room for so many messages, whichever subscription they are of. */
class Client implements Subscriber {
  readonly sent: string[] = [];
  room: number;

  constructor(room: number) {
    this.room = room;
  }

  get hasRoom(): boolean {
    return this.room > 0;
  }

  sendMessage(id: string, quoted: string, number: number): undefined {
    this.room -= 1;
    this.sent.push(`${id}:${number}=${quoted}`);
  }

  sendError(id: string, error: string): void {
    this.sent.push(`${id}: ${error}`);
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("a feed", () => {
  it("F2: what was read while others of the client took its room is read again, once there is some", async () => {
    const topic = ["1", "2"].map((text) => new TextEncoder().encode(text));
    const feed = new Feed({
      ...{ scope: "s", topic: "t", readBytesMax: 1, onTold: () => undefined },
      topics: {
        read: ({ after }) => Promise.resolve(topic.slice(after, after + 1)),
        free: () => undefined,
        write: () => Promise.reject(new Error("not asked for")),
      },
    });
    feed.moveTo(topic.length);
    const client = new Client(1);
    const subscriptions = ["a", "b", "c"].map((id) => feed.subscribe(client, id));
    const resume = (): void => {
      for (const subscription of subscriptions) subscription.resume();
    };
    resume(); // All three reads are under way before the first has taken the room.
    await turn();
    expect(client.sent).toEqual(['a:1="1"']);
    while (client.sent.length < 6) {
      client.room = 1;
      const before = client.sent.length;
      resume();
      await turn();
      expect(client.sent.length).toBe(before + 1);
    }
    expect(client.sent.toSorted()).toEqual(
      ["a", "b", "c"].flatMap((id) => [`${id}:1="1"`, `${id}:2="2"`]),
    );
  });

  it("F3: a read that failed is not shared with who comes later", async () => {
    const answers = [Promise.reject(new Error("away")), Promise.resolve([Buffer.from("1")])];
    const feed = new Feed({
      ...{ scope: "s", topic: "t", readBytesMax: 1, onTold: () => undefined },
      topics: {
        read: () => answers.shift() ?? Promise.reject(new Error("asked once too often")),
        free: () => undefined,
        write: () => Promise.reject(new Error("not asked for")),
      },
    });
    feed.moveTo(1);
    const client = new Client(2);
    feed.subscribe(client, "a").resume();
    await turn();
    feed.subscribe(client, "b").resume();
    await turn();
    expect(client.sent).toEqual(["a: the topic cannot be read: Error: away", 'b:1="1"']);
  });
});

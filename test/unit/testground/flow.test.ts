// SPDX-License-Identifier: MIT
// Goal: a client that does not read, or never stops sending, costs its own bounds and disturbs
// nobody. Method: real connections, on each kind of log, and a door that counts what it reads.
import { afterEach, describe, expect, it } from "vitest";
import type { TopicLink } from "../../../src/host/topic-link.ts";
import { logKinds, startDoor, TestClient, type TestDoor, until } from "./harness.ts";

let opened: TestDoor[] = [];
let clients: TestClient[] = [];
afterEach(async () => {
  for (const client of clients) client.socket.terminate();
  // A door may be on the host of one before it.
  for (const door of opened.reverse()) await door.close();
  [opened, clients] = [[], []];
});

async function start(...args: Parameters<typeof startDoor>): Promise<TestDoor> {
  const door = await startDoor(...args);
  opened.push(door);
  return door;
}

async function dial(...args: ConstructorParameters<typeof TestClient>): Promise<TestClient> {
  const client = await TestClient.open(...args);
  clients.push(client);
  return client;
}

const publish = (payload: string, topic = "t") => ({ kind: "publish", topic, payload }) as const;
const subscribe = (topic = "t") => ({ kind: "subscribe", topic }) as const;
const signal = (state = "s") => ({ kind: "signal", state }) as const;

describe.each(logKinds)("a subscriber that has stopped reading, on a %s", (kind) => {
  it("disturbs nobody, is read for no further than its bound, and loses nothing", async () => {
    const { port, door } = await start(kind);
    const publisher = await dial(port);
    const stopped = await dial(port);
    const other = await dial(port);
    stopped.ask("sub", subscribe());
    other.ask("sub", subscribe());
    publisher.ask("first", publish('"first"'));
    await stopped.answer("sub");
    stopped.socket.pause();
    const count = 60;
    const payload = (n: number): string => JSON.stringify(`${n} ${"x".repeat(400_000)}`);
    for (let n = 1; n <= count; n += 1) {
      publisher.ask(`p${n}`, publish(payload(n)));
      expect(await other.answer("sub", n + 1)).toMatchObject({ payload: payload(n) });
      // What waits in the process; the kernel holds some more.
      expect(door.counters.queuedBytes).toBeLessThan(2_000_000);
    }
    publisher.ask("signal", signal());
    expect(await publisher.answer("signal")).toMatchObject({ sequence: 1 });
    expect(stopped.of("sub")).toHaveLength(1);
    stopped.socket.resume();
    await stopped.answer("sub", count + 1);
    const got = stopped.of("sub").map((one) => (one.kind === "message" ? one.payload : ""));
    expect(got).toEqual(other.of("sub").map((one) => (one.kind === "message" ? one.payload : "")));
  });

  it("is carried on also when it asked for several topics", async () => {
    const { port } = await start(kind, { bounds: { testgroundAheadBytesMax: 1_000 } });
    const client = await dial(port);
    for (const topic of ["a", "b", "c"]) client.ask(topic, subscribe(topic));
    client.socket.pause();
    const publisher = await dial(port);
    const long = JSON.stringify("x".repeat(300_000));
    for (let n = 1; n <= 20; n += 1) {
      for (const topic of ["a", "b", "c"]) publisher.ask(`${topic}${n}`, publish(long, topic));
    }
    await publisher.answer("c20");
    client.socket.resume();
    for (const topic of ["a", "b", "c"]) await client.answer(topic, 20);
  });
});

describe.each(logKinds)("a client that sends and does not read, on a %s", (kind) => {
  it("is read no further than its bound, and answered in full when it reads", async () => {
    const testgroundQueueBytesMax = 100_000;
    const { port, door } = await start(kind, { bounds: { testgroundQueueBytesMax } });
    const client = await dial(port);
    client.socket.pause();
    const id = "x".repeat(30_000);
    const count = 1_000;
    for (let n = 0; n < count; n += 1) client.ask(id, signal());
    await until(() => door.counters.queuedBytes >= testgroundQueueBytesMax);
    // Everything that was read is answered; one chunk of the socket may have been more.
    for (let turns = 0; turns < 300; turns += 1) {
      expect(door.counters.queuedBytes).toBeLessThan(testgroundQueueBytesMax + 500_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const other = await dial(port);
    other.ask("0", signal());
    await other.answer("0");
    client.socket.resume();
    await client.answer(id, count);
  });

  it("waits with its messages while they are being stored", async () => {
    const stored: (() => void)[] = [];
    const { port, host } = await start(kind);
    const slow: TopicLink = {
      ...host.topics,
      write: async (message, scope) => {
        await new Promise<void>((resolve) => stored.push(resolve));
        return host.topics.write(message, scope);
      },
    };
    const second = await start(kind, {
      ...{ topics: slow, connect: host.connectEdge, edge: "slow" },
      bounds: { testgroundQueueBytesMax: 10_000 },
    });
    const client = await dial(second.port);
    const count = 100;
    for (let n = 0; n < count; n += 1) {
      client.ask(`p${n}`, publish(JSON.stringify("x".repeat(20_000))));
      client.ask(`s${n}`, signal());
    }
    await until(() => stored.length > 0);
    for (let turns = 0; turns < 100; turns += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      expect(stored.length).toBeLessThan(10);
    }
    const free = setInterval(() => {
      for (const resolve of stored.splice(0)) resolve();
    }, 1);
    await client.answer(`s${count - 1}`);
    clearInterval(free);
    const order = client.got.map((one) => one.id);
    expect(order).toEqual(Array.from({ length: 2 * count }, (_, n) => `${"ps"[n % 2]}${n >> 1}`));
    expect(await dial(port)).toBeDefined();
  });
});

describe.each(logKinds)("a message that cannot be stored, on a %s", (kind) => {
  it("is answered so, out of nobody's turn, and counts for nothing", async () => {
    let writes = 0;
    const { host } = await start(kind);
    const failing: TopicLink = {
      ...host.topics,
      write: (message, scope) => {
        writes += 1;
        if (writes === 2) return Promise.reject(new Error("the disk is full"));
        return host.topics.write(message, scope);
      },
    };
    const { port, door } = await start(kind, {
      ...{ topics: failing, connect: host.connectEdge, edge: "failing" },
    });
    const client = await dial(port);
    for (const n of [1, 2, 3]) client.ask(`p${n}`, publish(String(n)));
    client.ask("s", signal());
    await client.answer("s");
    expect(client.of("p1")).toMatchObject([{ kind: "published", sequence: 1 }]);
    // Why is in the server's log: it may name what is nobody's business.
    expect(client.of("p2")).toMatchObject([
      { error: expect.stringContaining("could not be stored; try again") },
    ]);
    expect(client.of("p3")).toMatchObject([{ kind: "published", sequence: 2 }]);
    expect(door.counters.topicBytes).toBe(2 * 65);
    client.ask("sub", subscribe());
    expect(await client.answer("sub", 2)).toMatchObject({ payload: "3" });
  });
});

// SPDX-License-Identifier: MIT
// Goal: a message that was stored and that no command will name is forgotten, and not kept until
// the next start. Method: doors on a core whose mailbox is full, on a store that says how many it
// holds.
import { afterEach, describe, expect, it } from "vitest";
import { Arrivals } from "../../../src/edges/http/arrivals.ts";
import { Departure } from "../../../src/edges/http/departure.ts";
import { HttpError } from "../../../src/edges/http/errors.ts";
import { TopicCalls } from "../../../src/edges/http/topic-calls.ts";
import { MemoryPayloads } from "../../../src/engine/payloads.ts";
import { systemClock } from "../../../src/host/clock.ts";
import type { ConnectEdge } from "../../../src/host/core-link.ts";
import type { TopicLink } from "../../../src/host/topic-link.ts";
import { startDoor, TestClient, type TestDoor, until } from "../testground/harness.ts";

/** A core that has no room, for commands of these kinds or for any. */
const fullCore =
  (kinds?: readonly string[], connect?: ConnectEdge): ConnectEdge =>
  (edge, handler) => {
    const link = connect?.(edge, handler);
    return {
      submit: (command) =>
        kinds?.includes(command.kind) === false && (link?.submit(command) ?? true),
      describe: async (scope) => ({ scope, barriers: [], pendingEvents: 0 }),
      listEvents: () => Promise.reject(new Error("not asked for")),
      close: async () => link?.close(),
    };
  };

function createTopics(): { readonly store: MemoryPayloads; readonly topics: TopicLink } {
  const store = new MemoryPayloads();
  const topics: TopicLink = {
    write: (message) => store.write(message),
    free: ({ id }) => store.free([id]),
    read: async () => [],
  };
  return { store, topics };
}

describe("by a request", () => {
  it("that publishes: the mailbox is full", async () => {
    const { store, topics } = createTopics();
    const known = { lastOf: () => 0, catchUp: undefined };
    const options = { connect: fullCore(), edge: "e", topics, clock: systemClock, ...known };
    const calls = new TopicCalls(options);
    await expect(calls.publish("s", "t", '"m"')).rejects.toThrow("mailboxCommandsMax");
    expect(store.size).toBe(0);
  });

  it.each(["the mailbox is full", "its client has gone"])(
    "that publishes and waits: %s",
    async (why) => {
      const kept = { keptMs: 1, keptMax: 1, tooMany: () => new HttpError("limit", "no") };
      const arrivals = new Arrivals({
        ...{ connect: fullCore(), edge: "e", clock: systemClock, ...kept },
      });
      const gone = new Departure();
      if (why === "its client has gone") gone.tell();
      let unsent = 0;
      const leave = arrivals.arrive(
        (connection) => ({ kind: "leave", connection }),
        gone,
        undefined,
        () => (unsent += 1),
      );
      await leave.catch(() => undefined);
      expect(unsent).toBe(1);
    },
  );
});

describe("by a Testground client", () => {
  let opened: TestDoor[] = [];
  afterEach(async () => {
    for (const door of opened) await door.close();
    opened = [];
  });

  it("whose server ends while the mailbox is full", async () => {
    const { store, topics } = createTopics();
    const first = await startDoor("memory log");
    const connect = fullCore(["publish"], first.host.connectEdge);
    const second = await startDoor("memory log", { topics, connect, edge: "full" });
    opened = [first, second];
    const client = await TestClient.open(second.port);
    for (const id of ["1", "2"]) client.ask(id, { kind: "publish", topic: "t", payload: "1" });
    await until(() => store.size === 2);
    // What is kept has been submitted in vain by then.
    client.ask("s", { kind: "signal", state: "s" });
    await until(() => second.door.counters.requests >= 2);
    await second.door.close();
    expect(store.size).toBe(0);
  });
});

// SPDX-License-Identifier: MIT
// Goal: who asks for another network is answered when it is there, its state is signalled then, and
// what is refused is neither published nor signalled. Method: a door whose network does as told.
import { afterEach, describe, expect, it } from "vitest";
import type { ConfigureNetwork, NetworkRequest } from "../../../src/edges/testground/index.ts";
import { logKinds, startDoor, TestClient, type TestDoor, until } from "./harness.ts";

let opened: TestDoor[] = [];
let clients: TestClient[] = [];
afterEach(async () => {
  for (const client of clients) client.socket.terminate();
  for (const door of opened.reverse()) await door.close();
  [opened, clients] = [[], []];
});

const keys = "run:r:plan:p:case:c:";
const config = (payload: object) => {
  const topic = `${keys}topics:network:a.eid.pid`;
  return { kind: "publish", topic, payload: JSON.stringify(payload) } as const;
};
const wait = (state: string, target: number) =>
  ({ kind: "barrier", state: `${keys}states:${state}`, target }) as const;

describe.each(logKinds)("a door with a network, on a %s", (kind) => {
  async function start(configureNetwork: ConfigureNetwork): Promise<TestClient> {
    const door = await startDoor(kind, { configureNetwork });
    opened.push(door);
    const client = await TestClient.open(door.port);
    clients.push(client);
    return client;
  }

  it("answers when the network is there, and signals the state of who asked", async () => {
    const asked: NetworkRequest[] = [];
    const done = Promise.withResolvers<void>();
    const client = await start(async (request) => {
      asked.push(request);
      await done.promise;
      return { callbackState: "shaped" };
    });
    client.ask("wait", wait("shaped", 1));
    client.ask("config", config({ any: 1 }));
    // What follows on the connection waits, too: its order is kept.
    client.ask("signal", { kind: "signal", state: `${keys}states:other` });
    await until(() => asked.length > 0);
    expect(asked).toMatchObject([{ host: "a.eid.pid", payload: '{"any":1}' }]);
    expect(client.got).toEqual([]);
    done.resolve();
    expect(await client.answer("config")).toMatchObject({ kind: "published", sequence: 1 });
    expect(await client.answer("wait")).toEqual({ kind: "done", id: "wait" });
    expect(await client.answer("signal")).toMatchObject({ sequence: 1 });
  });

  it("tells who asked why not, publishes nothing, signals nothing, and goes on", async () => {
    const client = await start(({ payload }) =>
      Promise.resolve(payload === "{}" ? { callbackState: "" } : { refusal: "it cannot be" }),
    );
    client.ask("no", config({ any: 1 }));
    expect(await client.answer("no")).toEqual({ kind: "failed", id: "no", error: "it cannot be" });
    client.ask("yes", config({}));
    expect(await client.answer("yes")).toMatchObject({ kind: "published", sequence: 1 });
  });
});

it("a door without a network takes such a topic for one like others", async () => {
  const door = await startDoor("memory log");
  opened.push(door);
  const client = await TestClient.open(door.port);
  clients.push(client);
  client.ask("any", config({ corrupt: 1 }));
  expect(await client.answer("any")).toMatchObject({ kind: "published", sequence: 1 });
});

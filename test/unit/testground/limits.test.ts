// SPDX-License-Identifier: MIT
// Every bound of the Testground door at its value and one past it; its times; and what becomes of
// runs that nobody uses (D18).
import { connect } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import {
  defaultTestgroundBounds,
  resolveTestgroundBounds,
} from "../../../src/edges/testground/index.ts";
import { testgroundTime } from "../../../src/edges/testground-time.ts";
import {
  type LogKind,
  logKinds,
  startDoor,
  TestClient,
  type TestDoor,
  type TestDoorOptions,
} from "./harness.ts";

let opened: TestDoor[] = [];
let clients: TestClient[] = [];
afterEach(async () => {
  for (const client of clients) client.socket.terminate();
  for (const door of opened) await door.close();
  [opened, clients] = [[], []];
});

async function start(options: TestDoorOptions, kind: LogKind = "memory log"): Promise<TestDoor> {
  const door = await startDoor(kind, options);
  opened.push(door);
  return door;
}

async function dial(port: number): Promise<TestClient> {
  const client = await TestClient.open(port);
  clients.push(client);
  return client;
}

const signal = (state = "s") => ({ kind: "signal", state }) as const;
const inRun = (run: string, state = "s") => signal(`run:${run}:plan:p:case:c:states:${state}`);
const publish = (payload: string, topic = "t") => ({ kind: "publish", topic, payload }) as const;
const refusedBy = (name: string, value: number) => ({
  kind: "failed",
  error: expect.stringContaining(`limit ${name} (${value}) reached; raise it with --limit ${name}`),
});

describe("bounds", () => {
  it("resolveTestgroundBounds() fills in defaults and refuses what is no bound", () => {
    expect(resolveTestgroundBounds()).toEqual(defaultTestgroundBounds);
    expect(() => resolveTestgroundBounds({ testgroundRunsMax: 0 })).toThrow("testgroundRunsMax");
  });

  it.each(["testgroundConnectionsMax", "testgroundConnectionsPerClientMax"] as const)(
    "%s: one more is cut",
    async (name) => {
      const { port, log, door } = await start({ bounds: { [name]: 2 } });
      const [first] = [await dial(port), await dial(port)];
      const third = new TestClient(port);
      expect((await third.ended).code).toBe(1006);
      expect(log.lines.join()).toContain(`limit ${name} (2)`);
      expect(door.counters).toMatchObject({ connections: 2, refused: 1 });
      await first?.close();
      const again = await dial(port);
      again.ask("0", signal());
      await again.answer("0");
    },
  );

  it("testgroundMessageBytesMax: one byte more closes with 1009, compressed or not", async () => {
    const { port } = await start({ bounds: { testgroundMessageBytesMax: 1_000 } });
    const client = await dial(port);
    const request = '{"id":"0","signal_entry":{"state":"s"}}';
    client.socket.send(request.padEnd(1_000));
    await client.answer("0");
    client.socket.send(request.padEnd(1_001));
    expect((await client.ended).code).toBe(1009);
    const bomb = await TestClient.open(port, { deflate: true });
    bomb.socket.send(request.padEnd(1_000_000));
    expect((await bomb.ended).code).toBe(1009);
  });
});

describe.each(logKinds)("bounds of what is asked, on a %s", (kind) => {
  it("testgroundRequestsMax counts what is not answered, subscriptions included", async () => {
    const { port } = await start({ bounds: { testgroundRequestsMax: 2 } }, kind);
    const client = await dial(port);
    client.ask("b", { kind: "barrier", state: "s", target: 1 });
    client.ask("t", { kind: "subscribe", topic: "t" });
    client.ask("x", signal());
    expect(await client.answer("x")).toMatchObject(refusedBy("testgroundRequestsMax", 2));
    client.ask("t", undefined, true);
    client.ask("y", signal());
    expect(await client.answer("y")).toMatchObject({ kind: "signalled", sequence: 1 });
    await client.answer("b");
  });

  it("testgroundQueueBytesMax: names of waits that are longer together are refused", async () => {
    const { port } = await start({ bounds: { testgroundQueueBytesMax: 1_000 } }, kind);
    const client = await dial(port);
    const ids = ["a", "b", "c"].map((letter) => letter.repeat(499));
    for (const id of ids) client.ask(id, { kind: "barrier", state: "s", target: 1 });
    const [first = "", second = "", third = ""] = ids;
    expect(await client.answer(third)).toMatchObject(refusedBy("testgroundQueueBytesMax", 1_000));
    client.ask("0", signal());
    for (const id of [first, second])
      expect(await client.answer(id)).toMatchObject({ kind: "done" });
    client.ask(third, { kind: "barrier", state: "s", target: 1 });
    expect(await client.answer(third, 2)).toMatchObject({ kind: "done" });
  });

  it("testgroundRunsMax counts runs of the listener, not those that others made", async () => {
    const { port, host } = await start({ bounds: { testgroundRunsMax: 2 } }, kind);
    const link = host.connectEdge("other", { onEffects: () => undefined });
    for (const scope of ["x", "y", "z"]) link.submit({ kind: "open-scope", scope, nodes: [] });
    const client = await dial(port);
    for (const run of ["a", "b", "c"]) client.ask(run, inRun(run));
    expect(await client.answer("c")).toMatchObject(refusedBy("testgroundRunsMax", 2));
    expect(await client.answer("b")).toMatchObject({ sequence: 1 });
    client.ask("again", inRun("a"));
    expect(await client.answer("again")).toMatchObject({ sequence: 2 });
  });

  it("a run that was left long enough makes room for a new one, the oldest first", async () => {
    const { port, log, host } = await start(
      {
        bounds: { testgroundRunsMax: 2 },
        time: { ...testgroundTime, idleRunMs: 0 },
      },
      kind,
    );
    for (const run of ["a", "b"]) {
      const leaver = await dial(port);
      leaver.ask("0", inRun(run));
      leaver.ask("1", publish("1", `run:${run}:plan:p:case:c:topics:t`));
      await leaver.answer("1");
      await leaver.close();
    }
    const client = await dial(port);
    client.ask("c", inRun("c"));
    expect(await client.answer("c")).toMatchObject({ sequence: 1 });
    expect(log.lines.join()).toContain('audit: close scope "run:a"');
    client.ask("b", inRun("b"));
    expect(await client.answer("b")).toMatchObject({ sequence: 2 });
    client.ask("a", inRun("a"));
    expect(await client.answer("a")).toMatchObject(refusedBy("testgroundRunsMax", 2));
    expect(host.describe("run:a").barriers).toEqual([]);
  });

  it("testgroundNamesMax counts states and topics of all runs", async () => {
    const { port } = await start({ bounds: { testgroundNamesMax: 3 } }, kind);
    const client = await dial(port);
    client.ask("1", signal("a"));
    client.ask("2", inRun("r", "a"));
    client.ask("3", publish("1", "a"));
    client.ask("4", signal("b"));
    expect(await client.answer("4")).toMatchObject(refusedBy("testgroundNamesMax", 3));
    client.ask("5", signal("a"));
    expect(await client.answer("5")).toMatchObject({ sequence: 2 });
  });

  it("testgroundTopicBytesMax counts messages of all runs", async () => {
    const each = 1 + 64;
    const { port } = await start({ bounds: { testgroundTopicBytesMax: 2 * each } }, kind);
    const client = await dial(port);
    client.ask("1", publish("1"));
    client.ask("2", publish("2", "run:r:plan:p:case:c:topics:t"));
    client.ask("3", publish("3"));
    expect(await client.answer("3")).toMatchObject(refusedBy("testgroundTopicBytesMax", 2 * each));
    expect(await client.answer("2")).toMatchObject({ sequence: 1 });
  });

  it("an empty key is refused, one whose last part is empty is a key", async () => {
    const { port } = await start({});
    const client = await TestClient.open(port);
    const ended = "run:r:plan:p:case:c:states:";
    client.ask("1", { kind: "signal", state: "" });
    client.ask("2", { kind: "publish", topic: "", payload: "1" });
    client.ask("3", { kind: "signal", state: ended });
    client.ask("4", { kind: "barrier", state: ended, target: 1 });
    expect(await client.answer("1")).toMatchObject({ error: "the barrier has no name" });
    expect(await client.answer("2")).toMatchObject({ error: "a topic needs a name" });
    expect(await client.answer("3")).toMatchObject({ sequence: 1 });
    expect(await client.answer("4")).toMatchObject({ kind: "done" });
    client.socket.terminate();
  });

  it("a refusal of the core is an answer too, and takes no room", async () => {
    const limits = { topicsPerScopeMax: 1, messageBytesMax: 10, nameBytesMax: 10 };
    const { port, door } = await start({ limits }, kind);
    const client = await dial(port);
    client.ask("1", publish("12345678901"));
    expect(await client.answer("1")).toMatchObject(refusedBy("messageBytesMax", 10));
    expect(door.counters.topicBytes).toBe(0);
    client.ask("2", signal("12345678901"));
    expect(await client.answer("2")).toMatchObject(refusedBy("nameBytesMax", 10));
    client.ask("3", publish("1", "t"));
    client.ask("4", { kind: "subscribe", topic: "u" });
    expect(await client.answer("4")).toMatchObject(refusedBy("topicsPerScopeMax", 1));
    expect(await client.answer("3")).toMatchObject({ sequence: 1 });
    expect(door.counters.feeds).toBe(0);
  });
});

describe("times", () => {
  it("clients are asked for a sign of life, and stay without saying anything else", async () => {
    const { port } = await start({ time: { ...testgroundTime, pingMs: 5, pongMs: 60_000 } });
    const client = await dial(port);
    await new Promise<void>((resolve) => {
      let pings = 0;
      client.socket.on("ping", () => {
        pings += 1;
        if (pings === 5) resolve();
      });
    });
    client.ask("0", signal());
    await client.answer("0");
  });

  it("one that gives no sign of life is gone, and its wait with it", async () => {
    const { port, host } = await start({ time: { ...testgroundTime, pingMs: 5, pongMs: 20 } });
    const client = await dial(port);
    client.ask("0", { kind: "barrier", state: "s", target: 1 });
    client.socket.pong = () => undefined;
    client.socket.removeAllListeners("ping");
    const receiver = client.socket as unknown as { _receiver: { removeAllListeners(): void } };
    receiver._receiver.removeAllListeners();
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (host.figures().waiters === 0) resolve();
        else setImmediate(look);
      };
      setImmediate(look);
    });
  });

  it("a connection that sends no whole handshake is cut", async () => {
    const { port } = await start({ time: { ...testgroundTime, headMs: 50, sweepMs: 10 } });
    const socket = connect(port, "127.0.0.1");
    socket.write("GET / HTTP/1.1\r\nHost: x\r\n");
    socket.resume();
    await new Promise((resolve) => socket.once("close", resolve));
  });

  it("who is not allowed is cut before the handshake", async () => {
    const { port } = await start({ allows: () => false });
    expect((await new TestClient(port).ended).code).toBe(1006);
  });
});

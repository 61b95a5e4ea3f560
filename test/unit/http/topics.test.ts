// SPDX-License-Identifier: MIT
// Goal: topics with plain requests: numbers, offsets, replay, waits that end, roles and limits; and
// what one publishes at another door of the core. Method: a door on loopback and Node's fetch.
import { afterEach, describe, expect, it } from "vitest";
import { Testground } from "../../../src/edges/testground/index.ts";
import { systemClock } from "../../../src/host/clock.ts";
import { silentLogger } from "../../../src/host/logger.ts";
import { TestClient } from "../testground/harness.ts";
import { HttpBench } from "./http-bench.ts";

let bench: HttpBench;
afterEach(async () => {
  await bench.close();
});

async function call(method: string, path: string, body?: object, token?: string) {
  const answer = await fetch(`${bench.url}${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}
const publish = (message: unknown, path = "/v1/topics/t") => call("POST", path, { message });

/** Resolves when somebody waits for a topic: that brings its scope into being. */
async function followed(): Promise<void> {
  while (bench.host.figures().scopes === 0) {
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

describe("topics by requests", () => {
  it("are read from the first message on, a page at a time, and again as often as one likes", async () => {
    bench = await HttpBench.start({ limits: { messagesPerReadMax: 2 } });
    const messages = [{ a: [1, "ü"] }, "text", null];
    for (const [index, message] of messages.entries()) {
      expect(await publish(message)).toEqual({ status: 200, body: { number: index + 1 } });
    }
    const first = { messages: [], last: 2 } as { messages: object[]; last: number };
    first.messages.push({ number: 1, message: messages[0] }, { number: 2, message: "text" });
    for (let time = 0; time < 2; time += 1) {
      expect((await call("GET", "/v1/topics/t")).body).toEqual(first);
    }
    expect((await call("GET", "/v1/topics/t?after=2")).body).toEqual({
      messages: [{ number: 3, message: null }],
      last: 3,
    });
    expect((await call("GET", "/v1/topics/t?after=3")).body).toEqual({ messages: [], last: 3 });
    expect((await call("GET", "/v1/topics/t?scope=other")).body).toEqual({ messages: [], last: 0 });
  });

  it("a reader waits for the next message, or for its time", async () => {
    bench = await HttpBench.start();
    const waiting = [0, 1].map(() => call("GET", "/v1/topics/t?timeoutMs=600000"));
    await followed();
    await publish("came");
    for (const answer of await Promise.all(waiting)) {
      expect(answer.body).toEqual({ messages: [{ number: 1, message: "came" }], last: 1 });
    }
    const late = await call("GET", "/v1/topics/t?after=1&timeoutMs=1");
    expect(late.body).toEqual({ messages: [], last: 1 });
  });

  it("a reader that waits may go, and is told when the scope ends", async () => {
    bench = await HttpBench.start();
    const gone = new AbortController();
    const leaver = fetch(`${bench.url}/v1/topics/t?timeoutMs=600000`, { signal: gone.signal });
    leaver.catch(() => undefined);
    await followed();
    gone.abort();
    const waiting = call("GET", "/v1/topics/t?timeoutMs=600000");
    const link = bench.host.connectEdge("other", { onEffects: () => undefined });
    let isOver = false;
    void waiting.then(() => {
      isOver = true;
    });
    while (!isOver) {
      link.submit({ kind: "close-scope", scope: "default", error: 0 });
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    expect(await waiting).toMatchObject({ status: 410, body: { code: "ended" } });
  });

  it("limits of the core and rights of tokens hold", async () => {
    bench = await HttpBench.startClosed({ limits: { messageBytesMax: 4, nameBytesMax: 10 } });
    const observer = bench.token("observer");
    const participant = bench.token("participant");
    const at = "/v1/topics/t";
    expect((await call("POST", at, { message: 1 }, observer)).status).toBe(403);
    expect((await call("POST", at, { message: 1 }, participant)).body).toEqual({ number: 1 });
    expect((await call("POST", at, { message: "abc" }, participant)).body).toMatchObject({
      code: "limit",
      message: expect.stringContaining("messageBytesMax (4)"),
    });
    expect((await call("GET", at, undefined, observer)).body).toMatchObject({ last: 1 });
    expect((await call("GET", at)).status).toBe(401);
    const long = await call("GET", `/v1/topics/${"x".repeat(11)}?timeoutMs=9`, undefined, observer);
    expect(long.body).toMatchObject({ code: "limit" });
    expect((await call("GET", `${at}?after=-1`, undefined, observer)).status).toBe(400);
  });

  it("are those of the other doors of the core", async () => {
    bench = await HttpBench.start();
    const { host } = bench;
    const door = new Testground({
      ...{ scope: "default", edge: "testground", connect: host.connectEdge, topics: host.topics },
      ...{ clock: systemClock, logger: silentLogger, limits: host.limits },
      ...{ addresses: ["127.0.0.1"], port: 0 },
    });
    const client = await TestClient.open(await door.listen());
    client.ask("s", { kind: "subscribe", topic: "run:r:plan:p:case:c:topics:t" });
    const path = `/v1/topics/${encodeURIComponent("plan:p:case:c:topics:t")}?scope=run%3Ar`;
    await publish({ from: "curl" }, path);
    expect(await client.answer("s")).toMatchObject({ payload: '{"from":"curl"}' });
    client.socket.terminate();
    await door.close();
  });
});

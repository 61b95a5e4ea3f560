// SPDX-License-Identifier: MIT
// Goal: topics with plain requests: numbers, offsets, replay, waits that end, roles and limits; and
// what one publishes at another door of the core. Method: a door on loopback and Node's fetch.
import { afterEach, describe, expect, it } from "vitest";
import { connect } from "../../../src/client/index.ts";
import { Testground } from "../../../src/edges/testground/index.ts";
import { LogError } from "../../../src/engine/log.ts";
import { systemClock } from "../../../src/host/clock.ts";
import { silentLogger } from "../../../src/host/logger.ts";
import { linkFormat, sessionProtocol } from "../../../src/wire/link/frames.ts";
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

  it("a number that the topic never gave is refused, also where there is no topic", async () => {
    bench = await HttpBench.start();
    await publish("one");
    for (const [path, last] of [
      ["t?after=2", 1],
      ["t?after=2&timeoutMs=60000", 1],
      ["other?after=1", 0],
      ["t?scope=other&after=1", 0],
    ] as const) {
      const { status, body } = await call("GET", `/v1/topics/${path}`);
      expect([status, body["code"]]).toEqual([400, "invalid"]);
      expect(body["message"]).toContain(`, which has ${last}`);
    }
  });

  it("says why messages cannot be read, in words", async () => {
    bench = await HttpBench.start();
    await publish("one");
    const lost = new LogError("message 1 is missing; restore it", { definite: true });
    Object.assign(bench.host.topics, { read: () => Promise.reject(lost) });
    const { status, body } = await call("GET", "/v1/topics/t");
    expect([status, body["message"]]).toEqual([503, expect.stringMatching(/read: message 1 is/)]);
  });

  it("a name of the query that is there twice is refused, as is a body that is not UTF-8", async () => {
    bench = await HttpBench.start();
    for (const path of ["topics/t?after=0&after=0", "topics/t?scope=a&scope=b"]) {
      const { status, body } = await call("GET", `/v1/${path}`);
      expect([status, body["message"]]).toEqual([400, expect.stringContaining("more than once")]);
    }
    expect((await fetch(`${bench.url}/readyz?a=1&a=2`)).status).toBe(200);
    const body = Buffer.from('{"message":"\xe4"}', "latin1");
    const answer = await fetch(`${bench.url}/v1/topics/t`, { method: "POST", body });
    expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining("UTF-8")]);
    expect((await call("GET", "/v1/topics/t")).body).toEqual({ messages: [], last: 0 });
  });

  it("a message deeper than can be written again keeps nobody from those behind it", async () => {
    bench = await HttpBench.start();
    const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
    const body = `{"message":${deep}}`;
    const byRequest = await fetch(`${bench.url}/v1/topics/t`, { method: "POST", body });
    expect([byRequest.status, await byRequest.text()]).toEqual([200, '{"number":1}\n']);
    const socket = bench.socket("/v1/session", [sessionProtocol]);
    await socket.opened();
    const hello = { kind: "hello", format: linkFormat, edge: "s", incarnation: 1 };
    socket.say({ ...hello, acknowledged: 0, seen: 0 });
    const place = { kind: "topic-publish", scope: "default", topic: "t" };
    const publications = [deep, "9007199254740993"].map((message, at) => ({
      ...{ ...place, connection: at + 1, message },
    }));
    socket.say({ kind: "batch", number: 1, commands: [{ kind: "attach" }, ...publications] });
    await socket.hear('"published","connection":2');
    const page = await (await fetch(`${bench.url}/v1/topics/t?after=1`)).text();
    const messages = [deep, "9007199254740993"].map(
      (message, at) => `{"number":${at + 2},"message":${message}}`,
    );
    expect(page).toBe(`{"messages":[${messages.join(",")}],"last":3}\n`);
    socket.socket.terminate();
  });

  it.each(["9007199254740993", "1e400", "-0", '{ "b": 1, "a": 1 }', '"\\u0061"'])(
    "the message %s is read as it was written",
    async (message) => {
      bench = await HttpBench.start();
      const body = `{"\\u006dessage": ${message} }`;
      await fetch(`${bench.url}/v1/topics/t`, { method: "POST", body });
      const waiting = `{"state":"s","target":0,"message":${message}}`;
      const place = `${bench.url}/v1/topics/t/publish-and-wait`;
      expect((await fetch(place, { method: "POST", body: waiting })).status).toBe(200);
      const page = await (await fetch(`${bench.url}/v1/topics/t`)).text();
      const [first, second] = [1, 2].map((number) => `{"number":${number},"message":${message}}`);
      expect(page).toBe(`{"messages":[${first},${second}],"last":2}\n`);
    },
  );

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

  it("are those of sessions, which never say where a message lies", async () => {
    bench = await HttpBench.start({ limits: { messageBytesMax: 20 } });
    await publish({ from: "curl" });
    const socket = bench.socket("/v1/session", [sessionProtocol]);
    await socket.opened();
    const hello = { kind: "hello", format: linkFormat, edge: "s", incarnation: 1 };
    socket.say({ ...hello, acknowledged: 0, seen: 0 });
    const to = { scope: "default", topic: "t" };
    const payload = { id: 1, bytes: 2, hash: 3 };
    const message = '"by hand"';
    socket.say({
      ...{ kind: "batch", number: 1 },
      commands: [
        { kind: "attach" },
        { kind: "publish", ...to, connection: 1, payload },
        { kind: "topic-publish", ...to, connection: 2, payload },
        { kind: "topic-publish", ...to, connection: 3, message: "{" },
        { kind: "topic-publish", ...to, connection: 4, message: '"12345678901234567890"' },
        { kind: "topic-publish", ...to, connection: 5, message, payload },
      ],
    });
    const answers = await socket.hear('"published"');
    for (const text of [
      '"connection":1,"code":"invalid","message":"there is no command \\"publish\\"',
      '"connection":2,"code":"invalid","message":"topic-publish: message is missing',
      '"connection":3,"code":"invalid","message":"topic-publish: message is not JSON',
      '"connection":4,"code":"limit","message":"the message is too long: limit messageBytesMax (20)',
    ]) {
      expect(answers).toContain(text);
    }
    expect(answers).toContain('"connection":5,"scope":"default","topic":"t","number":2');
    socket.say({ kind: "subscribe", id: 1, scope: "default", topic: "t", after: 0 });
    const heard = await socket.hear('"messages"');
    expect(JSON.parse(heard)).toEqual({
      ...{ kind: "messages", id: 1, after: 0 },
      messages: ['{"from":"curl"}', '"by hand"'],
    });
    // The same number with another message: whoever sends it has broken the protocol.
    const again = { kind: "topic-publish", ...to, connection: 6, message };
    socket.say({ kind: "batch", number: 1, commands: [again] });
    expect(await socket.hear('"closed"')).toContain("out of its turn");
    expect((await call("GET", "/v1/topics/t")).body).toMatchObject({ last: 2 });
  });

  it("a session of another scope, or that may not, is let at none", async () => {
    bench = await HttpBench.startClosed();
    const token = bench.token("participant", { scope: "own" });
    const outcome = async (...frames: readonly object[]): Promise<string> => {
      const socket = bench.socket("/v1/session", [sessionProtocol, `muster.token.${token}`]);
      await socket.opened();
      const hello = { kind: "hello", format: linkFormat, edge: "s", incarnation: 1 };
      for (const frame of [{ ...hello, acknowledged: 0, seen: 0 }, ...frames]) socket.say(frame);
      return (await socket.hear('"closed"')) ?? "";
    };
    const subscribe = { kind: "subscribe", id: 1, scope: "other", topic: "t" };
    expect(await outcome(subscribe)).toContain("a scope that is not this edge's");
    const publishing = { kind: "topic-publish", scope: "other", topic: "t", connection: 1 };
    const commands = [{ kind: "attach" }, { ...publishing, message: "1" }];
    const refused = await outcome({ kind: "batch", number: 1, commands });
    expect(refused).toContain("a scope that is not this edge's");
  });

  it("of a session reach one who reads while another has stopped reading", async () => {
    bench = await HttpBench.start();
    const [publisher, reader] = [await connect(bench.url), await connect(bench.url)];
    const stopped = bench.socket("/v1/session", [sessionProtocol]);
    await stopped.opened();
    const hello = { kind: "hello", format: linkFormat, edge: "s", incarnation: 1 };
    stopped.say({ ...hello, acknowledged: 0, seen: 0 });
    stopped.say({ kind: "subscribe", id: 1, scope: "default", topic: "t" });
    await stopped.hear('"subscribed"');
    stopped.socket.pause();
    const message = "x".repeat(100_000);
    const got: number[] = [];
    const reading = (async () => {
      for await (const { number } of reader.topic("t").subscribe()) {
        if (got.push(number) === 100) return;
      }
    })();
    for (let at = 0; at < 100; at += 1) await publisher.topic("t").publish(message);
    await reading;
    expect(got).toEqual(Array.from({ length: 100 }, (_, at) => at + 1));
    stopped.socket.terminate();
    await publisher.close();
    await reader.close();
  });
});

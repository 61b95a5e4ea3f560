// SPDX-License-Identifier: MIT
// Goal: every bound of the HTTP door holds at its value and refuses one past it, by its name, and
// who sends garbage, too much, or does not read costs a bounded amount. Method: a door on loopback,
// raw connections, WebSockets spoken to by hand.
import { readFileSync } from "node:fs";
import { connect as connectSocket, type Socket } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { connect } from "../../../src/client/index.ts";
import { Random } from "../../../src/core/random.ts";
import { defaultHttpBounds, resolveHttpBounds } from "../../../src/edges/http/bounds.ts";
import { httpTime } from "../../../src/edges/http-time.ts";
import { systemClock } from "../../../src/host/clock.ts";
import { DelayingLog } from "../../../src/testing/delaying-log.ts";
import { linkFormat, sessionProtocol } from "../../../src/wire/link/frames.ts";
import { HttpBench } from "./http-bench.ts";

let bench: HttpBench;
afterEach(async () => {
  await bench?.close();
});

const greeting = { kind: "hello", format: linkFormat, edge: "s", incarnation: 1 };
const hello = { ...greeting, acknowledged: 0, seen: 0 };
const who = { address: "" };
const place = { scope: "s", barrier: "b", connection: 1, who, error: 0 };
const batchOf = (...commands: readonly object[]) => ({
  ...{ kind: "batch", number: 1 },
  commands: [{ kind: "attach" }, ...commands],
});

async function post(path: string, body = "", signal?: AbortSignal) {
  const more = signal === undefined ? {} : { signal };
  const answer = await fetch(bench.url + path, { method: "POST", body, ...more });
  return { status: answer.status, text: await answer.text() };
}

/** What a raw connection is answered before it is closed. */
function talk(bytes: string | Buffer): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connectSocket(bench.port, "127.0.0.1", () => socket.write(bytes));
    socket.setEncoding("utf8").on("data", (some: string) => {
      text += some;
    });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(text));
  });
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) {
    await new Promise<void>((resolve) => {
      bench.host.clock.endOfTurn(resolve);
    });
  }
}

describe("bounds", () => {
  it("are positive integers", () => {
    expect(resolveHttpBounds()).toEqual(defaultHttpBounds);
    for (const value of [0, -1, 1.5, Number.NaN]) {
      expect(() => resolveHttpBounds({ httpBodyBytesMax: value })).toThrow("httpBodyBytesMax");
    }
  });

  it("are all in the page of limits, with the figures in the page of the door", () => {
    const read = (page: string): string =>
      readFileSync(join(import.meta.dirname, "../../../docs/reference", page), "utf8");
    for (const name of Object.keys(defaultHttpBounds)) {
      expect(read("limits.md")).toContain(`\`${name}\``);
    }
    for (const name of ["waiters", "oldest_wait_seconds", "append_seconds", "refused_total"]) {
      expect(read("http.md")).toContain(`muster_${name}`);
    }
  });

  it("httpBodyBytesMax: a body of so many bytes is read, a longer one is not, declared or not", async () => {
    bench = await HttpBench.start({ bounds: { httpBodyBytesMax: 100 } });
    const path = "/v1/barriers/b/init";
    const body = (length: number): string => '{"count":0}'.padEnd(length);
    expect((await post(path, body(100))).status).toBe(200);
    const longer = await post(path, body(101));
    expect([longer.status, longer.text]).toEqual([413, expect.stringContaining("(100) reached")]);
    const head = `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n`;
    expect(await talk(`${head}Content-Length: 68719476736\r\n\r\n`)).toContain("413");
    const chunk = `65\r\n${body(101)}\r\n`;
    expect(await talk(`${head}Transfer-Encoding: chunked\r\n\r\n${chunk}`)).toContain("413");
    expect(await (await fetch(`${bench.url}/metrics`)).text()).toContain(
      'muster_refused_total{limit="httpBodyBytesMax"} 3',
    );
  });

  it("a body in chunks that cut its characters is read as it is", async () => {
    bench = await HttpBench.start();
    const body = JSON.stringify({ message: "é€😀".repeat(20_000) });
    const pieces =
      Buffer.from(body)
        .toString("latin1")
        .match(/.{1,17}/gs) ?? [];
    const chunks = pieces.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`).join("");
    const head = "POST /v1/topics/t HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n";
    const request = `${head}Transfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`;
    expect(await talk(Buffer.from(request, "latin1"))).toContain("200 OK");
    const page = await (await fetch(`${bench.url}/v1/topics/t`)).text();
    expect(JSON.parse(page)).toEqual({
      messages: [{ number: 1, ...(JSON.parse(body) as object) }],
      last: 1,
    });
  });

  it("a body in chunks of one byte is read as far as a small one may be long, and no further", async () => {
    bench = await HttpBench.start();
    const head = "POST /v1/barriers/b/init HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n";
    const send = (bytes: number) => {
      const body = '{"count":0}'.padEnd(bytes).replace(/./g, "1\r\n$&\r\n");
      return talk(`${head}Transfer-Encoding: chunked\r\n\r\n${body}0\r\n\r\n`);
    };
    expect(await send(4_096)).toContain("200 OK");
    expect(await send(4_097)).toContain("pieces of less than 16 bytes");
  });

  it("httpRequestsPerConnectionMax: so many may wait for their answers, one more cuts the connection", async () => {
    bench = await HttpBench.start({ bounds: { httpRequestsPerConnectionMax: 3 } });
    const healthy = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n";
    const last = `${healthy}Connection: close\r\n\r\n`;
    expect((await talk(`${healthy}\r\n${healthy}\r\n${last}`)).split("200 OK")).toHaveLength(4);
    const wait =
      "POST /v1/barriers/b/wait HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\n{}";
    expect(await talk(wait.repeat(1_000))).toBe("");
    await until(() => bench.host.figures().waiters === 0);
    const figures = await (await fetch(`${bench.url}/metrics`)).text();
    expect(figures).toContain('muster_refused_total{limit="httpRequestsPerConnectionMax"} 1');
  });

  it("httpHeadBytesMax: a longer head is refused", async () => {
    bench = await HttpBench.start({ bounds: { httpHeadBytesMax: 1_000 } });
    const head = (length: number): string => {
      const start = "GET /healthz HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\nX: ";
      return `${start}${"x".repeat(length)}\r\n\r\n`;
    };
    expect(await talk(head(500))).toContain("200 OK");
    expect(await talk(head(1_100))).toContain("431");
  });

  it("httpConnectionsPerClientMax: one more connection of a client is closed", async () => {
    bench = await HttpBench.start({ bounds: { httpConnectionsPerClientMax: 2 } });
    const open = () => {
      const socket = connectSocket(bench.port, "127.0.0.1");
      return { socket, closed: new Promise((resolve) => socket.on("close", resolve)) };
    };
    const [first, second] = [open(), open()];
    const heard = new Promise((resolve) => second.socket.once("data", resolve));
    second.socket.write("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    await heard;
    await open().closed;
    first.socket.destroy();
    second.socket.destroy();
    await Promise.all([first.closed, second.closed]);
    expect(await talk("GET /healthz HTTP/1.0\r\n\r\n")).toContain("200 OK");
  });

  it("httpWaitsPerTokenMax: one more wait of a token is refused, one that ended makes room", async () => {
    bench = await HttpBench.start({ bounds: { httpWaitsPerTokenMax: 1 } });
    const gone = new AbortController();
    const first = post("/v1/barriers/b/wait", "", gone.signal).catch(() => undefined);
    await until(() => bench.host.figures().waiters === 1);
    const second = await post("/v1/barriers/b/wait");
    expect([second.status, second.text]).toEqual([
      429,
      expect.stringContaining("httpWaitsPerTokenMax (1)"),
    ]);
    gone.abort();
    await first;
    await until(() => bench.host.figures().waiters === 0);
    expect((await post("/v1/barriers/b/init", '{"count":0}')).status).toBe(200);
  });

  it("httpStreamsPerTokenMax: one more watcher is refused", async () => {
    bench = await HttpBench.start({ bounds: { httpStreamsPerTokenMax: 1 } });
    const gone = new AbortController();
    await fetch(`${bench.url}/v1/watch`, { signal: gone.signal });
    expect((await fetch(`${bench.url}/v1/watch`)).status).toBe(429);
    gone.abort();
  });

  it("httpScopesMax: invented scopes fill the door's own quota, by request and by session", async () => {
    bench = await HttpBench.start({ bounds: { httpScopesMax: 2 } });
    const init = (scope: string) => post(`/v1/barriers/b/init?scope=${scope}`, '{"count":1}');
    expect((await init("a")).status).toBe(200);
    expect((await init("b")).status).toBe(200);
    expect((await init("a")).status).toBe(200);
    const third = await init("c");
    expect([third.status, third.text]).toEqual([429, expect.stringContaining("httpScopesMax (2)")]);
    const socket = bench.socket("/v1/session", [sessionProtocol]);
    await socket.opened();
    socket.say(hello);
    socket.say(batchOf({ kind: "count-wait", ...place, scope: "d" }));
    const refused = await socket.hear('"refused"');
    expect(refused).toContain("httpScopesMax (2)");
    expect(refused).toContain('"connection":1,"code":"limit"');
    expect(bench.host.figures().scopes).toBe(2);
    socket.socket.terminate();
  });

  it("sessionsPerTokenMax: one more session of a token is told to come later", async () => {
    bench = await HttpBench.start({ bounds: { sessionsPerTokenMax: 1 } });
    const first = bench.socket("/v1/session", [sessionProtocol]);
    await first.opened();
    const second = bench.socket("/v1/session", [sessionProtocol]);
    expect(await second.closed).toEqual({
      code: 1013,
      reason: expect.stringContaining("1 sockets"),
    });
    first.socket.terminate();
  });

  it("sessionWaitsMax: one more wait of a session is refused, one that leaves makes room", async () => {
    bench = await HttpBench.start({ bounds: { sessionWaitsMax: 2 } });
    const socket = bench.socket("/v1/session", [sessionProtocol]);
    await socket.opened();
    const wait = (connection: number) => ({ kind: "count-wait", ...place, connection });
    for (const frame of [hello, batchOf(wait(1), wait(2), wait(3))]) socket.say(frame);
    const refused = await socket.hear('"refused"');
    expect(refused).toContain("sessionWaitsMax (2)");
    expect(refused).toContain('"connection":3,"code":"limit"');
    socket.say({ kind: "batch", number: 2, commands: [{ kind: "leave", connection: 1 }] });
    await socket.hear('{"kind":"applied","number":2}');
    expect(bench.host.figures().waiters).toBe(1);
    socket.say({ kind: "batch", number: 3, commands: [wait(4), wait(5)] });
    await until(() => socket.heard.some((text) => text.includes('"connection":5')));
    expect(bench.host.figures().waiters).toBe(2);
    socket.socket.terminate();
  });

  it("L6 mailboxCommandsMax: a session that sends more than the log takes is not read from", async () => {
    const random = new Random(1);
    let log: DelayingLog | undefined;
    bench = await HttpBench.start({
      limits: { entryCommandsMax: 1, mailboxCommandsMax: 10 },
      wrapLog: (inner) => {
        log = new DelayingLog({ inner, clock: systemClock, random, faults: {} });
        return log;
      },
    });
    const socket = bench.socket("/v1/session", [sessionProtocol]);
    await socket.opened();
    socket.say(hello);
    await socket.hear("welcome");
    log?.trouble({ definiteFailure: 1 });
    const leave = { kind: "leave", connection: 9 };
    const describe = (id: number) => socket.say({ kind: "describe", id, scope: "s" });
    const batch = (number: number) =>
      socket.say({ kind: "batch", number, commands: [number === 1 ? { kind: "attach" } : leave] });
    for (let number = 1; number <= 10; number += 1) batch(number);
    describe(10); // At the limit it is still heard.
    await socket.hear('"description","id":10');
    batch(11);
    await until(() => bench.host.figures().mailboxCommands >= 11);
    // What comes in one piece with the one too many is still taken; what follows is not.
    describe(11);
    for (let number = 12; number <= 100; number += 1) batch(number);
    await using other = await connect(bench.url);
    await other.describe();
    expect(socket.heard.join()).not.toContain('"description","id":11');
    expect(bench.host.figures().mailboxCommands).toBeLessThan(30);
    log?.calm();
    await socket.hear('"description","id":11');
    await socket.hear('{"kind":"applied","number":100}');
    socket.socket.terminate();
  });

  it("L5 sessionQueueBytesMax: what comes in one piece is taken as far as its answers may wait", async () => {
    bench = await HttpBench.start({ bounds: { sessionQueueBytesMax: 10_000 } });
    const socket = bench.socket("/v1/session", [sessionProtocol]);
    await socket.opened();
    const wait = (connection: number) => ({
      ...{ kind: "count-wait", ...place, connection, barrier: `b${connection % 10}` },
      who: { address: "", name: `${"n".repeat(240)}${connection}` },
    });
    socket.say(hello);
    socket.say(batchOf(...Array.from({ length: 1_000 }, (_, at) => wait(at + 1))));
    await socket.hear('"applied"');
    // Calls that follow each other without a turn of the event loop, and so without a byte sent.
    let together = 0;
    let togetherMax = 0;
    const describeNow = bench.host.describe.bind(bench.host);
    bench.host.describe = (scope, barrier) => {
      if (together === 0) {
        queueMicrotask(() => {
          together = 0;
        });
      }
      together += 1;
      togetherMax = Math.max(togetherMax, together);
      return describeNow(scope, barrier);
    };
    const count = 60;
    const heard = socket.heard.length;
    socket.socket.pause();
    const raw = (socket.socket as unknown as { readonly _socket: Socket })._socket;
    raw.cork();
    for (let id = 0; id < count; id += 1) socket.say({ kind: "describe", id, scope: "s" });
    raw.uncork();
    await until(() => together > 0 || togetherMax > 0);
    socket.socket.resume();
    await socket.hear(`"description","id":${count - 1},`);
    const answers = socket.heard
      .slice(heard)
      .map((text) => (JSON.parse(text) as { id: number }).id);
    expect(answers).toEqual(Array.from({ length: count }, (_, id) => id));
    // An answer has 300,000 bytes; the kernel takes some millions.
    expect(Math.min(...socket.heard.slice(heard).map(({ length }) => length))).toBeGreaterThan(
      300_000,
    );
    expect(togetherMax).toBeLessThan(50);
    socket.socket.terminate();
  });

  it.each([
    [2 * 67, 2],
    [2 * 67 + 1, 3],
  ])(
    "sessionAheadBytesMax %i: %i messages of 67 bytes are on their way, the next when one is taken",
    async (sessionAheadBytesMax, count) => {
      bench = await HttpBench.start({
        ...{ bounds: { sessionAheadBytesMax }, limits: { messagesPerReadMax: 1 } },
      });
      for (let number = 1; number <= 5; number += 1) await post("/v1/topics/t", '{"message":1}');
      const socket = bench.socket("/v1/session", [sessionProtocol]);
      await socket.opened();
      socket.say(hello);
      socket.say({ kind: "subscribe", id: 1, scope: "default", topic: "t", after: 0 });
      const messages = () => socket.heard.filter((text) => text.includes('"messages"')).length;
      await until(() => messages() >= count);
      // Each answer takes turns, in which more would have come.
      for (let id = 1; id <= 20; id += 1) {
        socket.say({ kind: "clock", id });
        await socket.hear(`"clock","id":${id},`);
      }
      expect(messages()).toBe(count);
      socket.say({ kind: "taken", id: 1, number: 1 });
      await until(() => messages() >= count + 1);
      socket.socket.terminate();
    },
  );

  it("sessionMessageBytesMax: a message of so many bytes is taken, a longer one closes the socket", async () => {
    bench = await HttpBench.start({ bounds: { sessionMessageBytesMax: 1_000 } });
    const open = async () => {
      const socket = bench.socket("/v1/session", [sessionProtocol]);
      await socket.opened();
      return socket;
    };
    const first = await open();
    first.say(JSON.stringify(hello).padEnd(1_000));
    await first.hear("welcome");
    first.socket.terminate();
    const second = await open();
    second.say(JSON.stringify(hello).padEnd(1_001));
    expect((await second.closed).code).toBe(1009);
  });
});

describe("a session that does harm", () => {
  it("a message of 64 MiB is refused by its declared size", async () => {
    bench = await HttpBench.start();
    const socket = bench.socket("/v1/session", [sessionProtocol]);
    await socket.opened();
    socket.say("x".repeat(64 * 1024 * 1024));
    expect([1009, 1006]).toContain((await socket.closed).code);
    expect((await fetch(`${bench.url}/healthz`)).status).toBe(200);
  });

  it("writes no line of the log, and no long one", async () => {
    bench = await HttpBench.start();
    const socket = bench.socket("/v1/session", [sessionProtocol]);
    await socket.opened();
    for (const frame of [hello, { kind: `x\naudit: no${"n".repeat(100_000)}` }]) socket.say(frame);
    await socket.closed;
    const [line = ""] = bench.lines.filter((one) => one.includes("of a wrong shape"));
    expect(line).toContain(String.raw`(kind "x\naudit: non`);
    expect(line.length).toBeLessThan(200);
  });

  const bad: readonly (readonly [string, readonly (object | string)[]])[] = [
    ["no JSON", ["garbage"]],
    ["a number", ["7"]],
    ["a batch before hello", [batchOf()]],
    ["a hello of another format", [{ ...hello, format: linkFormat + 1 }]],
    ["a hello of another kind of name", [{ ...hello, edge: "a/b" }]],
    ["a hello with a name too long", [{ ...hello, edge: "a".repeat(65) }]],
    ["two hellos", [hello, hello]],
    ["a frame that is named as something that every object has", [hello, { kind: "valueOf" }]],
    ["a batch without commands", [hello, { kind: "batch", number: 1 }]],
    ["a batch without a number", [hello, { ...batchOf(), number: "1" }]],
    ["a lease longer than edgeLeaseUsMax", [hello, batchOf({ kind: "attach", leaseUs: 1e15 })]],
    [
      "more commands than an entry holds",
      [hello, batchOf(...Array(1_024).fill({ kind: "attach" }))],
    ],
  ];

  it("a name of 256 bytes is refused, and the session goes on", async () => {
    bench = await HttpBench.start();
    const socket = bench.socket("/v1/session", [sessionProtocol]);
    await socket.opened();
    const who = { address: "", name: "n".repeat(256) };
    for (const frame of [hello, batchOf({ kind: "count-wait", ...place, who })]) socket.say(frame);
    expect(await socket.hear('"refused"')).toContain("nameBytesMax");
    expect(bench.host.figures()).toMatchObject({ waiters: 0, scopes: 0 });
  });

  const init = { kind: "count-init", ...place, count: 1, waits: false };
  const single: readonly (readonly [string, unknown, string])[] = [
    ["a command of the host", { kind: "detach", edge: "http", incarnation: 1 }, "no command"],
    [
      "a refusal of its own",
      { kind: "refuse", connection: 1, code: "x", message: "" },
      "no command",
    ],
    ["a command without a kind", { connection: 1 }, "no command"],
    ["a command that is a name of objects", { kind: "toString" }, "no command"],
    ["no object", 7, "JSON object"],
    ["null", null, "JSON object"],
    ["a wait of nobody", { kind: "count-wait", ...place, who: null }, "count-wait: who"],
    ["a scope that is a number", { kind: "count-wait", ...place, scope: 1 }, "count-wait: scope"],
    ["a name that is none", { kind: "count-wait", ...place, who: { address: "", name: 1 } }, "who"],
    ["an error that is a text", { kind: "count-wait", ...place, error: "1" }, "error"],
    ["a timeout that is a text", { kind: "count-wait", ...place, timeoutUs: "1" }, "timeoutUs"],
    ["a count that is a text", { ...init, count: "1" }, "count-init: count"],
    ["a flag that is a number", { ...init, waits: 1 }, "count-init: waits"],
    ["a connection below 0", { kind: "count-wait", ...place, connection: -1 }, "connection"],
    [
      "an end with a wrong error",
      { kind: "cancel-all", scope: "s", error: -1 },
      "cancel-all: error",
    ],
    [
      "a name that has no bytes",
      { kind: "count-wait", ...place, barrier: "b\ud800" },
      "half of a surrogate pair",
    ],
    [
      "a participant that has none",
      { kind: "count-wait", ...place, who: { address: "", name: "\udc00" } },
      "half of a surrogate pair",
    ],
    [
      "a scope that has none",
      { kind: "count-wait", ...place, scope: "s\ud800" },
      "half of a surrogate pair",
    ],
    [
      "a node that has none",
      { kind: "open-scope", scope: "s", nodes: ["n", "\udfff"] },
      "half of a surrogate pair",
    ],
    ["nodes that are no texts", { kind: "open-scope", scope: "s", nodes: [1] }, "nodes"],
  ];

  it.each(single)("%s is answered with an error, and the session goes on", async (_, bad, why) => {
    bench = await HttpBench.start();
    const socket = bench.socket("/v1/session", [sessionProtocol]);
    await socket.opened();
    // What stands beside it in its batch counts, and it is told once, also when it comes again.
    const good = { kind: "count-wait", ...place, connection: 5 };
    const batch = { ...batchOf(), commands: [{ kind: "attach" }, bad, good] };
    for (const frame of [hello, batch, batch]) socket.say(frame);
    const refused = await socket.hear('"refused"');
    expect(refused).toContain('"code":"invalid"');
    expect(refused).toContain(why);
    socket.say({ kind: "batch", number: 2, commands: [{ ...init, connection: 6 }] });
    expect(await socket.hear('"released"')).toContain('"connections":[5]');
    expect(socket.heard.filter((text) => text.includes('"refused"'))).toHaveLength(1);
    socket.socket.terminate();
  });

  it.each(bad)("%s closes it, and nothing of it is in the core", async (_, frames) => {
    bench = await HttpBench.start();
    const socket = bench.socket("/v1/session", [sessionProtocol]);
    await socket.opened();
    for (const frame of frames) socket.say(frame);
    await socket.closed;
    expect(bench.host.figures()).toMatchObject({ waiters: 0, scopes: 0 });
  });

  it("a silent one is cut, and its participants leave when its lease ends", async () => {
    const time = { ...httpTime, pingMs: 20, pongMs: 20 };
    bench = await HttpBench.start({ time });
    const socket = bench.socket("/v1/session", [sessionProtocol]);
    await socket.opened();
    socket.say(hello);
    const commands = [
      { kind: "attach", leaseUs: 50_000 },
      { kind: "count-wait", ...place },
    ];
    socket.say({ kind: "batch", number: 1, commands });
    await socket.hear('"applied"');
    expect(bench.host.figures().waiters).toBe(1);
    // Nothing is read any more, so that no ping is answered.
    socket.socket.pause();
    await until(() => bench.host.figures().waiters === 0);
    socket.socket.terminate();
  });
});

describe("a stranger", () => {
  it("who never finishes his request is cut", async () => {
    bench = await HttpBench.start({ time: { ...httpTime, headMs: 50, sweepMs: 10 } });
    expect(await talk("GET /healthz HTTP/1.1\r\nHost:")).toContain("408");
  });

  it("who talks nonsense is answered once", async () => {
    bench = await HttpBench.start();
    expect(await talk("\u0000\u0001\u0002\r\n\r\n")).toContain("400");
    expect(
      await talk(
        "GET /v1/session HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
      ),
    ).toMatch(/ 40[03] /);
    expect((await fetch(`${bench.url}/healthz`)).status).toBe(200);
  });
});

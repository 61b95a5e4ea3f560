// SPDX-License-Identifier: MIT
// Goal: what one token may have in all, over requests and sessions, and how many scopes a listener
// may bring into being, hold at the bound and not one past it, and what is gone makes room. Method:
// a door on loopback, the client library and requests.
import { afterEach, describe, expect, it } from "vitest";
import { connect, type Session } from "../../../src/client/index.ts";
import { linkFormat, sessionProtocol } from "../../../src/wire/link/frames.ts";
import { type BenchOptions, HttpBench } from "./http-bench.ts";

let bench: HttpBench;
const sessions: Session[] = [];
afterEach(async () => {
  for (const session of sessions.splice(0)) await session.close();
  await bench?.close();
});

async function open(token?: string, scope = "s"): Promise<Session> {
  const session = await connect(bench.url, token === undefined ? { scope } : { token, scope });
  sessions.push(session);
  return session;
}

async function post(path: string, body: unknown, token?: string) {
  const headers: Record<string, string> =
    token === undefined ? {} : { authorization: `Bearer ${token}` };
  const options = { method: "POST", headers, body: JSON.stringify(body) };
  const answer = await fetch(`${bench.url}${path}`, options);
  return { status: answer.status, text: await answer.text() };
}

const refusal = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "none",
    (error: Error) => error.message,
  );

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise<void>((resolve) => setImmediate(resolve));
}

const start = (bounds: BenchOptions["bounds"] = {}): Promise<HttpBench> =>
  HttpBench.startClosed({ bounds });

describe("what one token may have in all", () => {
  it("sessionsPerTokenMax: one that is away counts while it may come back, and makes room when it ends", async () => {
    bench = await start({ sessionsPerTokenMax: 2 });
    const token = bench.token("participant");
    const come = async (edge: string, number = 1, ...commands: readonly object[]) => {
      const socket = bench.socket("/v1/session", [sessionProtocol, `muster.token.${token}`]);
      await socket.opened();
      const hello = { kind: "hello", format: linkFormat, edge, incarnation: 1 };
      socket.say({ ...hello, acknowledged: 0, seen: 0 });
      const attach = { kind: "attach", leaseUs: 3_600_000_000 };
      socket.say({ kind: "batch", number, commands: [attach, ...commands] });
      const told = await socket.hear('"kind":"');
      if (told.includes("welcome"))
        await socket.hear(commands.length === 0 ? '"applied"' : '"revoked"');
      socket.socket.terminate();
      await socket.closed;
      return told;
    };
    expect(await come("a")).toContain("welcome");
    expect(await come("b")).toContain("welcome");
    expect(await come("c")).toContain("sessionsPerTokenMax (2)");
    const other = await open(bench.token("participant"));
    expect(await other.stateBarrier("x").signal()).toBe(1);
    expect(await come("b", 2, { kind: "end-edge" })).toContain("welcome");
    expect(await come("c")).toContain("sessionsPerTokenMax (2)"); // Looked for once.
    expect(await come("c")).toContain("welcome");
  });

  it("tokenBarriersMax: one more barrier is refused, one that has ended makes room", async () => {
    bench = await start({ tokenBarriersMax: 2 });
    const [token, other] = [bench.token("driver"), bench.token("driver")];
    const session = await open(token);
    await session.countBarrier("a").init(1);
    expect((await post("/v1/barriers/b/init?scope=s", { count: 1 }, token)).status).toBe(200);
    await session.countBarrier("a").init(1);
    expect(await refusal(session.rosterBarrier("c").open({ members: ["m"] }))).toContain(
      "too many open barriers of one token or client: limit tokenBarriersMax (2)",
    );
    const byRequest = await post("/v1/states/c/signal?scope=s", {}, token);
    expect([byRequest.status, byRequest.text]).toEqual([
      429,
      expect.stringContaining("tokenBarriersMax (2)"),
    ]);
    expect(await (await open(other)).stateBarrier("c").signal()).toBe(1);
    await session.countBarrier("b").wait();
    await session.rosterBarrier("d").open({ members: ["m"] });
    expect(await refusal(session.rosterBarrier("e").open({ members: ["m"] }))).toContain("(2)");
  });

  it("tokenWaitersMax: one more party is refused, over sessions and requests, one that left makes room", async () => {
    bench = await start({ tokenWaitersMax: 3 });
    const [token, other] = [bench.token("participant"), bench.token("participant")];
    const [one, two] = [await open(token), await open(token)];
    const gone = new AbortController();
    const waits = [
      refusal(one.countBarrier("a").wait({ signal: gone.signal })),
      refusal(two.countBarrier("a").wait()),
      post("/v1/states/b/wait?scope=s", { target: 1 }, token),
    ];
    await until(() => bench.host.figures().waiters === 3);
    expect(await refusal(two.stateBarrier("c").wait(1))).toContain("tokenWaitersMax (3)");
    expect((await post("/v1/barriers/a/wait?scope=s", {}, token)).status).toBe(429);
    const strangers = refusal((await open(other)).stateBarrier("c").wait(1));
    await until(() => bench.host.figures().waiters === 4);
    gone.abort();
    await until(() => bench.host.figures().waiters === 3);
    const later = refusal(two.stateBarrier("c").wait(1));
    await until(() => bench.host.figures().waiters === 4);
    expect(await refusal(one.stateBarrier("c").wait(1))).toContain("tokenWaitersMax (3)");
    const link = bench.host.connectEdge("driver", { onEffects: () => undefined });
    link.submit({ kind: "cancel-all", scope: "s", error: 0 });
    await Promise.all([...waits, strangers, later]);
  });

  it("tokenMessageBytesMax: one byte more is refused, by request and by session", async () => {
    bench = await start({ tokenMessageBytesMax: 2 * 64 + 10 });
    const token = bench.token("participant");
    const topic = (await open(token)).topic("t");
    expect(await topic.publish("123")).toBe(1);
    expect(await refusal(topic.publish(123_456))).toContain("tokenMessageBytesMax (138)");
    expect(await refusal(topic.publish("éé"))).toContain("tokenMessageBytesMax (138)");
    expect((await post("/v1/topics/t?scope=s", { message: 123_456 }, token)).status).toBe(429);
    expect((await post("/v1/topics/t?scope=s", { message: 12_345 }, token)).status).toBe(200);
  });

  it("tokenMessagesMax: one more is refused, until the scope ends", async () => {
    bench = await start({ tokenMessagesMax: 2 });
    const [token, other] = [bench.token("participant"), bench.token("driver")];
    const topic = (await open(token)).topic("t");
    expect(await topic.publish(1)).toBe(1);
    const both = topic.publishAndWait(2, { state: "b", target: 1, signals: true });
    expect(await both).toMatchObject({ number: 2, value: 1 });
    const third = topic.publishAndWait(3, { state: "b", target: 2, signals: true });
    expect(await refusal(third)).toContain("tokenMessagesMax (2)");
    const strange = await open(other);
    expect(await strange.topic("t").publish("12345")).toBe(3);
    expect(await strange.stateBarrier("b").signal()).toBe(2);
    const link = bench.host.connectEdge("driver", { onEffects: () => undefined });
    link.submit({ kind: "close-scope", scope: "s", error: 0 });
    await until(() => !bench.host.facts.hasScope("s"));
    expect(await topic.publish("12345678")).toBe(1);
  });

  it("is what one client may have, by its address, at a door without tokens", async () => {
    bench = await HttpBench.start({ bounds: { tokenMessagesMax: 1 } });
    expect((await post("/v1/topics/t", { message: 1 })).status).toBe(200);
    expect(await refusal((await open()).topic("t").publish(1))).toContain("tokenMessagesMax (1)");
    const figures = await (await fetch(`${bench.url}/metrics`)).text();
    expect(figures).toContain('muster_refused_total{limit="tokenMessagesMax"} 1');
  });
});

describe("scopes of a listener", () => {
  it("httpScopesMax: those that others have made, or ended, do not count", async () => {
    bench = await HttpBench.start({ bounds: { httpScopesMax: 2 } });
    const link = bench.host.connectEdge("driver", { onEffects: () => undefined });
    link.submit({ kind: "open-scope", scope: "others", nodes: [] });
    await until(() => bench.host.facts.hasScope("others"));
    const init = async (scope: string): Promise<number> =>
      (await post(`/v1/barriers/b/init?scope=${scope}`, { count: 1 })).status;
    expect([await init("others"), await init("a"), await init("b")]).toEqual([200, 200, 200]);
    expect([await init("c"), await init("others")]).toEqual([429, 200]);
    link.submit({ kind: "close-scope", scope: "a", error: 0 });
    await until(() => !bench.host.facts.hasScope("a"));
    expect([await init("c"), await init("a")]).toEqual([200, 429]);
  });

  it("httpScopesMax: a scope that the core has refused does not count for ever", async () => {
    bench = await HttpBench.start({ bounds: { httpScopesMax: 1 }, limits: { nameBytesMax: 4 } });
    const init = async (scope: string): Promise<number> =>
      (await post(`/v1/barriers/b/init?scope=${scope}`, { count: 1 })).status;
    expect(await init("too-long")).toBe(429);
    // Looked for once, and once again.
    expect([await init("a"), await init("a"), await init("b")]).toEqual([429, 200, 429]);
  });
});

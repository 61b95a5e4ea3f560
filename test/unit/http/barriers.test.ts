// SPDX-License-Identifier: MIT
// Goal: everything about count barriers with plain requests, and beside clients of the library.
// Method: a door on loopback, Node's fetch for requests (curl in test/e2e), the client library.
import { afterEach, describe, expect, it } from "vitest";
import { connect, MusterError } from "../../../src/client/index.ts";
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

/** Resolves when so many wait at the barrier. */
async function arrived(barrier: string, count: number, scope = "default"): Promise<void> {
  while ((bench.host.describe(scope, barrier).barriers[0]?.arrived ?? 0) !== count) {
    await new Promise<void>((resolve) => {
      const stop = bench.host.observe(() => {
        stop();
        resolve();
      });
    });
  }
}

describe("count barriers by requests", () => {
  it("init and wait cross, and the largest error is told", async () => {
    bench = await HttpBench.start();
    expect(await call("POST", "/v1/barriers/start/init", { count: 2 })).toEqual({
      status: 200,
      body: { outcome: "counted" },
    });
    const first = call("POST", "/v1/barriers/start/wait", { name: "a", error: 3 });
    await arrived("start", 1);
    const shown = await call("GET", "/v1/barriers/start");
    expect(shown.body).toMatchObject({
      ...{ kind: "count", expected: 2, arrived: 1, count: 1 },
      waiting: [{ who: { name: "a", address: expect.stringMatching(/^127\.0\.0\.1:\d+$/) } }],
      missing: ["1 more, anonymous"],
    });
    const second = call("POST", "/v1/barriers/start/wait");
    const crossed = { status: 200, body: { outcome: "crossed", generation: 1, error: 3 } };
    expect(await Promise.all([first, second])).toEqual([crossed, crossed]);
    expect((await call("GET", "/v1/barriers/start")).body).toMatchObject({ code: "unknown" });
  });

  it("a parameter that is not known is refused, and nobody waits", async () => {
    bench = await HttpBench.start();
    const refused = (text: string) => ({
      status: 400,
      body: { code: "invalid", definite: true, message: expect.stringContaining(text) },
    });
    expect(await call("POST", "/v1/barriers/b/wait?scop=x", {})).toEqual(
      refused('/v1/barriers/{barrier}/wait knows scope, not "scop"; see /openapi.json'),
    );
    expect(await call("DELETE", "/v1/barriers/b?scope=x&why=y")).toEqual(
      refused('knows scope, error, kind, reason, not "why"'),
    );
    expect(await call("POST", "/v1/barriers/b/init", { count: 1, timeout: 3 })).toEqual(
      refused("the body: it knows id, name, "),
    );
    expect(await call("POST", "/v1/barriers/b/init", { count: 1, timeout: 3 })).toEqual(
      refused(', not "timeout"; see /openapi.json'),
    );
    // What may be asked for in any way: by balancers of load, and past caches.
    expect((await call("GET", "/openapi.json?v=3")).status).toBe(200);
    expect((await call("GET", "/v1/barriers?scope=x&limit=1")).status).toBe(200);
    expect((await call("GET", "/v1/barriers/b")).status).toBe(404);
  });

  it("a wait ends by its deadline and says who is missing", async () => {
    bench = await HttpBench.start();
    await call("POST", "/v1/barriers/b/init", { count: 2 });
    const { status, body } = await call("POST", "/v1/barriers/b/wait", { timeoutMs: 1 });
    expect(status).toBe(504);
    expect(body).toEqual({
      ...{ code: "timeout", definite: true, missing: ["1 more, anonymous"] },
      message: "the wait at b timed out; missing: 1 more, anonymous",
      parties: {
        arrived: [
          { name: expect.stringMatching("anonymous, from 127"), forMs: expect.any(Number) },
        ],
        missing: [{ name: "1 more, anonymous", forMs: expect.any(Number) }],
        dead: [],
      },
    });
  });

  it("B4 a client that goes away leaves", async () => {
    bench = await HttpBench.start();
    const gone = new AbortController();
    const wait = fetch(`${bench.url}/v1/barriers/b/wait`, { method: "POST", signal: gone.signal });
    await arrived("b", 1);
    gone.abort();
    await expect(wait).rejects.toThrow();
    await arrived("b", 0);
  });

  it("cancels one barrier, and all of a scope, and says so to who waits", async () => {
    bench = await HttpBench.start();
    const waits = ["a", "b", "c"].map((name) => call("POST", `/v1/barriers/${name}/wait`));
    await Promise.all(["a", "b", "c"].map((name) => arrived(name, 1)));
    expect((await call("DELETE", "/v1/barriers/a?error=7")).status).toBe(202);
    expect(await call("DELETE", "/v1/barriers/none")).toMatchObject({
      ...{ status: 404, body: { code: "unknown" } },
    });
    expect((await waits[0])?.body).toMatchObject({ code: "cancelled", definite: true });
    expect(bench.host.describe("default").barriers.map(({ name }) => name)).toEqual(["b", "c"]);
    await call("DELETE", "/v1/barriers");
    for (const wait of waits) expect(await wait).toMatchObject({ status: 409 });
    const audit = bench.lines.filter((line) => line.includes("audit: cancel"));
    expect(audit).toHaveLength(2);
  });

  it("a name in the audit steers no terminal, and is not taken for another", async () => {
    bench = await HttpBench.start();
    const name = "a\n\u001b[2J\u009b31m\u202eb";
    await call("POST", `/v1/barriers/${encodeURIComponent(name)}/init`, { count: 1 });
    await call("DELETE", `/v1/barriers/${encodeURIComponent(name)}`);
    const audit = bench.lines.filter((line) => line.includes("audit: cancel"));
    expect(audit.join()).toContain(String.raw`barrier "a\n\u001b[2J\u009b31m\u202eb" of scope`);
  });

  it("meets clients of the library at one barrier, a scope apart from others", async () => {
    bench = await HttpBench.start();
    await using session = await connect(bench.url, { scope: "p/e", name: "lib" });
    const barrier = session.countBarrier("b");
    await barrier.init(2);
    const [byRequest, bySession] = await Promise.all([
      call("POST", "/v1/barriers/b/wait?scope=p%2Fe"),
      barrier.wait(),
    ]);
    expect(byRequest.body).toEqual({ outcome: "crossed", ...bySession });
  });

  it("says what is wrong with a request, by the field", async () => {
    bench = await HttpBench.start();
    const bad: readonly (readonly [object, string])[] = [
      [{}, "the body lacks count; see"],
      [{ count: -1 }, "count"],
      [{ count: 2_147_483_648 }, "count"],
      [{ count: 1, colour: "red" }, "colour"],
      [{ count: 1, error: 0.5 }, "error"],
      [{ count: 1, name: "n".repeat(256) }, "name"],
      [{ count: 1, name: "n\ud800" }, "the body (name): half of a surrogate pair has no bytes"],
    ];
    for (const [body, field] of bad) {
      const answer = await call("POST", "/v1/barriers/b/init", body);
      expect(answer, field).toMatchObject({ status: 400, body: { code: "invalid" } });
      expect(answer.body["message"]).toContain(field);
    }
    const quorum = await call("POST", "/v1/quorums/q/init", {});
    expect(quorum).toMatchObject({ status: 400, body: { code: "invalid" } });
    expect(quorum.body["message"]).toContain("the body lacks percent or count");
    const state = { message: 1, state: "s\udc00", target: 1 };
    const waits = await call("POST", "/v1/topics/t/publish-and-wait", state);
    expect(waits.body["message"]).toContain("(state): half of a surrogate pair has no bytes");
  });
});

describe("a session", () => {
  it("a wait with a deadline, a signal, a cancel: each ends it", async () => {
    bench = await HttpBench.start();
    await using session = await connect(bench.url);
    const barrier = session.countBarrier("b");
    await barrier.init(2);
    const late = await barrier.wait({ timeoutMs: 1 }).catch((error: unknown) => error);
    expect(late).toBeInstanceOf(MusterError);
    expect(late).toMatchObject({ code: "timeout", definite: true, missing: ["1 more, anonymous"] });
    const stop = new AbortController();
    const aborted = barrier.wait({ signal: stop.signal });
    await arrived("b", 1);
    stop.abort(new Error("enough"));
    await expect(aborted).rejects.toThrow("enough");
    await arrived("b", 0);
    const cancelled = barrier.wait();
    await arrived("b", 1);
    await session.cancelAll(5);
    await expect(cancelled).rejects.toMatchObject({ code: "cancelled" });
  });

  it("ends in order: its participants leave at once", async () => {
    bench = await HttpBench.start();
    const session = await connect(bench.url);
    const wait = session.countBarrier("b").wait();
    wait.catch(() => undefined);
    await arrived("b", 1);
    await session.close();
    expect(bench.host.describe("default").barriers).toEqual([]);
    await expect(wait).rejects.toMatchObject({ code: "ended" });
  });
});

// SPDX-License-Identifier: MIT
// Goal: requests can do what sessions can: drive a quorum whose waiters go on when told, declare a
// member dead, go on at one instant, publish and wait in one exchange. Method: a door on loopback.
import { afterEach, describe, expect, it } from "vitest";
import { HttpBench } from "./http-bench.ts";

let bench: HttpBench;
afterEach(async () => {
  await bench?.close();
});

interface Answer {
  readonly outcome?: string;
  readonly go?: { readonly offUs: number };
}

async function post(path: string, body: unknown = {}) {
  const answer = await fetch(bench.url + path, { method: "POST", body: JSON.stringify(body) });
  return { status: answer.status, body: (await answer.json()) as Answer };
}

async function waiters(count: number): Promise<void> {
  while (bench.host.figures().waiters !== count) {
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

describe("a quorum whose driver lets go", () => {
  const at = "/v1/quorums/q";
  const init = { count: 2, echo: "explicit" };

  it("crosses, and its waiters go on when it is told to", async () => {
    bench = await HttpBench.start();
    expect((await post(`${at}/crossed`)).body).toMatchObject({ code: "unknown" });
    expect((await post(`${at}/init`, init)).body).toMatchObject({ outcome: "open" });
    expect((await post(`${at}/init`, init)).status).toBe(400);
    expect((await post(`${at}/echo`)).body).toMatchObject({ code: "invalid" });
    expect((await post(`${at}/crossed`, { timeoutMs: 1 })).status).toBe(504);
    const waits = [post(`${at}/wait`, { error: 3 }), post(`${at}/wait`)];
    const crossed = { status: 200, body: { outcome: "crossed", generation: 1, error: 3 } };
    expect(await post(`${at}/crossed`)).toEqual(crossed);
    expect(bench.host.figures().waiters).toBe(2);
    expect(await post(`${at}/echo`)).toEqual(crossed);
    expect(await Promise.all(waits)).toEqual([crossed, crossed]);
    // It is known how it ended, until there is another one.
    expect(await post(`${at}/echo`)).toEqual(crossed);
    expect((await post(`${at}/init`, { count: 1, echo: "explicit" })).status).toBe(200);
    expect((await post(`${at}/echo`)).body).toMatchObject({ code: "invalid" });
  });

  it("tells its driver when it ends otherwise, and who was there", async () => {
    bench = await HttpBench.start();
    await post(`${at}/init`, init);
    const [wait, driver] = [post(`${at}/wait`, { name: "p" }), post(`${at}/crossed`)];
    await waiters(1);
    await post("/v1/barriers/q/fail", { kind: "quorum", reason: "no disk" });
    const failed = { code: "failed", message: expect.stringContaining("no disk") };
    const parties = { arrived: [{ name: "p", forMs: expect.any(Number) }] };
    expect((await driver).body).toMatchObject({ ...failed, parties });
    expect((await wait).body).toMatchObject({ ...failed, parties });
    expect((await post(`${at}/echo`)).body).toMatchObject(failed);
  });

  it("httpDriversMax: one more, and the oldest has no driver any more", async () => {
    bench = await HttpBench.start({ bounds: { httpDriversMax: 2 } });
    for (const name of ["a", "b"]) await post(`/v1/quorums/${name}/init`, init);
    const wait = post("/v1/quorums/a/wait");
    await waiters(1);
    expect((await post("/v1/quorums/a/crossed", { timeoutMs: 1 })).status).toBe(504);
    const driver = post("/v1/quorums/a/crossed");
    while (bench.door.guests.count("wait", () => true) < 2) {
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    expect((await post("/v1/quorums/c/init", init)).status).toBe(200);
    expect((await wait).body).toMatchObject({ code: "failed" });
    const forgotten = { code: "ended", message: expect.stringContaining("httpDriversMax (2)") };
    expect((await driver).body).toMatchObject(forgotten);
    expect((await post("/v1/quorums/a/crossed")).status).toBe(404);
    expect((await post("/v1/quorums/b/crossed", { timeoutMs: 1 })).status).toBe(504);
  });
});

describe("other things that sessions can do", () => {
  it("a member is declared dead, and the rules of its rosters decide", async () => {
    bench = await HttpBench.start();
    for (const whenDead of ["fail", "shrink"]) {
      await post(`/v1/rosters/${whenDead}/open`, { members: ["a", "b"], whenDead });
    }
    const waits = ["fail", "shrink"].map((name) =>
      post(`/v1/rosters/${name}/arrive`, { name: "a" }),
    );
    await waiters(2);
    expect((await post("/v1/participants/b/dead", { reason: "no disk" })).status).toBe(200);
    const [failed, shrunk] = await Promise.all(waits);
    expect(failed?.body).toMatchObject({
      code: "failed",
      parties: { dead: [{ name: "b", reason: "no disk" }] },
    });
    expect(shrunk?.body).toMatchObject({ outcome: "crossed" });
    expect(bench.lines.join()).toContain('declare "b" dead in scope "default"');
  });

  it("those who go together are answered at one instant", async () => {
    bench = await HttpBench.start();
    const leadMs = 60;
    const startMs = performance.now();
    const body = { target: 2, signal: true };
    const [one, two] = await Promise.all([
      post("/v1/states/s/wait", { ...body, leadMs }),
      post("/v1/states/s/wait", { ...body, leadMs: 1 }),
    ]);
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(leadMs);
    for (const { body: answer } of [one, two]) {
      expect(answer.outcome).toBe("crossed");
      expect(answer.go?.offUs).toBeGreaterThanOrEqual(0);
    }
    expect((await post("/v1/states/s/wait", { target: 1, leadMs })).body.go).toBeUndefined();
  });

  it("one publishes and waits in one exchange, or does neither", async () => {
    bench = await HttpBench.start({ limits: { messageBytesMax: 10 } });
    const path = "/v1/topics/t/publish-and-wait";
    const both = [1, 2].map((message) =>
      post(path, { message, state: "s", target: 2, signal: true }),
    );
    const answers = (await Promise.all(both)).map(({ body }) => body);
    const crossed = { outcome: "crossed", generation: 1, error: 0 };
    expect(answers).toEqual([
      { ...crossed, value: 1, number: 1 },
      { ...crossed, value: 2, number: 2 },
    ]);
    const long = { message: "x".repeat(10), state: "s", target: 9, signal: true };
    expect((await post(path, long)).status).toBe(429);
    expect((await post("/v1/states/s/signal")).body).toEqual({ value: 3 });
  });
});

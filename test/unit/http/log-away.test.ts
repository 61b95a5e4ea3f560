// SPDX-License-Identifier: MIT
// Goal: D10 by requests. While the log takes nothing a wait is answered `unavailable`, which is
// indefinite; one with an id can be asked for again, also after a lost connection, and counts once.
// Method: a door on loopback over a log that fails when the test says so, Node's fetch.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { errorCodes } from "../../../src/core/code.ts";
import { Random } from "../../../src/core/random.ts";
import { type HttpCode, HttpError } from "../../../src/edges/http/index.ts";
import { httpTime } from "../../../src/edges/http-time.ts";
import { systemClock } from "../../../src/host/clock.ts";
import { DelayingLog } from "../../../src/testing/delaying-log.ts";
import { type BenchOptions, HttpBench } from "./http-bench.ts";

let bench: HttpBench;
afterEach(() => bench?.close());

async function start(options: BenchOptions = {}): Promise<DelayingLog> {
  let faulty: DelayingLog | undefined;
  bench = await HttpBench.start({
    ...options,
    wrapLog: (inner) => {
      const random = new Random(1);
      faulty = new DelayingLog({ inner, clock: systemClock, random, faults: {} });
      return faulty;
    },
  });
  if (faulty === undefined) throw new Error("no log");
  return faulty;
}

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

async function post(path: string, body: object = {}, signal?: AbortSignal): Promise<Answer> {
  const more = signal === undefined ? {} : { signal };
  const init = { method: "POST", body: JSON.stringify(body), ...more };
  const answer = await fetch(`${bench.url}${path}`, init);
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) {
    await new Promise<void>((resolve) => {
      systemClock.after(5, resolve);
    });
  }
}

const waiters = (count: number) => until(() => bench.host.figures().waiters === count);
const path = "/v1/barriers/b/wait";
const unavailable = { status: 503, body: { code: "unavailable", definite: false } };

describe("D10 while the log takes nothing", () => {
  it("nothing is stored for who publishes and waits, and is told so", async () => {
    const log = await start();
    const { topics } = bench.host;
    let stored = 0;
    const write = topics.write;
    Object.assign(topics, {
      write: (message: Uint8Array, scope: string) => {
        stored += 1;
        return write(message, scope);
      },
    });
    const body = { message: 1, state: "s", target: 1, signal: true };
    const both = () => post("/v1/topics/t/publish-and-wait", body);
    expect((await both()).status).toBe(200);
    log.trouble({ definiteFailure: 1 });
    expect(await post(path)).toMatchObject(unavailable);
    expect(await both()).toMatchObject(unavailable);
    expect(await post("/v1/topics/t", { message: 1 })).toMatchObject(unavailable);
    expect(stored).toBe(1);
    log.calm();
  });

  it("J1 who drives a quorum is told so at once, and what is known already is told", async () => {
    const log = await start();
    const at = (name: string, what: string) => `/v1/quorums/${name}/${what}`;
    const init = { count: 1, echo: "explicit" };
    for (const name of ["open", "crossed"]) await post(at(name, "init"), init);
    const wait = post(at("crossed", "wait"), { id: "w" });
    expect(await post(at("crossed", "crossed"))).toMatchObject({ status: 200 });
    log.trouble({ definiteFailure: 1 });
    expect(await post(path)).toMatchObject(unavailable);
    expect(await wait).toMatchObject(unavailable);
    expect(await post(at("new", "init"), init)).toMatchObject(unavailable);
    expect(await post(at("open", "crossed"))).toMatchObject(unavailable);
    expect(await post(at("crossed", "echo"))).toMatchObject(unavailable);
    expect(await post(at("crossed", "crossed"))).toMatchObject({ status: 200 });
    log.calm();
    await until(() => !bench.host.isLogAway);
    // Nothing of it was submitted behind the back of who was told.
    const names = bench.host.describe("default").barriers.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["crossed", "open"]));
    expect(names).not.toContain("new");
    expect(await post(at("crossed", "echo"))).toMatchObject({ status: 200 });
    expect(await post(at("crossed", "wait"), { id: "w" })).toMatchObject({ status: 200 });
  });

  it("a wait is answered unavailable and taken back; one with an id waits on", async () => {
    const log = await start();
    const [bare, named] = [post(path, { name: "bare" }), post(path, { name: "named", id: "7" })];
    await waiters(2);
    log.trouble({ definiteFailure: 1 });
    const init = post("/v1/barriers/b/init", { count: 1, id: "i" });
    expect(await Promise.all([bare, named, init])).toMatchObject(Array(3).fill(unavailable));
    const ready = await fetch(`${bench.url}/readyz`);
    expect([ready.status, await ready.json()]).toEqual([
      503,
      { name: "muster", ready: false, why: ["the log takes nothing"] },
    ]);
    const figures = await (await fetch(`${bench.url}/metrics`)).text();
    expect(figures).toMatch(/^muster_log_away 1$/m);
    expect(figures).toMatch(/^muster_mailbox_commands [1-9]/m);
    // Who asks now is told at once, with an id and without.
    expect(await post(path, { name: "late" })).toMatchObject(unavailable);
    expect(await post(path, { name: "named", id: "7" })).toMatchObject(unavailable);
    log.calm();
    await until(() => !bench.host.isLogAway);
    expect((await fetch(`${bench.url}/readyz`)).status).toBe(200);
    // The init counted once: "bare" has left, so that "named" alone has crossed.
    const crossed = { status: 200, body: { outcome: "crossed", generation: 1, error: 0 } };
    expect(await post(path, { name: "named", id: "7" })).toEqual(crossed);
    const counted = { status: 200, body: { outcome: "counted" } };
    expect(await post("/v1/barriers/b/init", { count: 1, id: "i" })).toEqual(counted);
    expect(bench.host.describe("default").barriers).toEqual([]);
  });
});

describe("a wait with an id", () => {
  it("V3 outlives its connection, counts once, and its outcome can be had again", async () => {
    await start();
    const gone = new AbortController();
    const first = post(path, { id: "7" }, gone.signal).catch(() => "gone");
    await waiters(1);
    gone.abort();
    expect(await first).toBe("gone");
    const second = post(path, { id: "7" });
    // Another request takes the first one's place, not a second place at the barrier.
    const third = post(path, { id: "7" });
    expect((await Promise.race([second, third])).body).toMatchObject({ code: "ended" });
    expect(bench.host.figures().waiters).toBe(1);
    await post("/v1/barriers/b/init", { count: 1 });
    const ends = await Promise.all([second, third]);
    expect(ends.map(({ status }) => status).sort()).toEqual([200, 410]);
    expect((await post(path, { id: "7" })).body).toMatchObject({ outcome: "crossed" });
    // The same id elsewhere is another wait.
    const other = post("/v1/barriers/c/wait", { id: "7" });
    await waiters(1);
    await post("/v1/barriers/c/init", { count: 1 });
    expect((await other).body).toMatchObject({ outcome: "crossed" });
  });

  it("V3 counts once at two servers, goes from one to the other and back, and ends at both", async () => {
    await start();
    const second = await bench.secondDoor();
    const there = async (at: string, body: object) => {
      const answer = await fetch(`${second}${at}`, { method: "POST", body: JSON.stringify(body) });
      return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
    };
    const moved = { status: 410, body: { code: "ended", definite: true } };
    const init = { count: 1, id: "i" };
    const counted = { status: 200, body: { outcome: "counted" } };
    expect(await post("/v1/barriers/b/init", init)).toEqual(counted);
    expect(await there("/v1/barriers/b/init", init)).toEqual(counted);
    expect(bench.host.describe("default", "b").barriers[0]).toMatchObject({ expected: 1 });
    await post("/v1/barriers/b/init", { count: 1 });

    const first = post(path, { id: "7", error: 3 });
    await waiters(1);
    const next = there(path, { id: "7" });
    expect(await first).toMatchObject(moved);
    const back = post(path, { id: "7" });
    expect(await next).toMatchObject(moved);
    expect(bench.host.figures().waiters).toBe(1);
    const crossed = { status: 200, body: { outcome: "crossed", generation: 1, error: 3 } };
    expect(await there(path, {})).toEqual(crossed);
    expect(await back).toEqual(crossed);
    expect(await there(path, { id: "7" })).toEqual(crossed);
    const signal = { id: "s" };
    for (const ask of [post, there, post, there]) {
      expect((await ask("/v1/states/n/signal", signal)).body).toEqual({ value: 1 });
    }
  });

  it("makes nothing a second time at another server, also when it is over", async () => {
    await start();
    const second = await bench.secondDoor();
    const there = async (at: string, body: object) => {
      const answer = await fetch(`${second}${at}`, { method: "POST", body: JSON.stringify(body) });
      return { status: answer.status, body: await answer.json() };
    };
    const init = { count: 1, id: "q" };
    const made = { status: 200, body: { outcome: "open", generation: 1 } };
    for (const ask of [post, there, post]) {
      expect(await ask("/v1/quorums/q/init", init)).toEqual(made);
    }
    expect((await post("/v1/quorums/q/wait", {})).body).toMatchObject({ outcome: "crossed" });
    expect(await there("/v1/quorums/q/init", init)).toEqual(made);
    const open = { members: ["a"], id: "r" };
    for (const ask of [post, there]) {
      expect(await ask("/v1/rosters/r/open", open)).toMatchObject({ status: 200 });
    }
    expect((await post("/v1/rosters/r/arrive", { name: "a" })).status).toBe(200);
    expect(await there("/v1/rosters/r/open", open)).toMatchObject({ status: 200 });
    // Nobody waits for what would never come.
    expect(bench.host.describe("default").barriers).toEqual([]);
    expect((await there("/v1/quorums/q/wait", {})).body).toMatchObject({ outcome: "crossed" });
  });

  it("V3 asks anew where the core said that it is open", async () => {
    await start();
    const tree = bench.host.connectEdge("tree/top", { onEffects: () => undefined });
    const join = { kind: "tree-join", scope: "default", name: "low", peer: "top" } as const;
    tree.submit({ ...join, side: "parent", life: 1 });
    const open = { members: ["a"], id: "r" };
    const unheard = { status: 503, body: { code: "unavailable" } };
    expect(await post("/v1/rosters/r/open", open)).toMatchObject(unheard);
    tree.submit({ kind: "tree-leave", scope: "default", peer: "top" });
    await tree.close();
    await expect.poll(async () => (await post("/v1/rosters/r/open", open)).status).toBe(200);
  });

  it("V3 leaves when nobody asks for it in time", async () => {
    await start({ time: { ...httpTime, waitKeptMs: 50 } });
    const gone = new AbortController();
    const first = post(path, { id: "7" }, gone.signal).catch(() => undefined);
    await waiters(1);
    gone.abort();
    await first;
    await waiters(0);
  });

  it("is its token's own", async () => {
    bench = await HttpBench.startClosed();
    const [a, b] = [bench.token("participant"), bench.token("participant")];
    const wait = (token: string) =>
      fetch(`${bench.url}${path}`, {
        ...{ method: "POST", body: '{"id":"7"}' },
        headers: { authorization: `Bearer ${token}` },
      });
    const waits = [wait(a), wait(b)];
    await waiters(2);
    const driver = bench.token("driver");
    await fetch(`${bench.url}/v1/barriers/b/init`, {
      ...{ method: "POST", body: '{"count":2}', headers: { authorization: `Bearer ${driver}` } },
    });
    expect((await Promise.all(waits)).map(({ status }) => status)).toEqual([200, 200]);
  });

  it("httpWaitsPerTokenMax bounds what is kept, too", async () => {
    await start({ bounds: { httpWaitsPerTokenMax: 1 } });
    expect((await post("/v1/barriers/b/init", { count: 1, id: "1" })).status).toBe(200);
    expect((await post("/v1/barriers/b/init", { count: 1, id: "1" })).status).toBe(200);
    const second = await post("/v1/barriers/b/init", { count: 1, id: "2" });
    expect(second).toMatchObject({ status: 429, body: { code: "limit" } });
    expect(second.body["message"]).toContain("httpWaitsPerTokenMax");
  });
});

describe("the codes in the documentation", () => {
  it("are all there, and definite as they are in answers", () => {
    const page = readFileSync(join(import.meta.dirname, "../../../docs/reference/http.md"), "utf8");
    const rows = page.split("\n").flatMap((line) => {
      const [, statuses = "", codes = "", definite = ""] =
        /^\| ([\d, ]+) \| (`[^|]+) \| (yes|no) \|/.exec(line) ?? [];
      return [...codes.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => ({
        statuses,
        code,
        definite,
      }));
    });
    const codes = [
      ...Object.keys(errorCodes),
      "unauthorized",
      "forbidden",
      "not-found",
      "internal",
    ];
    expect(new Set(rows.map(({ code }) => code))).toEqual(new Set(codes));
    for (const { statuses, code, definite } of rows) {
      const { status, body } = new HttpError(code as HttpCode, "");
      expect([code, definite]).toEqual([code, body.definite ? "yes" : "no"]);
      const others = code === "limit" || code === "invalid";
      if (!others || statuses.includes(String(status))) expect(statuses).toContain(String(status));
    }
  });
});

// SPDX-License-Identifier: MIT
// Goal: at a door that asks for no token one address that floods takes nothing of another's: each
// bound of one token is one of one address there. Method: a door on loopback, called from several
// addresses of 127.0.0.0/8.
import { type ClientRequest, request } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { sessionProtocol } from "../../../src/wire/link/frames.ts";
import { HttpBench } from "./http-bench.ts";

let bench: HttpBench;
const open: ClientRequest[] = [];
const sockets: WebSocket[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) one.destroy();
  for (const one of sockets.splice(0)) one.terminate();
  await bench.close();
});

const flooder = "127.0.0.1";
const other = "127.0.0.2";

/** The status and the text of an answer; of a wait or a stream its status alone is waited for. */
function ask(from: string, method: string, path: string, body?: unknown, isStream = false) {
  return new Promise<{ status: number; text: string }>((resolve) => {
    const asked = request(`${bench.url}${path}`, { method, localAddress: from }, (answer) => {
      const status = answer.statusCode ?? 0;
      let text = "";
      answer.on("data", (part) => (text += part)).on("end", () => resolve({ status, text }));
      if (isStream && status === 200) resolve({ status, text: "" });
    });
    asked.on("error", (error) => resolve({ status: 0, text: error.message }));
    asked.end(body === undefined ? "" : JSON.stringify(body));
    open.push(asked);
  });
}

const post = (from: string, path: string, body: unknown = {}) => ask(from, "POST", path, body);

async function waiters(count: number): Promise<void> {
  while (bench.host.figures().waiters !== count) {
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

describe("at a door without tokens, another address still has its own", () => {
  it("httpWaitsPerTokenMax: waits, and waits with an id that are kept", async () => {
    bench = await HttpBench.start({ bounds: { httpWaitsPerTokenMax: 1 } });
    void post(flooder, "/v1/barriers/b/wait", { id: "1" });
    await waiters(1);
    expect((await post(flooder, "/v1/barriers/b/wait")).status).toBe(429);
    const allowed = post(other, "/v1/barriers/b/wait", { id: "2" });
    await waiters(2);
    expect((await post("127.0.0.3", "/v1/barriers/b/init", { count: 2 })).status).toBe(200);
    expect((await allowed).status).toBe(200);
  });

  it("httpStreamsPerTokenMax: watchers", async () => {
    bench = await HttpBench.start({ bounds: { httpStreamsPerTokenMax: 1 } });
    const watch = async (from: string) =>
      (await ask(from, "GET", "/v1/watch", undefined, true)).status;
    expect(await watch(flooder)).toBe(200);
    expect([await watch(flooder), await watch(other)]).toEqual([429, 200]);
  });

  it("sessionsPerTokenMax: sockets", async () => {
    bench = await HttpBench.start({ bounds: { sessionsPerTokenMax: 1 } });
    /** Resolves with the reason of the end, or nothing when it stays. */
    const dial = (from: string): Promise<string> =>
      new Promise((resolve) => {
        const url = `${bench.url.replace("http", "ws")}/v1/session`;
        const socket = new WebSocket(url, [sessionProtocol], { localAddress: from });
        sockets.push(socket);
        socket.on("close", (_code, reason) => resolve(reason.toString()));
        // A door that says no says it at once, before it answers this.
        socket.on("open", () => socket.ping()).on("pong", () => resolve(""));
      });
    expect(await dial(flooder)).toBe("");
    expect(await dial(flooder)).toContain("this token or client has 1 sockets open here");
    expect(await dial(other)).toBe("");
  });

  it("httpScopesPerTokenMax: scopes that it invents", async () => {
    bench = await HttpBench.start({ bounds: { httpScopesMax: 3, httpScopesPerTokenMax: 2 } });
    const init = (from: string, scope: string) =>
      post(from, `/v1/barriers/b/init?scope=${scope}`, { count: 1 });
    for (const scope of ["a", "b", "a"]) expect((await init(flooder, scope)).status).toBe(200);
    const third = await init(flooder, "c");
    expect([third.status, third.text]).toEqual([
      429,
      expect.stringContaining("of one token or client: limit httpScopesPerTokenMax (2)"),
    ]);
    expect((await init(other, "c")).status).toBe(200);
    expect((await init(other, "d")).text).toContain("httpScopesMax (3)");
    const link = bench.host.connectEdge("driver", { onEffects: () => undefined });
    link.submit({ kind: "close-scope", scope: "a", error: 0 });
    while (bench.host.facts.hasScope("a")) await new Promise<void>((next) => setImmediate(next));
    expect((await init(flooder, "e")).status).toBe(200);
  });

  it("httpDriversMax: whoever has most quorums loses the oldest", async () => {
    bench = await HttpBench.start({ bounds: { httpDriversMax: 3 } });
    const init = { count: 1, echo: "explicit" };
    for (const [from, name] of [
      [other, "mine"],
      [flooder, "a"],
      [flooder, "b"],
      [flooder, "c"],
      [flooder, "d"],
    ] as const) {
      expect((await post(from, `/v1/quorums/${name}/init`, init)).status).toBe(200);
    }
    const crossed = async (name: string) =>
      (await post(other, `/v1/quorums/${name}/crossed`, { timeoutMs: 1 })).status;
    expect(await Promise.all(["mine", "a", "b", "c", "d"].map(crossed))).toEqual([
      504, 404, 404, 504, 504,
    ]);
  });
});

// SPDX-License-Identifier: MIT
// Goal: who watches a scope sees every ending and the newest state of each barrier; the figures say
// what the core says; the description names every route there is. Method: a door on loopback.
import { afterEach, describe, expect, it } from "vitest";
import { connect } from "../../../src/client/index.ts";
import { httpTime } from "../../../src/edges/http-time.ts";
import { HttpBench } from "./http-bench.ts";

let bench: HttpBench;
const watches: AbortController[] = [];
afterEach(async () => {
  for (const watch of watches.splice(0)) watch.abort();
  await bench.close();
});

/** The events of /v1/watch as they come. */
async function watch(scope = "default") {
  const gone = new AbortController();
  watches.push(gone);
  const answer = await fetch(`${bench.url}/v1/watch?scope=${scope}`, { signal: gone.signal });
  expect(answer.headers.get("content-type")).toBe("text/event-stream");
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  return {
    async until(pattern: RegExp): Promise<string> {
      while (!pattern.test(text)) {
        const { value, done } = (await reader?.read()) ?? { done: true };
        if (done) throw new Error(`no ${pattern} in ${text}`);
        text += value;
      }
      return text;
    },
  };
}

describe("/v1/watch", () => {
  it("tells what is there, what changes and how it ends, of its scope alone", async () => {
    bench = await HttpBench.start({ time: { ...httpTime, watchMs: 1 } });
    await using session = await connect(bench.url);
    await using other = await connect(bench.url, { scope: "other" });
    await session.countBarrier("old").init(2);
    const events = await watch();
    await events.until(/event: barrier\ndata: .*"name":"old"/);
    await other.countBarrier("elsewhere").init(1);
    await session.countBarrier("new").init(1);
    await session.countBarrier("new").wait({ name: "p" });
    const text = await events.until(/event: closed\ndata: .*"barrier":"new".*"outcome":"crossed"/);
    expect(text).toContain('"name":"p"');
    expect(text).not.toContain("elsewhere");
  });

  it("says that it is still there when nothing happens", async () => {
    bench = await HttpBench.start({ time: { ...httpTime, streamBeatMs: 1 } });
    await (await watch()).until(/: still here\n\n: still here/);
  });
});

describe("/metrics", () => {
  it("has the documented names, in the text format, with the core's figures", async () => {
    bench = await HttpBench.start({ limits: { waitersPerBarrierMax: 1 } });
    await using session = await connect(bench.url);
    const barrier = session.countBarrier("b");
    const wait = barrier.wait();
    await expect(barrier.wait()).rejects.toMatchObject({ code: "limit" });
    const text = await (await fetch(`${bench.url}/metrics`)).text();
    expect(text).toContain("\nmuster_waiters 1\n");
    expect(text).toContain('\nmuster_refused_total{limit="waitersPerBarrierMax"} 1\n');
    expect(text).toMatch(/\nmuster_oldest_wait_seconds [\d.e-]+\n/);
    await barrier.init(1);
    await wait;
    const after = await (await fetch(`${bench.url}/metrics`)).text();
    expect(after).toContain('\nmuster_barriers_ended_total{outcome="crossed"} 1\n');
    for (const line of after.trimEnd().split("\n")) {
      expect(line).toMatch(
        /^(?:# (?:HELP|TYPE) muster_\w+ .+|muster_\w+(?:\{\w+="[^"]*"\})? \S+)$/,
      );
    }
  });
});

describe("/openapi.json", () => {
  it("describes every route with its parameters, body and answers, and the errors", async () => {
    bench = await HttpBench.start();
    const document = (await (await fetch(`${bench.url}/openapi.json`)).json()) as {
      readonly paths: Record<string, Record<string, { readonly responses: object }>>;
    };
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    expect(operations.sort()).toEqual([
      "delete /v1/barriers",
      "delete /v1/barriers/{barrier}",
      "get /healthz",
      "get /metrics",
      "get /openapi.json",
      "get /readyz",
      "get /v1/barriers",
      "get /v1/barriers/{barrier}",
      "get /v1/watch",
      "post /v1/barriers/{barrier}/init",
      "post /v1/barriers/{barrier}/wait",
    ]);
    expect(document.paths["/v1/barriers/{barrier}/init"]?.["post"]).toMatchObject({
      security: [{ token: [] }],
      parameters: [
        { name: "barrier", in: "path", required: true },
        { name: "scope", in: "query", required: false },
      ],
      requestBody: {
        content: { "application/json": { schema: { required: ["count"], type: "object" } } },
      },
      responses: { 200: {}, default: {} },
    });
  });
});

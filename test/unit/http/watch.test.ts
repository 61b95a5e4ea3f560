// SPDX-License-Identifier: MIT
// Goal: who watches a scope sees every ending and the newest state of each barrier; the figures say
// what the core says; the description names every route there is. Method: a door on loopback.
import { afterEach, describe, expect, it } from "vitest";
import { connect } from "../../../src/client/index.ts";
import { WatchHistory } from "../../../src/edges/http/watch-history.ts";
import { httpTime } from "../../../src/edges/http-time.ts";
import { HttpBench } from "./http-bench.ts";

let bench: HttpBench;
const watches: AbortController[] = [];
afterEach(async () => {
  for (const watch of watches.splice(0)) watch.abort();
  await bench.close();
});

/** The events of /v1/watch as they come. */
async function watch(scope = "default", lastEventId?: string) {
  const gone = new AbortController();
  watches.push(gone);
  const headers = lastEventId === undefined ? {} : { "last-event-id": lastEventId };
  const url = `${bench.url}/v1/watch?scope=${scope}`;
  const answer = await fetch(url, { signal: gone.signal, headers });
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

  it("tells again only what has changed, also of two kinds that have one name", async () => {
    bench = await HttpBench.start({ time: { ...httpTime, watchMs: 1 } });
    await using session = await connect(bench.url);
    await session.countBarrier("same").init(2);
    void session
      .stateBarrier("same")
      .wait(9)
      .catch(() => undefined);
    const events = await watch();
    await events.until(/event: barrier\ndata: .*"kind":"state"/);
    for (const name of ["b", "c"]) {
      await session.countBarrier(name).init(1);
      await events.until(new RegExp(`event: barrier\ndata: .*"name":"${name}"`));
    }
    const told = [...(await events.until(/./)).matchAll(/event: barrier\ndata: (.*)/g)]
      .map(([, data = ""]) => JSON.parse(data) as { readonly name: string; readonly kind: string })
      .filter(({ name }) => name === "same");
    expect(told.map(({ kind }) => kind).toSorted()).toEqual(["count", "state"]);
  });

  it("says that it is still there when nothing happens", async () => {
    bench = await HttpBench.start({ time: { ...httpTime, streamBeatMs: 1 } });
    await (await watch()).until(/: still here\n\n: still here/);
  });
});

describe("M1 M2 who comes back to /v1/watch", () => {
  const time = { ...httpTime, watchMs: 1 };
  const end = async (name: string, scope = "default") => {
    await using session = await connect(bench.url, { scope });
    await session.countBarrier(name).init(1);
    await session.countBarrier(name).wait();
  };
  const idOf = (text: string): string => [...text.matchAll(/^id: (\S+)$/gm)].at(-1)?.[1] ?? "";
  const closed = (text: string) =>
    [...text.matchAll(/event: closed\ndata: .*?"barrier":"(\w+)"/g)].map(([, name]) => name);

  it("has a place before anything has happened, and is told its scope's news after it", async () => {
    bench = await HttpBench.start({ time });
    const id = idOf(await (await watch()).until(/^id: /m));
    await end("a");
    await end("elsewhere", "other");
    await end("b");
    const text = await (await watch("default", id)).until(/event: closed\ndata: .*"b"/);
    expect(closed(text)).toEqual(["a", "b"]);
    expect(text).not.toContain("event: gap");
    const again = await watch("default", idOf(text));
    await end("c");
    expect(closed(await again.until(/event: closed\ndata: .*"c"/))).toEqual(["c"]);
  });

  it.each(["", "x", "other.0", "other.-1", "a.b.c"])(
    "is told of a gap by the id %j",
    async (id) => {
      bench = await HttpBench.start({ time });
      await end("a");
      const events = await watch("default", id);
      await end("b");
      const text = await events.until(/event: closed\ndata: .*"b"/);
      expect(closed(text)).toEqual(["b"]);
      expect(text.includes("event: gap\ndata: {}\n")).toBe(id !== "");
    },
  );

  it("httpWatchKeptBytesMax: what is within it is told, one byte more costs the oldest", async () => {
    const bytes = async (httpWatchKeptBytesMax: number) => {
      bench = await HttpBench.start({ time, bounds: { httpWatchKeptBytesMax } });
      const id = idOf(await (await watch()).until(/^id: /m));
      await end("a");
      await end("b");
      await end("c");
      const text = await (await watch("default", id)).until(/event: closed\ndata: .*"c"/);
      await bench.close();
      return { names: closed(text), isGap: text.includes("event: gap") };
    };
    expect(await bytes(1_000_000)).toEqual({ names: ["a", "b", "c"], isGap: false });
    const history = (bytesMax: number) => {
      const kept = new WatchHistory({ epoch: "e", bytesMax, participantsMax: 10 });
      const warning = { kind: "wait-warning", scope: "s", barrier: "b", waitedUs: 1 } as const;
      const presence = { nowUs: 0, arrived: [], missing: [], dead: [] };
      const row = { ...warning, arrived: [], missing: [], presence };
      const entry = { sequence: 1, stampUs: 0, entry: { format: 1, batches: [] } } as const;
      for (let at = 0; at < 3; at += 1) kept.note(entry, { observed: [row] });
      const { rows, isGap } = kept.since(0, "s");
      return { count: rows.length, isGap, one: JSON.stringify({ kind: "warning", warning: row }) };
    };
    const size = history(1_000_000).one.length;
    expect(history(3 * size)).toMatchObject({ count: 3, isGap: false });
    expect(history(3 * size - 1)).toMatchObject({ count: 2, isGap: true });
  });

  it("httpWatchedNamesMax: so many participants are listed, of one more there is the number", async () => {
    bench = await HttpBench.start({ time, bounds: { httpWatchedNamesMax: 3 } });
    const events = await watch();
    const ended = async (count: number, name: string) => {
      await using session = await connect(bench.url);
      const barrier = session.countBarrier(name);
      await barrier.init(count);
      await Promise.all(Array.from({ length: count }, () => barrier.wait()));
      const text = await events.until(new RegExp(`event: closed\\ndata: .*"${name}".*\\n`));
      const [, data = ""] = new RegExp(`closed\\ndata: (.*"barrier":"${name}".*)`).exec(text) ?? [];
      return JSON.parse(data) as { participants: unknown[]; participantsLeftOut?: number };
    };
    // The one who has initialised it is a participant, too.
    const two = await ended(2, "two");
    const three = await ended(3, "three");
    expect([two.participants.length, two.participantsLeftOut]).toEqual([3, undefined]);
    expect([three.participants.length, three.participantsLeftOut]).toEqual([3, 1]);
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
      "get /v1/topics/{topic}",
      "get /v1/watch",
      "post /v1/barriers/{barrier}/fail",
      "post /v1/barriers/{barrier}/init",
      "post /v1/barriers/{barrier}/wait",
      "post /v1/participants/{participant}/dead",
      "post /v1/quorums/{barrier}/crossed",
      "post /v1/quorums/{barrier}/echo",
      "post /v1/quorums/{barrier}/init",
      "post /v1/quorums/{barrier}/wait",
      "post /v1/rosters/{barrier}/arrive",
      "post /v1/rosters/{barrier}/change",
      "post /v1/rosters/{barrier}/open",
      "post /v1/states/{barrier}/signal",
      "post /v1/states/{barrier}/wait",
      "post /v1/topics/{topic}",
      "post /v1/topics/{topic}/publish-and-wait",
      "put /v1/peers",
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

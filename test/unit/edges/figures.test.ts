// SPDX-License-Identifier: MIT
// Goal: /metrics has the figures that docs/reference/http.md lists, and no others, for all doors
// together, and each moves when what it counts happens. Method: a server of all doors in this
// process, clients that make each figure move, another reader of the text format.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { encodeRequest } from "../../../src/wire/emulab-sync/index.ts";
import { parsePrometheus } from "../../e2e/support/prometheus.ts";
import { hello, init, TestParty } from "../gnunet/harness.ts";
import { wait as syncWait, until, v2 } from "../syncd/harness.ts";
import { TestClient } from "../testground/harness.ts";
import { closeAll, openServer } from "./open-server.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "muster-figures-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(closeAll);

type Figures = ReturnType<typeof parsePrometheus>;

/** The value of a figure, added up over rows that have these labels. */
function figureOf(figures: Figures, name: string, labels: Record<string, string> = {}): number {
  const [family = ""] = /^muster_.+?(?=_(?:count|sum)$|$)/.exec(name) ?? [];
  const rows = figures.get(family)?.samples.filter((row) => {
    const isAsked = Object.entries(labels).every(([key, value]) => row.labels[key] === value);
    return row.name === name && isAsked;
  });
  return (rows ?? []).reduce((sum, { value }) => sum + value, 0);
}

async function start() {
  const server = await openServer(folder, {
    listen: ["http=0", "syncd=0", "testground=0", "gnunet=0", "controllers=0"],
    limit: [
      ...["tcpConnectionsMax=2", "gnunetBarriersMax=1", "testgroundNamesMax=2"],
      ...["warnAfterUs=1000", "nameBytesMax=63", "httpBodyBytesMax=4096"],
    ],
  });
  const url = `http://127.0.0.1:${server.portOf("http")}`;
  const read = async () => parsePrometheus(await (await fetch(`${url}/metrics`)).text());
  const post = (path: string, body: object = {}) =>
    fetch(`${url}${path}`, { method: "POST", body: JSON.stringify(body) });
  /** Waits until a figure is at least so much. */
  const reaches = async (name: string, labels: Record<string, string>, least: number) => {
    let value = Number.NaN;
    for (let tries = 0; tries < 2_000; tries += 1) {
      value = figureOf(await read(), name, labels);
      if (value >= least) return;
    }
    throw new Error(`${name} ${JSON.stringify(labels)} stays ${value}, below ${least}`);
  };
  const dial = (door: string) => connect(server.portOf(door), "127.0.0.1");
  return { ...server, url, read, post, reaches, dial };
}

const page = readFileSync(join(import.meta.dirname, "../../../docs/reference/http.md"), "utf8");

test("the figures are those of the page, and each moves when what it counts happens", async () => {
  const { read, post, reaches, dial, portOf, url } = await start();
  const before = await read();
  const rows = [...page.matchAll(/^\| (`muster_[^|]+)\|/gm)].map(([, names]) => names ?? "");
  const documented = rows.flatMap((names) => names.match(/muster_[a-z_]+/g) ?? []);
  // Those of several logs are there where these are: test/e2e/serve-shards.test.ts.
  const ofOneLog = documented.filter((name) => !name.startsWith("muster_shard_"));
  expect([...before.keys()].sort()).toEqual(ofOneLog.sort());

  // Barriers: one that waits, and every way to end.
  const waiter = dial("syncd");
  waiter.write(encodeRequest(syncWait("slow"), v2));
  await reaches("muster_waiters", {}, 1);
  // It grows also while nothing is written to the log.
  await reaches("muster_oldest_wait_seconds", {}, 0.05);
  await reaches("muster_wait_warnings_total", {}, 1);
  await reaches("muster_connections", { door: "syncd" }, 1);
  const more = [dial("syncd"), dial("syncd"), dial("syncd")];
  await reaches("muster_refused_total", { limit: "tcpConnectionsMax" }, 1);
  await post("/v1/barriers/late/wait", { timeoutMs: 1 });
  for (const name of ["lost", "dead"]) await post(`/v1/barriers/${name}/init`, { count: 1 });
  await fetch(`${url}/v1/barriers/lost`, { method: "DELETE" });
  await post("/v1/barriers/dead/fail", { reason: "no disk" });
  await post("/v1/barriers/slow/init", { count: 1 });
  for (const outcome of ["crossed", "cancelled", "failed", "timeout"]) {
    await reaches("muster_barriers_ended_total", { outcome }, 1);
  }
  expect(figureOf(await read(), "muster_append_seconds_count")).toBeGreaterThan(3);

  // Doors: who is connected, what is kept, what is refused and by which limit.
  const driver = new TestParty(dial("testbed"));
  driver.send(hello, init("a"), init("b"));
  const client = await TestClient.open(portOf("testground"));
  client.ask("1", { kind: "publish", topic: "run:r:t", payload: '"message"' });
  const controller = dial("controllers may join muster");
  for (const door of ["controllers", "http", "gnunet", "testground"]) {
    await reaches("muster_connections", { door }, 1);
  }
  await reaches("muster_stored_bytes", { door: "testground" }, 9);
  client.ask("2", { kind: "signal", state: "run:r:s" });
  client.ask("3", { kind: "signal", state: "run:r:one-more" });
  for (const limit of ["gnunetBarriersMax", "testgroundNamesMax"]) {
    await reaches("muster_refused_total", { limit }, 1);
  }
  await post("/v1/barriers/b/init", { count: 1, name: "x".repeat(5_000) });
  await reaches("muster_refused_total", { limit: "httpBodyBytesMax" }, 1);
  for (const socket of [waiter, controller, ...more, driver.stream]) socket.destroy();
  client.socket.terminate();
  await until(() => client.socket.readyState === client.socket.CLOSED, "closed");
});

test("what a client of Testground has not read is told", async () => {
  const { reaches, portOf } = await start();
  const [writer, reader] = [
    await TestClient.open(portOf("testground")),
    await TestClient.open(portOf("testground")),
  ];
  reader.socket.pause();
  reader.ask("1", { kind: "subscribe", topic: "t" });
  const payload = JSON.stringify("x".repeat(500_000));
  // What the kernel takes of it does not count: it is not in this process any more.
  for (let id = 1; id <= 40; id += 1) writer.ask(`${id}`, { kind: "publish", topic: "t", payload });
  await reaches("muster_unread_bytes", { door: "testground" }, 1);
  for (const { socket } of [writer, reader]) socket.terminate();
});

test("how late events fired is told, as their agents say", async () => {
  const { read, post, reaches } = await start();
  const text = (name: string, value: string) => ({ name, type: "string", value });
  const attributes = [
    text("___VERSION___", "1.0"),
    ...[text("EXPT", "p/e"), text("OBJNAME", "a"), text("EVENTTYPE", "FIRED")],
    { name: "SCHEDULER", type: "int32", value: 1 },
    { name: "MUSTER_FIRE", type: "int32", value: 7 },
    { name: "MUSTER_DUE", type: "int64", value: "5000000" },
    { name: "MUSTER_FIRED_AT", type: "int64", value: "5000200" },
  ];
  expect((await post("/v1/notifications", { attributes })).status).toBe(200);
  await reaches("muster_event_lateness_seconds_count", {}, 1);
  const buckets = (await read()).get("muster_event_lateness_seconds")?.samples ?? [];
  const counts = buckets.filter(({ labels }) => ["0.0001", "0.00025"].includes(labels["le"] ?? ""));
  expect(counts.map(({ value }) => value)).toEqual([0, 1]);
});

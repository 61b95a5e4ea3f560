// SPDX-License-Identifier: MIT
// Goal: doors of old protocols serve scopes of every log of a server with several, across servers
// and through kill -9; and when one of the logs takes nothing, who has a scope in it is told so,
// who has one in another log goes on, and nothing is lost when there is room again. Method: real
// `muster serve --shards 3`, a real nats-server one stream of which is made full, clients of
// Testground's protocol, C programs over GNUnet's library, emulab-sync and curl's way of asking.
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { shardOf } from "../../src/core/shard.ts";
import { sleep, systemClock } from "../../src/host/clock.ts";
import { freePorts, NatsServer } from "../../src/testing/nats-server.ts";
import { GnunetPrograms } from "../conformance/gnunet/programs.ts";
import { TestClient } from "../unit/testground/harness.ts";
import { Command, repository, scratch, start } from "./support/command.ts";
import { homesOf, setFull } from "./support/streams.ts";

const streams = ["t", "t-1", "t-2"] as const;
/** One of each log. */
const scopes = ["a", "p/e", "default"] as const;
/** Of Testground: the scope is `run:` and the run. */
const runs = [0, 1, 2].map((shard) => {
  for (let number = 1; ; number += 1) {
    if (shardOf(`run:r${number}`, 3) === shard) return `r${number}`;
  }
});

const brokers: NatsServer[] = [];
let programs: GnunetPrograms;
beforeAll(async () => {
  programs = await GnunetPrograms.build();
}, 120_000);
afterAll(() => programs.close());
afterEach(async () => {
  for (const broker of brokers.splice(0)) await broker.dispose();
});

async function startBroker(): Promise<NatsServer> {
  const broker = await NatsServer.start();
  brokers.push(broker);
  return broker;
}

function serve(broker: NatsServer, name: string, listens: readonly string[], state = scratch()) {
  const peers = listens.some((door) => door.startsWith("gnunet=")) ? ["--gnunet-peers", "2"] : [];
  return new Command(join(repository, "bin/muster"), [
    ...["serve", "--state", state, "--name", name, "--log", `nats://${broker.address}/t`],
    ...["--shards", "3", ...peers, ...listens.flatMap((listen) => ["--listen", listen])],
  ]);
}

async function kill({ child, ended }: Command): Promise<void> {
  child.kill("SIGKILL");
  await ended;
}

const headers = { "content-type": "application/json" };
const query = (scope: string): string => `scope=${encodeURIComponent(scope)}`;
const post = (url: string, path: string, scope: string, body: unknown): Promise<Response> =>
  fetch(`${url}/v1/${path}?${query(scope)}`, {
    ...{ method: "POST", headers, body: JSON.stringify(body) },
  });

describe("doors of old protocols of muster serve --shards", () => {
  it("Testground: runs of each log meet across servers, and are kept through kill -9", async () => {
    const broker = await startBroker();
    const open = async (name: string, port = "0") => {
      const command = serve(broker, name, [`testground=127.0.0.1:${port}`]);
      const [, at = ""] = await command.prints(/testground at 127\.0\.0\.1:(\d+), each run a/);
      return { command, port: at };
    };
    const [first, second] = await Promise.all([open("a"), open("b")]);
    const clients = [
      await TestClient.open(Number(first.port)),
      await TestClient.open(Number(second.port)),
    ] as const;
    const key = (run: string, what: string): string => `run:${run}:plan:p:case:c:${what}`;
    for (const run of runs) {
      const state = key(run, "states:s");
      for (const [number, client] of clients.entries()) {
        client.ask(`b${run}`, { kind: "barrier", state, target: 2 });
        client.ask(`s${run}`, { kind: "signal", state });
        // One after the other, so that each number is known.
        expect(await client.answer(`s${run}`)).toMatchObject({ sequence: number + 1 });
      }
      for (const client of clients) {
        expect(await client.answer(`b${run}`)).toMatchObject({ kind: "done" });
      }
      const topic = key(run, "topics:t");
      clients[0].ask(`p${run}`, { kind: "publish", topic, payload: `"of ${run}"` });
      clients[1].ask(`t${run}`, { kind: "subscribe", topic });
      expect(await clients[1].answer(`t${run}`)).toMatchObject({ payload: `"of ${run}"` });
      expect(await clients[0].answer(`p${run}`)).toMatchObject({ sequence: 1 });
    }
    await Promise.all([kill(first.command), kill(second.command)]);
    const again = await open("a", first.port);
    const client = await TestClient.open(Number(again.port));
    for (const run of runs) {
      client.ask(`s${run}`, { kind: "signal", state: key(run, "states:s") });
      expect(await client.answer(`s${run}`)).toMatchObject({ sequence: 3 });
      client.ask(`t${run}`, { kind: "subscribe", topic: key(run, "topics:t") });
      expect(await client.answer(`t${run}`)).toMatchObject({ payload: `"of ${run}"` });
    }
    client.socket.terminate();
    await kill(again.command);
    for (const [shard, run] of runs.entries()) {
      expect(await homesOf(broker, `run:${run}`)).toEqual([streams[shard]]);
    }
  });

  it("GNUnet: the library meets at controllers of each log, unchanged", async () => {
    const [broker, state] = [await startBroker(), scratch()];
    const doors = scopes.flatMap((scope) => [
      ...[`gnunet=0,scope=${scope}`, `gnunet-barrier=0,scope=${scope}`],
    ]);
    const server = serve(broker, "a", doors, state);
    await server.prints(/GNUNET_TESTBED_CONTROLLER_CONFIG=\S+gnunet\.conf/);
    for (const scope of scopes) {
      const file = scope === "default" ? "gnunet" : `gnunet-${encodeURIComponent(scope)}`;
      const config = join(state, `${file}.conf`);
      const driver = programs.driver(config);
      driver.send("init start 100");
      await driver.said(/^status start 1$/);
      const waiters = programs.waiter(config, "start", "2");
      expect(await waiters.ended).toBe(0);
      await driver.said(/^status start 2$/);
      driver.send("quit");
      expect(await driver.ended).toBe(0);
    }
    await kill(server);
    for (const [shard, scope] of scopes.entries()) {
      expect(await homesOf(broker, scope)).toEqual([streams[shard]]);
    }
  });

  it("one log is full: its scopes are told so, those of the others go on, nothing is lost", async () => {
    const [broker, ports] = [await startBroker(), await freePorts(scopes.length)];
    const server = serve(broker, "a", [
      "http=127.0.0.1:0",
      ...scopes.map((scope, shard) => `syncd=127.0.0.1:${ports[shard]},scope=${scope}`),
    ]);
    const [, url = ""] = await server.prints(/http at (https?:\S+),/);
    await server.prints(/syncd at .*, scope default\n/);
    const sync = (shard: number, ...more: readonly string[]): Command =>
      start("emulab-sync", ["-s", "127.0.0.1", "-p", String(ports[shard]), ...more]);
    const [a, full, other] = scopes;
    for (const scope of scopes) {
      expect((await post(url, "topics/news", scope, { message: scope })).status).toBe(200);
    }
    await setFull(broker, "t-1", true);

    const named = "barriers/b/wait";
    const [kept, refused] = [post(url, named, a, {}), await post(url, named, full, { id: "w" })];
    expect(refused.status).toBe(503);
    expect(await refused.json()).toMatchObject({ code: "unavailable", definite: false });
    await server.prints(/the stream t-1 of NATS is full/);
    const ready = await fetch(`${url}/readyz`);
    expect([ready.status, await ready.text()]).toEqual([
      503,
      expect.stringContaining("of 3 shards these take nothing: 1"),
    ]);
    // A wait of another log that was there before, and one that comes now, by three doors.
    const waiting = sync(2, "-n", "s", "-i", "1");
    expect((await sync(2, "-n", "s").ended).code).toBe(0);
    expect((await waiting.ended).code).toBe(0);
    expect((await post(url, "topics/news", other, { message: "more" })).status).toBe(200);
    expect((await post(url, "barriers/b/init", a, { count: 1 })).status).toBeLessThan(300);
    expect((await kept).status).toBe(200);
    // Who waits at the old door of the full log keeps his connection.
    const patient = sync(1, "-n", "s");

    await setFull(broker, "t-1", false);
    while ((await fetch(`${url}/readyz`)).status !== 200) await sleep(systemClock, 50);
    const again = post(url, named, full, { id: "w" });
    expect((await post(url, "barriers/b/init", full, { count: 1 })).status).toBeLessThan(300);
    expect((await again).status).toBe(200);
    expect((await sync(1, "-n", "s", "-i", "1").ended).code).toBe(0);
    expect((await patient.ended).code).toBe(0);
    const news = await fetch(`${url}/v1/topics/news?${query(full)}`);
    expect(await news.text()).toContain(`"${full}"`);
  });
});

// SPDX-License-Identifier: MIT
// Goal: servers of one cluster with several logs are one: parties in scopes of each log meet across
// servers and doors, kill -9 of a server loses nothing, the number of logs is fixed, and a backup
// has them all. Method: real `muster serve` and a real nats-server at ports that the system chose;
// clients are the library, curl's way of asking and emulab-sync. That a scope is in the log of its
// hash is read from the streams themselves.
import { join } from "node:path";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect as callBroker } from "@nats-io/transport-node";
import { afterEach, describe, expect, it } from "vitest";
import { connect, type Session } from "../../src/client/index.ts";
import { shardOf } from "../../src/core/shard.ts";
import { sleep, systemClock } from "../../src/host/clock.ts";
import { NatsServer } from "../../src/testing/nats-server.ts";
import { Command, type Ended, repository, scratch } from "./support/command.ts";
import { entriesOf } from "./support/streams.ts";

const muster = join(repository, "bin/muster");
/** One of each log. */
const scopes = ["a", "p/e", "default"] as const;
const brokers: NatsServer[] = [];
afterEach(async () => {
  for (const broker of brokers.splice(0)) await broker.dispose();
});

async function startBroker(): Promise<NatsServer> {
  const broker = await NatsServer.start();
  brokers.push(broker);
  return broker;
}

interface Server {
  readonly command: Command;
  readonly url: string;
  readonly syncPort: string;
}

const argumentsOf = (broker: NatsServer, name: string, shards: number): readonly string[] => [
  ...["serve", "--state", scratch(), "--name", name, "--log", `nats://${broker.address}/t`],
  ...["--shards", String(shards)],
];

/** With doors at the ports of the last life, when there was one. */
async function serve(broker: NatsServer, name: string, last?: Server): Promise<Server> {
  const [port = "0", syncd = "0"] = last ? [new URL(last.url).port, last.syncPort] : [];
  const command = new Command(muster, [
    ...argumentsOf(broker, name, 3),
    ...["--listen", `http=127.0.0.1:${port}`, "--listen", `syncd=127.0.0.1:${syncd},scope=p/e`],
  ]);
  const [, url = ""] = await command.prints(/http at (https?:\S+),/);
  const [, syncPort = ""] = await command.prints(/syncd at 127\.0\.0\.1:(\d+), scope p\/e/);
  return { command, url, syncPort };
}

async function kill({ command }: Server): Promise<void> {
  command.child.kill("SIGKILL");
  await command.ended;
}

const run = (...argv: readonly string[]): Promise<Ended> => new Command(muster, argv).ended;

const headers = { "content-type": "application/json" };
const post = (url: string, body: unknown): Promise<Response> =>
  fetch(url, { method: "POST", headers, body: JSON.stringify(body) });

async function streamsOf(broker: NatsServer): Promise<readonly string[]> {
  const connection = await callBroker({ servers: broker.address });
  try {
    return (await (await jetstreamManager(connection)).streams.names().next()).sort();
  } finally {
    await connection.close();
  }
}

/** With what lies beside it. @returns the streams that are left */
async function deleteLog(broker: NatsServer, name: string): Promise<readonly string[]> {
  const connection = await callBroker({ servers: broker.address });
  const { streams } = await jetstreamManager(connection);
  for (const suffix of ["", "-topics", "-snapshots"]) await streams.delete(`${name}${suffix}`);
  await connection.close();
  return streamsOf(broker);
}

/** Resolves when so many wait at the barrier. */
async function arrived(session: Session, barrier: string, count: number): Promise<void> {
  for (;;) {
    const shown = await session.describe(barrier).catch(() => undefined);
    if (shown?.barriers[0]?.arrived === count) return;
    // Its server may be away.
    await sleep(systemClock, 20);
  }
}

/** A party of each scope waits, and a message of each is in a topic. */
async function open(server: Server): Promise<readonly Session[]> {
  const sessions: Session[] = [];
  for (const scope of scopes) {
    sessions.push(await connect(server.url, { scope, leaseMs: 60_000 }));
    const query = `?scope=${encodeURIComponent(scope)}`;
    const { status } = await post(`${server.url}/v1/topics/news${query}`, { message: scope });
    expect(status).toBe(200);
  }
  return sessions;
}

async function newsOf(url: string, scope: string): Promise<string> {
  return (await fetch(`${url}/v1/topics/news?scope=${encodeURIComponent(scope)}`)).text();
}

describe("muster serve --shards", () => {
  it("has a scope in the log of its hash, for all servers and doors; kill -9 loses nothing", async () => {
    expect(scopes.map((scope) => shardOf(scope, 3))).toEqual([0, 1, 2]);
    const broker = await startBroker();
    const [a, b] = await Promise.all([serve(broker, "a"), serve(broker, "b")]);
    expect(a.command.stdout).toContain("/t in 3 shards, as server a: NATS JetStream 2.");
    const sessions = await open(a);
    const others = await Promise.all(
      scopes.map((scope) => connect([b.url, a.url], { scope, leaseMs: 60_000 })),
    );

    // Parties of one barrier of each scope at both servers; in one of them by the old door, too.
    const bySync = new Command(join(repository, "bin/emulab-sync"), [
      ...["-s", "127.0.0.1", "-p", b.syncPort, "-n", "start"],
    ]);
    await arrived(sessions[1] as Session, "start", 1);
    await Promise.all(
      others.map((other, at) => other.countBarrier("start").init(at === 1 ? 3 : 2)),
    );
    const met = [...sessions, ...others].map((one) => one.countBarrier("start").wait());
    expect(await Promise.all(met)).toEqual(met.map(() => ({ generation: 1, error: 0 })));
    expect((await bySync.ended).code).toBe(0);

    // Who waits in each log when a server is killed is met after it is there again.
    const waits = sessions.map((one) => one.countBarrier("later").wait());
    await Promise.all(others.map((one) => arrived(one, "later", 1)));
    await kill(a);
    const again = await serve(broker, "a", a);
    await Promise.all(others.map((one) => one.countBarrier("later").init(2)));
    const rest = others.map((one) => one.countBarrier("later").wait());
    const all = await Promise.all([...waits, ...rest]);
    expect(all).toEqual(all.map(() => ({ generation: 1, error: 0 })));
    for (const scope of scopes) {
      for (const { url } of [again, b]) expect(await newsOf(url, scope)).toContain(`"${scope}"`);
    }
    expect((await fetch(`${b.url}/readyz`)).status).toBe(200);
    const figures = await (await fetch(`${b.url}/metrics`)).text();
    for (const shard of [0, 1, 2]) {
      for (const figure of ["away{} 0", "scopes{} 1", "waiters{} 0"]) {
        expect(figures).toContain(`muster_shard_${figure.replace("{}", `{shard="${shard}"}`)}`);
      }
    }
    for (const one of [...sessions, ...others]) await one.close();
    await Promise.all([kill(again), kill(b)]);
    const texts = await entriesOf(broker);
    expect([...texts.keys()].sort()).toEqual(["t", "t-1", "t-2"]);
    for (const scope of scopes) {
      const homes = [...texts].flatMap(([name, text]) =>
        text.includes(`"scope":"${scope}"`) ? [name] : [],
      );
      expect(homes).toEqual([["t", "t-1", "t-2"][shardOf(scope, 3)]]);
    }
  });

  it("says both figures to a server with another number, and makes nothing", async () => {
    const broker = await startBroker();
    const server = await serve(broker, "a");
    for (const shards of [1, 2, 4]) {
      const argv = [...argumentsOf(broker, "other", shards), "--listen", "http=127.0.0.1:0"];
      const { code, stderr } = await run(...argv);
      expect([code, stderr]).toEqual([
        73,
        expect.stringContaining(
          `the log t of NATS has 3 shards, and this server was told ${shards}; start it with --shards 3`,
        ),
      ]);
    }
    await kill(server);
    expect([...(await entriesOf(broker)).keys()].sort()).toEqual(["t", "t-1", "t-2"]);
    // The same the other way round: a log that is one stays one.
    const log = `nats://${broker.address}/one`;
    const listen = ["--listen", "http=127.0.0.1:0"];
    const one = new Command(muster, ["serve", "--state", scratch(), "--log", log, ...listen]);
    await one.prints(/http at/);
    const three = ["serve", "--state", scratch(), "--log", log, "--shards", "3", ...listen];
    expect((await run(...three)).stderr).toContain(
      "the log one of NATS has 1 shard, and this server was told 3; start it with --shards 1",
    );
  });

  it("O1: is refused after the loss of a log with all beside it, and makes nothing", async () => {
    for (const index of [0, 1, 2]) {
      const broker = await startBroker();
      const server = await serve(broker, "a");
      for (const one of await open(server)) one.abandon();
      await kill(server);
      const left = await deleteLog(broker, index === 0 ? "t" : `t-${index}`);
      for (const shards of index === 0 ? [3, 2, 1] : [3]) {
        const argv = [...argumentsOf(broker, "a", shards), "--listen", "http=127.0.0.1:0"];
        const { code, stderr } = await run(...argv);
        const text = `NATS has no stream ${index === 0 ? "t" : `t-${index}`}, and t`;
        expect([code, stderr]).toEqual([73, expect.stringContaining(text)]);
        expect(stderr).toContain("then restore it from a backup or begin anew");
      }
      expect(await streamsOf(broker)).toEqual(left);
    }
  });

  it("is backed up with all its logs, and restored", async () => {
    const [broker, target] = [await startBroker(), await startBroker()];
    const server = await serve(broker, "a");
    const sessions = await open(server);
    await Promise.all(sessions.map((one) => one.countBarrier("open").init(3)));
    const saved = join(scratch(), "saved");
    const made = await run("backup", saved, "--log", `nats://${broker.address}/t`);
    expect([made.code, made.stderr]).toEqual([0, ""]);
    expect(made.stdout).toMatch(/ in 3 shards, up to entries \d+, \d+, \d+\n$/);
    const part = await run("backup", join(scratch(), "p"), "--log", `nats://${broker.address}/t-1`);
    expect(part.stderr).toContain("is shard 1 of 3 of a log; name the first");
    await kill(server);
    const back = await run("restore", saved, "--log", `nats://${target.address}/t`);
    expect([back.code, back.stderr]).toEqual([0, ""]);
    const restored = await serve(target, "a");
    for (const scope of scopes) {
      expect(await newsOf(restored.url, scope)).toContain(`"${scope}"`);
      const query = `?scope=${encodeURIComponent(scope)}`;
      const shown = await (await fetch(`${restored.url}/v1/barriers/open${query}`)).json();
      expect(JSON.stringify(shown)).toContain('"open"');
    }
    for (const one of sessions) one.abandon();
  });
});

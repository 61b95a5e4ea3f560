// SPDX-License-Identifier: MIT
// Goal: servers of one log on NATS are one: parties meet across them; what was acknowledged
// outlives kill -9 of a server, of all servers and of the broker; sessions go on at another server
// and every wait is released exactly once; what is wrong is said, a full disk of the broker among
// that. Method: real `muster serve` and a real nats-server at ports that the system chose; clients
// are the library, curl's way of asking and emulab-sync.
import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect as connectNats } from "@nats-io/transport-node";
import { afterEach, describe, expect, it } from "vitest";
import { connect, type MusterError, type Session } from "../../src/client/index.ts";
import { sleep, systemClock } from "../../src/host/clock.ts";
import { freePorts, NatsServer } from "../../src/testing/nats-server.ts";
import { Command, repository, scratch } from "./support/command.ts";

const bin = (name: string): string => join(repository, "bin", name);
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

/** Doors at the ports of the last life, when there was one. */
async function serve(broker: NatsServer, name: string, last?: Server): Promise<Server> {
  const [port = "0", syncd = "0"] = last ? [new URL(last.url).port, last.syncPort] : [];
  const command = new Command(bin("muster"), [
    ...["serve", "--state", scratch(), "--name", name, "--log", `nats://${broker.address}/t`],
    ...["--listen", `http=127.0.0.1:${port}`, "--listen", `syncd=127.0.0.1:${syncd},scope=p/e`],
  ]);
  const [, url = ""] = await command.prints(/http at (https?:\S+),/);
  const [, syncPort = ""] = await command.prints(/syncd at 127\.0\.0\.1:(\d+), scope p\/e/);
  return { command, url, syncPort };
}

async function kill({ command }: Pick<Server, "command">): Promise<void> {
  command.child.kill("SIGKILL");
  await command.ended;
}

const sync = ({ syncPort }: Server, ...more: readonly string[]): Command =>
  new Command(bin("emulab-sync"), ["-s", "127.0.0.1", "-p", syncPort, ...more]);

/** Resolves when so many wait at the barrier. */
async function arrived(session: Session, barrier: string, count: number): Promise<void> {
  for (;;) {
    const shown = await session.describe(barrier).catch(() => undefined);
    if (shown?.barriers[0]?.arrived === count) return;
    // Its server may be away.
    await sleep(systemClock, 20);
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(systemClock, 20);
}

const scope = { scope: "p/e", leaseMs: 60_000 } as const;

describe("muster serve --log nats:", () => {
  it.each([
    ["is somebody else's", { name: "t", subjects: ["muster.t.log"] }, [], /is not a Muster log/],
    [
      "was made by a newer Muster",
      { name: "t", subjects: ["muster.t.log"], description: "a Muster log, format 99" },
      [],
      /newer Muster/,
    ],
    [
      "has another number of shards",
      { name: "t", subjects: ["muster.t.log"], description: "a Muster log, format 1" },
      ["--shards", "2"],
      /has 1 shard, and this server was told 2/,
    ],
    ["has its subjects taken", { name: "u", subjects: ["muster.t.*"] }, [], /takes the subjects/],
  ])("makes nothing when it is refused because the stream %s", async (_, stream, more, said) => {
    const broker = await startBroker();
    const connection = await connectNats({ servers: broker.address });
    const { streams } = await jetstreamManager(connection);
    await streams.add(stream);
    const argv = ["--state", scratch(), "--log", `nats://${broker.address}/t`, ...more];
    const command = new Command(bin("muster"), ["serve", "--listen", "http=127.0.0.1:0", ...argv]);
    const { code, stderr } = await command.ended;
    expect(stderr).toMatch(said);
    expect(code).toBe(73);
    expect(await streams.names().next()).toEqual([stream.name]);
    await connection.close();
  });

  it("counts a wait with an id once, when its server is killed and another one is asked", async () => {
    const broker = await startBroker();
    const [a, b] = (await Promise.all(["a", "b"].map((name) => serve(broker, name)))) as [
      Server,
      Server,
    ];
    const ask = async ({ url }: Server, what: string, body: object) => {
      const at = `${url}/v1/barriers/pair/${what}?scope=p/e`;
      const answer = await fetch(at, { method: "POST", body: JSON.stringify(body) });
      return { status: answer.status, ...((await answer.json()) as object) };
    };
    const watcher = await connect(b.url, scope);
    await ask(a, "init", { count: 2 });
    const lost = ask(a, "wait", { id: "mine" }).catch(() => "lost");
    await arrived(watcher, "pair", 1);
    await kill(a);
    expect(await lost).toBe("lost");

    // The dead server has its lease yet. Were the party counted twice, the barrier would cross with
    // it alone, and who comes next would wait at the next one.
    const again = ask(b, "wait", { id: "mine", timeoutMs: 60_000 });
    const crossed = { status: 200, outcome: "crossed", generation: 1, error: 0 };
    expect(await ask(b, "wait", { id: "next", timeoutMs: 5_000 })).toEqual(crossed);
    expect(await again).toEqual(crossed);
    expect(await ask(b, "wait", { id: "mine" })).toEqual(crossed);
    await watcher.close();
  });

  it("makes one of several servers, which may be killed, and so may the broker", async () => {
    const broker = await startBroker();
    const started = await Promise.all(["a", "b", "c"].map((name) => serve(broker, name)));
    const [a, b, c] = started as [Server, Server, Server];
    expect(a.command.stdout).toContain("as server a: NATS JetStream 2.");
    expect(a.command.stdout).toContain("survives kill -9 of servers, not power loss");
    const survivor = await connect([a.url, b.url], scope);
    const other = await connect(c.url, scope);

    // Each party of one barrier at another server, and in another manner.
    const bySync = sync(b, "-n", "start");
    const byLibrary = survivor.countBarrier("start").wait({ error: 2 });
    await arrived(other, "start", 2);
    await other.countBarrier("start").init(2);
    expect(await byLibrary).toEqual({ generation: 1, error: 2 });
    expect((await bySync.ended).code).toBe(2);

    // What there is when the servers are killed, one after the other, and the broker with them.
    await other.countBarrier("later").init(3);
    const wait = survivor.countBarrier("later").wait({ name: "survivor" });
    await arrived(other, "later", 1);
    const news = "/v1/topics/news?scope=p%2Fe";
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify({ message: { text: "kept" } });
    await fetch(`${b.url}${news}`, { method: "POST", headers, body });
    await kill(a);
    await arrived(other, "later", 1);
    await broker.kill();
    await Promise.all([kill(b), kill(c)]);
    await broker.startAgain();
    const again = await Promise.all([serve(broker, "b", b), serve(broker, "c", c)]);
    const [, second] = again;

    // The session of the library has gone on at the second address that it was given.
    const third = second.url;
    await arrived(other, "later", 1);
    const late = await connect(third, scope);
    const rest = [late.countBarrier("later").wait(), other.countBarrier("later").wait()];
    expect(await Promise.all(rest)).toEqual([
      { generation: 1, error: 0 },
      { generation: 1, error: 0 },
    ]);
    expect(await wait).toEqual({ generation: 1, error: 0 });
    const { barriers } = await late.describe("later");
    expect(barriers).toEqual([]);
    expect(await (await fetch(`${third}${news}`)).text()).toContain('{"text":"kept"}');
    for (const session of [survivor, other, late]) await session.close();
  });

  it("says unavailable to who waits while NATS is away, and goes on when it is back (D10)", async () => {
    const broker = await startBroker();
    const { url } = await serve(broker, "a");
    const session = await connect(url, scope);
    const first = session.countBarrier("b").wait({ name: "first" });
    const refused = first.catch((error: unknown) => error);
    await arrived(session, "b", 1);
    await broker.kill();
    // Something has to be appended for the log to be missed: a tick is.
    expect(await refused).toMatchObject({ code: "unavailable", definite: false });
    expect((await fetch(`${url}/readyz`)).status).toBe(503);
    await broker.startAgain();
    while ((await fetch(`${url}/readyz`)).status !== 200) await sleep(systemClock, 50);
    const again = session.countBarrier("b").resume((await refused) as MusterError);
    await session.countBarrier("b").init(1);
    expect(await again).toMatchObject({ generation: 1, error: 0 });
    await session.close();
  });

  it.skipIf(process.getuid?.() !== 0)(
    "says unavailable, and what is likely, when its disk is full",
    async () => {
      const disk = scratch();
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", disk]);
      try {
        const stored = `jetstream: { store_dir: "${disk}", max_file_store: 100000000 }`;
        const broker = await NatsServer.start({ hasJetStream: false, config: stored });
        brokers.push(broker);
        const { url, command } = await serve(broker, "a");
        const session = await connect(url, scope);
        const refused = session
          .countBarrier("b")
          .wait()
          .catch((error: unknown) => error);
        await arrived(session, "b", 1);
        const rest = join(disk, "rest");
        expect(() => writeFileSync(rest, Buffer.alloc(16 << 20))).toThrow("ENOSPC");
        expect(await refused).toMatchObject({ code: "unavailable", definite: false });
        await command.prints(
          /NATS said nothing: timeout; the broker is there, .* its disk is full/,
        );
        rmSync(rest);
        await broker.kill();
        await broker.startAgain();
        while ((await fetch(`${url}/readyz`)).status !== 200) await sleep(systemClock, 50);
        await session.close();
        await kill({ command });
        await broker.kill();
      } finally {
        execFileSync("umount", ["--lazy", disk]);
      }
    },
  );

  it.each([
    ["its stream is purged", /entries 1 to \d+ of the log are gone, and no snapshot stands/],
    ["its stream is told to drop the oldest", /stream t of NATS was changed: it must/],
  ])("says that it is not ready when %s", async (what, expected) => {
    const broker = await startBroker();
    const { url, command } = await serve(broker, "a");
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    const connection = await connectNats({ servers: broker.address });
    const { streams } = await jetstreamManager(connection);
    if (what === "its stream is purged") await streams.purge("t");
    else await streams.update("t", { discard: "old", max_msgs: 10_000 });
    while ((await fetch(`${url}/readyz`)).status === 200) await sleep(systemClock, 50);
    expect(await (await fetch(`${url}/readyz`)).text()).toMatch(expected);
    await until(() => expected.test(command.stderr));
    if (what !== "its stream is purged") {
      await streams.update("t", { discard: "new" });
      while ((await fetch(`${url}/readyz`)).status !== 200) await sleep(systemClock, 50);
    }
    await connection.close();
  });

  it("says what was done to the streams beside its log, and whether that keeps clients away", async () => {
    const broker = await startBroker();
    const { url, command } = await serve(broker, "a");
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify({ message: "lost" });
    const news = `${url}/v1/topics/news?scope=p%2Fe`;
    expect((await fetch(news, { method: "POST", headers, body })).status).toBe(200);
    const connection = await connectNats({ servers: broker.address });
    const { streams } = await jetstreamManager(connection);
    for (const name of ["t-topics", "t-snapshots"]) {
      await streams.update(name, { discard: "old", max_msgs: 10_000 });
      while ((await fetch(`${url}/readyz`)).status === 200) await sleep(systemClock, 50);
      const changed = `the stream ${name} of NATS was changed: it must`;
      expect(await (await fetch(`${url}/readyz`)).text()).toContain(changed);
      await until(() => command.stderr.includes(changed));
      await streams.update(name, { discard: "new" });
      while ((await fetch(`${url}/readyz`)).status !== 200) await sleep(systemClock, 50);
    }
    await streams.purge("t-topics");
    await command.prints(/messages of topics before the one with number 2 are gone from NATS/);
    await streams.delete("t-snapshots");
    await command.prints(/NATS has no stream t-snapshots any more; restore it/);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    await connection.close();
  });

  it("ends in a stated time when NATS is gone for good, and says what that means", async () => {
    const broker = await startBroker();
    const server = await serve(broker, "a");
    const session = await connect(server.url, scope);
    const wait = session.countBarrier("b").wait();
    const refused = wait.catch((error: unknown) => error);
    await arrived(session, "b", 1);
    await broker.kill();
    expect(await refused).toMatchObject({ code: "unavailable" });
    server.command.child.kill("SIGTERM");
    const { code, stderr } = await server.command.ended;
    expect([code, stderr]).toEqual([
      69,
      expect.stringContaining("the log took nothing for 10 s; ending without it"),
    ]);
    await session.close();
  });

  it("says what is wrong: no broker, a name that is taken, a stream of another program", async () => {
    const broker = await startBroker();
    const refused = await new Command(bin("muster"), [
      ...["serve", "--state", scratch(), "--listen", "http=127.0.0.1:0"],
      ...["--log", "nats://127.0.0.1:1"],
    ]).ended;
    expect([refused.code, refused.stderr]).toEqual([
      73,
      expect.stringContaining("NATS at 127.0.0.1:1 cannot be reached"),
    ]);
    const first = await serve(broker, "north");
    const second = await serve(broker, "north");
    const { code, stderr } = await first.command.ended;
    expect([code, stderr]).toEqual([78, expect.stringContaining("another server named north")]);
    expect((await fetch(`${second.url}/healthz`)).status).toBe(200);
  });

  it("keeps who has a name when another of that name cannot open its doors", async () => {
    const broker = await startBroker();
    const [first, other] = [await serve(broker, "north"), await serve(broker, "south")];
    for (const door of [
      `http=127.0.0.1:${new URL(other.url).port}`,
      `syncd=127.0.0.1:${other.syncPort}`,
    ]) {
      const { code, stderr } = await new Command(bin("muster"), [
        ...[
          "serve",
          "--state",
          scratch(),
          "--name",
          "north",
          "--log",
          `nats://${broker.address}/t`,
        ],
        ...["--listen", door],
      ]).ended;
      expect([code, stderr]).toEqual([73, expect.stringContaining("EADDRINUSE")]);
    }
    // It goes on, and is who it was: what it appends counts.
    const session = await connect(first.url, scope);
    const wait = session.countBarrier("b").wait();
    await arrived(session, "b", 1);
    await session.countBarrier("b").init(1);
    expect(await wait).toMatchObject({ generation: 1 });
    await session.close();
    expect(first.command.stderr).not.toContain("another server named north");
  });

  it("opens the doors of its buses and of its daemon also before those to its log", async () => {
    const broker = await startBroker();
    const tls = join(scratch(), "tls");
    for (const argv of [["init"], ["issue", "server", "north"]]) {
      const made = await new Command(bin("muster"), ["cert", ...argv, "--dir", tls]).ended;
      expect(made.code).toBe(0);
    }
    const doors = ["events", "boss-events", "xmlrpc", "http"];
    const ports = await freePorts(doors.length);
    const listens = doors.map((door, index) => `${door}=127.0.0.1:${ports[index]}`);
    const command = new Command(bin("muster"), [
      ...["serve", "--state", scratch(), "--log", `nats://${broker.address}/t`, "--tls", tls],
      ...listens.flatMap((listen) => ["--listen", listen]),
    ]);
    await command.prints(/http at https/);
    expect(command.stdout).toContain(`boss-events at http://127.0.0.1:${ports[1]}`);
  });

  it("says that a bus is away, once, and that it is back; nobody is sent there meanwhile", async () => {
    const broker = await startBroker();
    const server = await serve(broker, "north");
    // It has a bus, and no log that would tell.
    const events = new Command(bin("muster"), [
      ...["serve", "--state", scratch(), "--role", "ops", "--log", `nats://${broker.address}/t`],
      ...["--listen", "events=127.0.0.1:0"],
    ]);
    await events.prints(/events at http/);
    await broker.kill();
    const away = /the stream t-ops of NATS for users' events is away \(.+\);/;
    for (const command of [events, server.command]) await command.prints(away);
    const why = "the stream t-ops of NATS for users' events is away";
    const asked = await fetch(`${server.url}/readyz`);
    expect(asked.status).toBe(503);
    expect(((await asked.json()) as { readonly why: unknown }).why).toContain(why);
    await broker.startAgain();
    const back = /for users' events is there again, after [\d.]+ s/;
    for (const command of [events, server.command]) await command.prints(back);
    while ((await fetch(`${server.url}/readyz`)).status !== 200) await sleep(systemClock, 20);
    for (const { stderr } of [events, server.command]) {
      expect(stderr.match(/users' events/g)).toHaveLength(2);
    }
  });

  it("says what it waits for when its start takes long", async () => {
    const three = await NatsServer.startThree();
    brokers.push(...three);
    await Promise.all(three.slice(1).map((broker) => broker.kill()));
    const log = `nats://${three.map(({ address }) => address).join(",")}/t?replicas=3`;
    const servers = ["http", "events"].map((door) => {
      const argv = ["serve", "--state", scratch(), "--log", log, "--listen", `${door}=127.0.0.1:0`];
      return new Command(bin("muster"), argv);
    });
    const what = /waiting for (the log at nats:|the stream t-ops of NATS).*: NATS has not answered/;
    for (const server of servers) await server.prints(what);
    await Promise.all(three.slice(1).map((broker) => broker.startAgain()));
    for (const server of servers) await server.prints(/(http|events) at http/);
  });
});

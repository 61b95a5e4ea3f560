// SPDX-License-Identifier: MIT
// Goal: whatever is wrong with what `muster serve` keeps things in, it says so in words that name
// the place and what to do, ends with the status that serve.md names, and changes nothing: as soon
// as it is mended, everything is there. Method: real files of SQLite that a server has written,
// made newer, damaged, read-only, locked; a real nats-server without JetStream and with streams of
// others; one that says it is old is a socket, as Debian has no old one.
import { chmodSync, chownSync, copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect as connectNats } from "@nats-io/transport-node";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { sleep, systemClock } from "../../src/host/clock.ts";
import { freePorts, NatsServer } from "../../src/testing/nats-server.ts";
import {
  Command,
  type CommandOptions,
  type Ended,
  repository,
  scratch,
} from "./support/command.ts";
import { setFull } from "./support/streams.ts";

const muster = join(repository, "bin/muster");
const brokers: NatsServer[] = [];
const servers: Command[] = [];
afterEach(async () => {
  await endServers();
  for (const broker of brokers.splice(0)) await broker.dispose();
});

let folder = "";
beforeEach(() => {
  folder = scratch();
});

/** One of a test that failed goes on serving. */
async function endServers(): Promise<void> {
  for (const server of servers.splice(0)) {
    server.child.kill("SIGKILL");
    await server.ended;
  }
}

/** Behind a test: what fails here keeps no other hook from being called. */
function afterTest(check: () => Promise<void>): void {
  afterEach(async () => {
    await endServers();
    try {
      await check();
    } finally {
      await endServers();
    }
  });
}

interface ServeOptions extends CommandOptions {
  readonly state?: string;
}

function launch(argv: readonly string[], options: CommandOptions): Command {
  const server = new Command(muster, argv, options);
  servers.push(server);
  return server;
}

function serve(log: string, { state, ...options }: ServeOptions = {}): Command {
  const argv = ["serve", "--state", state ?? join(folder, "state"), "--log", log];
  return launch([...argv, "--listen", "http=127.0.0.1:0"], options);
}

/** Nothing was served. */
async function refused(log: string, options: ServeOptions = {}): Promise<Ended> {
  const ended = await serve(log, options).ended;
  expect(ended.stdout).toBe("");
  return ended;
}

async function urlOf(server: Command): Promise<string> {
  const [, url = ""] = await server.prints(/http at (https?:\S+),/);
  return url;
}

async function end(server: Command): Promise<void> {
  server.child.kill("SIGTERM");
  expect((await server.ended).code).toBe(0);
}

const topic = "/v1/topics/t";
async function publish(url: string, message: string): Promise<void> {
  expect(await post(url, message)).toBe(200);
}

/** @returns the status of the answer */
async function post(url: string, message: string): Promise<number> {
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ message });
  return (await fetch(`${url}${topic}`, { method: "POST", headers, body })).status;
}

/** A server on the log, as it is now, has the message. */
async function expectKept(log: string, message: string): Promise<void> {
  const server = serve(log);
  expect(await (await fetch(`${await urlOf(server)}${topic}`)).text()).toContain(`"${message}"`);
  await end(server);
}

const otherId = 65_534;
/** Who may not do all that root may. */
const asOther: CommandOptions =
  process.getuid?.() === 0
    ? { prefix: ["setpriv", `--reuid=${otherId}`, `--regid=${otherId}`, "--clear-groups"] }
    : {};

function versionOf(file: string): number {
  const database = new DatabaseSync(file);
  const row = database.prepare("PRAGMA user_version").get();
  database.close();
  return Number(row?.["user_version"]);
}

function setVersion(file: string, version: number): void {
  const database = new DatabaseSync(file);
  database.exec(`PRAGMA user_version = ${version}`);
  database.close();
}

/** Written over from its first byte on. */
function spoil(file: string): void {
  writeFileSync(file, "a text that is no database, and longer than the header of one ".repeat(100));
}

describe("a log in a file", () => {
  const file = (): string => join(folder, "log");
  const log = (): string => `sqlite:${file()}`;
  const good = (): string => join(folder, "good");

  beforeEach(async () => {
    const server = serve(log());
    await publish(await urlOf(server), "kept");
    await end(server);
    copyFileSync(file(), good());
  });
  afterTest(() => expectKept(log(), "kept"));

  it("of a newer Muster is refused", async () => {
    const version = versionOf(file());
    setVersion(file(), version + 1);
    expect(await refused(log())).toMatchObject({
      code: 73,
      stderr: `muster: ${file()} was written by a newer Muster (layout ${version + 1}, this one reads ${version}); use that version\n`,
    });
    setVersion(file(), version);
  });

  it("that is damaged is refused, and left as it is", async () => {
    spoil(file());
    const spoilt = readFileSync(file());
    const advice = "restore it from a backup, or choose another file\n";
    const restore = "restore it from a backup (muster restore), or choose another file\n";
    expect(await refused(log())).toMatchObject({
      code: 73,
      stderr: `muster: ${file()} is damaged or not a Muster log (file is not a database); ${advice}`,
    });
    expect(readFileSync(file())).toEqual(spoilt);
    // A page in the midst of it.
    writeFileSync(file(), readFileSync(good()).fill(0x55, 4096, 8192));
    const { code, stderr } = await refused(log());
    expect([code, stderr]).toEqual([73, expect.stringContaining(`${file()} is damaged (`)]);
    expect(stderr).toContain(advice);
    // An entry of it; said once, although two hear of it: who reads, and who opens the doors.
    copyFileSync(good(), file());
    const database = new DatabaseSync(file());
    database.exec("UPDATE entries SET entry = entry || ' ' WHERE sequence = 2");
    database.close();
    expect(await refused(log())).toMatchObject({
      code: 73,
      stderr: `muster: ${file()} is damaged: entry 2 is not what was written, by its checksum; ${restore}`,
    });
    copyFileSync(good(), file());
  });

  it("that may only be read is refused", async () => {
    chmodSync(file(), 0o444);
    // Where the other user has his state.
    chmodSync(folder, 0o777);
    const { code, stderr } = await refused(log(), { ...asOther, state: join(folder, "other") });
    chmodSync(folder, 0o700);
    expect([code, stderr]).toEqual([
      73,
      `muster: ${file()} is read-only; make it and its directory writable\n`,
    ]);
    chmodSync(file(), 0o600);
  });

  it("that another server has is refused", async () => {
    const first = serve(log());
    await urlOf(first);
    expect(await refused(log(), { state: join(folder, "second") })).toMatchObject({
      code: 73,
      stderr: `muster: ${file()} is in use by another Muster; stop it, or choose another file\n`,
    });
    await end(first);
  });

  it("that another program has locked is not given up, and this is said", async () => {
    const holder = new DatabaseSync(file());
    holder.exec("BEGIN IMMEDIATE");
    const server = serve(log());
    await server.prints(/SQLite refused the entry: another program has locked \S+\/log; .*\n/);
    holder.exec("ROLLBACK");
    holder.close();
    const url = await urlOf(server);
    // It tries again by itself; what is asked for before it has is refused with 503.
    await expect.poll(() => post(url, "later"), { timeout: 30_000 }).toBe(200);
    await end(server);
    await expectKept(log(), "later");
  });
});

describe("the experiments database", () => {
  const state = (): string => join(folder, "state");
  const file = (): string => join(state(), "experiments.db");
  const start = (options: CommandOptions = {}): Command =>
    launch(["serve", "--state", state()], options);

  /** It is kept, and there is nothing to say. */
  async function expectGood(): Promise<void> {
    const server = start();
    await server.prints(/keeping the experiments/);
    await end(server);
    expect(server.stderr).toBe("");
  }
  beforeEach(expectGood);
  afterTest(expectGood);

  it("of a newer Muster, or damaged, is refused", async () => {
    const version = versionOf(file());
    setVersion(file(), version + 1);
    const elsewhere = "another directory with --state\n";
    const layouts = `layout ${version + 1}, this one reads ${version}`;
    expect(await start().ended).toMatchObject({
      code: 69,
      stderr: `muster: ${file()} was written by a newer Muster (${layouts}); use that version, or ${elsewhere}`,
    });
    setVersion(file(), version);
    const good = readFileSync(file());
    spoil(file());
    expect(await start().ended).toMatchObject({
      code: 69,
      stderr: `muster: ${file()} is damaged or no database (file is not a database); restore it from a backup, or choose ${elsewhere}`,
    });
    writeFileSync(file(), good);
  });

  it("that may only be read, or is locked, is refused", async () => {
    chmodSync(file(), 0o444);
    const uid = process.getuid?.() ?? 0;
    // The directory has to be the user's own.
    if (uid === 0) for (const path of [folder, state()]) chownSync(path, otherId, otherId);
    const readOnly = await start(asOther).ended;
    if (uid === 0) for (const path of [folder, state()]) chownSync(path, 0, 0);
    expect(readOnly).toMatchObject({
      code: 69,
      stderr: `muster: ${file()} is read-only; make it and its directory writable\n`,
    });
    chmodSync(file(), 0o600);
    const holder = new DatabaseSync(file());
    holder.exec("BEGIN EXCLUSIVE");
    const locked = await start().ended;
    holder.exec("ROLLBACK");
    holder.close();
    expect([locked.code, locked.stderr]).toEqual([
      75,
      expect.stringContaining(`${file()} is in use by another Muster; stop it, or choose another`),
    ]);
  });
});

describe("NATS", () => {
  it("that is away, or has no JetStream, or is too old, is refused by its name", async () => {
    const [port = 0] = await freePorts(1);
    expect(await refused(`nats://127.0.0.1:${port}/t`)).toMatchObject({
      code: 73,
      stderr: `muster: NATS at 127.0.0.1:${port} cannot be reached (connection refused); start it, or correct --log\n`,
    });
    const bare = await NatsServer.start({ hasJetStream: false });
    brokers.push(bare);
    const none = await refused(`nats://${bare.address}/t`);
    expect([none.code, none.stderr]).toEqual([
      73,
      expect.stringContaining(
        `NATS at ${bare.address} has no JetStream for us; start it with 'nats-server -js', `,
      ),
    ]);
    const old = createServer((socket) => {
      const info = { server_id: "old", version: "2.8.4", max_payload: 1_048_576, proto: 1 };
      socket.write(`INFO ${JSON.stringify(info)}\r\n`);
      socket.on("data", (data) => {
        if (data.includes("PING")) socket.write("PONG\r\n");
      });
      socket.on("error", () => undefined);
    });
    await new Promise<void>((resolve) => old.listen(0, "127.0.0.1", resolve));
    const { port: oldPort } = old.address() as AddressInfo;
    const older = await refused(`nats://127.0.0.1:${oldPort}/t`);
    old.close();
    expect([older.code, older.stderr]).toEqual([
      73,
      expect.stringContaining(`127.0.0.1:${oldPort} is 2.8.4; Muster needs 2.9.0 or newer`),
    ]);
  });

  it("has streams of others and of a newer Muster, which are refused and left alone", async () => {
    const broker = await NatsServer.start();
    brokers.push(broker);
    const connection = await connectNats({ servers: broker.address });
    const { streams } = await jetstreamManager(connection);
    for (const [name, description, why] of [
      ["orders", "orders", "is not a Muster log ('orders'); name another behind the address"],
      ["newer", "a Muster log, format 99", "was made by a newer Muster (format 99, this one reads"],
    ] as const) {
      await streams.add({ name, subjects: [`muster.${name}.log`], description });
      const { code, stderr } = await refused(`nats://${broker.address}/${name}`);
      expect([code, stderr]).toEqual([
        73,
        expect.stringContaining(`the stream ${name} of NATS ${why}`),
      ]);
    }
    for (const name of ["orders", "newer"]) {
      const { config, state } = await streams.info(name);
      expect([config.subjects, state.messages]).toEqual([[`muster.${name}.log`], 0]);
    }
    await connection.close();
  });

  it("is full: this is said, nobody loses anything, and it goes on when there is room", async () => {
    const broker = await NatsServer.start();
    brokers.push(broker);
    const server = serve(`nats://${broker.address}/t`);
    const url = await urlOf(server);
    await publish(url, "kept");
    await setFull(broker, "t", true);
    const headers = { "content-type": "application/json" };
    const asked = { method: "POST", headers, body: '{"message":"later"}' };
    const answer = await fetch(`${url}${topic}`, asked);
    // It may still happen: that it does is seen below.
    expect([answer.status, await answer.json()]).toMatchObject([503, { definite: false }]);
    await server.prints(
      /the stream t of NATS is full \(.*\); raise its max_bytes or max_msgs, or give JetStream more/,
    );
    await setFull(broker, "t", false);
    for (;;) {
      const text = await (await fetch(`${url}${topic}`)).text();
      expect(text).toContain('"kept"');
      if (text.includes('"later"')) break;
      await sleep(systemClock, 50);
    }
    await end(server);
  });

  it("has no room for messages of topics: both sides are told why, and it goes on", async () => {
    const broker = await NatsServer.start();
    brokers.push(broker);
    const server = serve(`nats://${broker.address}/t`);
    const url = await urlOf(server);
    await publish(url, "kept");
    await setFull(broker, "t-topics", true);
    const headers = { "content-type": "application/json" };
    const asked = { method: "POST", headers, body: '{"message":"refused"}' };
    for (const _ of [1, 2, 3]) {
      const answer = await fetch(`${url}${topic}`, asked);
      expect([answer.status, await answer.json()]).toEqual([
        503,
        {
          code: "unavailable",
          definite: false,
          message:
            "the message could not be stored: the server has no room for messages of topics; try again later",
        },
      ]);
    }
    await server.prints(
      /a message of a topic was not stored, .*: the stream t-topics of NATS is full \(.*\); raise/,
    );
    await setFull(broker, "t-topics", false);
    await publish(url, "later");
    await server.prints(/messages of topics are stored again, after [\d.]+ s/);
    expect(server.stderr.match(/not stored/g)).toHaveLength(1);
    await end(server);
  });
});

// SPDX-License-Identifier: MIT
// Goal: `muster backup` takes a log with its topics as of one moment while it is used, `muster
// restore` makes the same log of it where there is none, and nothing that is there is written over.
// Method: a real server under load, on a file and on a real nats-server; what was acknowledged
// before the backup must be there after it, in a server on the restored log.
import { execFileSync } from "node:child_process";
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { jetstreamManager, type StreamAPI } from "@nats-io/jetstream";
import { connect as connectNats } from "@nats-io/transport-node";
import { afterEach, describe, expect, it } from "vitest";
import { sleep, systemClock } from "../../src/host/clock.ts";
import { NatsServer } from "../../src/testing/nats-server.ts";
import { Command, type Ended, repository, scratch } from "./support/command.ts";

const muster = join(repository, "bin/muster");
const brokers: NatsServer[] = [];
afterEach(async () => {
  for (const broker of brokers.splice(0)) await broker.dispose();
});

const run = (...argv: readonly string[]): Promise<Ended> => new Command(muster, argv).ended;

async function serve(log: string) {
  const command = new Command(muster, [
    ...["serve", "--state", scratch(), "--log", log, "--listen", "http=127.0.0.1:0"],
    ...["--limit", "snapshotEntriesMax=30"],
  ]);
  const [, url = ""] = await command.prints(/http at (https?:\S+),/);
  return { command, url };
}

const headers = { "content-type": "application/json" };
const post = (url: string, body: unknown): Promise<Response> =>
  fetch(url, { method: "POST", headers, body: JSON.stringify(body) });

/** One message after the other, until it is told to stop. */
class Publisher {
  readonly acknowledged: number[] = [];
  readonly #url: string;
  #isStopped = false;
  readonly done: Promise<void>;

  constructor(url: string) {
    this.#url = url;
    this.done = this.#run();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.done;
  }

  async until(count: number): Promise<void> {
    while (this.acknowledged.length < count) await new Promise((resolve) => setImmediate(resolve));
  }

  async #run(): Promise<void> {
    for (let number = 1; !this.#isStopped; number += 1) {
      expect((await post(`${this.#url}/v1/topics/t`, { message: number })).status).toBe(200);
      this.acknowledged.push(number);
    }
  }
}

async function readAll(url: string): Promise<readonly number[]> {
  const found: number[] = [];
  for (;;) {
    const answer = await fetch(`${url}/v1/topics/t?after=${found.length}`);
    const { messages } = (await answer.json()) as { readonly messages: { message: number }[] };
    if (messages.length === 0) return found;
    found.push(...messages.map(({ message }) => message));
  }
}

/**
 * While a client publishes, with a barrier that is open, when the log has been cut.
 * @param first the first entry that is there
 * @returns what was acknowledged before
 */
async function backUpUnderLoad(
  log: string,
  directory: string,
  first: () => Promise<number>,
): Promise<readonly number[]> {
  const { command, url } = await serve(log);
  expect((await post(`${url}/v1/barriers/open/init`, { count: 3 })).status).toBeLessThan(300);
  const publisher = new Publisher(url);
  while ((await first()) <= 30) await publisher.until(publisher.acknowledged.length + 10);
  const before = [...publisher.acknowledged];
  const { code, stdout, stderr } = await run("backup", directory, "--log", log);
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(/ has the log .* up to entry \d+\n$/);
  await publisher.stop();
  expect(publisher.acknowledged.length).toBeGreaterThan(before.length);
  command.child.kill("SIGKILL");
  await command.ended;
  return before;
}

async function expectRestored(log: string, before: readonly number[]): Promise<void> {
  const { command, url } = await serve(log);
  const found = await readAll(url);
  expect(found.slice(0, before.length)).toEqual(before);
  expect(found).toEqual(found.map((_, index) => index + 1));
  const shown = await (await fetch(`${url}/v1/barriers/open`)).json();
  expect(JSON.stringify(shown)).toContain('"open"');
  // It goes on: the next message has the next number.
  const number = found.length + 1;
  const next = await (await post(`${url}/v1/topics/t`, { message: number })).json();
  expect(next).toEqual({ number });
  // Brokers that choose a leader on a busy machine take nothing for a while, which is said.
  expect(command.stderr.replace(/^muster: the log (takes nothing|is back)\b.*\n/gm, "")).toBe("");
  command.child.kill("SIGKILL");
  await command.ended;
}

/** Brokers that choose a leader on a busy machine answer late. */
const askMs = 30_000;

async function withStreams<T>(
  addresses: string,
  act: (streams: StreamAPI) => Promise<T>,
): Promise<T> {
  const connection = await connectNats({ servers: addresses.split(",") });
  try {
    // Asking whether JetStream is on takes a leader, which brokers that have just met may not have.
    const manager = await jetstreamManager(connection, { checkAPI: false, timeout: askMs });
    return await act(manager.streams);
  } finally {
    await connection.close();
  }
}

const firstEntryAt = (broker: NatsServer) => (): Promise<number> =>
  withStreams(broker.address, async (streams) => (await streams.info("t")).state.first_seq);

const streamsOfLog = ["t", "t-topics", "t-snapshots"];

/** How many copies the brokers were told to keep of each stream. */
const copiesAt = (addresses: string): Promise<readonly number[]> =>
  withStreams(addresses, async (streams) => {
    const infos = await Promise.all(streamsOfLog.map((name) => streams.info(name)));
    return infos.map(({ config }) => config.num_replicas);
  });

/** Resolves when each stream has three copies that have all of it. */
const untilCurrent = (addresses: string): Promise<void> =>
  withStreams(addresses, async (streams) => {
    for (;;) {
      const infos = await Promise.all(
        streamsOfLog.map((name) => streams.info(name).catch(() => undefined)),
      );
      const others = infos.map((info) => info?.cluster?.replicas ?? []);
      if (others.every((all) => all.length === 2 && all.every(({ current }) => current))) return;
      await sleep(systemClock, 100);
    }
  });

describe("muster backup and restore", () => {
  it("take a log in a file while it is used, and make it again", async () => {
    const [from, to, bad] = [scratch(), scratch(), scratch()];
    const [log, directory] = [`sqlite:${join(from, "log")}`, join(scratch(), "saved")];
    const before = await backUpUnderLoad(log, directory, async () => {
      const database = new DatabaseSync(join(from, "log"), { readOnly: true });
      const row = database.prepare("SELECT min(sequence) AS first FROM entries").get();
      database.close();
      return Number(row?.["first"]);
    });

    // Nothing that is there is written over, a backup or a log.
    const again = await run("backup", directory, "--log", log);
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining("is not empty")]);
    const over = await run("restore", directory, "--log", log);
    expect([over.code, over.stderr]).toEqual([1, expect.stringContaining("is there already")]);
    const nowhere = await run("restore", directory, "--log", `sqlite:${join(bad, "none/log")}`);
    expect([nowhere.code, nowhere.stderr]).toEqual([
      1,
      expect.stringContaining("there is no directory"),
    ]);

    for (const command of ["backup", "restore"]) {
      const nameless = await run(command, "", "--log", log);
      expect([nameless.code, nameless.stderr]).toEqual([
        64,
        "muster: the directory of the backup has no name; give one\n",
      ]);
    }

    // What is damaged or newer is refused, before anything is written.
    for (const part of ["log", "topics", "snapshots"]) {
      const copy = join(bad, part);
      cpSync(directory, copy, { recursive: true });
      const bytes = readFileSync(join(copy, part));
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
      writeFileSync(join(copy, part), bytes);
      const refused = await run("restore", copy, "--log", `sqlite:${join(to, "log")}`);
      expect([refused.code, refused.stderr]).toEqual([
        65,
        expect.stringContaining(`is damaged: ${part} is not what was written`),
      ]);
    }
    const pipe = join(bad, "pipe");
    cpSync(directory, pipe, { recursive: true });
    rmSync(join(pipe, "topics"));
    execFileSync("mkfifo", [join(pipe, "topics")]);
    const piped = await run("restore", pipe, "--log", `sqlite:${join(to, "log")}`);
    expect([piped.code, piped.stderr]).toEqual([
      65,
      expect.stringContaining("is damaged: topics is missing or no file"),
    ]);
    const newer = join(bad, "newer");
    cpSync(directory, newer, { recursive: true });
    const list = JSON.parse(readFileSync(join(newer, "backup.json"), "utf8"));
    writeFileSync(join(newer, "backup.json"), JSON.stringify({ ...list, format: 3 }));
    const refused = await run("restore", newer, "--log", `sqlite:${join(to, "log")}`);
    expect([refused.code, refused.stderr]).toEqual([65, expect.stringContaining("newer Muster")]);
    writeFileSync(join(newer, "backup.json"), JSON.stringify({ ...list, format: 2 }));
    const several = await run("restore", newer, "--log", `sqlite:${join(to, "log")}`);
    expect([several.code, several.stderr]).toEqual([
      65,
      expect.stringContaining("has the format of several logs (2), and names one; use another one"),
    ]);
    const none = await run("restore", from, "--log", `sqlite:${join(to, "log")}`);
    expect([none.code, none.stderr]).toEqual([65, expect.stringContaining("is no backup")]);
    const absent = await run("restore", join(bad, "absent"), "--log", `sqlite:${join(to, "log")}`);
    expect([absent.code, absent.stderr]).toEqual([66, expect.stringContaining("is not there; ")]);
    const other = await run("restore", directory, "--log", "nats://127.0.0.1:1");
    expect([other.code, other.stderr]).toEqual([64, expect.stringContaining("--log sqlite:FILE")]);
    const memory = await run("backup", join(bad, "m"), "--log", "memory");
    expect([memory.code, memory.stderr]).toEqual([64, expect.stringContaining("ends with its")]);

    expect((await run("restore", directory, "--log", `sqlite:${join(to, "log")}`)).code).toBe(0);
    await expectRestored(`sqlite:${join(to, "log")}`, before);
    // Also of a log whose server was killed.
    const [dead, more] = [join(bad, "dead"), join(to, "more")];
    expect((await run("backup", dead, "--log", log)).stderr).toBe("");
    expect((await run("restore", dead, "--log", `sqlite:${more}`)).code).toBe(0);
    await expectRestored(`sqlite:${more}`, before);
  });

  it("take a log on NATS while it is used, and make it again on another broker", async () => {
    const [broker, another] = [await NatsServer.start(), await NatsServer.start()];
    brokers.push(broker, another);
    const [log, directory] = [`nats://${broker.address}/t`, join(scratch(), "saved")];
    const before = await backUpUnderLoad(log, directory, firstEntryAt(broker));
    const list = JSON.parse(readFileSync(join(directory, "backup.json"), "utf8"));
    expect(list.first).toBeGreaterThan(30);
    const over = await run("restore", directory, "--log", log);
    expect([over.code, over.stderr]).toEqual([
      1,
      expect.stringMatching(/NATS has t, t-topics, t-snapshots already; .* nats stream rm/),
    ]);
    const named = await run("restore", directory, "--log", `nats://${another.address}/u`);
    expect([named.code, named.stderr]).toEqual([64, expect.stringContaining("is of the stream t")]);
    const there = `nats://${another.address}/t`;
    const { code, stderr } = await run("restore", directory, "--log", there);
    expect([code, stderr]).toEqual([0, ""]);
    await expectRestored(there, before);
    const away = await run("backup", join(scratch(), "x"), "--log", `nats://${broker.address}/no`);
    expect([away.code, away.stderr]).toEqual([1, expect.stringContaining("has no log no")]);
  });

  it("make a log of one copy one of three, which outlives any broker, and of three copies one", async () => {
    const [broker, ...rest] = [await NatsServer.start(), ...(await NatsServer.startThree())];
    const last = await NatsServer.start();
    brokers.push(broker, ...rest, last);
    const [log, saved] = [`nats://${broker.address}/t`, join(scratch(), "one")];
    const before = await backUpUnderLoad(log, saved, firstEntryAt(broker));

    const addresses = rest.map(({ address }) => address).join(",");
    const three = `nats://${addresses}/t?replicas=3`;
    const made = await run("restore", saved, "--log", three);
    expect([made.code, made.stderr]).toEqual([0, ""]);
    expect(await copiesAt(addresses)).toEqual([3, 3, 3]);
    await expectRestored(three, before);
    await untilCurrent(addresses);
    await rest[0]?.kill();
    await expectRestored(three, before);
    await rest[0]?.startAgain();

    const [back, again] = [join(scratch(), "three"), `nats://${last.address}/t`];
    await untilCurrent(addresses);
    const copied = await run("backup", back, "--log", three);
    expect([copied.code, copied.stderr]).toEqual([0, ""]);
    const single = await run("restore", back, "--log", again);
    expect([single.code, single.stderr]).toEqual([0, ""]);
    expect(await copiesAt(last.address)).toEqual([1, 1, 1]);
    await expectRestored(again, before);
  });
});

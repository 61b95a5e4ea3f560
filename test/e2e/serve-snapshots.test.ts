// SPDX-License-Identifier: MIT
// Goal: a log that is cut behind snapshots loses nothing that was acknowledged, whenever a server
// dies: during a snapshot, during a cut, or while it was away. Method: real `muster serve` with
// snapshots every few entries, on a file and on a real nats-server, killed with -9 at moments that
// differ; a topic that is read from its first message, parties that wait all the while, and a
// session say what is there.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect as connectNats } from "@nats-io/transport-node";
import { afterEach, describe, expect, it } from "vitest";
import { connect, type Session } from "../../src/client/index.ts";
import { sleep, systemClock } from "../../src/host/clock.ts";
import { NatsServer } from "../../src/testing/nats-server.ts";
import { Command, repository, scratch } from "./support/command.ts";

const muster = join(repository, "bin/muster");
const brokers: NatsServer[] = [];
afterEach(async () => {
  for (const broker of brokers.splice(0)) await broker.dispose();
});

interface Server {
  readonly command: Command;
  readonly url: string;
}

async function serve(name: string, log: string, last?: Server): Promise<Server> {
  const port = last === undefined ? "0" : new URL(last.url).port;
  const command = new Command(muster, [
    ...["serve", "--state", scratch(), "--name", name, "--log", log],
    ...["--listen", `http=127.0.0.1:${port}`, "--limit", "snapshotEntriesMax=40"],
  ]);
  const [, url = ""] = await command.prints(/http at (https?:\S+),/);
  return { command, url };
}

async function kill({ command }: Server): Promise<void> {
  command.child.kill("SIGKILL");
  await command.ended;
}

const topic = "/v1/topics/news?scope=p%2Fe";
const headers = { "content-type": "application/json" };

/** Publishes one message after the other until the server is gone. */
async function publishUntilGone(url: string, acknowledged: number[], from: number): Promise<void> {
  for (let number = from; ; number += 1) {
    const body = JSON.stringify({ message: number });
    const answer = await fetch(`${url}${topic}`, { method: "POST", headers, body }).catch(
      () => undefined,
    );
    if (answer?.ok !== true) return;
    await answer.arrayBuffer();
    acknowledged.push(number);
  }
}

async function publish(url: string, count: number, acknowledged: number[]): Promise<void> {
  const last = (acknowledged.at(-1) ?? -1) + 1;
  for (let number = last; number < last + count; number += 1) {
    const body = JSON.stringify({ message: number });
    const answer = await fetch(`${url}${topic}`, { method: "POST", headers, body });
    expect(answer.status).toBe(200);
    await answer.arrayBuffer();
    acknowledged.push(number);
  }
}

/** From the first one. */
async function readAll(url: string): Promise<readonly number[]> {
  const found: number[] = [];
  for (;;) {
    const answer = await fetch(`${url}${topic}&after=${found.length}`);
    const page = (await answer.json()) as { readonly messages: readonly unknown[] };
    const numbers = page.messages.map((one) =>
      typeof one === "number" ? one : Number((one as { message: number }).message),
    );
    if (numbers.length === 0) return found;
    found.push(...numbers);
  }
}

/** What was acknowledged, each once, in its order; what was on its way at a kill may be there. */
function expectAll(found: readonly number[], acknowledged: readonly number[]): void {
  expect(found).toEqual([...new Set(found)]);
  expect(found).toEqual([...found].sort((a, b) => a - b));
  const there = new Set(found);
  expect(acknowledged.filter((number) => !there.has(number))).toEqual([]);
}

async function arrived(session: Session, barrier: string, count: number): Promise<void> {
  for (;;) {
    const shown = await session.describe(barrier).catch(() => undefined);
    if (shown?.barriers[0]?.arrived === count) return;
    await sleep(systemClock, 20);
  }
}

const scope = { scope: "p/e", leaseMs: 60_000 } as const;

function entriesOf(file: string): { readonly first: number; readonly count: number } {
  const database = new DatabaseSync(file, { readOnly: true });
  const row = database
    .prepare("SELECT min(sequence) AS first, count(*) AS count FROM entries")
    .get();
  database.close();
  return { first: Number(row?.["first"]), count: Number(row?.["count"]) };
}

describe("muster serve with snapshots", () => {
  it("starts from them after kill -9 at any moment, on a file that stays small", async () => {
    const file = join(scratch(), "core.sqlite");
    let server = await serve("a", `sqlite:${file}`);
    const session = await connect(server.url, scope);
    const waits = session.countBarrier("end").wait({ name: "patient" });
    await arrived(session, "end", 1);
    const acknowledged: number[] = [];
    await publish(server.url, 150, acknowledged);
    while (entriesOf(file).first === 1) await publish(server.url, 10, acknowledged);
    for (let round = 0; round < 6; round += 1) {
      const next = (acknowledged.at(-1) ?? 0) + 1_000;
      const done = publishUntilGone(server.url, acknowledged, next);
      // Somewhere in a snapshot or a cut, at another place in each round.
      const enough = acknowledged.length + 60 + round * 17;
      while (acknowledged.length < enough) await sleep(systemClock, 5);
      await kill(server);
      await done;
      server = await serve("a", `sqlite:${file}`, server);
      expectAll(await readAll(server.url), acknowledged);
    }
    await arrived(session, "end", 1);
    await session.countBarrier("end").init(1);
    expect(await waits).toEqual({ generation: 1, error: 0 });
    await session.close();
    const { first, count } = entriesOf(file);
    expect(first).toBeGreaterThan(acknowledged.length / 2);
    expect(count).toBeLessThan(400);
    expect(server.command.stderr).not.toMatch(/snapshot|log/);
    expect(existsSync(`${file}.snapshots`)).toBe(true);
    await kill(server);
  });

  it("cuts a log on NATS when every server is beyond it, and takes one back that was away", async () => {
    const broker = await NatsServer.start();
    brokers.push(broker);
    const log = `nats://${broker.address}/t`;
    const connection = await connectNats({ servers: broker.address });
    const { streams } = await jetstreamManager(connection);
    const first = async (): Promise<number> => (await streams.info("t")).state.first_seq;
    let [a, b] = [await serve("a", log), await serve("b", log)];
    const c = await serve("c", log);
    const session = await connect([b.url, a.url], scope);
    const waits = session.countBarrier("end").wait({ name: "patient" });
    await arrived(session, "end", 1);
    const acknowledged: number[] = [];
    while ((await first()) === 1) await publish(b.url, 10, acknowledged);

    // One that is away keeps the log until its lease is over, and is cut off from it then.
    c.command.child.kill("SIGSTOP");
    const stoppedAt = (await streams.info("t")).state.last_seq;
    while ((await first()) <= stoppedAt) {
      await publish(b.url, 5, acknowledged);
      await sleep(systemClock, 50);
    }
    // The one that makes snapshots is killed while it does; the next one goes on with that.
    const killedAt = await first();
    const enough = acknowledged.length + 45;
    while (acknowledged.length < enough) await publish(b.url, 1, acknowledged);
    await kill(a);
    while ((await first()) <= killedAt) {
      await publish(b.url, 5, acknowledged);
      await sleep(systemClock, 50);
    }
    c.command.child.kill("SIGCONT");
    await c.command.prints(/the log was cut behind entry \d+ while this server was away; going on/);
    expectAll(await readAll(c.url), acknowledged);
    await publish(c.url, 5, acknowledged);
    // A server that is new, and one that is killed, begin at the snapshot.
    a = await serve("a", log, a);
    await kill(b);
    b = await serve("b", log, b);
    for (const { url } of [a, b, c]) expectAll(await readAll(url), acknowledged);
    await arrived(session, "end", 1);
    await session.countBarrier("end").init(1);
    expect(await waits).toEqual({ generation: 1, error: 0 });
    await session.close();
    await connection.close();
    for (const server of [a, b, c]) await kill(server);
  });

  it("goes on, and says so, when the index of its snapshots on NATS is damaged", async () => {
    const broker = await NatsServer.start();
    brokers.push(broker);
    const log = `nats://${broker.address}/t`;
    const connection = await connectNats({ servers: broker.address });
    const { streams } = await jetstreamManager(connection);
    const first = async (): Promise<number> => (await streams.info("t")).state.first_seq;
    let server = await serve("a", log);
    const acknowledged: number[] = [];
    const cutBehind = async (entry: number): Promise<number> => {
      while ((await first()) <= entry) await publish(server.url, 5, acknowledged);
      return first();
    };
    const cut = await cutBehind(1);
    const damage = async (): Promise<void> => {
      const query = { last_by_subj: "muster.t-snapshots.index" };
      const index = await streams.getMessage("t-snapshots", query);
      const { at } = index?.json<{ readonly at: readonly number[] }>() ?? { at: [] };
      for (const one of at) await streams.deleteMessage("t-snapshots", one);
    };
    await damage();
    const damaged =
      /the newest index of snapshots is damaged \(part \w+ of a snapshot is missing\)/;
    // One that starts takes what the index before it says; one that serves writes the next.
    await kill(server);
    server = await serve("a", log, server);
    await server.command.prints(damaged);
    expectAll(await readAll(server.url), acknowledged);
    const later = await cutBehind(cut);
    await damage();
    const said = (): number => server.command.stderr.split("index of snapshots is damaged").length;
    const before = said();
    await cutBehind(later);
    expect(said()).toBeGreaterThan(before);
    await kill(server);
    server = await serve("a", log, server);
    expectAll(await readAll(server.url), acknowledged);
    expect(server.command.stderr).not.toContain("damaged");
    await connection.close();
    await kill(server);
  });
});

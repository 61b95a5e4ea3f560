// SPDX-License-Identifier: MIT
// Goal: an index of snapshots in a stream that cannot be read keeps nobody from what the one before
// it says, is said, and is followed by the next; nothing that may be all there is goes on its
// account (Y1, Y2, D4). Method: a real nats-server, in whose stream messages are deleted and others
// are put.
import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openSnapshots } from "../../../src/engine/open-log.ts";
import {
  hashText,
  type Manifest,
  manifestFormat,
  type SnapshotStore,
  sequenceOf,
} from "../../../src/engine/snapshots.ts";
import { systemClock } from "../../../src/host/clock.ts";
import { NatsServer } from "../../../src/testing/nats-server.ts";

let broker: NatsServer;
let connection: NatsConnection;
let manager: JetStreamManager;
let names = 0;
beforeAll(async () => {
  broker = await NatsServer.start();
  connection = await connect({ servers: broker.address });
  manager = await jetstreamManager(connection);
});
afterAll(async () => {
  await connection.close();
  await broker.dispose();
});

/** Each snapshot has a part of its own, and one that all have. */
async function write(store: SnapshotStore, sequence: number): Promise<number | undefined> {
  const texts = [`text ${sequence}`, "common"];
  const head = { format: manifestFormat, sequence, digest: `d${sequence}` };
  const manifest: Manifest = { ...head, parts: texts.map(hashText) };
  const isThere = await store.read(hashText("common")).then(
    () => true,
    () => false,
  );
  const news = isThere ? texts.slice(0, 1) : texts;
  const stored = await store.write(manifest, new Map(news.map((text) => [hashText(text), text])));
  await store.prune(2);
  return stored;
}

async function listed(store: SnapshotStore): Promise<readonly number[]> {
  return (await store.list()).map(sequenceOf);
}

/** A stream of its own, a store in it, and what that says. */
async function begin() {
  names += 1;
  const name = `nats://${broker.address}/d${names}`;
  const stream = `d${names}-snapshots`;
  const said: string[] = [];
  const open = (): Promise<SnapshotStore> =>
    openSnapshots(name, { clock: systemClock }, (message) => said.push(message));
  const newest = async (): Promise<{
    readonly place: number;
    readonly text: readonly number[];
  }> => {
    const query = { last_by_subj: `muster.${stream}.index` };
    const found = await manager.streams.getMessage(stream, query);
    if (found === null) throw new Error("there is no index");
    return { place: found.seq, text: (JSON.parse(found.string()) as { at: number[] }).at };
  };
  return { stream, said, open, newest, store: await open() };
}

type Begun = Awaited<ReturnType<typeof begin>>;

const damages: readonly (readonly [string, (log: Begun) => Promise<void>, readonly number[]])[] = [
  [
    "whose text is gone",
    async ({ stream, newest }) => {
      for (const at of (await newest()).text) await manager.streams.deleteMessage(stream, at);
    },
    [20, 10],
  ],
  [
    "whose message is gone",
    async ({ stream, newest }) =>
      void (await manager.streams.deleteMessage(stream, (await newest()).place)),
    [20, 10],
  ],
  [
    "that says nothing",
    async ({ stream }) =>
      void (await connection.request(`muster.${stream}.index`, "not what a server writes")),
    [30, 20],
  ],
  [
    "that names something else",
    async ({ stream, newest }) => {
      const { place: at } = await newest();
      const naming = JSON.stringify({ hash: hashText("other"), at: [at] });
      await connection.request(`muster.${stream}.index`, naming);
    },
    [30, 20],
  ],
];

it.each(damages)(
  "an index %s leaves what the one before it says, and the next one is written",
  async (_, damage, left) => {
    const log = await begin();
    const { store, said, open } = log;
    for (const sequence of [10, 20, 30]) await write(store, sequence);
    expect([await listed(store), said]).toEqual([[30, 20], []]);
    await damage(log);
    // For who has it open, and for who opens it now.
    const other = await open();
    for (const one of [store, other]) {
      expect(await listed(one)).toEqual(left);
      expect(await listed(one)).toEqual(left);
      expect(await one.read(hashText("text 20"))).toBe("text 20");
    }
    const message = `the stream ${log.stream} of NATS: the newest index of snapshots is damaged`;
    const once = expect.stringContaining(message);
    expect(said).toEqual([once, once]);
    expect(await write(store, 40)).toBeGreaterThan(0);
    expect(await listed(other)).toEqual([40, left[0]]);
    for (const text of [`text ${left[0]}`, "text 40", "common"]) {
      expect(await other.read(hashText(text))).toBe(text);
    }
    // Once more, by the other.
    expect(await write(other, 50)).toBeGreaterThan(0);
    expect(await listed(store)).toEqual([50, 40]);
    await store.close();
    await other.close();
  },
);

it("the only index, when it is damaged, is followed by the next, and nothing goes before two are there", async () => {
  const { store, stream, said, newest } = await begin();
  await write(store, 10);
  const [text = 0] = (await newest()).text;
  await manager.streams.deleteMessage(stream, text);
  const messages = async (): Promise<number> => (await manager.streams.info(stream)).state.messages;
  expect(await listed(store)).toEqual([]);
  expect(said).toEqual([expect.stringContaining("there is none before it, and no snapshot is")]);
  const before = await messages();
  expect(await write(store, 20)).toBeGreaterThan(0);
  expect(await listed(store)).toEqual([20]);
  // Both parts again, the text of the index, and the index.
  expect(await messages()).toBe(before + 4);
  expect(await write(store, 30)).toBeGreaterThan(0);
  expect(await listed(store)).toEqual([30, 20]);
  // The parts of two snapshots, and two indexes with their texts.
  expect(await messages()).toBe(3 + 4);
  await store.close();
});

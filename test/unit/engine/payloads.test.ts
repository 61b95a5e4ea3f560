// SPDX-License-Identifier: MIT
// Y1 to Y3 of the messages of topics, in memory and in a file; and what can happen to the file.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { LogError } from "../../../src/engine/log.ts";
import { NatsPayloads } from "../../../src/engine/nats-payloads.ts";
import { parseNatsPlace } from "../../../src/engine/nats-place.ts";
import { openPayloads } from "../../../src/engine/open-log.ts";
import { hashOf, MemoryPayloads, type Payloads } from "../../../src/engine/payloads.ts";
import { SqlitePayloads } from "../../../src/engine/sqlite-payloads.ts";
import { systemClock } from "../../../src/host/clock.ts";
import { NatsServer } from "../../../src/testing/nats-server.ts";

let folder = "";
let file = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "muster-payloads-"));
  file = join(folder, "log.topics");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

let server: NatsServer;
let streams = 0;
beforeAll(async () => {
  server = await NatsServer.start();
});
afterAll(() => server.dispose());
const newPlace = () => {
  streams += 1;
  return parseNatsPlace(`nats://${server.address}/test${streams}`);
};
/** What nothing names is deleted at once here, and not when it is old. */
const beside = { clock: systemClock };
const openOnNats = (place = newPlace()) =>
  NatsPayloads.open(place, { clock: systemClock, unnamedKeptMs: 0 });

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (message: Uint8Array): string => new TextDecoder().decode(message);
const write = (payloads: Payloads, ...texts: readonly string[]) =>
  Promise.all(texts.map((each) => payloads.write(bytes(each))));

describe.each([
  ["in memory", async () => new MemoryPayloads()],
  ["in a file", async () => SqlitePayloads.open(file)],
  ["on NATS", () => openOnNats()],
] as readonly (readonly [string, () => Promise<Payloads>])[])("payloads %s", (_title, open) => {
  it("gives back what was written, in the order that is asked for", async () => {
    const payloads = await open();
    const refs = await write(payloads, "a", "", "ü\u0000");
    expect(refs.map((ref) => ref.bytes)).toEqual([1, 0, 3]);
    expect(new Set(refs.map(({ id }) => id)).size).toBe(3);
    expect(payloads.lastId).toBe(Math.max(...refs.map(({ id }) => id)));
    const read = await payloads.read(refs.toReversed(), 1000);
    expect(read.map(text)).toEqual(["ü\u0000", "", "a"]);
    await payloads.close();
  });

  it("keeps a copy: the writer may use its buffer again", async () => {
    const payloads = await open();
    const message = bytes("abc");
    const ref = await payloads.write(message);
    message.fill(0);
    expect((await payloads.read([ref], 10)).map(text)).toEqual(["abc"]);
    await payloads.close();
  });

  it("reads as much as there is room for, and never nothing", async () => {
    const payloads = await open();
    const refs = await write(payloads, "aaaa", "bbbb", "cccc");
    expect((await payloads.read(refs, 8)).map(text)).toEqual(["aaaa", "bbbb"]);
    expect((await payloads.read(refs, 7)).map(text)).toEqual(["aaaa"]);
    expect((await payloads.read(refs, 1)).map(text)).toEqual(["aaaa"]);
    expect(await payloads.read([], 1)).toEqual([]);
    await payloads.close();
  });

  it("frees what it is told to, and keeps only what is named", async () => {
    const payloads = await open();
    const refs = await write(payloads, "0", "1", "2", "3", "4", "5");
    const [a, b, c, d, e, f] = refs.map(({ id }) => id) as [
      ...[number, number, number],
      ...[number, number, number],
    ];
    payloads.free([d, a, b, 999]);
    payloads.free([]);
    const left = async () => {
      await payloads.settled?.();
      const read = refs.map((ref) =>
        payloads.read([ref], 9).then(([one]) => text(one ?? bytes(""))),
      );
      return (await Promise.allSettled(read)).map(({ status }) => status === "fulfilled");
    };
    expect(await left()).toEqual([false, false, true, false, true, true]);
    await payloads.keepOnly([f, c]);
    expect(await left()).toEqual([false, false, true, false, false, true]);
    await expect(payloads.read([{ id: e, hash: 0 }], 9)).rejects.toThrow(LogError);
    await payloads.keepOnly([]);
    expect(await left()).toEqual([false, false, false, false, false, false]);
    await payloads.close();
  });
});

describe("NatsPayloads", () => {
  it("shares a stream: what another server has just written is left alone", async () => {
    const place = newPlace();
    const [one, other] = [
      await NatsPayloads.open(place, beside),
      await NatsPayloads.open(place, beside),
    ];
    const [ref] = await write(other, "a");
    if (ref === undefined) throw new Error("nothing was written");
    expect(one.lastId).toBe(0);
    await (await NatsPayloads.open(newPlace(), beside)).keepOnly([]);
    await one.refresh(0);
    expect(one.lastId).toBe(ref.id);
    await one.keepOnly([]);
    await one.settled();
    expect((await one.read([ref], 10)).map(text)).toEqual(["a"]);
    await Promise.all([one.close(), other.close()]);
    await expect(one.write(bytes("b"))).rejects.toThrow("the topics are closed");
  });
});

describe("NatsPayloads of brokers that do not answer", () => {
  it("deletes nothing of which it is not told how old it is", async () => {
    // Who may not ask for a message is told nothing of it.
    const rights = '{ publish: { deny: ["$JS.API.STREAM.MSG.GET.>"] } }';
    const users = `[{ user: "u", password: "p", permissions: ${rights} }]`;
    const config = `no_auth_user: "u"\nauthorization: { users: ${users} }`;
    const mute = await NatsServer.start({ config });
    try {
      const payloads = await openOnNats(parseNatsPlace(`nats://${mute.address}/mute`));
      const refs = await write(payloads, "a", "b");
      await payloads.keepOnly([]);
      await payloads.settled();
      expect((await payloads.read(refs, 10)).map(text)).toEqual(["a", "b"]);
      await payloads.close();
    } finally {
      await mute.dispose();
    }
  });

  it("asks again for what the log names: a new leader may not have it yet", async () => {
    const place = newPlace();
    const [one, other] = [await openOnNats(place), await openOnNats(place)];
    let isThere = false;
    const refreshed = one.refresh(2).then(() => [isThere, one.lastId]);
    await write(other, "a");
    isThere = true;
    await write(other, "b");
    expect(await refreshed).toEqual([true, 2]);
    await Promise.all([one.close(), other.close()]);
  });
});

describe("SqlitePayloads", () => {
  it("goes on where the last process ended, and never gives an id twice (Y2)", async () => {
    const first = SqlitePayloads.open(file);
    const [a, b] = await write(first, "a", "b");
    first.free([b?.id ?? 0]);
    await first.close();
    const second = SqlitePayloads.open(file);
    expect(second.lastId).toBe(b?.id);
    const [c] = await write(second, "c");
    expect(c?.id).toBeGreaterThan(b?.id ?? 0);
    const places = [a, c].flatMap((ref) => (ref === undefined ? [] : [ref]));
    expect((await second.read(places, 10)).map(text)).toEqual(["a", "c"]);
    await second.close();
  });

  it("stores what was written in the turn in which it is closed", async () => {
    const payloads = SqlitePayloads.open(file);
    const written = payloads.write(bytes("late"));
    await payloads.close();
    const again = SqlitePayloads.open(file);
    expect((await again.read([await written], 10)).map(text)).toEqual(["late"]);
    await again.close();
    await expect(again.write(bytes("x"))).rejects.toThrow("closed");
    await again.close();
  });

  it("says so when a message is not what was written, or is missing (Y3)", async () => {
    const payloads = SqlitePayloads.open(file);
    const [ref] = await write(payloads, "right");
    await payloads.close();
    const database = new DatabaseSync(file);
    database.exec("UPDATE messages SET message = x'00'");
    database.close();
    const again = SqlitePayloads.open(file);
    const place = { id: ref?.id ?? 0, hash: ref?.hash ?? 0 };
    await expect(again.read([place], 9)).rejects.toThrow("is not the one that was written");
    await expect(again.read([{ id: 77, hash: 1 }], 9)).rejects.toThrow("message 77 is missing");
    await again.close();
  });

  it.each([
    ["held by another", "in use by another Muster"],
    ["no database", "damaged or not a Muster file of topics"],
    ["from a newer version", "written by a newer Muster (layout 2, this one reads 1)"],
  ])("open() says what to do with a file that is %s", (what, said) => {
    const other = what === "no database" ? undefined : SqlitePayloads.open(file);
    if (what === "no database") writeFileSync(file, "This is not a database, and it is long.");
    if (what !== "held by another") void other?.close();
    if (what === "from a newer version") {
      const database = new DatabaseSync(file);
      database.exec("PRAGMA user_version = 2");
      database.close();
    }
    expect(() => SqlitePayloads.open(file)).toThrow(said);
    void other?.close();
  });

  it("openPayloads() puts the file beside that of the log", async () => {
    const payloads = await openPayloads(`sqlite:${join(folder, "log")}`, beside);
    await write(payloads, "a");
    await payloads.close();
    const found = SqlitePayloads.open(file);
    expect(found.lastId).toBe(1);
    await found.close();
    expect(await openPayloads("memory", beside)).toBeInstanceOf(MemoryPayloads);
  });

  it("hashOf() is the beginning of SHA-256", () => {
    expect(hashOf(bytes("abc"))).toBe(0xba7816bf8f01);
  });
});

// SPDX-License-Identifier: MIT
// Goal: a store of snapshots gives back what was written or says that it does not (Z1, Z2), writes
// no part twice, and deletes what nothing names. Method: the same cases for a file and for a real
// nats-server; damage is done to their bytes.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MessageSnapshots } from "../../../src/engine/message-snapshots.ts";
import { openSnapshots } from "../../../src/engine/open-log.ts";
import {
  defaultSnapshotLimits,
  resolveSnapshotLimits,
} from "../../../src/engine/snapshot-limits.ts";
import {
  formatManifest,
  hashText,
  type Manifest,
  manifestFormat,
  packText,
  parseManifest,
  type SnapshotStore,
  sequenceOf,
  unpackText,
} from "../../../src/engine/snapshots.ts";
import { systemClock } from "../../../src/host/clock.ts";
import { NatsServer } from "../../../src/testing/nats-server.ts";

const folder = mkdtempSync(join(tmpdir(), "muster-snapshots-"));
let broker: NatsServer;
let names = 0;
beforeAll(async () => {
  broker = await NatsServer.start();
});
afterAll(async () => {
  await broker.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const refuse = (message: string): never => {
  throw new Error(message);
};
const newName = (kind: string): string => {
  names += 1;
  return kind === "a file"
    ? `sqlite:${join(folder, `log${names}`)}`
    : `nats://${broker.address}/s${names}`;
};

/** A snapshot of these texts, and which of them are new. */
async function write(
  store: SnapshotStore,
  sequence: number,
  texts: readonly string[],
  news = texts,
) {
  const manifest: Manifest = {
    ...{ format: manifestFormat, sequence, digest: `d${sequence}` },
    parts: texts.map(hashText),
  };
  return store.write(manifest, new Map(news.map((text) => [hashText(text), text])));
}

const large = Array.from({ length: 300_000 }, (_, index) => hashText(String(index))).join("");

describe.each(["a file", "a stream of NATS"])("snapshots in %s", (kind) => {
  const open = (name: string): Promise<SnapshotStore> =>
    openSnapshots(name, { clock: systemClock }, refuse);

  it("are listed newest first, and are read as they were written, also when opened anew", async () => {
    const name = newName(kind);
    const store = await open(name);
    expect(await store.list()).toEqual([]);
    // Its packed text is larger than a message of NATS.
    await write(store, 10, ["", "ü\u0000", large]);
    await write(store, 20, ["b", large], ["b"]);
    await store.close();
    const again = await open(name);
    const listed = await again.list();
    expect(listed.map(sequenceOf)).toEqual([20, 10]);
    for (const text of ["", "ü\u0000", large, "b"]) {
      expect((await again.read(hashText(text))) === text).toBe(true);
    }
    await expect(again.read(hashText("never written"))).rejects.toThrow("is missing");
    await again.close();
  });

  it("are kept as many as are asked for, with the parts that those name and no others", async () => {
    const store = await open(newName(kind));
    await write(store, 10, ["old", "stays"]);
    await write(store, 20, ["middle", "stays"], ["middle"]);
    await write(store, 30, ["new", "stays"], ["new"]);
    await store.prune(2);
    expect((await store.list()).map(sequenceOf)).toEqual([30, 20]);
    for (const text of ["stays", "middle", "new"]) {
      expect(await store.read(hashText(text))).toBe(text);
    }
    await expect(store.read(hashText("old"))).rejects.toThrow("is missing");
    await store.close();
  });

  it("keep an older one instead of one that is damaged (Z3)", async () => {
    const store = await open(newName(kind));
    await write(store, 10, ["old", "stays"]);
    await write(store, 20, ["middle", "stays"], ["middle"]);
    const manifest = { format: manifestFormat, sequence: 30, digest: "d", parts: [hashText("a")] };
    await store.write(manifest, new Map([[hashText("a"), "a"]]), new Set([20]));
    await store.prune(2);
    expect((await store.list()).map(sequenceOf)).toEqual([30, 10]);
    for (const text of ["old", "stays", "a"]) expect(await store.read(hashText(text))).toBe(text);
    await store.close();
  });

  it("may be written again at the same entry, when what was there is damaged", async () => {
    const store = await open(newName(kind));
    await write(store, 10, ["a", "b"]);
    await write(store, 10, ["a", "b"]);
    await store.prune(2);
    expect((await store.list()).map(sequenceOf)).toEqual([10]);
    expect(await store.read(hashText("a"))).toBe("a");
    await store.close();
  });
});

it("snapshots in a stream of NATS are all there that were taken of servers that write at once (D4)", async () => {
  const name = newName("NATS");
  const stores = await Promise.all(
    Array.from({ length: 3 }, () => openSnapshots(name, { clock: systemClock }, refuse)),
  );
  let left = 0;
  for (let round = 1; round <= 10; round += 1) {
    const writes = stores.map(async (store, index) => {
      const sequence = round * 10 + index;
      const bytes = await write(store, sequence, [`text ${sequence}`]);
      return bytes === undefined ? [] : [sequence];
    });
    const all = (await Promise.all(writes)).flat();
    left += stores.length - all.length;
    const taken = all.reverse().slice(0, 2);
    const listed = (await stores[0]?.list()) ?? [];
    expect(listed.map(sequenceOf).slice(0, taken.length)).toEqual(taken);
    for (const sequence of taken) {
      expect(await stores[0]?.read(hashText(`text ${sequence}`))).toBe(`text ${sequence}`);
    }
    await stores[1]?.prune(2);
  }
  // Else they have not written at once.
  expect(left).toBeGreaterThan(0);
  for (const store of stores) await store.close();
});

describe("what is damaged", () => {
  it("is said of a part whose bytes are others, or of another text", () => {
    const packed = packText("some text");
    expect(unpackText(packed, hashText("some text"))).toBe("some text");
    // The last byte ends with bits that say nothing.
    for (let at = 0; at < packed.length - 1; at += 1) {
      const wrong = Uint8Array.from(packed);
      wrong[at] = (wrong[at] ?? 0) ^ 0x10;
      expect(() => unpackText(wrong, hashText("some text")), `byte ${at}`).toThrow("is damaged");
    }
    expect(() => unpackText(packText("other"), hashText("some text"))).toThrow("is damaged");
    expect(() => unpackText(undefined, hashText("x"))).toThrow("is missing");
  });

  it("is said of a manifest, and of one that a newer Muster has written", () => {
    const manifest = { format: manifestFormat, sequence: 7, digest: "d", parts: ["p"] };
    const text = formatManifest(manifest);
    expect(parseManifest(text, 7)).toEqual({ manifest });
    for (let at = 0; at < text.length; at += 1) {
      const wrong = `${text.slice(0, at)}${text[at] === "x" ? "y" : "x"}${text.slice(at + 1)}`;
      expect(parseManifest(wrong, 7)).toEqual({ sequence: 7, wrong: "it is damaged" });
    }
    const newer = formatManifest({ ...manifest, format: manifestFormat + 1 });
    expect(parseManifest(newer, 7)).toMatchObject({
      wrong: expect.stringContaining("newer Muster"),
    });
  });

  it("is found in a row of a file", async () => {
    const name = newName("a file");
    const store = await openSnapshots(name, { clock: systemClock }, refuse);
    await write(store, 10, ["a"]);
    await store.close();
    const database = new DatabaseSync(`${name.slice("sqlite:".length)}.snapshots`);
    database.exec("UPDATE parts SET packed = x'00'");
    database.close();
    const again = await openSnapshots(name, { clock: systemClock }, refuse);
    await expect(again.read(hashText("a"))).rejects.toThrow("is damaged");
    await again.close();
  });

  it("is put aside when the file is no database any more, and said", async () => {
    const name = newName("a file");
    const store = await openSnapshots(name, { clock: systemClock }, refuse);
    await write(store, 10, ["a"]);
    await store.close();
    const file = `${name.slice("sqlite:".length)}.snapshots`;
    writeFileSync(file, "no database".repeat(1_000));
    const said: string[] = [];
    const again = await openSnapshots(name, { clock: systemClock }, (message) =>
      said.push(message),
    );
    expect(await again.list()).toEqual([]);
    const done = `it is put aside as ${file}.damaged, and what it stood for is read from the log, where that was not cut`;
    expect(said).toEqual([
      `${file} is damaged or not a Muster file of snapshots (file is not a database); ${done}`,
    ]);
    expect(readFileSync(`${file}.damaged`, "utf8")).toContain("no database");
    await again.close();
  });

  it("is a message of NATS that is gone", async () => {
    const name = newName("NATS");
    const store = await openSnapshots(name, { clock: systemClock }, refuse);
    await write(store, 10, ["a", "b"]);
    const connection = await connect({ servers: broker.address });
    const { streams } = await jetstreamManager(connection);
    const stream = `s${names}-snapshots`;
    const first = (await streams.info(stream)).state.first_seq;
    await streams.deleteMessage(stream, first);
    await connection.close();
    await store.list();
    await expect(store.read(hashText("a"))).rejects.toMatchObject({
      ...{ definite: true, message: expect.stringContaining("is missing") },
    });
    expect(await store.read(hashText("b"))).toBe("b");
    await store.close();
    expect(store).toBeInstanceOf(MessageSnapshots);
  });
});

describe("limits of snapshots", () => {
  it("are whole numbers from 1", () => {
    expect(resolveSnapshotLimits()).toEqual(defaultSnapshotLimits);
    expect(resolveSnapshotLimits({ snapshotEntriesMax: 1 }).snapshotEntriesMax).toBe(1);
    expect(() => resolveSnapshotLimits({ snapshotEntriesMax: 0 })).toThrow("snapshotEntriesMax");
  });
});

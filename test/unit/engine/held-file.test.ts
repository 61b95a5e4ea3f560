// SPDX-License-Identifier: MIT
// Goal: what was acknowledged is durable by name (N1, N2), whichever of the names of a file is lost
// while it is open, and nothing of another program's is taken or deleted (N3). Method: names are
// removed, moved and given to others under an open file; what a `kill -9` would leave is a copy of
// the folder, opened as the next start does.
import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  linkSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Entry } from "../../../src/core/command.ts";
import { openLog, openPayloads } from "../../../src/engine/open-log.ts";
import { SqliteLog, SqliteLogFollower } from "../../../src/engine/sqlite-log.ts";
import { SqlitePayloads } from "../../../src/engine/sqlite-payloads.ts";
import { SqliteSnapshots } from "../../../src/engine/sqlite-snapshots.ts";
import { systemClock } from "../../../src/host/clock.ts";

let folder = "";
let file = "";
let mended: string[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "muster-held-"));
  file = join(folder, "log");
  mended = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const { nowUs } = systemClock;
const onMended = (message: string): void => void mended.push(message);
const openAs = (mayBeRead: boolean, at = file): SqliteLog =>
  SqliteLog.open({ file: at, nowUs, mayBeRead, onMended });
const open = (): SqliteLog => openAs(true);
const entry: Entry = { format: 1, batches: [] };
const remove = (...ends: readonly string[]): void => {
  for (const end of ends) rmSync(`${file}${end}`);
};

/** As a reader makes it who finds none. */
function emptyWal(): void {
  remove("-wal");
  writeFileSync(`${file}-wal`, "");
}

/** Acts in what a server that is killed now leaves. */
async function afterKill<T>(act: (file: string) => Promise<T>): Promise<T> {
  const left = mkdtempSync(join(tmpdir(), "muster-left-"));
  try {
    cpSync(folder, left, { recursive: true });
    return await act(join(left, "log"));
  } finally {
    rmSync(left, { recursive: true, force: true });
  }
}

async function headOf(at: string): Promise<number> {
  const log = openAs(false, at);
  const head = await log.head();
  await log.close();
  return head;
}

async function lastIdOf(at: string): Promise<number> {
  const topics = SqlitePayloads.open(at);
  await topics.close();
  return topics.lastId;
}

/** A write-ahead log of another program, which is at the name of ours. */
function putOtherWal(): Buffer {
  const other = join(folder, "other");
  const database = new DatabaseSync(other);
  database.exec("PRAGMA journal_mode = WAL; CREATE TABLE x (a); INSERT INTO x VALUES (1)");
  const bytes = readFileSync(`${other}-wal`);
  database.close();
  rmSync(other);
  writeFileSync(`${file}-wal.new`, bytes);
  renameSync(`${file}-wal.new`, `${file}-wal`);
  return bytes;
}

describe("a file whose write-ahead log has lost its name", () => {
  it.each<readonly [string, boolean, () => void]>([
    ["removed", true, () => remove("-wal")],
    ["removed with the memory beside it", true, () => remove("-wal", "-shm")],
    ["removed, of a file that nobody may read", false, () => remove("-wal")],
    ["moved", true, () => renameSync(`${file}-wal`, join(folder, "away"))],
    ["made anew by who reads", true, emptyWal],
  ])("has all that was acknowledged: %s", async (_, mayBeRead, lose) => {
    const log = openAs(mayBeRead);
    for (const head of [1, 2]) expect(await log.append(entry)).toBe(head);
    lose();
    expect(await log.append(entry)).toBe(3);
    expect(await afterKill(headOf)).toBe(3);
    expect(await log.append(entry)).toBe(4);
    expect(await afterKill(headOf)).toBe(4);
    expect(mended).toEqual([
      expect.stringMatching(/log-wal was removed or replaced .* nothing is/),
    ]);
    await log.close();
    expect(await headOf(file)).toBe(4);
  });

  it("is saved where it is, and looked at again when it is back (N2)", async () => {
    const log = open();
    for (const head of [1, 2]) expect(await log.append(entry)).toBe(head);
    const away = join(folder, "old");
    renameSync(file, away);
    // As sqlite3 does for a file that it makes.
    remove("-wal");
    writeFileSync(file, "");
    await expect(log.append(entry)).rejects.toThrow(
      "is another file now while it was open; put it",
    );
    expect(await afterKill((left) => headOf(join(left, "../old")))).toBe(2);
    renameSync(away, file);
    expect(await log.append(entry)).toBe(3);
    expect(await afterKill(headOf)).toBe(3);
    await log.close();
  });

  it("is saved when it is closed while it is elsewhere", async () => {
    const log = open();
    expect(await log.append(entry)).toBe(1);
    const away = join(folder, "old");
    renameSync(file, away);
    remove("-wal");
    await log.close();
    expect(await headOf(away)).toBe(1);
  });

  it("neither takes nor deletes that of another program (N3)", async () => {
    const log = open();
    for (const head of [1, 2]) expect(await log.append(entry)).toBe(head);
    const bytes = putOtherWal();
    const refused = /log-wal is another file than .* this server has made; .*log has all that was/;
    for (const _ of [1, 2]) await expect(log.append(entry)).rejects.toThrow(refused);
    expect(readFileSync(`${file}-wal`)).toEqual(bytes);
    rmSync(`${file}-wal`);
    expect(await log.append(entry)).toBe(3);
    expect(await afterKill(headOf)).toBe(3);
    const again = putOtherWal();
    await log.close();
    expect(readFileSync(`${file}-wal`)).toEqual(again);
    expect(readdirSync(folder).filter((name) => name.endsWith(".other"))).toEqual([]);
    rmSync(`${file}-wal`);
    expect(await headOf(file)).toBe(3);
  });

  it("is not moved while somebody reads, and nothing is acknowledged meanwhile", async () => {
    const log = open();
    expect(await log.append(entry)).toBe(1);
    const reader = new DatabaseSync(file, { readOnly: true });
    reader.exec("BEGIN");
    reader.prepare("SELECT count(*) FROM entries").get();
    expect(await log.append(entry)).toBe(2);
    remove("-wal");
    await expect(log.append(entry)).rejects.toThrow(/waits for readers of \S+log, to be moved/);
    reader.close();
    expect(await log.append(entry)).toBe(3);
    expect(await afterKill(headOf)).toBe(3);
    await log.close();
  });

  it("is found by who looks at it while nothing is written", async () => {
    const [log, topics] = [open(), SqlitePayloads.open(`${file}.topics`, { mayBeRead: true })];
    expect(await log.append(entry)).toBe(1);
    await topics.write(new Uint8Array(1));
    remove("-wal", ".topics-wal");
    expect(await log.examine()).toEqual({ first: 1, remark: undefined });
    expect(topics.examine()).toBeUndefined();
    expect(await afterKill(headOf)).toBe(1);
    expect(await afterKill((left) => lastIdOf(`${left}.topics`))).toBe(1);
    renameSync(file, join(folder, "old"));
    const remark = expect.stringContaining("log was removed while it was open; put it back");
    expect(await log.examine()).toEqual({ first: 1, remark });
    await topics.close();
    await log.close();
    expect([await log.examine(), topics.examine()]).toEqual([{ first: 1 }, undefined]);
  });

  it("tells who reads it to read it anew", async () => {
    const log = open();
    expect(await log.append(entry)).toBe(1);
    const follower = SqliteLogFollower.open(file, systemClock);
    remove("-wal", "-shm");
    expect(await log.append(entry)).toBe(2);
    const lost = new Promise((resolve) => {
      follower.read(
        1,
        () => undefined,
        ({ message }) => resolve(message),
      );
    });
    expect(await lost).toBe(`${file}-wal is another file by now; it is read anew`);
    await follower.close();
    expect(await log.append(entry)).toBe(3);
    // The memory that readers share has its name as well now.
    expect(existsSync(`${file}-shm`)).toBe(true);
    const again = SqliteLogFollower.open(file, systemClock);
    expect(await again.head()).toBe(3);
    await again.close();
    await log.close();
  });

  it("may be that of topics, or of snapshots", async () => {
    const topics = SqlitePayloads.open(`${file}.topics`, { mayBeRead: true, onMended });
    const message = new Uint8Array([7]);
    expect(await topics.write(message)).toMatchObject({ id: 1 });
    remove(".topics-wal");
    const ref = await topics.write(message);
    const found = await afterKill(async (left) => {
      const copy = SqlitePayloads.open(`${left}.topics`);
      const messages = await copy.read([ref], 10);
      await copy.close();
      return messages;
    });
    expect([ref.id, found]).toEqual([2, [message]]);
    topics.free([1]);
    expect(await topics.read([ref], 10)).toEqual([message]);
    await topics.close();

    const snapshots = SqliteSnapshots.open(`${file}.snapshots`, onMended);
    const write = (sequence: number): Promise<number> =>
      snapshots.write({ format: 1, sequence, digest: "d", parts: [] }, new Map());
    await write(1);
    remove(".snapshots-wal");
    await write(2);
    const listed = await afterKill(async (left) => {
      const copy = SqliteSnapshots.open(`${left}.snapshots`, onMended);
      return (await copy.list().finally(() => copy.close())).length;
    });
    expect(listed).toBe(2);
    await snapshots.close();
  });
});

describe("a file whose lock was removed", () => {
  it("is locked again, by whichever server finds it first", async () => {
    const first = open();
    expect(await first.append(entry)).toBe(1);
    remove(".lock");
    expect(await first.append(entry)).toBe(2);
    expect(open).toThrow("is in use by another Muster");
    remove(".lock");
    const second = open();
    await expect(first.append(entry)).rejects.toThrow(
      /log.lock was removed or replaced .* another Muster may have \S+log; stop one of them/,
    );
    expect(await second.append(entry)).toBe(3);
    await second.close();
    const other = `${file} has entries up to 3, and this server has written 2`;
    for (const _ of [1, 2]) await expect(first.append(entry)).rejects.toThrow(other);
    await first.close();
    expect(await headOf(file)).toBe(3);
  });

  it("is still held by this process when it was tried once more in it", async () => {
    const log = open();
    expect(open).toThrow("is in use by another Muster");
    const module = new URL("../../../src/engine/sqlite-log.ts", import.meta.url);
    const script = `import(${JSON.stringify(module.href)}).then(({ SqliteLog }) => {
      SqliteLog.open({ file: ${JSON.stringify(file)}, nowUs: () => 0, mayBeRead: true });
    }).then(() => console.log("open"), ({ message }) => console.log(message))`;
    const said = execFileSync(process.execPath, ["-e", script], { encoding: "utf8" });
    expect(said).toContain("is in use by another Muster");
    await log.close();
  });
});

describe("a file with several names", () => {
  const named = (name: string) => openLog(`sqlite:${join(folder, name)}`, systemClock);

  it("is one by whichever symbolic link it is named, and what is beside it has its name", async () => {
    symlinkSync("log", join(folder, "early"));
    symlinkSync(folder, join(folder, "here"));
    const log = await named("early");
    symlinkSync(file, join(folder, "late"));
    for (const name of ["early", "late", "here/log", "here/late"]) {
      await expect(named(name), name).rejects.toThrow(`${file} is in use by another Muster`);
    }
    const clock = systemClock;
    await (await openPayloads(`sqlite:${join(folder, "here/early")}`, { clock })).close();
    await log.close();
    expect(readdirSync(folder).sort()).toEqual(
      ["early", "here", "late", "log", "log.lock", "log.topics"].sort(),
    );
  });

  it("is refused by a second hard link, also to be read", async () => {
    await open().close();
    const other = join(folder, "other");
    linkSync(file, other);
    for (const way of [open, () => SqliteLogFollower.open(other, systemClock)]) {
      expect(way).toThrow("has another name as well (a hard link), by which another server may");
    }
    rmSync(other);
    await open().close();
  });
});

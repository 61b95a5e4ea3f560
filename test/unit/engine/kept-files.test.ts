// SPDX-License-Identifier: MIT
// Goal: the file of a log that a server keeps may be read while it is written, by nobody else
// written, and is cut little by little; what is wrong with it is said. And a broker that is too old
// is. Method: two connections of one process, a second process that is killed, files of older and
// newer layouts; of a broker its first line, which is all that is read of it then.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Entry, LogEntry } from "../../../src/core/command.ts";
import type { LogError } from "../../../src/engine/log.ts";
import { openLog } from "../../../src/engine/open-log.ts";
import { cutRows } from "../../../src/engine/snapshot-limits.ts";
import { SqliteLog, SqliteLogFollower } from "../../../src/engine/sqlite-log.ts";
import { sleep, systemClock } from "../../../src/host/clock.ts";

let folder = "";
let file = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "muster-kept-"));
  file = join(folder, "log");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const { nowUs } = systemClock;
const open = (): SqliteLog => SqliteLog.open({ file, nowUs, mayBeRead: true });
const openAlone = (): SqliteLog => SqliteLog.open({ file, nowUs });
const empty: Entry = { format: 1, batches: [] };
const append = (log: SqliteLog, count: number): Promise<readonly number[]> =>
  Promise.all(Array.from({ length: count }, () => log.append(empty)));

function rowsOf(path = file): { readonly first: number; readonly count: number } {
  const database = new DatabaseSync(path, { readOnly: true });
  const row = database
    .prepare("SELECT min(sequence) AS first, count(*) AS count FROM entries")
    .get();
  database.close();
  return { first: Number(row?.["first"]), count: Number(row?.["count"]) };
}

/** What a reader from there gets, or why it gets nothing. */
async function collect(
  log: Pick<SqliteLog, "read">,
  from: number,
  count: number,
): Promise<readonly number[] | string> {
  const found: number[] = [];
  return new Promise((resolve) => {
    const deliver = (entries: readonly LogEntry[]): void => {
      found.push(...entries.map(({ sequence }) => sequence));
      if (found.length < count) return;
      reader.stop();
      resolve(found);
    };
    const reader = log.read(from, deliver, ({ message, isCut }: LogError) =>
      resolve(isCut ? message : `not cut: ${message}`),
    );
  });
}

describe("a file that others may read", () => {
  it("has one writer: a second is told so, in whichever way each of them opens it", async () => {
    for (const [first, second] of [
      [open, open],
      [open, openAlone],
      [openAlone, open],
    ] as const) {
      const log = first();
      await append(log, 1);
      expect(second).toThrow(
        `${file} is in use by another Muster; stop it, or choose another file`,
      );
      await append(log, 1);
      await log.close();
      await second().close();
    }
  });

  it("is free when the process that had it was killed", async () => {
    const module = new URL("../../../src/engine/sqlite-log.ts", import.meta.url);
    const script = `import(${JSON.stringify(module.href)}).then(({ SqliteLog }) => {
      globalThis.held = SqliteLog.open({ file: ${JSON.stringify(file)}, nowUs: () => 0, mayBeRead: true });
      console.log("open"); setInterval(() => 0, 1000); })`;
    const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
    const ended = once(child, "close");
    try {
      await once(child.stdout, "data");
      expect(open).toThrow("in use by another Muster");
    } finally {
      child.kill("SIGKILL");
      await ended;
    }
    const log = open();
    expect(await append(log, 1)).toEqual([1]);
    await log.close();
    expect(existsSync(`${file}.lock`)).toBe(true);
  });

  it("is followed while it is written, and says what it does not have any more (L6)", async () => {
    const log = open();
    await append(log, 2_500);
    const follower = SqliteLogFollower.open(file, systemClock);
    const all = collect(follower, 1, 2_600);
    await append(log, 100);
    expect(await all).toEqual(Array.from({ length: 2_600 }, (_, index) => index + 1));
    expect(await follower.head()).toBe(2_600);
    await log.trim(3);
    await append(log, 1);
    const gone = "entries 1 to 3 of the log have been cut away, and no snapshot stands for them";
    for (const reader of [log, follower]) {
      expect(await collect(reader, 1, 1)).toContain(gone);
      expect(await collect(reader, 4, 1)).toEqual(expect.arrayContaining([4]));
    }
    await follower.close();
    await log.close();
  });

  it("is cut by the appends that follow, some rows each, and never beyond what was said", async () => {
    const log = open();
    await append(log, 1_000);
    await log.trim(500);
    expect(rowsOf()).toEqual({ first: 1, count: 1_000 });
    await append(log, 1);
    expect(rowsOf()).toEqual({ first: 1 + cutRows.least, count: 1_001 - cutRows.least });
    await append(log, 100);
    expect(rowsOf().first).toBe(1 + cutRows.least + 100 * cutRows.perAppend);
    for (let more = 0; more < 4; more += 1) await append(log, 1);
    expect(rowsOf()).toEqual({ first: 501, count: 605 });
    // A cut that was said before, and one that nobody could mean.
    await log.trim(20);
    await log.trim(1_000_000);
    await log.close();
    const again = open();
    expect(await collect(again, 501, 605)).toHaveLength(605);
    expect(await append(again, 1)).toEqual([1_106]);
    await again.close();
  });

  it("may be of the layout before, and is of this one from then on", async () => {
    const log = openAlone();
    await append(log, 3);
    await log.close();
    const database = new DatabaseSync(file);
    database.exec("ALTER TABLE entries DROP COLUMN sum; PRAGMA user_version = 1");
    database.close();
    const again = open();
    expect(await append(again, 1)).toEqual([4]);
    await again.close();
    const after = new DatabaseSync(file);
    expect(after.prepare("PRAGMA user_version").get()?.["user_version"]).toBe(3);
    after.exec("PRAGMA user_version = 4");
    after.close();
    for (const way of [open, () => SqliteLogFollower.open(file, systemClock)]) {
      expect(way).toThrow("was written by a newer Muster (layout 4, this one reads 3); use that");
    }
  });

  it("says so when it is no log, or is damaged", async () => {
    writeFileSync(file, "This is not a database, and it is long.");
    for (const way of [open, () => SqliteLogFollower.open(file, systemClock)]) {
      expect(way).toThrow("is damaged or not a Muster log");
    }
    rmSync(file);
    const log = open();
    await append(log, 3);
    await log.close();
    const database = new DatabaseSync(file);
    database.exec("DELETE FROM entries WHERE sequence = 2");
    database.close();
    expect(open).toThrow("is damaged (entries are missing: 2 of 3)");
  });

  // Root may write to any file.
  if (process.getuid?.() !== 0) {
    it("says so when it is read-only", async () => {
      await open().close();
      chmodSync(file, 0o444);
      chmodSync(folder, 0o555);
      expect(open).toThrow("is read-only");
      chmodSync(folder, 0o755);
    });
  }
});

describe("a broker that is too old", () => {
  it("is refused with its version and the one that is needed", async () => {
    const sockets: Socket[] = [];
    const broker = createServer((socket) => {
      sockets.push(socket);
      socket.on("error", () => undefined);
      const info = { server_id: "old", version: "2.8.4", max_payload: 1_048_576, proto: 1 };
      socket.write(`INFO ${JSON.stringify(info)}\r\n`);
      socket.on("data", (data) => {
        if (data.includes("PING")) socket.write("PONG\r\n");
      });
    });
    broker.listen(0, "127.0.0.1");
    await once(broker, "listening");
    const { port } = broker.address() as AddressInfo;
    await expect(openLog(`nats://127.0.0.1:${port}`, systemClock)).rejects.toThrow(
      `NATS at 127.0.0.1:${port} is 2.8.4; Muster needs 2.9.0 or newer`,
    );
    for (const socket of sockets) socket.destroy();
    broker.close();
    await sleep(systemClock, 0);
  });
});

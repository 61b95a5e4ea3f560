// SPDX-License-Identifier: MIT
// Goal: a byte that has changed in an entry of a log in a file is found when it is read, and
// nothing from there on is served; files of older layouts have checksums from their first start on.
// Method: rows changed by SQL, and one bit at a time in the bytes of the file.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Entry, LogEntry } from "../../../src/core/command.ts";
import type { Log, LogError } from "../../../src/engine/log.ts";
import { restoreSqlite, saveSqlite } from "../../../src/engine/sqlite-backup.ts";
import { SqliteLog, SqliteLogFollower } from "../../../src/engine/sqlite-log.ts";
import { SqlitePayloads } from "../../../src/engine/sqlite-payloads.ts";
import { SqliteSnapshots } from "../../../src/engine/sqlite-snapshots.ts";
import { systemClock } from "../../../src/host/clock.ts";

let folder = "";
let file = "";
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "muster-sums-"));
  file = join(folder, "log");
  await fill(3);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const { nowUs } = systemClock;
const open = (at = file): SqliteLog => SqliteLog.open({ file: at, nowUs });
const entry = (number: number): Entry => ({
  format: 1,
  batches: [
    {
      ...{ edge: `edge-${number}`, incarnation: 1, number },
      commands: [{ kind: "open-scope", scope: "ü\u0000\ud83d\ude00", nodes: ["'", '"'] }],
    },
  ],
});

async function fill(count: number): Promise<void> {
  const log = open();
  const numbers = Array.from({ length: count }, (_, index) => index + 1);
  await Promise.all(numbers.map((number) => log.append(entry(number))));
  await log.close();
}

function change(sql: string, path = file): void {
  const database = new DatabaseSync(path);
  database.exec(sql);
  database.close();
}

/** What it delivers up to its end, or why it does not. */
async function outcomeOf(log: Pick<Log, "read" | "head" | "close">): Promise<unknown> {
  const all: LogEntry[] = [];
  const head = await log.head();
  const outcome = await new Promise((resolve) => {
    const deliver = (entries: readonly LogEntry[]): void => {
      all.push(...entries);
      if (all.length === head) resolve(all.map((one) => one.entry));
    };
    log.read(1, deliver, (error) => resolve([all.length, error.message]));
  });
  await log.close();
  return outcome;
}

const damaged = (sequence: number): string =>
  `${file} is damaged: entry ${sequence} is not what was written, by its checksum; ` +
  "restore it from a backup (muster restore), or choose another file";

describe("an entry in a file", () => {
  it.each([
    ["its text", "entry = replace(entry, 'edge-2', 'edge-3')"],
    ["its stamp", "stamp_us = stamp_us + 1"],
    ["its checksum", "sum = sum + 1"],
  ])("is not served when %s has changed, nor is what is behind it", async (_what, set) => {
    change(`UPDATE entries SET ${set} WHERE sequence = 2`);
    expect(await outcomeOf(open())).toEqual([0, damaged(2)]);
    const follower = SqliteLogFollower.open(file, systemClock);
    expect(await outcomeOf(follower)).toEqual([0, damaged(2)]);
  });

  it("is not taken into a backup, which says whose it is, nor out of one", async () => {
    const begin = async (): Promise<void> => {
      await SqlitePayloads.open(`${file}.topics`).close();
      await SqliteSnapshots.open(`${file}.snapshots`, () => undefined).close();
    };
    await begin();
    const [saved, refused] = [join(folder, "saved"), join(folder, "refused")];
    for (const each of [saved, refused]) mkdirSync(each);
    await saveSqlite(file, saved);
    change("UPDATE entries SET sum = 1 WHERE sequence = 2");
    const what = "is damaged: entry 2 is not what was written, by its checksum";
    await expect(saveSqlite(file, refused)).rejects.toThrow(
      `${file} ${what}; no backup is made of it: restore an older one to another file (muster restore)`,
    );
    change("UPDATE entries SET sum = 1 WHERE sequence = 2", join(saved, "log"));
    await expect(restoreSqlite(saved, join(folder, "restored"))).rejects.toThrow(
      `${join(saved, "log")} ${what}; use another backup`,
    );
    writeFileSync(join(saved, "topics"), "no database ".repeat(1_000));
    await expect(restoreSqlite(saved, join(folder, "restored"))).rejects.toThrow(
      /saved\/topics is damaged or not a Muster file of topics \(.*\); use another backup/,
    );
  });

  it("is not served in the place of another", async () => {
    change("UPDATE entries SET sequence = 9 WHERE sequence = 2");
    change("UPDATE entries SET sequence = 2 WHERE sequence = 3");
    change("UPDATE entries SET sequence = 3 WHERE sequence = 9");
    expect(await outcomeOf(open())).toEqual([0, damaged(2)]);
  });

  it("is found damaged whichever bit of its row has changed in the file", async () => {
    const whole = readFileSync(file);
    const text = Buffer.from(JSON.stringify(entry(2)));
    const start = whole.indexOf(text);
    expect(start).toBeGreaterThan(0);
    expect(whole.indexOf(text, start + 1)).toBe(-1);
    // With what SQLite has of the row before and behind its text: lengths, stamp and checksum.
    for (let at = start - 12; at < start + text.length + 4; at += 1) {
      const spoilt = Buffer.from(whole);
      spoilt[at] = (spoilt[at] ?? 0) ^ (1 << (at % 8));
      writeFileSync(file, spoilt);
      let found: unknown;
      try {
        found = await outcomeOf(open());
      } catch (error) {
        // SQLite's own check, of what does not fit together.
        found = [0, (error as LogError).message];
      }
      expect(found, `byte ${at - start}`).toEqual([0, expect.stringContaining("is damaged")]);
    }
    writeFileSync(file, whole);
    expect(await outcomeOf(open())).toEqual([1, 2, 3].map(entry));
  });
});

describe("a file without checksums", () => {
  const age = (layout: number): void =>
    change(`ALTER TABLE entries DROP COLUMN sum; PRAGMA user_version = ${layout}`);

  it.each([1, 2])("of layout %d has them from its first start on", async (layout) => {
    rmSync(file);
    await fill(2_001);
    age(layout);
    const log = open();
    await log.append(entry(2_002));
    const wanted = Array.from({ length: 2_002 }, (_, index) => entry(index + 1));
    expect(await outcomeOf(log)).toEqual(wanted);
    for (const sequence of [1, 1_001, 2_001, 2_002]) {
      change(`UPDATE entries SET stamp_us = stamp_us + 1 WHERE sequence = ${sequence}`);
      const [, message] = (await outcomeOf(open())) as [number, string];
      expect(message).toBe(damaged(sequence));
      change(`UPDATE entries SET stamp_us = stamp_us - 1 WHERE sequence = ${sequence}`);
    }
  });

  it("is left as it is when it cannot be brought up to date", () => {
    age(2);
    change("CREATE TRIGGER no BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'full'); END");
    expect(() => open()).toThrow(/cannot open .*: full/);
    const database = new DatabaseSync(file);
    expect(database.prepare("PRAGMA user_version").get()).toEqual({ user_version: 2 });
    const columns = database.prepare("PRAGMA table_info(entries)").all();
    expect(columns.map(({ name }) => name)).toEqual(["sequence", "stamp_us", "entry"]);
    database.close();
  });

  it("is taken into a backup, and is brought up to date where it is restored", async () => {
    await SqlitePayloads.open(`${file}.topics`).close();
    await SqliteSnapshots.open(`${file}.snapshots`, () => undefined).close();
    age(2);
    const saved = join(folder, "saved");
    mkdirSync(saved);
    expect(await saveSqlite(file, saved)).toEqual({ first: 1, head: 3 });
    file = join(folder, "restored");
    await restoreSqlite(saved, file);
    expect(await outcomeOf(open())).toEqual([1, 2, 3].map(entry));
    change("UPDATE entries SET stamp_us = 1 WHERE sequence = 3");
    expect(await outcomeOf(open())).toEqual([0, damaged(3)]);
  });
});

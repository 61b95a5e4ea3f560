// SPDX-License-Identifier: MIT
// What can happen to a log in a file: closed and opened again, held by another, damaged, read-only,
// from a newer version, a full disk, and a process that is killed between two appends.
import { execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Entry, LogEntry } from "../../../src/core/command.ts";
import { LogError } from "../../../src/engine/log.ts";
import { SqliteLog } from "../../../src/engine/sqlite-log.ts";
import { sumOfEntry } from "../../../src/engine/stored-entry.ts";
import { systemClock } from "../../../src/host/clock.ts";

let folder = "";
let file = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "muster-sqlite-"));
  file = join(folder, "log");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = (at = file): SqliteLog => SqliteLog.open({ file: at, nowUs: systemClock.nowUs });
const entry = (number: number, text = ""): Entry => ({
  format: 1,
  batches: [
    {
      edge: `e${text}`,
      incarnation: 1,
      number,
      commands: [{ kind: "open-scope", scope: "ü\u0000\ud83d\ude00", nodes: ["'", '"'] }],
    },
  ],
});

function failure(act: () => unknown): LogError {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(LogError);
    return error as LogError;
  }
  throw new Error("nothing was thrown");
}

async function readAll(log: SqliteLog): Promise<readonly LogEntry[]> {
  const head = await log.head();
  if (head === 0) return [];
  const entries: LogEntry[] = [];
  return new Promise((resolve) => {
    log.read(1, (some) => {
      entries.push(...some);
      if (entries.length >= head) resolve(entries);
    });
  });
}

describe("SqliteLog", () => {
  it("append() refuses what would go to a file that was removed, or has another in its place", async () => {
    const log = open();
    await log.append(entry(1));
    renameSync(file, `${file}.away`);
    await expect(log.append(entry(2))).rejects.toThrow(/log was removed while it was open; put it/);
    writeFileSync(file, "");
    await expect(log.append(entry(2))).rejects.toThrow(/log is another file now while it was open/);
    renameSync(`${file}.away`, file);
    expect(await log.append(entry(2))).toBe(2);
    await log.close();
  });

  it("open() continues where the last process ended", async () => {
    const first = open();
    await Promise.all([first.append(entry(1)), first.append(entry(2))]);
    await first.close();
    const second = open();
    expect(await second.append(entry(3))).toBe(3);
    const entries = await readAll(second);
    expect(entries.map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
    expect(entries.map((one) => one.entry)).toEqual([entry(1), entry(2), entry(3)]);
    await second.close();
  });

  it("append() makes one transaction of one turn, and one stamp", async () => {
    const log = open();
    await Promise.all([1, 2, 3].map((number) => log.append(entry(number))));
    const stamps = (await readAll(log)).map(({ stampUs }) => stampUs);
    expect(new Set(stamps).size).toBe(1);
    await log.close();
  });

  it("close() stores what was appended in the same turn", async () => {
    const log = open();
    const append = log.append(entry(1));
    await log.close();
    expect(await append).toBe(1);
    const again = open();
    expect(await again.head()).toBe(1);
    await again.close();
  });

  it("read() gives more entries than fit in one read of the file", async () => {
    const log = open();
    await Promise.all(Array.from({ length: 2500 }, (_, index) => log.append(entry(index + 1))));
    const entries = await readAll(log);
    expect(entries.map(({ sequence }) => sequence)).toEqual(
      Array.from({ length: 2500 }, (_, index) => index + 1),
    );
    await log.close();
  });

  it("open() makes a file that its user alone may read, whatever lies beside it", async () => {
    const log = open();
    await log.append(entry(1));
    for (const tail of ["", "-wal"]) expect(statSync(`${file}${tail}`).mode & 0o777).toBe(0o600);
    await log.close();
    chmodSync(file, 0o640);
    await open().close();
    expect(statSync(file).mode & 0o777).toBe(0o640);
  });

  it("open() says who to stop when another Muster has the file", async () => {
    const log = open();
    expect(failure(open).message).toBe(
      `${file} is in use by another Muster; stop it, or choose another file`,
    );
    await log.close();
    await open().close();
  });

  it("open() says so when the file is no database, is cut or was written over", async () => {
    writeFileSync(file, "this is not a database, but long enough to be taken for one".repeat(100));
    expect(failure(open).message).toContain("is damaged or not a Muster log");
    rmSync(file);
    const log = open();
    await Promise.all(
      Array.from({ length: 500 }, (_, index) => log.append(entry(index, "x".repeat(200)))),
    );
    await log.close();
    const whole = readFileSync(file);
    writeFileSync(file, whole.subarray(0, whole.length / 2));
    expect(failure(open).message).toContain("damaged");
    writeFileSync(
      file,
      Buffer.concat([whole.subarray(0, 8192), Buffer.alloc(whole.length - 8192, 7)]),
    );
    expect(failure(open).message).toContain("damaged");
  });

  it("open() says so when entries are missing", async () => {
    const log = open();
    await Promise.all([1, 2, 3].map((number) => log.append(entry(number))));
    await log.close();
    const database = new DatabaseSync(file);
    database.exec("DELETE FROM entries WHERE sequence = 2");
    database.close();
    expect(failure(open).message).toContain("is damaged (entries are missing: 2 of 3)");
  });

  it.each(['{"format":1', "7", '{"format":1,"batches":[{"edge":"e"}]}'])(
    "read() tells of an entry that is damaged, and of nothing behind it: %s",
    async (text) => {
      const log = open();
      await Promise.all([1, 2, 3].map((number) => log.append(entry(number))));
      await log.close();
      const database = new DatabaseSync(file);
      const { stamp_us } = database.prepare("SELECT stamp_us FROM entries").get() ?? {};
      database
        .prepare("UPDATE entries SET entry = ?, stamp_us = ?, sum = ? WHERE sequence = 2")
        .run(text, stamp_us ?? 0, sumOfEntry(2, Number(stamp_us), text));
      database.close();
      const again = open();
      const lost = await new Promise<LogError>((resolve, reject) => {
        again.read(1, () => reject(new Error("something was delivered")), resolve);
      });
      await again.close();
      expect(lost.message).toContain("is damaged: what it has as entry 2 is none");
      expect(lost.definite).toBe(true);
    },
  );

  it("open() refuses a file of another program, and leaves it as it is", () => {
    const database = new DatabaseSync(file);
    database.exec("CREATE TABLE other (x)");
    database.close();
    expect(failure(open).message).toContain("of another program");
    const after = new DatabaseSync(file);
    const tables = after.prepare("SELECT name FROM sqlite_schema").all();
    expect(tables.map((row) => row["name"])).toEqual(["other"]);
    after.close();
  });

  it("open() refuses a newer layout and names both versions", async () => {
    await open().close();
    const database = new DatabaseSync(file);
    database.exec("PRAGMA user_version = 4");
    database.close();
    const { message, definite } = failure(open);
    expect(message).toContain("written by a newer Muster (layout 4, this one reads 3)");
    expect(definite).toBe(true);
  });

  it("open() says so when the place does not exist", () => {
    expect(failure(() => open(join(folder, "no", "log"))).message).toMatch(
      /^cannot open .*no\/log/,
    );
  });

  it("open() says so when a directory is named, whoever may write there", () => {
    expect(failure(() => open(folder)).message).toBe(
      `${folder} is a directory; name a file, one in it perhaps: ${join(folder, "log")}`,
    );
  });

  // Root may write to any file; what it cannot write to is a disk that is read-only (below).
  if (process.getuid?.() !== 0) {
    it("open() says so when the file is read-only", async () => {
      await open().close();
      chmodSync(file, 0o444);
      chmodSync(folder, 0o555);
      expect(failure(open).message).toContain("is read-only");
      chmodSync(folder, 0o755);
    });
  }
});

describe("a read-only or full disk", () => {
  const isRoot = process.getuid?.() === 0;
  let mounted = false;
  const mount = (options: string): string => {
    const place = join(folder, "disk");
    mkdirSync(place);
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", options, "none", place], { stdio: "ignore" });
      mounted = true;
    } catch {
      // No right to mount here, root or not.
    }
    return place;
  };
  afterEach(() => {
    if (mounted) execFileSync("umount", [join(folder, "disk")]);
    mounted = false;
  });

  it.runIf(isRoot)(
    "append() refuses definitely when full, and works when there is room",
    async (context) => {
      const place = mount("size=512k");
      if (!mounted) return context.skip();
      const log = open(join(place, "log"));
      let acknowledged = 0;
      let refused: unknown;
      while (refused === undefined) {
        await log.append(entry(acknowledged + 1, "x".repeat(10_000))).then(
          () => {
            acknowledged += 1;
          },
          (error: unknown) => {
            refused = error;
          },
        );
      }
      expect(refused).toBeInstanceOf(LogError);
      expect((refused as LogError).definite).toBe(true);
      expect((refused as LogError).message).toMatch(/full/);
      execFileSync("mount", ["-o", "remount,size=4m", place]);
      expect(await log.append(entry(0))).toBe(acknowledged + 1);
      expect(await readAll(log)).toHaveLength(acknowledged + 1);
      await log.close();
    },
  );

  it.runIf(isRoot)("open() says so when the disk is read-only", async (context) => {
    const place = mount("size=4m");
    if (!mounted) return context.skip();
    await open(join(place, "log")).close();
    execFileSync("mount", ["-o", "remount,ro", place]);
    expect(failure(() => open(join(place, "log"))).message).toMatch(/read-only/);
  });
});

describe("kill -9", () => {
  const writer = fileURLToPath(new URL("./log-writer.ts", import.meta.url));

  it("loses nothing that was acknowledged, in any of ten kills", async () => {
    let before = 0;
    for (let round = 0; round < 10; round += 1) {
      const child = spawn(process.execPath, [writer, file], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      let output = "";
      child.stdout.setEncoding("utf8");
      child.stdout.on("data", (text: string) => {
        output += text;
        // Somewhere in the middle of an append, at another place in each round.
        if (output.length > 300 + 700 * round) child.kill("SIGKILL");
      });
      await new Promise((resolve) => child.on("close", resolve));
      const acknowledged = output.split("\n").slice(0, -1).map(Number);
      const log = open();
      const entries = await readAll(log);
      expect(entries.map(({ sequence }) => sequence)).toEqual(entries.map((_, index) => index + 1));
      expect(acknowledged.length).toBeGreaterThan(0);
      expect(acknowledged[0]).toBe(before + 1);
      expect(entries.length).toBeGreaterThanOrEqual(acknowledged.at(-1) ?? 0);
      before = entries.length;
      await log.close();
    }
  });
});

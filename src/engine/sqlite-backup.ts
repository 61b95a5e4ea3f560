// SPDX-License-Identifier: MIT
// Backups of a log in a file while it is used, and back. The three files are read as of one moment
// each, which are microseconds apart, in an order in which they belong together: snapshots before
// the entries behind them, entries before the messages that they name.

import { existsSync } from "node:fs";
import { constants, copyFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import { errorText } from "../core/text.ts";
import { type BackupPart, backupParts, type SavedLog, sync } from "./backup.ts";
import { LogError } from "./log.ts";
import { newestWhole } from "./snapshots.ts";
import { openSqliteFile, readSqliteFile, type SqliteFileOptions } from "./sqlite-file.ts";
import { checkEntries, sqliteLogLayout } from "./sqlite-log.ts";
import { sqlitePayloadsLayout } from "./sqlite-payloads.ts";
import { SqliteSnapshots, sqliteSnapshotsLayout } from "./sqlite-snapshots.ts";

/** In one step: of several, each would begin anew when the log was appended to. */
const allPages = 2 ** 31 - 1;
/** How often it is tried to find a moment in which no message is deleted. */
const attemptsMax = 20;

/** The file of each part, and what it must be. */
function partsOf(
  fileOf: (part: BackupPart) => string,
): Readonly<Record<BackupPart, SqliteFileOptions>> {
  return {
    log: sqliteLogLayout(fileOf("log")),
    topics: sqlitePayloadsLayout(fileOf("topics")),
    snapshots: sqliteSnapshotsLayout(fileOf("snapshots")),
  };
}

/** What lies beside the file of a log has its name, and one behind. */
function besideOf(file: string): (part: BackupPart) => string {
  return (part) => (part === "log" ? file : `${file}.${part}`);
}

/** Copies the log into a folder. @throws LogError (definite) */
export async function saveSqlite(file: string, folder: string): Promise<SavedLog> {
  const parts = partsOf(besideOf(file));
  for (const part of backupParts) {
    if (!existsSync(parts[part].file)) throw missing(parts[part].file);
  }
  for (let attempt = 1; ; attempt += 1) {
    if (await copyAtOnce(parts, folder)) break;
    if (attempt < attemptsMax) continue;
    const message = "messages of topics are deleted all the time; try again, or stop the server";
    throw new LogError(message, { definite: true });
  }
  return checkCopy(folder, {
    nameOf: (part) => parts[part].file,
    advice: "no backup is made of it: restore an older one to another file (muster restore)",
  });
}

/** @returns whether no message was deleted meanwhile */
async function copyAtOnce(
  parts: Readonly<Record<BackupPart, SqliteFileOptions>>,
  folder: string,
): Promise<boolean> {
  const opened = {
    snapshots: readSqliteFile(parts.snapshots),
    log: readSqliteFile(parts.log),
    topics: readSqliteFile(parts.topics),
  };
  try {
    const before = deletedOf(opened.topics.database);
    for (const { database } of Object.values(opened)) {
      // The state that it has now, until the end of the transaction.
      database.exec("BEGIN");
      database.prepare("SELECT count(*) FROM sqlite_schema").get();
    }
    if (deletedOf(opened.topics.database) !== before) return false;
    for (const part of backupParts) {
      const copy = join(folder, part);
      await rm(copy, { force: true });
      await backup(opened[part].database, copy, { rate: allPages });
      const database = new DatabaseSync(copy);
      // One file, without those of a log that is written ahead.
      database.exec("PRAGMA journal_mode = DELETE");
      database.close();
    }
    return true;
  } finally {
    for (const { close } of Object.values(opened)) close();
  }
}

/** Messages that were there once: ids are given one after the other, each once (Y2). */
function deletedOf(topics: DatabaseSync): number {
  const row = topics
    .prepare(
      "SELECT (SELECT seq FROM sqlite_sequence WHERE name = 'messages') AS last, (SELECT count(*) FROM messages) AS count",
    )
    .get();
  return Number(row?.["last"] ?? 0) - Number(row?.["count"] ?? 0);
}

/** What is said of a copy that is damaged. */
interface CopyWords {
  readonly nameOf: (part: BackupPart) => string;
  readonly advice: string;
}

/**
 * Whether what was copied is whole, and its parts belong together.
 * @throws LogError (definite)
 */
async function checkCopy(folder: string, { nameOf, advice }: CopyWords): Promise<SavedLog> {
  const parts = partsOf((part) => join(folder, part));
  const asCopy = (part: BackupPart): SqliteFileOptions => {
    return { ...parts[part], name: nameOf(part), advice, isCopy: true };
  };
  const bounds = (): SavedLog => {
    const log = openSqliteFile(asCopy("log"));
    try {
      return checkEntries({ database: log.database, file: nameOf("log"), advice });
    } finally {
      log.close();
    }
  };
  openSqliteFile(asCopy("topics")).close();
  const saved = bounds();
  const snapshots = SqliteSnapshots.openCopy(asCopy("snapshots"));
  const newest = await newestWhole(snapshots, saved.head).finally(() => snapshots.close());
  if (newest >= saved.first - 1) return saved;
  const message = `the log was cut behind entry ${saved.first}, and no whole snapshot stands for what is before it`;
  throw new LogError(message, { definite: true });
}

/**
 * Makes a log of a backup that was read.
 * @throws LogError (definite) when there is something already; nothing is changed then
 */
export async function restoreSqlite(folder: string, file: string): Promise<void> {
  const parts = partsOf(besideOf(file));
  const others = ["", "-wal", "-shm"].flatMap((end) =>
    backupParts.map((part) => `${parts[part].file}${end}`),
  );
  for (const each of others) {
    if (existsSync(each)) {
      const message = `${each} is there already; restore to another file, or move it away`;
      throw new LogError(message, { definite: true });
    }
  }
  if (!existsSync(dirname(file))) {
    const message = `there is no directory ${dirname(file)}; make it, or restore to another place`;
    throw new LogError(message, { definite: true });
  }
  const nameOf = (part: BackupPart): string => join(folder, part);
  await checkCopy(folder, { nameOf, advice: "use another backup" });
  const made: string[] = [];
  try {
    // The log is the last to have its name: without it there is nothing.
    for (const part of ["topics", "snapshots", "log"] as const) {
      const { file: target } = parts[part];
      const partial = `${target}.partial`;
      made.push(partial);
      await copyFile(join(folder, part), partial, constants.COPYFILE_EXCL);
      await sync(partial);
    }
    for (const part of ["topics", "snapshots", "log"] as const) {
      const { file: target } = parts[part];
      await rename(`${target}.partial`, target);
    }
    await sync(dirname(file));
  } catch (error) {
    for (const partial of made) await rm(partial, { force: true });
    const why = errorText(error);
    throw new LogError(`the log cannot be restored: ${why}`, { definite: true, cause: error });
  }
}

function missing(file: string): LogError {
  return new LogError(`there is no ${file}; name the log of a server: sqlite:FILE`, {
    definite: true,
  });
}

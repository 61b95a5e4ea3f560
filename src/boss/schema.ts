// SPDX-License-Identifier: MIT
// Opens the file of the experiments database: one writer with an exclusive lock [D13], the layout
// of migrations.ts, and a check that it is whole. Every refusal says what to do.
import { accessSync, constants } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { assert } from "../core/assert.ts";
import { errorText } from "../core/text.ts";
import { BossError } from "./boss-error.ts";
import { migrations } from "./migrations.ts";

/** "MUST": what tells the file from those of other programs, in its header. */
const applicationId = 0x4d555354;

/**
 * `FULL`: what was answered survives a loss of power. `OFF`: it survives the end of the process,
 * however that comes, as a file that is only appended to does; nothing ever waits for the disk.
 */
export type Durability = "FULL" | "OFF";

/**
 * Opens or makes the file, and brings an older one up to date.
 * @throws BossError (DATABASE) when it is locked, damaged, read-only, newer or somebody else's.
 */
export function openDatabase(file: string, durability: Durability = "FULL"): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file);
    database.exec("PRAGMA locking_mode = EXCLUSIVE");
    // Before the journal is made: that waits for the disk as well.
    database.exec(`PRAGMA synchronous = ${durability}`);
    database.exec("PRAGMA journal_mode = WAL");
    database.exec("PRAGMA foreign_keys = ON");
    // Takes the lock now and for good, also when nothing is to be written.
    database.exec("BEGIN EXCLUSIVE");
    database.exec("COMMIT");
    check(database, file);
    migrate(database, file);
    return database;
  } catch (error) {
    database?.close();
    if (error instanceof BossError) throw error;
    throw new BossError("DATABASE", openMessage(file, error), { cause: error });
  }
}

/** Whether `error` says that another process holds the file. */
export function isLocked(error: unknown): boolean {
  return error instanceof BossError && error.code === "DATABASE" && isLockText(error.message);
}

const inUse = "is in use by another Muster";
const isLockText = (message: string): boolean => message.includes(inUse);

function check(database: DatabaseSync, file: string): void {
  const found = database.prepare("PRAGMA quick_check(1)").get()?.["quick_check"];
  if (found === "ok") return;
  throw new BossError("DATABASE", damaged(file, String(found)));
}

function migrate(database: DatabaseSync, file: string): void {
  const version = pragma(database, "user_version");
  if (version > migrations.length) {
    const layouts = `layout ${version}, this one reads ${migrations.length}`;
    const message = `${file} was written by a newer Muster (${layouts}); use that version, or another directory with --state`;
    throw new BossError("DATABASE", message);
  }
  const isEmpty = database.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get() === undefined;
  if (version === 0 ? !isEmpty : pragma(database, "application_id") !== applicationId) {
    const message = `${file} is an SQLite file of another program; choose another directory with --state`;
    throw new BossError("DATABASE", message);
  }
  applyMigrations(database, version, migrations.length);
}

/** Each step is one transaction with its number: a crash leaves a layout that has a number. */
export function applyMigrations(database: DatabaseSync, from: number, to: number): void {
  for (let version = from; version < to; version += 1) {
    const step = migrations[version];
    assert(step !== undefined, "every layout up to the last has a step");
    database.exec("BEGIN EXCLUSIVE");
    try {
      database.exec(step);
      database.exec(`PRAGMA application_id = ${applicationId}`);
      database.exec(`PRAGMA user_version = ${version + 1}`);
      database.exec("COMMIT");
    } catch (error) {
      if (database.isTransaction) database.exec("ROLLBACK");
      throw error;
    }
  }
}

function pragma(database: DatabaseSync, name: string): number {
  return Number(database.prepare(`PRAGMA ${name}`).get()?.[name] ?? 0);
}

function damaged(file: string, why: string): string {
  const line = why.replace(/\s+/g, " ");
  return `${file} is damaged or no database (${line}); restore it from a backup, or choose another directory with --state`;
}

function openMessage(file: string, error: unknown): string {
  const text = errorText(error);
  if (/locked/.test(text)) return `${file} ${inUse}; stop it, or choose another with --state`;
  if (/not a database|malformed/.test(text)) return damaged(file, text);
  // SQLite calls a read-only disk an I/O error.
  const isReadOnly = /readonly/.test(text) || (/I\/O|unable to open/.test(text) && isShut(file));
  if (isReadOnly) return `${file} is read-only; make it and its directory writable`;
  return `cannot open ${file}: ${text}; check the disk, or choose another directory with --state`;
}

/** It or its directory is there, and cannot be written to. */
function isShut(file: string): boolean {
  return [file, dirname(file)].some(
    (path) => allows(path, constants.F_OK) && !allows(path, constants.W_OK),
  );
}

function allows(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}

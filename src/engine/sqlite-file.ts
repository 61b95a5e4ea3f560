// SPDX-License-Identifier: MIT
// Opens an SQLite file of the engine: held by one process, durable at each commit, of a layout that
// this version reads, whole. Everything that can be wrong with it is said with what to do.
import { accessSync, closeSync, constants, existsSync, openSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync, type SQLOutputValue } from "node:sqlite";
import { errorText } from "../core/text.ts";
import { checkKind, checkLinks } from "./file-kind.ts";
import { type HeldFile, lockOf, NamedFile } from "./held-file.ts";
import { LogError } from "./log.ts";

export interface SqliteFileOptions {
  readonly file: string;
  /** What it is called in errors: `a Muster log`. */
  readonly what: string;
  /** A newer layout is refused. */
  readonly layoutVersion: number;
  /**
   * Makes a file of an older layout one of this, within a transaction; without it there is no
   * older one.
   */
  readonly migrate?: (database: DatabaseSync, found: number) => void;
  /** The statement that makes an empty file one of this layout. */
  readonly schema: string;
  /** What its rows lack, if they are not whole. */
  readonly findGap?: (database: DatabaseSync) => string | undefined;
  /**
   * Others may read it meanwhile. That nobody else writes is seen to by a file beside it, `locked`,
   * or by who has opened another one before, `beside`. When absent nobody else may have it open.
   */
  readonly mayBeRead?: "locked" | "beside" | undefined;
  /** It is one file of a backup, which stays as it is. */
  readonly isCopy?: boolean;
  /** What it is called in errors, when that is not its path. */
  readonly name?: string;
  /** What to do when it is damaged. */
  readonly advice?: string;
  /** Is told of names beside it that were lost, and mended. */
  readonly onMended?: ((message: string) => void) | undefined;
}

/**
 * Opens or makes the file.
 * @throws LogError (definite) when it is locked, damaged, read-only or from a newer version; the
 * message says which and what to do.
 */
export function openSqliteFile(options: SqliteFileOptions): HeldFile {
  const { file, mayBeRead, isCopy = false } = options;
  let [database, lock]: (DatabaseSync | undefined)[] = [];
  const close = (): void => {
    database?.close();
    lock?.close();
  };
  checkKind(file);
  if (!isCopy) makeOwn(file);
  try {
    if (!isCopy) checkLinks(file);
    database = new DatabaseSync(file, { readOnly: isCopy });
    if (mayBeRead === "locked") lock = holdLock(file);
    configure(database, options);
    prepareLayout(database, options);
    checkFile(database, options);
    if (isCopy) return { database, close, checkThere: () => undefined };
    return new NamedFile({
      ...{ file, database, lock, isShared: mayBeRead !== undefined },
      connect: () => connectAgain(options),
      holdLock: () => holdLock(file),
      onMended: options.onMended ?? (() => undefined),
    });
  } catch (error) {
    const isOurs = lock !== undefined;
    close();
    if (error instanceof LogError) throw error;
    throw new LogError(openMessage(options, error, isOurs), { definite: true, cause: error });
  }
}

function configure(database: DatabaseSync, { mayBeRead, isCopy }: SqliteFileOptions): void {
  if (mayBeRead === undefined) database.exec("PRAGMA locking_mode = EXCLUSIVE");
  else database.exec(`PRAGMA busy_timeout = ${busyMs}`);
  if (isCopy) return;
  database.exec("PRAGMA journal_mode = WAL");
  database.exec("PRAGMA synchronous = FULL");
}

/** What was whole when it was opened before; it is there. */
function connectAgain(options: SqliteFileOptions): DatabaseSync {
  const database = new DatabaseSync(options.file);
  try {
    configure(database, options);
    // SQLite opens the write-ahead log when it first reads.
    layoutOf(database);
    database.prepare("SELECT count(*) FROM sqlite_schema").get();
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** The kernel frees it when the process ends, however it ends. */
function holdLock(file: string): DatabaseSync {
  const name = lockOf(file);
  checkKind(name);
  makeOwn(name);
  const lock = new DatabaseSync(name);
  try {
    lock.exec("PRAGMA journal_mode = MEMORY");
    lock.exec("BEGIN EXCLUSIVE");
    return lock;
  } catch (error) {
    lock.close();
    throw error;
  }
}

/** How long a writer waits for who reads, or brings the file up to date, milliseconds. */
const busyMs = 2_000;

/**
 * Opens a file that another thread or process may be writing, to read it.
 * @throws LogError (definite), as `openSqliteFile`
 */
export function readSqliteFile(options: SqliteFileOptions): HeldFile {
  const { file, layoutVersion } = options;
  let database: DatabaseSync | undefined;
  checkKind(file);
  checkLinks(file);
  try {
    database = new DatabaseSync(file, { readOnly: true });
    database.exec(`PRAGMA busy_timeout = ${busyMs}`);
    const found = layoutOf(database);
    if (found > layoutVersion) throw newer(options, found);
    if (found === 0) throw new LogError(`${file} is not ${options.what}`, { definite: true });
    const opened = database;
    return { database, close: () => opened.close(), checkThere: watchWal(opened, file) };
  } catch (error) {
    database?.close();
    if (error instanceof LogError) throw error;
    throw new LogError(openMessage(options, error), { definite: true, cause: error });
  }
}

/**
 * Who writes the file opens it anew when its write-ahead log has lost its name; what this one has
 * open then gets nothing new.
 */
function watchWal(database: DatabaseSync, file: string): () => void {
  const wal = `${database.location() ?? file}-wal`;
  const ino = statSync(wal, { throwIfNoEntry: false })?.ino;
  return () => {
    if (statSync(wal, { throwIfNoEntry: false })?.ino === ino) return;
    throw new LogError(`${wal} is another file by now; it is read anew`, { definite: true });
  };
}

/** 0: of no Muster, or made just now. */
export function layoutOf(database: DatabaseSync): number {
  return Number(database.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);
}

function newer({ file, layoutVersion }: SqliteFileOptions, found: number): LogError {
  const message = `${file} was written by a newer Muster (layout ${found}, this one reads ${layoutVersion}); use that version`;
  return new LogError(message, { definite: true });
}

/**
 * What clients say to each other is not for every user of the machine. One that is there keeps its
 * mode; what SQLite puts beside it has the same.
 */
function makeOwn(file: string): void {
  try {
    // One that is there is not opened: to close it again would free every lock of this process.
    closeSync(openSync(file, "ax", 0o600));
  } catch {
    // It is there; or SQLite finds the same, and it is said below what to do.
  }
}

/** All that is done is done, or nothing. @param what it is for, for who reads why it was refused */
export function inTransaction(database: DatabaseSync, what: string, act: () => void): void {
  try {
    database.exec("BEGIN IMMEDIATE");
    act();
    database.exec("COMMIT");
  } catch (error) {
    throw failTransaction(database, what, error);
  }
}

/** The bytes in a column of a row; undefined where there are none. */
export function blobOf(
  row: Readonly<Record<string, SQLOutputValue>> | undefined,
  column: string,
): Uint8Array | undefined {
  const value = row?.[column];
  return value instanceof Uint8Array ? value : undefined;
}

/** What a failed transaction is reported as; it is rolled back. */
function failTransaction(database: DatabaseSync, what: string, error: unknown): LogError {
  try {
    if (database.isTransaction) database.exec("ROLLBACK");
  } catch {
    // The statement that failed has already ended the transaction.
  }
  // A full disk or a read-only file is found before the commit is written. After any other
  // failure, of a sync above all, the next start may find the commit in the file.
  const text = errorText(error);
  if (isLocked(text)) {
    // A transaction that another program keeps has not let this one begin.
    const why = `another program has locked ${database.location()}; end what it does there`;
    return new LogError(`SQLite refused ${what}: ${why}`, { definite: true, cause: error });
  }
  const isFull = /full/.test(text);
  const definite = isFull || /readonly/.test(text);
  return new LogError(`SQLite refused ${what}: ${text}`, { definite, isFull, cause: error });
}

function isLocked(text: string): boolean {
  return /locked/.test(text);
}

function prepareLayout(database: DatabaseSync, options: SqliteFileOptions): void {
  const { file, layoutVersion, schema, migrate, isCopy = false } = options;
  const found = layoutOf(database);
  if (found > layoutVersion) throw newer(options, found);
  // A copy of an older layout is brought up to date where it is restored.
  if (found === layoutVersion || (isCopy && found > 0)) return;
  const isOlder = found > 0 && migrate !== undefined;
  if (!isOlder && database.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get() !== undefined) {
    const message = `${file} is an SQLite file of another program; choose another file`;
    throw new LogError(message, { definite: true });
  }
  database.exec("BEGIN IMMEDIATE");
  if (isOlder) migrate(database, found);
  else database.exec(schema);
  database.exec(`PRAGMA user_version = ${layoutVersion}`);
  database.exec("COMMIT");
}

const damagedAdvice = "restore it from a backup, or choose another file";

/** Finds damage now, with its name, and not as a crash in the middle of the replay. */
function checkFile(database: DatabaseSync, options: SqliteFileOptions): void {
  const { file, name = file, advice = damagedAdvice, findGap } = options;
  const check = String(database.prepare("PRAGMA quick_check(1)").get()?.["quick_check"]);
  const wrong = check === "ok" ? findGap?.(database) : check;
  if (wrong === undefined) return;
  const message = `${name} is damaged (${wrong}); ${advice}`;
  throw new LogError(message, { definite: true });
}

/** @param isOurs no other Muster of this kind has it: the lock beside it is held */
function openMessage(
  { file, what, name = file, advice = damagedAdvice }: SqliteFileOptions,
  error: unknown,
  isOurs: boolean = false,
): string {
  const text = errorText(error);
  if (isLocked(text)) {
    const other = isOurs ? "; or another program, sqlite3 perhaps, has locked it: end that" : "";
    return `${file} is in use by another Muster; stop it, or choose another file${other}`;
  }
  if (/not a database|malformed/.test(text)) {
    return `${name} is damaged or not ${what} (${text}); ${advice}`;
  }
  if (statSync(file, { throwIfNoEntry: false })?.isDirectory()) {
    return `${file} is a directory; name a file, one in it perhaps: ${join(file, "log")}`;
  }
  // SQLite calls a read-only disk an I/O error, and a file that is another user's one that it is
  // unable to open.
  if (/readonly/.test(text) || (/I\/O|unable to open/.test(text) && isShut(file)))
    return `${file} is read-only; make it and its directory writable`;
  // So it calls a full disk, too, where it makes files beside it.
  const room = /I\/O|full/.test(text) ? ", and that there is room on its disk" : "";
  const help = `check that its directory is there, whose it and the files beside it are${room}`;
  return `cannot open ${file}: ${text}; ${help}`;
}

/** It or its directory is there, and cannot be written to. */
function isShut(file: string): boolean {
  return [file, dirname(file)].some((path) => {
    try {
      accessSync(path, constants.W_OK);
      return false;
    } catch {
      return existsSync(path);
    }
  });
}

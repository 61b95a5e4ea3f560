// SPDX-License-Identifier: MIT
// An SQLite file that is held, and the names it has: its own, that of its write-ahead log
// (FILE-wal), of the memory that its readers share (FILE-shm), and of the lock beside it. What is
// written to a file that has lost its name is gone with the process, though SQLite goes on.
//
//   N1. Before something is acknowledged each name is seen to be that of the file that was opened.
//   N2. Once one is not, what the connection holds is moved into the file itself, which is open
//       still and has it then under whatever name it may come back.
//   N3. The connection is opened anew only while the file has its name, and nothing of another
//       program's is read as ours or deleted: neither a file nor a write-ahead log.
import { renameSync, type Stats, statSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { errorText } from "../core/text.ts";
import { LogError } from "./log.ts";

/** A file that is held until it is closed. */
export interface HeldFile {
  /**
   * Another one after a `checkThere` that had to open it anew.
   * @throws LogError (definite) when that did not succeed yet
   */
  readonly database: DatabaseSync;
  /** @throws LogError (definite) when what is written now might be gone with the process (N1) */
  checkThere(): void;
  close(): void;
}

export interface NamedFileOptions {
  readonly file: string;
  readonly database: DatabaseSync;
  readonly lock: DatabaseSync | undefined;
  /** Opens it again, which was found whole before. */
  readonly connect: () => DatabaseSync;
  readonly holdLock: () => DatabaseSync;
  /** Whether others may read it: they share memory by name. */
  readonly isShared: boolean;
  /** Is told what was found and mended, for people. */
  readonly onMended: (message: string) => void;
}

/** Which file it is. */
type Identity = Pick<Stats, "dev" | "ino" | "size">;

export class NamedFile implements HeldFile {
  readonly #options: NamedFileOptions;
  readonly #file: string;
  readonly #own: Identity | undefined;
  /** As SQLite calls it, which follows symbolic links. */
  readonly #wal: string;
  readonly #memory: string;
  readonly #lockFile: string;
  #database: DatabaseSync | undefined;
  #lock: DatabaseSync | undefined;
  /** What each name beside the file stood for when it was opened. */
  #beside: ReadonlyMap<string, Identity | undefined>;

  constructor(options: NamedFileOptions) {
    const { file, database, lock } = options;
    const real = database.location() ?? file;
    this.#options = options;
    this.#file = file;
    this.#database = database;
    this.#lock = lock;
    this.#own = look(file);
    [this.#wal, this.#memory] = [`${real}-wal`, `${real}-shm`];
    this.#lockFile = lockOf(file);
    this.#beside = this.#lookBeside();
  }

  get database(): DatabaseSync {
    if (this.#database !== undefined) return this.#database;
    const message = `${this.#file} was to be opened anew, and could not yet be; see the log`;
    throw new LogError(message, { definite: true });
  }

  checkThere(): void {
    this.#checkOwn();
    if (this.#database !== undefined && this.#isBesideSame()) return;
    this.#openAnew();
  }

  close(): void {
    const database = this.#database;
    this.#database = undefined;
    if (database !== undefined) this.#closeSaved(database);
    this.#lock?.close();
    this.#lock = undefined;
  }

  /** @throws LogError when the name is another file's, or nobody's; all is in the file then (N2) */
  #checkOwn(): void {
    const now = look(this.#file);
    if (isSame(now, this.#own)) return;
    if (this.#database !== undefined) trySave(this.#database);
    const what = now === undefined ? "was removed" : "is another file now";
    throw refusal(
      `${this.#file} ${what} while it was open; put it back as it was, or stop this server and start it from a backup`,
    );
  }

  #isBesideSame(): boolean {
    for (const [name, before] of this.#beside) if (!isSame(look(name), before)) return false;
    return true;
  }

  #lookBeside(): ReadonlyMap<string, Identity | undefined> {
    const { isShared } = this.#options;
    const names = [this.#wal];
    if (isShared) names.push(this.#memory);
    if (this.#lock !== undefined) names.push(this.#lockFile);
    return new Map(names.map((name) => [name, look(name)]));
  }

  /** @throws LogError (definite) when it cannot be done now; it is tried again at the next check */
  #openAnew(): void {
    const lost = [...this.#beside].filter(([name, before]) => !isSame(look(name), before));
    this.#holdLockAgain();
    const database = this.#database;
    if (database !== undefined) save(database, this.#file, this.#wal);
    if (this.#isWalOfOther()) throw this.#otherWal();
    // The last connection that is closed deletes FILE-wal: there is none by now, or an empty one.
    this.#database = undefined;
    database?.close();
    this.#database = this.#connect();
    this.#beside = this.#lookBeside();
    // Memory alone that is shared by another name loses nothing, and readers may keep it a while.
    const names = lost.map(([name]) => name).filter((name) => name !== this.#memory);
    if (names.length === 0) return;
    const what = `${names.join(" and ")} was removed or replaced while it was open`;
    this.#options.onMended(`${what}; nothing is lost: ${this.#file} has all of it, opened anew`);
  }

  #connect(): DatabaseSync {
    let opened: DatabaseSync | undefined;
    try {
      opened = this.#options.connect();
      this.#checkOwn();
      return opened;
    } catch (error) {
      opened?.close();
      if (error instanceof LogError) throw error;
      const why = errorText(error);
      throw refusal(`${this.#file} cannot be opened anew: ${why}; or stop this server`, error);
    }
  }

  /** @throws LogError (definite) when another server has it by now */
  #holdLockAgain(): void {
    const before = this.#beside.get(this.#lockFile);
    if (this.#lock === undefined || isSame(look(this.#lockFile), before)) return;
    try {
      const lock = this.#options.holdLock();
      this.#lock.close();
      this.#lock = lock;
    } catch (error) {
      const what = `${this.#lockFile} was removed or replaced while it was open`;
      throw refusal(`${what}, and another Muster may have ${this.#file}; stop one of them`, error);
    }
  }

  /** One that is empty may be a reader's, who found none. */
  #isWalOfOther(): boolean {
    const now = look(this.#wal);
    return now !== undefined && now.size > 0 && !isSame(now, this.#beside.get(this.#wal));
  }

  #otherWal(): LogError {
    const what = `${this.#wal} is another file than the one that this server has made`;
    const help = `end the program that has made it, and move it away before this server ends`;
    return refusal(`${what}; ${this.#file} has all that was acknowledged: ${help}`);
  }

  /** Nobody else's write-ahead log is deleted with ours (N3). */
  #closeSaved(database: DatabaseSync): void {
    const isMoved = !isSame(look(this.#file), this.#own);
    if (isMoved || !this.#isBesideSame()) trySave(database);
    const aside = `${this.#wal}.other`;
    const isOthers = !isMoved && this.#isWalOfOther();
    if (isOthers) renameSync(this.#wal, aside);
    database.close();
    if (isOthers) renameSync(aside, this.#wal);
  }
}

/** What `checkThere` has to say now. */
export function findLost(file: HeldFile): string | undefined {
  try {
    file.checkThere();
    return undefined;
  } catch (error) {
    return errorText(error);
  }
}

/** That one server at a time has the file is seen to by this one beside it. */
export function lockOf(file: string): string {
  return `${file}.lock`;
}

function look(name: string): Identity | undefined {
  return statSync(name, { throwIfNoEntry: false });
}

/** What was not there when it was looked at is not known to be the same. */
function isSame(left: Identity | undefined, right: Identity | undefined): boolean {
  return left !== undefined && left.ino === right?.ino && left.dev === right.dev;
}

/** Moves what the write-ahead log has into the file, and syncs it. @throws LogError (definite) */
function save(database: DatabaseSync, file: string, wal: string): void {
  const what = `${wal} or its lock was removed or replaced while it was open, and what it has`;
  let isBusy: boolean;
  try {
    isBusy = database.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get()?.["busy"] !== 0;
  } catch (error) {
    const why = errorText(error);
    throw refusal(`${what} cannot be moved into ${file}: ${why}; do not kill this server`, error);
  }
  if (!isBusy) return;
  throw refusal(`${what} waits for readers of ${file}, to be moved there; do not kill this server`);
}

/** Where it is refused anyway, and tried again. */
function trySave(database: DatabaseSync): void {
  try {
    database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  } catch {
    // What is said is what was found first.
  }
}

function refusal(message: string, cause?: unknown): LogError {
  return new LogError(message, { definite: true, cause });
}

// SPDX-License-Identifier: MIT
// The log in one SQLite file: durable on one machine. Write-ahead log with FULL sync, so that an
// acknowledged entry survives a crash of the process and of the machine. Appends of one turn of the
// event loop are one transaction: a commit costs 0.085 ms, a thousand rows 1 ms. What was cut away
// is deleted by the commits that follow, some rows each, so that nobody waits for it. Each entry
// has a checksum, because SQLite has none of its pages: a byte of a row may change unseen.
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Entry, LogEntry } from "../core/command.ts";
import { findLost, type HeldFile } from "./held-file.ts";
import type { Log, LogClock, LogExamined, LogReader } from "./log.ts";
import { LogError } from "./log.ts";
import { cutRows, followPollMs } from "./snapshot-limits.ts";
import {
  inTransaction,
  layoutOf,
  openSqliteFile,
  readSqliteFile,
  type SqliteFileOptions,
} from "./sqlite-file.ts";
import { parseStoredEntry, sumOfEntry } from "./stored-entry.ts";
import { Tail } from "./tail.ts";

/** Layout of the file; a newer one is refused, an older one is brought up to date. */
const layoutVersion = 3;
/** From this one on each entry has its checksum. */
const sumsLayout = 3;
/** Rows read from the file at a time by a reader that catches up. */
const readRowsMax = 1_000;

export interface SqliteLogOptions {
  readonly file: string;
  /** Monotonic clock, microseconds: the stamps of the log. */
  readonly nowUs: () => number;
  /** Others may read the file meanwhile: what makes snapshots, and backups. */
  readonly mayBeRead?: boolean;
  /** Is told of names beside the file that were lost, and mended. */
  readonly onMended?: ((message: string) => void) | undefined;
}

interface PendingAppend {
  readonly text: string;
  readonly resolve: (sequence: number) => void;
  readonly reject: (error: LogError) => void;
}

export class SqliteLog implements Log {
  readonly durability = "SQLite, WAL, synchronous=FULL: survives a crash of process and machine";
  readonly #file: HeldFile;
  readonly #path: string;
  readonly #nowUs: () => number;
  #statements: Statements;
  /** Of the first entry that is there, and of the last. */
  #first: number;
  #head: number;
  /** Entries up to this one may go. */
  #cutThrough = 0;
  #pending: PendingAppend[] = [];
  #closed = false;
  readonly #tails = new Set<Tail>();

  private constructor(file: HeldFile, path: string, nowUs: () => number) {
    this.#file = file;
    this.#path = path;
    this.#nowUs = nowUs;
    this.#statements = prepare(file, path);
    ({ first: this.#first, head: this.#head } = this.#statements.rows.bounds());
  }

  /**
   * Opens or makes the file.
   * @throws LogError (definite) when it is locked, damaged, read-only or from a newer version; the
   * message says which and what to do.
   */
  static open({ file, nowUs, mayBeRead = false, onMended }: SqliteLogOptions): SqliteLog {
    const how = { mayBeRead: mayBeRead ? "locked" : undefined, onMended } as const;
    return new SqliteLog(openSqliteFile({ ...sqliteLogLayout(file), ...how }), file, nowUs);
  }

  append(entry: Entry): Promise<number> {
    if (this.#closed) {
      return Promise.reject(new LogError("the log is closed", { definite: true }));
    }
    return new Promise((resolve, reject) => {
      if (this.#pending.length === 0) queueMicrotask(() => this.#commit());
      this.#pending.push({ text: JSON.stringify(entry), resolve, reject });
    });
  }

  read(
    from: number,
    deliver: (entries: readonly LogEntry[]) => void,
    onLost: (error: LogError) => void = () => undefined,
  ): LogReader {
    const tail: Tail = new Tail(from, deliver, {
      take: (next) => {
        if (next > this.#head) return [];
        try {
          if (next < this.#first) throw cutAway(next, this.#first);
          return this.#current().rows.from(next);
        } catch (error) {
          tail.stop();
          onLost(lostBy(error));
          return [];
        }
      },
      delivered: () => undefined,
      stopped: () => this.#tails.delete(tail),
    });
    this.#tails.add(tail);
    tail.wake();
    return tail;
  }

  head(): Promise<number> {
    return Promise.resolve(this.#head);
  }

  trim(through: number): Promise<void> {
    this.#cutThrough = Math.max(this.#cutThrough, Math.min(through, this.#head));
    return Promise.resolve();
  }

  /** Also while nothing is appended the file is to have its names. */
  examine(): Promise<LogExamined> {
    // What is cut is cut by this log alone.
    return Promise.resolve({ first: 1, remark: this.#closed ? undefined : findLost(this.#file) });
  }

  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#commit();
    this.#closed = true;
    for (const tail of this.#tails) tail.stop();
    this.#file.close();
    return Promise.resolve();
  }

  /** All pending appends as one transaction: they are stored together or not at all. */
  #commit(): void {
    const appends = this.#pending;
    this.#pending = [];
    if (appends.length === 0 || this.#closed) return;
    const stampUs = this.#nowUs();
    const rows = Math.max(cutRows.least, cutRows.perAppend * appends.length);
    const keptFrom = Math.min(this.#cutThrough + 1, this.#first + rows);
    try {
      this.#file.checkThere();
      const { database, insert, remove } = this.#current();
      inTransaction(database, "the entry", () => {
        appends.forEach(({ text }, index) => {
          const sequence = this.#head + 1 + index;
          insert.run(sequence, stampUs, text, sumOfEntry(sequence, stampUs, text));
        });
        if (keptFrom > this.#first) remove.run(this.#first, keptFrom - 1);
      });
    } catch (error) {
      for (const { reject } of appends) reject(error as LogError);
      return;
    }
    this.#first = Math.max(this.#first, keptFrom);
    for (const { resolve } of appends) {
      this.#head += 1;
      resolve(this.#head);
    }
    for (const tail of this.#tails) tail.wake();
  }

  /**
   * Of the connection that there is now.
   * @throws LogError (definite) when the file was opened anew, and is not as this log has left it
   */
  #current(): Statements {
    if (this.#statements.database === this.#file.database) return this.#statements;
    const statements = prepare(this.#file, this.#path);
    const { head } = statements.rows.bounds();
    if (head !== this.#head) {
      const found = `${this.#path} has entries up to ${head}, and this server has written ${this.#head}`;
      const why = "somebody else has written to it meanwhile";
      const help = "stop this server, and start it on the file that is right";
      throw new LogError(`${found}: ${why}; ${help}`, { definite: true });
    }
    this.#statements = statements;
    return statements;
  }
}

interface Statements {
  /** Whose they are. */
  readonly database: DatabaseSync;
  readonly insert: StatementSync;
  readonly remove: StatementSync;
  readonly rows: EntryRows;
}

function prepare({ database }: HeldFile, path: string): Statements {
  return {
    database,
    insert: database.prepare(
      "INSERT INTO entries (sequence, stamp_us, entry, sum) VALUES (?, ?, ?, ?)",
    ),
    remove: database.prepare("DELETE FROM entries WHERE sequence BETWEEN ? AND ?"),
    rows: new EntryRows({ database, file: path }),
  };
}

/** Reads a log that another thread or process is writing, by looking for more now and then. */
export class SqliteLogFollower implements Pick<Log, "read" | "head" | "close"> {
  readonly #file: HeldFile;
  readonly #rows: EntryRows;
  readonly #clock: LogClock;
  readonly #readers = new Set<LogReader>();

  private constructor(file: HeldFile, path: string, clock: LogClock) {
    this.#file = file;
    this.#rows = new EntryRows({ database: file.database, file: path });
    this.#clock = clock;
  }

  /** @throws LogError (definite), as `SqliteLog.open` */
  static open(file: string, clock: LogClock): SqliteLogFollower {
    return new SqliteLogFollower(readSqliteFile(sqliteLogLayout(file)), file, clock);
  }

  read(
    from: number,
    deliver: (entries: readonly LogEntry[]) => void,
    onLost: (error: LogError) => void = () => undefined,
  ): LogReader {
    let next = from;
    let cancel: () => void = () => undefined;
    const look = (): void => {
      let entries: readonly LogEntry[] = [];
      try {
        this.#file.checkThere();
        const { first } = this.#rows.bounds();
        if (next < first) throw cutAway(next, first);
        entries = this.#rows.from(next);
      } catch (error) {
        reader.stop();
        onLost(lostBy(error));
        return;
      }
      const last = entries.at(-1);
      if (last !== undefined) {
        next = last.sequence + 1;
        deliver(entries);
      }
      // Also between two full pages others of this thread have their turn.
      if (!isStopped) cancel = this.#clock.after(last === undefined ? followPollMs : 0, look);
    };
    let isStopped = false;
    const reader: LogReader = {
      stop: () => {
        isStopped = true;
        cancel();
        this.#readers.delete(reader);
      },
    };
    this.#readers.add(reader);
    cancel = this.#clock.after(0, look);
    return reader;
  }

  head(): Promise<number> {
    return Promise.resolve(this.#rows.bounds().head);
  }

  close(): Promise<void> {
    for (const reader of this.#readers) reader.stop();
    this.#file.close();
    return Promise.resolve();
  }
}

function lostBy(error: unknown): LogError {
  return error instanceof LogError ? error : new LogError(String(error), { definite: false });
}

/** A file of entries, and what is said of it. */
interface EntryFile {
  readonly database: DatabaseSync;
  /** What it is called in errors. */
  readonly file: string;
  /** What to do when it is damaged. */
  readonly advice?: string | undefined;
}

class EntryRows {
  readonly #file: string;
  readonly #advice: string;
  readonly #hasSums: boolean;
  readonly #select: StatementSync;
  readonly #bounds: StatementSync;

  constructor({ database, file, advice = damagedAdvice }: EntryFile) {
    this.#file = file;
    this.#advice = advice;
    // A file of a backup may be of an older layout, and stays so.
    this.#hasSums = layoutOf(database) >= sumsLayout;
    const columns = `sequence, stamp_us, entry${this.#hasSums ? ", sum" : ""}`;
    this.#select = database.prepare(
      `SELECT ${columns} FROM entries WHERE sequence >= ? ORDER BY sequence LIMIT ?`,
    );
    // Two searches of the index; min and max in one statement would walk it.
    this.#bounds = database.prepare(
      "SELECT (SELECT min(sequence) FROM entries) AS first, (SELECT max(sequence) FROM entries) AS head",
    );
  }

  /**
   * Of an empty log: 1 and 0. What was cut away is less than what there is, which is never empty.
   */
  bounds(): { readonly first: number; readonly head: number } {
    const row = this.#bounds.get();
    return { first: Number(row?.["first"] ?? 1), head: Number(row?.["head"] ?? 0) };
  }

  /** A page of them. @throws LogError (definite) when one is damaged */
  from(next: number): readonly LogEntry[] {
    return this.#select.all(next, readRowsMax).map((row) => {
      const [sequence, stampUs] = [Number(row["sequence"]), Number(row["stamp_us"])];
      const text = String(row["entry"]);
      const isWritten = !this.#hasSums || row["sum"] === sumOfEntry(sequence, stampUs, text);
      const entry = isWritten ? parseStoredEntry(text) : undefined;
      if (entry !== undefined) return { sequence, stampUs, entry };
      const what = isWritten
        ? `what it has as entry ${sequence} is none`
        : `entry ${sequence} is not what was written, by its checksum`;
      throw new LogError(`${this.#file} is damaged: ${what}; ${this.#advice}`, { definite: true });
    });
  }
}

const damagedAdvice = "restore it from a backup (muster restore), or choose another file";

/** Reads every entry. @returns what there are. @throws LogError (definite) when one is damaged */
export function checkEntries(file: EntryFile): { readonly first: number; readonly head: number } {
  const rows = new EntryRows(file);
  const bounds = rows.bounds();
  for (let next = bounds.first; next <= bounds.head; ) {
    next = (rows.from(next).at(-1)?.sequence ?? bounds.head) + 1;
  }
  return bounds;
}

/** What a file of a log is. */
export function sqliteLogLayout(file: string): SqliteFileOptions {
  return {
    ...{ file, what: "a Muster log", layoutVersion, findGap },
    schema:
      "CREATE TABLE entries (sequence INTEGER PRIMARY KEY, stamp_us INTEGER NOT NULL, entry TEXT NOT NULL, sum INTEGER NOT NULL) STRICT",
    // Layout 1 was never cut, and is layout 2 else.
    migrate: addSums,
  };
}

/** What is there by now is taken for what was written. */
function addSums(database: DatabaseSync): void {
  database.exec("ALTER TABLE entries ADD COLUMN sum INTEGER NOT NULL DEFAULT 0");
  const select = database.prepare(
    "SELECT sequence, stamp_us, entry FROM entries WHERE sequence > ? ORDER BY sequence LIMIT ?",
  );
  const update = database.prepare("UPDATE entries SET sum = ? WHERE sequence = ?");
  for (let last = 0; ; ) {
    const rows = select.all(last, readRowsMax);
    for (const row of rows) {
      last = Number(row["sequence"]);
      update.run(sumOfEntry(last, Number(row["stamp_us"]), String(row["entry"])), last);
    }
    if (rows.length < readRowsMax) return;
  }
}

function findGap(database: DatabaseSync): string | undefined {
  const rows = database
    .prepare("SELECT count(*) AS count, min(sequence) AS first, max(sequence) AS last FROM entries")
    .get();
  const [count = 0, first = 0, last = 0] = [rows?.["count"], rows?.["first"], rows?.["last"]].map(
    Number,
  );
  const isWhole = count === 0 || count === last - first + 1;
  return isWhole ? undefined : `entries are missing: ${count} of ${last - first + 1}`;
}

/** L6. */
export function cutAway(wanted: number, first: number): LogError {
  const message = `entries ${wanted} to ${first - 1} of the log have been cut away, and no snapshot stands for them; restore a backup`;
  return new LogError(message, { definite: true, isCut: true });
}
